"""Add a client to ``stack.yaml`` and take one out; every other line stays as a person wrote it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from agencystack.stack.errors import ConfigurationError, UsageError
from agencystack.stack.files import explained, write_atomically
from agencystack.stack.load import load_text


def add_client(file: Path, client: str, domain: str) -> None:
    """Write a client that has no components of its own yet.

    Args:
        file: ``stack.yaml``.
        client: its id.
        domain: what its mail addresses end in.

    Raises:
        UsageError: there is one of that id.
        StackMistakes: what would be written is no stack (an id or a domain that cannot be one); nothing is written.
        ConfigurationError: the file cannot be read or written.
    """
    text = _text(file)
    tree = _tree(text)
    if client in (tree.get("clients") or {}):
        raise UsageError(f"{file} has a client {client}", remedy="give another id, or edit that client there")

    def add(changed: Any) -> None:
        changed["clients"] = changed.get("clients") or {}
        changed["clients"][client] = {"domain": domain}

    _write(file, text, _with_lines(text, tree, client, domain), add)


def remove_client(file: Path, client: str) -> None:
    """Take a client out; the file as it was is kept as ``stack.yaml.old``.

    Args:
        file: ``stack.yaml``.
        client: its id.

    Raises:
        UsageError: there is none of that id.
        ConfigurationError: the file cannot be read or written.
    """
    text = _text(file)
    tree = _tree(text)
    if client not in (tree.get("clients") or {}):
        raise UsageError(f"{file} has no client {client}", remedy="nothing is to be done")
    _write(file, text, _without_lines(text, tree, client), lambda changed: changed["clients"].pop(client))


def _text(file: Path) -> str:
    try:
        text = file.read_text()
    except FileNotFoundError:
        raise ConfigurationError(f"there is no {file}", remedy="make it with: agencystack init") from None
    load_text(text)
    return text


def _tree(text: str) -> Any:
    return YAML().load(text)


def _write(file: Path, text: str, edited: str, change: Callable[[Any], object]) -> None:
    """Write the edited lines where they say what is meant, else the whole file anew in one style.

    The second is for what lines cannot tell: mappings in braces, anchors.
    """
    wanted = _tree(text)
    change(wanted)
    if not _says(edited, wanted):
        anew = io.StringIO()
        YAML().dump(wanted, anew)
        edited = anew.getvalue()
    load_text(edited)
    with explained(file):
        mode = file.stat().st_mode & 0o777
    write_atomically(file.with_name("stack.yaml.old"), text.encode(), mode)
    write_atomically(file, edited.encode(), mode)


def _says(text: str, wanted: Any) -> bool:
    try:
        return bool(_tree(text) == wanted)
    except Exception:  # noqa: BLE001 - whatever the parser says of lines that were cut wrongly
        return False


def _with_lines(text: str, tree: Any, client: str, domain: str) -> str:
    """Return the text with the client below the last one, or below a heading of its own."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    clients = tree.get("clients")
    if not clients:
        lines = [
            line for number, line in enumerate(lines) if "clients" not in tree or number != tree.lc.key("clients")[0]
        ]
        return "".join([*lines, "clients:\n", f"  {client}:\n", f"    domain: {domain}\n"])
    begin, indent = clients.lc.key(list(clients)[-1])
    end = _end(lines, begin, _after(tree))
    pad = " " * indent
    return "".join([*lines[:end], f"{pad}{client}:\n", f"{pad}  domain: {domain}\n", *lines[end:]])


def _without_lines(text: str, tree: Any, client: str) -> str:
    """Return the text without the client's lines; what stands above it stays."""
    lines = text.splitlines(keepends=True)
    clients = tree["clients"]
    names = list(clients)
    begin, _ = clients.lc.key(client)
    later = names[names.index(client) + 1 :]
    end = _end(lines, begin, clients.lc.key(later[0])[0] if later else _after(tree))
    if len(names) == 1:
        begin = tree.lc.key("clients")[0]
    return "".join([*lines[:begin], *lines[end:]])


def _after(tree: Any) -> int | None:
    """Return the line of what follows the clients in the file; None where they are the last."""
    names = list(tree)
    later = names[names.index("clients") + 1 :]
    return int(tree.lc.key(later[0])[0]) if later else None


def _end(lines: list[str], begin: int, following: int | None) -> int:
    """Return where a block ends: comments right above what follows belong to that."""
    end = len(lines) if following is None else following
    while end > begin + 1 and lines[end - 1].lstrip()[:1] in {"", "#"}:
        end -= 1
    return end
