"""`key=value key="va lue"` as go-logfmt reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import re2  # type: ignore[import-untyped]


@cache
def _pair() -> Any:
    return re2.compile(r'([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"=]*)))?(?:\s|$)')


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield keys and values; stops where the text is no logfmt any more, as the decoder does."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _pair().match(text, at)
        if match is None:
            return
        yield match.group(1), _unquoted(match.group(2)) if match.group(2) is not None else match.group(3) or ""
        at = match.end()


def _unquoted(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return ""
