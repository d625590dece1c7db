"""Change a few keys of a dotenv file and leave every other byte as it was.

Chatwoot's ``.env`` has two readers: the dotenv gem inside the application (lib/dotenv/parser.rb) and ``env_file:`` of
Docker Compose around it (compose-go, dotenv/parser.go). They agree on much but not on all, so a value is only written
in a form both read alike, and refused otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

# What the dotenv gem takes for one assignment; quoted values may span lines.
_ASSIGNMENT = re.compile(
    r"""
    [ \t]*(?:export[ \t]+)?
    (?P<key>[A-Za-z0-9_.]+)
    (?:[ \t]*=[ \t]*|:[ \t]+)
    (?P<value>'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|[^\#\r\n]+)?
    [ \t]*(?:\#[^\r\n]*)?
    (?:\r\n|\n|\r|\Z)
    """,
    re.VERBOSE,
)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_LINE_END = re.compile(r"\r\n|\n|\r")
_QUOTED = re.compile(r"(['\"])(.*)\1\Z", re.DOTALL)
_REFERENCE = re.compile(r"(\\)?\$(?!\()\{?([A-Za-z0-9_]+)?\}?")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Read alike by both without quotes: no space, quote, comment, reference or escape can begin in it.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*\Z")


class UnwritableValue(ValueError):
    """A key or value that the dotenv gem and Docker Compose cannot both be given; its text never holds the value."""


@dataclass(frozen=True)
class _Part:
    """One assignment, or one line that is none (``key`` is then None), with its line end."""

    text: str
    key: str | None = None
    value_at: tuple[int, int] = (0, 0)

    @property
    def raw(self) -> str:
        return self.text[slice(*self.value_at)]


class SavedLine(BaseModel):
    """One assignment as it stood: where, after what, and its bytes."""

    model_config = ConfigDict(frozen=True)

    key: str
    text: str
    index: int
    after: str


class SavedLines(BaseModel):
    """What :func:`restore` needs to put back; it holds secrets, so keep it sealed."""

    model_config = ConfigDict(frozen=True)

    keys: tuple[str, ...]
    lines: tuple[SavedLine, ...]
    ended_open: bool


def parse(text: str) -> dict[str, str]:
    """Return the values the dotenv gem reads from ``text``; of a key written twice the last counts.

    Args:
        text: the whole file.

    ``$NAME`` and ``${NAME}`` take earlier values of the same file, except in single quotes; the environment of the
    process, which comes first in the application, is not known here. ``$(command)`` stays as it is written.
    """
    values: dict[str, str] = {}
    for part in _parts(text):
        if part.key is not None:
            values[part.key] = _value_of(part.raw, values)
    return values


def set(text: str, changes: Mapping[str, str | None]) -> str:  # noqa: A001 - read as envfile.set(text, {...})
    """Return ``text`` with the given keys set, or removed where the value is None.

    Args:
        text: the whole file.
        changes: wanted values. A key that has its value keeps its bytes; of a key written several times the last line
            is changed, as that is the one that counts; a new key is appended.

    Raises:
        UnwritableValue: a key or value that cannot be written so that both readers see the same.
    """
    current = parse(text)
    wanted = {key: value for key, value in changes.items() if current.get(key) != value}
    written = {key: _encoded(key, value) for key, value in wanted.items() if value is not None}
    parts = list(_parts(text))
    last = {part.key: index for index, part in enumerate(parts) if part.key is not None}
    kept = [
        _with_value(part, written[part.key]) if part.key in written and last[part.key] == index else part
        for index, part in enumerate(parts)
        if part.key is None or wanted.get(part.key, "") is not None
    ]
    new = [f"{key}={value}" for key, value in written.items() if key not in last]
    changed = _append("".join(part.text for part in kept), new, _line_end(text))
    _verify(changed, wanted)
    return changed


def lines_of(text: str, keys: Iterable[str]) -> SavedLines:
    """Return the assignments of ``keys`` as they stand, byte for byte, for :func:`restore`.

    Args:
        text: the whole file.
        keys: what is about to be changed, also keys that are not there yet.
    """
    names = tuple(keys)
    parts = list(_parts(text))
    lines = tuple(
        SavedLine(key=part.key, text=part.text, index=index, after=parts[index - 1].text if index else "")
        for index, part in enumerate(parts)
        if part.key is not None and part.key in names
    )
    return SavedLines(keys=names, lines=lines, ended_open=bool(text) and not _is_closed(text))


def restore(text: str, saved: SavedLines) -> str:
    """Return ``text`` with the saved assignments back, and everything else as it is now.

    Args:
        text: the whole file, changed by :func:`set` and perhaps by a person since.
        saved: what :func:`lines_of` returned before the change. Keys that were not there go; a removed line comes
            back behind the line it followed, or, where that is gone, at its old line number.
    """
    pending = list(saved.lines)
    parts: list[str] = []
    dropped_last = False
    for part in _parts(text):
        mine = part.key in saved.keys
        back = next((line for line in pending if line.key == part.key), None) if mine else None
        dropped_last = mine and back is None
        if back is not None:
            pending.remove(back)
            parts.append(back.text)
        elif not mine:
            parts.append(part.text)
    for line in pending:
        parts.insert(_place(parts, line), line.text)
    joined = _joined(parts, _line_end(text))
    return _opened(joined) if saved.ended_open and dropped_last else joined


def _parts(text: str) -> Iterator[_Part]:
    """Split ``text``; the parts joined again are ``text``."""
    position = 0
    while position < len(text):
        found = _ASSIGNMENT.match(text, position)
        if found is None:
            line = _LINE.match(text, position)
            assert line is not None  # noqa: S101 - the expression matches at every position
            yield _Part(line[0])
            position = line.end()
            continue
        raw = found["value"]
        start = found.start("value") if raw is not None else _end_of_separator(found)
        yield _Part(found[0], found["key"], (start - position, start - position + len((raw or "").rstrip())))
        position = found.end()


def _end_of_separator(found: re.Match[str]) -> int:
    after_key = found.string[found.end("key") : found.end()]
    return found.end("key") + len(after_key) - len(after_key.lstrip(" \t")) + 1


def _value_of(raw: str, earlier: Mapping[str, str]) -> str:
    raw = re.sub(r"\r\n?", "\n", raw.strip())
    quoted = _QUOTED.match(raw)
    quote, value = (quoted[1], quoted[2]) if quoted else ("", raw)
    if quote == "'":
        return value
    if quote == '"':
        value = value.replace("\\n", "\\\\n").replace("\\r", "\\\\r")
    value = re.sub(r"\\([^$])", r"\1", value)
    return _REFERENCE.sub(lambda found: _referenced(found, earlier), value)


def _referenced(found: re.Match[str], earlier: Mapping[str, str]) -> str:
    escaped, name = found[1], found[2]
    if escaped:
        return found[0][1:]
    return earlier.get(name, "") if name else found[0]


def _encoded(key: str, value: str) -> str:
    if not _KEY.match(key):
        raise UnwritableValue(f"{key!r} cannot be the name of a variable: letters, digits and _ only")
    if re.search(r"[\x00\r\n]", value):
        raise UnwritableValue(f"the value for {key} has a line break or NUL, which not every reader of the file keeps")
    if _PLAIN.match(value):
        return value
    # Single quotes keep everything but themselves; Compose takes \' for a quote that goes on.
    if "'" not in value and not value.endswith("\\"):
        return f"'{value}'"
    # Inside double quotes both replace $ and \, each in its own way.
    if not re.search(r'["\\$]', value):
        return f'"{value}"'
    raise UnwritableValue(
        f"the value for {key} cannot be written so that dotenv and Docker Compose read the same: an apostrophe next to "
        'one of " \\ $, or a backslash at the end'
    )


def _verify(changed: str, wanted: Mapping[str, str | None]) -> None:
    values = parse(changed)
    for key, value in wanted.items():
        if values.get(key) != value:
            raise UnwritableValue(f"{key} cannot be set: a quote that is opened above it in the file is never closed")


def _with_value(part: _Part, value: str) -> _Part:
    start, end = part.value_at
    rest = part.text[end:]
    gap = " " if rest.startswith("#") else ""
    # Compose takes a comment right behind "=" for the value.
    shown = value or ("''" if rest.lstrip(" \t").startswith("#") else "")
    return replace(part, text=part.text[:start] + shown + gap + rest)


def _append(text: str, lines: list[str], end: str) -> str:
    if not lines:
        return text
    if not text or _is_closed(text):
        return text + "".join(line + end for line in lines)
    return text + "".join(end + line for line in lines)


def _place(parts: list[str], line: SavedLine) -> int:
    anchors = [index + 1 for index, part in enumerate(parts) if _opened(part) == _opened(line.after)]
    if line.index == 0 or not anchors:
        return min(line.index, len(parts))
    return min(anchors, key=lambda place: abs(place - line.index))


def _joined(parts: list[str], end: str) -> str:
    closed = [part if _is_closed(part) else part + end for part in parts[:-1]]
    return "".join(closed + parts[-1:])


def _line_end(text: str) -> str:
    found = _LINE_END.search(text)
    return found[0] if found else "\n"


def _is_closed(text: str) -> bool:
    return text.endswith(("\n", "\r"))


def _opened(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text[:-1] if _is_closed(text) else text
