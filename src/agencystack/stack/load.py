"""Read ``stack.yaml`` and name every mistake in it at once: its line, what is wrong, what to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from agencystack.stack.errors import ConfigurationError
from agencystack.stack.model import SHARED, Stack, Type
from agencystack.stack.products import KNOWN_COMPONENTS
from agencystack.stack.schema import keys_at
from agencystack.stack.yaml_positions import Document, Position, read_yaml
from agencystack.stack.yaml_positions import Path as KeyPath

LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Mistake:
    """One thing to correct.

    Args:
        line: counted from 1.
        column: counted from 1.
        path: keys from the top, such as ``clients.acme.components.wordpress.url``; empty for the whole file.
        wrong: what is wrong, as the rest of a sentence that begins with the path.
        write: what to write instead.
        missing: whether a required value is not there at all.
    """

    line: int
    column: int
    path: str
    wrong: str
    write: str
    missing: bool = False

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.path or 'the file'} {self.wrong}; write {self.write}"


class StackMistakes(ConfigurationError):
    """Everything that is wrong in ``stack.yaml``; ``missing`` names the required values that are not there."""

    def __init__(self, file: str, mistakes: Sequence[Mistake]) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(
            "\n".join([f"{file} has {count}:", *(f"  {mistake}" for mistake in mistakes)]),
            missing=[mistake.path for mistake in mistakes if mistake.missing],
        )
        self.mistakes = tuple(mistakes)


def load(path: Path) -> Stack:
    """Read the stack from a file.

    Raises:
        StackMistakes: it has mistakes.
        ConfigurationError: it is not there or cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError as absent:
        raise ConfigurationError(
            f"there is no {path}", remedy="make it with: agencystack init; or set AGENCYSTACK_HOME to where it is"
        ) from absent
    except OSError as refusal:
        raise ConfigurationError(
            f"cannot read {path}: {refusal.strerror}", remedy="run the command as a user who can read it"
        ) from refusal
    except UnicodeDecodeError:
        raise StackMistakes(str(path), [Mistake(1, 1, "", "is not text", "UTF-8 text")]) from None
    if len(data) > LARGEST:
        raise StackMistakes(str(path), [Mistake(1, 1, "", "is too large to be a stack", "at most 4 MiB")])
    return load_text(text, str(path))


def load_text(text: str, name: str = "stack.yaml") -> Stack:
    """Read the stack from text; ``name`` is what errors call it.

    Raises:
        StackMistakes: it has mistakes.
    """
    document = read_yaml(text)
    mistakes = [
        Mistake(found.position.line, found.position.column, _dotted(found.path), found.wrong, found.write)
        for found in document.mistakes
    ]
    stack: Stack | None = None
    if document.value is not None or not mistakes:
        stack, wrong = _validate(document)
        mistakes += wrong
    if mistakes or stack is None:
        raise StackMistakes(name, _in_order(mistakes))
    return stack


def _validate(document: Document) -> tuple[Stack | None, list[Mistake]]:
    if not isinstance(document.value, dict):
        return None, [Mistake(1, 1, "", "is not a mapping", "version: 1, then clients: with one entry a client")]
    try:
        stack = Stack.model_validate(document.value)
    except ValidationError as error:
        return None, list(_from_pydantic(document, error.errors(include_url=False)))
    return stack, list(_unknown_applications(document, stack))


def _from_pydantic(document: Document, errors: Iterable[ErrorDetails]) -> Iterator[Mistake]:
    """Say what Pydantic found in our words; an unknown component is one mistake, whatever is wrong inside it."""
    unknown: set[KeyPath] = set()
    for error in errors:
        component = _unknown_component(document, error["loc"])
        if component is None:
            yield _mistake(document, error)
        elif component not in unknown:
            unknown.add(component)
            yield _at(
                document.nearest(component, key=True),
                component,
                "is not a component that is known",
                _instead(
                    str(component[-1]), KNOWN_COMPONENTS, "custom: true inside it, if it is a product of your own"
                ),
            )


