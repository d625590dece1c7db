"""The stand-in's database: documents and passwords in one file, changed by transactions, found by any field."""

from __future__ import annotations

import copy
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Document = dict[str, Any]
Changes = dict[tuple[str, str], Document | None]
_PRIVATE = 0o600
# Above so many appended changes the file is written whole again.
_JOURNAL = 2_000


class Store:
    """Documents by doctype and name.

    Args:
        path: the file; read now if it exists. Each commit appends what it changed, as rewriting tens of thousands of
            documents for one of them would take seconds. Without a path nothing outlives the store.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._documents: dict[str, dict[str, Document]] = {}
        self._passwords: dict[str, str] = {}
        self._indexes: dict[str, dict[str, dict[str, set[str]]]] = {}
        self._appended = 0
        self.before_commit: Callable[[Transaction, Changes], None] = lambda transaction, changes: None
        """What else a commit writes, of what it changes."""
        self.version: dict[str, int] = {}
        """How often documents of a type changed, for what is worked out of them."""
        if path and path.exists():
            self._load(path)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever stored."""
        return not self._documents

    def begin(self) -> Transaction:
        """Return a transaction; its changes are seen by others after its commit only."""
        return Transaction(self)

    def peek(self, doctype: str) -> dict[str, Document]:
        """Return all documents of a doctype by key: as they are stored, not to be changed."""
        with self._lock:
            return dict(self._documents.get(doctype, {}))

    def peek_one(self, doctype: str, key: str) -> Document | None:
        """Return one document as it is stored, not to be changed."""
        with self._lock:
            return self._documents.get(doctype, {}).get(key)

    def keys(self, doctype: str, column: str, values: Iterable[object]) -> set[str]:
        """Return the keys of documents with one of these values, compared without case.

        Args:
            doctype: their type.
            column: a field, or ``table.field`` of a child table.
            values: those to find.
        """
        with self._lock:
            index = self._indexes.setdefault(doctype, {}).get(column)
            if index is None:
                index = self._indexes[doctype][column] = {}
                for key, document in self._documents.get(doctype, {}).items():
                    for value in column_values(document, column):
                        index.setdefault(value, set()).add(key)
            found: set[str] = set()
            for wanted in values:
                found |= index.get(folded(wanted), set())
            return found

    def password(self, key: str) -> str | None:
        """Return a stored password."""
        with self._lock:
            return self._passwords.get(key)

    def apply(self, changes: Changes, passwords: dict[str, str]) -> None:
        """Make changes last; ``None`` deletes."""
        if not changes and not passwords:
            return
        with self._lock:
            for (doctype, key), document in changes.items():
                self._put(doctype, key, document)
            self._passwords.update(passwords)
            self._save(changes, passwords)

    def _put(self, doctype: str, key: str, document: Document | None) -> None:
        documents = self._documents.setdefault(doctype, {})
        before = documents.get(key)
        for column, index in self._indexes.get(doctype, {}).items():
            for value in column_values(before, column) if before else ():
                index.get(value, set()).discard(key)
            for value in column_values(document, column) if document else ():
                index.setdefault(value, set()).add(key)
        if document is None:
            documents.pop(key, None)
        else:
            documents[key] = document
        self.version[doctype] = self.version.get(doctype, 0) + 1

    def _load(self, path: Path) -> None:
        whole, *changes = path.read_text().splitlines()
        kept = json.loads(whole)
        self._documents, self._passwords = kept["documents"], kept["passwords"]
        self.version = dict.fromkeys(self._documents, 1)
        for line in changes:
            try:
                changed = json.loads(line)
            except json.JSONDecodeError:
                break  # of a process that died while it wrote: the request was never answered
            for doctype, key, document in changed["documents"]:
                self._put(doctype, key, document)
            self._passwords.update(changed["passwords"])
        self._appended = _JOURNAL

    def _save(self, changes: Changes, passwords: dict[str, str]) -> None:
        if self._path is None:
            return
        if self._appended < _JOURNAL and self._path.exists():
            changed = [[doctype, key, document] for (doctype, key), document in changes.items()]
            with self._path.open("a") as file:
                file.write(json.dumps({"documents": changed, "passwords": passwords}) + "\n")
            self._appended += 1
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(descriptor, "w") as written:
            written.write(json.dumps({"documents": self._documents, "passwords": self._passwords}) + "\n")
        draft.replace(self._path)
        self._appended = 0


