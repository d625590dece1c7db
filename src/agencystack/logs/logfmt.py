"""`key=value key="va lue"` as go-logfmt 0.6 reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_PAIR = re.compile(
    r"""[\x00-\x20]*([^\x00-\x20="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\x00-\x20="]*)(?=[\x00-\x20]|$)))?""", re.DOTALL
)
"""A key, and a value in quotes or up to what is no letter or sign; a text in quotes may end right before a key."""


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield keys and values; stops where the text is no logfmt any more, as the decoder does."""
    at = 0
    while match := _PAIR.match(text, at):
        at = match.end()
        if text[at : at + 1] in ("=", '"'):
            return
        value = match.group(3) or "" if match.group(2) is None else _unquoted(match.group(2))
        if value is None:
            return
        yield match.group(1), value


def _unquoted(text: str) -> str | None:
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return None