def _unknown_component(document: Document, location: KeyPath) -> KeyPath | None:
    """Return the path of the component ``location`` is in, if its name is unknown and it is not marked ``custom``."""
    if "components" not in location:
        return None
    end = location.index("components") + 2
    path = location[:end]
    if len(path) < end or path[-1] in KNOWN_COMPONENTS:
        return None
    value = _value(document.value, path)
    return None if isinstance(value, dict) and "custom" in value else path


def _mistake(document: Document, error: ErrorDetails) -> Mistake:
    location = tuple(part for part in error["loc"] if part != "[key]")
    missing = error["type"] == "missing"
    # What we check about a mapping itself is its name.
    named = error["type"] == "value" and isinstance(_value(document.value, location), dict)
    at_key = missing or named or "[key]" in error["loc"] or error["type"] == "extra_forbidden"
    position = document.nearest(location[:-1] if missing else location, key=at_key)
    wrong, write = _words(error)
    return _at(position, location, wrong, write, missing=missing)


def _words(error: ErrorDetails) -> tuple[str, str]:
    """Return what is wrong and what to write; Pydantic's own text is not used where it repeats the value."""
    context = error.get("ctx", {})
    if "write" in context:
        return str(context.get("wrong") or error["msg"]), str(context["write"])
    match error["type"]:
        case "missing":
            return "is missing", f"{error['loc'][-1]}: with its value"
        case "extra_forbidden":
            return "is not a key that is known here", _instead(
                str(error["loc"][-1]), keys_at(error["loc"][:-1]), "another key"
            )
        case "literal_error" if error["loc"][-1] == "[key]":
            return "is not a type of integration", _instead(str(error["loc"][-2]), get_args(Type), "a known type")
        case "literal_error":
            return "has a value that is not known here", str(context["expected"]).replace("'", "")
        case "string_type":
            return "must be text", "text, in quotes if it looks like a number or like true"
        case "bool_type":
            return "must be true or false", "true or false, without quotes"
        case "int_type" | "int_from_float":
            return "must be a whole number", "a number without quotes"
        case "greater_than_equal" | "less_than_equal":
            return "is out of range", "a number from 1 to 65535"
        case "tuple_type":
            return "must be a list", "each item on a line of its own after a dash"
        case "too_short":
            return "is empty", "at least one item"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must hold keys and values", "key: value on the lines below, indented by two more spaces"
    return "has a value of the wrong kind", "what stack.schema.json allows here"


def _unknown_applications(document: Document, stack: Stack) -> Iterator[Mistake]:
    """Find integrations told about an application the client does not have."""
    for client_id, client in stack.clients.items():
        installed = list(stack.components(client_id))
        for type_, applications in client.integrations.items():
            for name in applications:
                if name not in installed:
                    path = ("clients", client_id, "integrations", type_, name)
                    write = _instead(name, installed, "an installed component")
                    wrong = f"is not a component of {client_id} or of {SHARED}"
                    yield _at(document.nearest(path, key=True), path, wrong, write)


def _instead(word: str, known: Sequence[str], otherwise: str) -> str:
    """Suggest the known word that was probably meant, or list them all."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"{close[0]} (did you mean that?), or {otherwise}" if len(known) > 1 else close[0]
    return f"one of {', '.join(known)}; or {otherwise}" if known else otherwise


def _at(position: Position, path: KeyPath, wrong: str, write: str, *, missing: bool = False) -> Mistake:
    return Mistake(position.line, position.column, _dotted(path), wrong, write, missing)


def _value(value: Any, path: KeyPath) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def _in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Sort by position; of several about one place the first found says most."""
    first: dict[str, Mistake] = {}
    for mistake in mistakes:
        first.setdefault(mistake.path, mistake)
    return sorted(first.values(), key=lambda mistake: (mistake.line, mistake.column))
