"""The stand-in's database: documents and passwords in one JSON file, changed by transactions."""

from __future__ import annotations

import copy
import json
import os
import threading
from pathlib import Path
from typing import Any

Document = dict[str, Any]
_PRIVATE = 0o600


class Store:
    """Documents by doctype and name.

    Args:
        path: the file; read now if it exists, rewritten whole at each commit.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._documents: dict[str, dict[str, Document]] = {}
        self._passwords: dict[str, str] = {}
        if path.exists():
            kept = json.loads(path.read_text())
            self._documents, self._passwords = kept["documents"], kept["passwords"]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever stored."""
        return not self._documents

    def begin(self) -> Transaction:
        """Return a transaction; its changes are seen by others after its commit only."""
        return Transaction(self)

    def read(self, doctype: str) -> dict[str, Document]:
        """Return copies of all documents of a doctype, by their key."""
        with self._lock:
            return copy.deepcopy(self._documents.get(doctype, {}))

    def read_one(self, doctype: str, key: str) -> Document | None:
        """Return a copy of one document."""
        with self._lock:
            return copy.deepcopy(self._documents.get(doctype, {}).get(key))

    def password(self, key: str) -> str | None:
        """Return a stored password."""
        with self._lock:
            return self._passwords.get(key)

    def apply(self, changes: dict[tuple[str, str], Document | None], passwords: dict[str, str]) -> None:
        """Make changes last; ``None`` deletes."""
        with self._lock:
            for (doctype, key), document in changes.items():
                documents = self._documents.setdefault(doctype, {})
                if document is None:
                    documents.pop(key, None)
                else:
                    documents[key] = copy.deepcopy(document)
            self._passwords.update(passwords)
            self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"documents": self._documents, "passwords": self._passwords}, file)
        draft.replace(self._path)


class Transaction:
    """Changes that become visible together, or not at all when the request fails."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changes: dict[tuple[str, str], Document | None] = {}
        self._passwords: dict[str, str] = {}

    def get(self, doctype: str, name: str) -> Document | None:
        """Return a copy of a document; names are compared as MariaDB does, without case."""
        key = (doctype, name.casefold())
        if key in self._changes:
            return copy.deepcopy(self._changes[key])
        return self._store.read_one(*key)

    def all(self, doctype: str) -> list[Document]:
        """Return copies of all documents of a doctype, by name."""
        found: dict[str, Document | None] = dict(self._store.read(doctype))
        found.update({key: copy.deepcopy(one) for (kind, key), one in self._changes.items() if kind == doctype})
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
        return self._passwords[key] if key in self._passwords else self._store.password(key)

    def set_password(self, doctype: str, name: str, field: str, value: str) -> None:
        """Store a password."""
        self._passwords[_password_key(doctype, name, field)] = value

    def commit(self) -> None:
        """Make the changes so far last, and go on."""
        self._store.apply(self._changes, self._passwords)
        self._changes, self._passwords = {}, {}


def _password_key(doctype: str, name: str, field: str) -> str:
    return f"{doctype}/{name.casefold()}/{field}"