class Transaction:
    """Changes that become visible together, or not at all when the request fails."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._changes: Changes = {}
        self._passwords: dict[str, str] = {}
        self._savepoints: list[tuple[Changes, dict[str, str]]] = []
        self.unmarked: set[tuple[str, str]] = set()
        """Records that our app does not mark in this transaction."""

    def get(self, doctype: str, name: str) -> Document | None:
        """Return a copy of a document; names are compared as MariaDB does, without case."""
        return copied(self.peek(doctype, name))

    def peek(self, doctype: str, name: str) -> Document | None:
        """Return a document that is not to be changed."""
        key = (doctype, name.casefold())
        if key in self._changes:
            return self._changes[key]
        return self.store.peek_one(*key)

    def all(self, doctype: str) -> list[Document]:
        """Return copies of all documents of a doctype, by name."""
        return [copy.deepcopy(document) for document in self.scan(doctype)]

    def scan(self, doctype: str) -> list[Document]:
        """Return all documents of a doctype, by name; not to be changed."""
        found: dict[str, Document | None] = dict(self.store.peek(doctype))
        found.update({key: one for (kind, key), one in self._changes.items() if kind == doctype})
        return [document for _, document in sorted(found.items()) if document is not None]

    def having(self, doctype: str, column: str, *values: object) -> list[Document]:
        """Return the documents with one of these values in a field (``table.field``), by name; not to be changed."""
        keys = self.store.keys(doctype, column, values)
        found: dict[str, Document | None] = {key: self.store.peek_one(doctype, key) for key in keys}
        wanted = {folded(value) for value in values}
        for (kind, key), one in self._changes.items():
            if kind == doctype:
                fits = one is not None and not wanted.isdisjoint(column_values(one, column))
                found[key] = one if fits else None
        return [document for _, document in sorted(found.items()) if document is not None]

    def put(self, document: Document) -> None:
        """Store a document under its name."""
        self._changes[document["doctype"], document["name"].casefold()] = copy.deepcopy(document)

    def delete(self, doctype: str, name: str) -> None:
        """Delete a document."""
        self._changes[doctype, name.casefold()] = None

    def password(self, doctype: str, name: str, field: str) -> str | None:
        """Return a password in clear."""
        key = _password_key(doctype, name, field)
        return self._passwords[key] if key in self._passwords else self.store.password(key)

    def set_password(self, doctype: str, name: str, field: str, value: str) -> None:
        """Store a password."""
        self._passwords[_password_key(doctype, name, field)] = value

    def savepoint(self) -> None:
        """Remember how things are now."""
        self._savepoints.append((dict(self._changes), dict(self._passwords)))

    def back(self) -> None:
        """Undo everything since the last savepoint."""
        self._changes, self._passwords = self._savepoints.pop()

    def keep(self) -> None:
        """Forget the last savepoint, and keep what was done since."""
        self._savepoints.pop()

    def commit(self) -> None:
        """Make the changes so far last, and go on."""
        self.store.before_commit(self, dict(self._changes))
        self.store.apply(self._changes, self._passwords)
        self._changes, self._passwords = {}, {}


def folded(value: object) -> str:
    """Return a value as MariaDB compares it: without case, numbers as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).casefold()


def column_values(document: Document, column: str) -> Iterator[str]:
    """Yield the values of a field, or of a child table's field in each row."""
    table, _, field = column.partition(".")
    if field:
        for row in document.get(table) or ():
            yield folded(row.get(field))
    else:
        yield folded(document.get(column))


def copied(document: Document | None) -> Document | None:
    """Return a copy."""
    return None if document is None else copy.deepcopy(document)


def _password_key(doctype: str, name: str, field: str) -> str:
    return f"{doctype}/{name.casefold()}/{field}"
