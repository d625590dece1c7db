"""Read a file of shell variables as data; nothing in it is ever executed."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ASSIGNMENT = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=", re.MULTILINE)
_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_END_OF_VALUE = " \t\n;&|"


class _NotData(Exception):
    """The value would have to be computed by a shell."""


def parse(text: str) -> dict[str, str]:
    """Return the variables that are plain data.

    Quotes, ``export``, ``$NAME``, ``${NAME}`` and ``${NAME:-default}`` between values of the same file are
    understood. A value made by a command is left out, and so is one that refers to it.

    Args:
        text: the file, as bash would source it.
    """
    variables: dict[str, str] = {}
    position = 0
    while match := _ASSIGNMENT.search(text, position):
        try:
            value, position = _value(text, match.end(), variables)
            variables[match[1]] = value
        except _NotData:
            variables.pop(match[1], None)
            line_end = text.find("\n", match.end())
            position = len(text) if line_end < 0 else line_end
    return variables


def _value(text: str, position: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """Read the words, quoted or not, that make one value; returns it and where it ends."""
    parts: list[str] = []
    while position < len(text) and text[position] not in _END_OF_VALUE:
        match text[position]:
            case "'":
                end = _find(text, "'", position + 1)
                parts.append(text[position + 1 : end])
                position = end + 1
            case '"':
                part, position = _double_quoted(text, position + 1, variables)
                parts.append(part)
            case "\\":
                parts.append(text[position + 1 : position + 2].replace("\n", ""))
                position += 2
            case "$" | "`":
                part, position = _reference(text, position, variables)
                parts.append(part)
            case character:
                parts.append(character)
                position += 1
    return "".join(parts), position


def _double_quoted(text: str, position: int, variables: Mapping[str, str]) -> tuple[str, int]:
    parts: list[str] = []
    while position < len(text) and text[position] != '"':
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in ('"', "\\", "$", "`", "\n"):
            parts.append(text[position + 1].replace("\n", ""))
            position += 2
        elif character in "$`":
            part, position = _reference(text, position, variables)
            parts.append(part)
        else:
            parts.append(character)
            position += 1
    if position >= len(text):
        raise _NotData
    return "".join(parts), position + 1


def _reference(text: str, position: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """Read ``$NAME`` and its forms; a dollar sign before anything else is itself, a command is refused."""
    match = _REFERENCE.match(text, position)
    if match is not None:
        name = match[1] or match[3]
        value = variables.get(name, match[2] or "")
        if name not in variables and match[2] is None:
            raise _NotData
        if "$(" in value or "`" in value:
            raise _NotData
        return value, match.end()
    if text[position] == "`" or text[position + 1 : position + 2] in ("(", "{", "'"):
        raise _NotData
    return "$", position + 1


def _find(text: str, character: str, position: int) -> int:
    end = text.find(character, position)
    if end < 0:
        raise _NotData
    return end
