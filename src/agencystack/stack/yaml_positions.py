"""YAML as plain values that remember where each stood, so that a mistake can name its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]

# Aliases can make a small file expand without end; a stack of a thousand clients has fewer values than this.
_MOST_VALUES = 200_000
_DEEPEST = 40


@dataclass(frozen=True, order=True)
class Position:
    """Line and column in the file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class YamlMistake:
    """What cannot be read, at ``path``; the file's own text is not repeated, as it may be a secret."""

    position: Position
    path: Path
    wrong: str
    write: str


@dataclass
class Document:
    """A file's values, where they stood, and what could not be read.

    Args:
        value: mappings, lists and scalars; ``None`` for an empty file.
        keys: position of the key (of a list's item: of the item) for each path.
        values: position of the value for each path.
        mistakes: doubled keys, keys that are not text, keys without a value, tags.
    """

    value: Any = None
    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)
    mistakes: list[YamlMistake] = field(default_factory=list)

    def nearest(self, path: Path, *, key: bool = False) -> Position:
        """Return where ``path`` stands, or the closest thing around it that does."""
        for length in range(len(path), -1, -1):
            known = self.keys if key and length == len(path) else self.values
            if path[:length] in known:
                return known[path[:length]]
        return Position(1, 1)


def read_yaml(text: str) -> Document:
    """Read one YAML document; never raises for its content."""
    document = Document()
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        document.mistakes.append(YamlMistake(position, (), "is not YAML here", _hint(error)))
        return document
    except (YAMLError, ValueError, RecursionError):
        document.mistakes.append(
            YamlMistake(Position(1, 1), (), "is not YAML", "UTF-8 text without control characters")
        )
        return document
    if node is not None:
        document.value = _Reader(document).read(node, ())
    return document


class _Reader:
    """Turns nodes into values."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0
        self._scalars = YAML(typ="safe", pure=True).constructor

    def read(self, node: Node, path: Path) -> Any:
        self._count += 1
        self._document.values[path] = _position(node)
        if len(path) > _DEEPEST or self._count > _MOST_VALUES:
            if self._count <= _MOST_VALUES + 1:
                self._mistake(node, path[:1], "is nested without end", "the values themselves instead of aliases")
            self._count = max(self._count, _MOST_VALUES + 1)
            return None
        if isinstance(node, MappingNode):
            return {key: self.read(value, (*path, key)) for key, value in self._items(node, path)}
        if isinstance(node, SequenceNode):
            return self._sequence(node, path)
        return self._scalar(node, path)

    def _items(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Node]]:
        """Yield a mapping's entries, reporting what cannot be one."""
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            if key is None or key == "<<":
                self._mistake(key_node, path, "has a key that is not a word", "each key as a word; no merge (<<)")
            elif key in seen:
                self._mistake(key_node, (*path, key), "stands here a second time", "each key once")
            elif _is_empty(value_node) and "settings" not in path:
                seen.add(key)
                self._document.values[*path, key] = _position(key_node)
                self._mistake(key_node, (*path, key), "has no value", "a value, or remove the key")
            else:
                seen.add(key)
                self._document.keys[*path, key] = _position(key_node)
                yield key, value_node

    def _sequence(self, node: SequenceNode, path: Path) -> list[Any]:
        for index, item in enumerate(node.value):
            self._document.keys[*path, index] = _position(item)
        return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]

    def _scalar(self, node: Node, path: Path) -> Any:
        try:
            value = self._scalars.construct_object(node)
        except (ConstructorError, ValueError):
            self._mistake(node, path, "has a tag that is not known here", "a plain value, in quotes where in doubt")
            return None
        # Dates and binary data have no use here; what looks like one was meant as text.
        return value if value is None or isinstance(value, str | int | float | bool) else node.value

    def _mistake(self, node: Node, path: Path, wrong: str, write: str) -> None:
        self._document.mistakes.append(YamlMistake(_position(node), path, wrong, write))


def _position(node: Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.ctag).endswith(":null")


def _hint(error: MarkedYAMLError) -> str:
    """Say what to write, from the parser's words; these may quote the file, so only known ones are used."""
    problem = error.problem or ""
    if "\\t" in problem or "'\t'" in problem:
        return "spaces instead of tabs"
    if "mapping values are not allowed" in problem:
        return "quotes around a value that holds ': '"
    if "alias" in problem:
        return "quotes around a value that begins with *"
    if "cannot start any token" in problem:
        return "quotes around a value that begins with @, %, ` or another special character"
    if "end of stream" in problem or "unexpected end" in problem:
        return "the closing quote or bracket"
    if "single document" in problem or "another document" in problem:
        return "one document only, without ---"
    return "key: value, each level indented by two more spaces"
