"""Frappe's way with documents: create, change, delete and list them, with the checks it makes on the way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.document_checks import (
    check_mandatory,
    check_name,
    check_not_linked,
    check_selects,
    check_unique,
    missing_in_row,
    same,
)
from agencystack.sandbox.erpnext.errors import (
    bold,
    invalid,
    not_found,
    not_permitted,
    nothing_there,
    unknown_doctype,
)
from agencystack.sandbox.erpnext.mail_servers import Patience, is_mask
from agencystack.sandbox.erpnext.meta import DocType, Field
from agencystack.sandbox.erpnext.store import Document, Store, Transaction

# A site's times are naive and in its own zone, which is rarely the server's; an offset shows who forgets that.
SITE_ZONE = timezone(timedelta(hours=1))
ADMINISTRATOR = "Administrator"
GUEST = "Guest"
Action = Literal["list", "read", "create", "write", "delete"]


@dataclass
class Work:
    """One request: who asks, what it changes, and what it says besides its answer.

    Args:
        store: the database.
        user: name of the User; ``Guest`` without a credential.
        company: default of new documents.
        patience: with mail servers.
        messages: for ``_server_messages``.
    """

    store: Store
    user: str
    company: str = ""
    patience: Patience = field(default_factory=Patience)
    messages: list[dict[str, Any]] = field(default_factory=list)
    transaction: Transaction = field(init=False)

    def __post_init__(self) -> None:
        self.transaction = self.store.begin()

    def forget(self) -> None:
        """Undo all changes of the request so far."""
        self.transaction = self.store.begin()

    def roles(self) -> set[str]:
        """Return the roles of the user; everybody has some."""
        user = self.transaction.get("User", self.user) or {}
        return {row["role"] for row in user.get("roles", [])} | {"All", "Guest"}

    def require(self, doctype: DocType, action: Action) -> None:
        """Check a permission.

        Raises:
            FrappeError: 403.
        """
        allowed = doctype.readers if action in {"list", "read"} else doctype.writers
        if self.user != ADMINISTRATOR and not allowed & self.roles():
            raise not_permitted(self.user, doctype.name, action)


Hook = Callable[[Work, Document, Document | None], None]
Namer = Callable[[Document], str]


@dataclass(frozen=True)
class Behaviour:
    """What a doctype does beyond its fields.

    Args:
        namer: returns the name of a new document.
        validate: checks before it is stored; gets the document, and as it was stored before (``None`` for a new one).
        on_update: what else happens once it is stored.
        on_trash: what happens before it is deleted; gets the document.
    """

    namer: Namer
    validate: Hook | None = None
    on_update: Hook | None = None
    on_trash: Callable[[Work, Document], None] | None = None


def random_name(_: Document) -> str:
    """Return a name such as Frappe gives documents without one of their own."""
    return secrets.token_hex(5)


class Documents:
    """All documents of a site; a doctype without a behaviour gets random names and no checks of its own."""

    def __init__(self) -> None:
        self._behaviours: dict[str, Behaviour] = {}
        self._plain = Behaviour(random_name)

    def behave(self, doctype: str, behaviour: Behaviour) -> None:
        """Give a doctype what it does beyond its fields."""
        self._behaviours[doctype] = behaviour

    def get(self, work: Work, doctype: str, name: str) -> Document:
        """Return a document as the interface shows it: without unset fields."""
        meta = _meta(doctype)
        work.require(meta, "read")
        return shown(self._stored(work, doctype, name))

    def insert(self, work: Work, doctype: str, values: Mapping[str, Any], *, checked: bool = True) -> Document:
        """Create a document; ``checked=False`` is for what the product creates itself, whoever asks."""
        if doctype not in DOCTYPES:
            raise unknown_doctype(doctype)
        meta = DOCTYPES[doctype]
        if checked:
            work.require(meta, "create")
        document = self._new(work, meta, values)
        self._fetch_links(work, meta, document)
        # Some doctypes take the name that was sent; the others make one up.
        document["name"] = values.get("name")
        document["name"] = self._behaviour(doctype).namer(document)
        check_name(document["name"])
        self._adopt_rows(work, meta, document)
        self.save(work, document, None)
        return shown(document)

    def plant(self, work: Work, doctype: str, name: str, values: Mapping[str, Any]) -> None:
        """Store a document unchecked, as the product's installation does."""
        document = {**self._new(work, DOCTYPES[doctype], values), "name": name}
        self._adopt_rows(work, DOCTYPES[doctype], document)
        _store_passwords(work, DOCTYPES[doctype], document)
        _stamp(work, document, None)
        work.transaction.put(_without_marks(document))

    def update(self, work: Work, doctype: str, name: str, values: Mapping[str, Any]) -> Document:
        """Change fields of a document."""
        meta = _meta(doctype)
        # Sending a name means another document, not a rename.
        before = self._stored(work, doctype, str(values.get("name", name)))
        work.require(meta, "write")
        document = self._changed(work, meta, before, values)
        self._check_latest(values, before)
        self._fetch_links(work, meta, document)
        self.save(work, document, before)
        return shown(document)

    def change(self, work: Work, before: Document, values: Mapping[str, Any]) -> None:
        """Change fields of a document as the product itself does, whoever asks."""
        meta = DOCTYPES[before["doctype"]]
        document = self._changed(work, meta, before, values)
        self._fetch_links(work, meta, document)
        self.save(work, document, before)

    def delete(self, work: Work, doctype: str, name: str) -> None:
        """Delete a document that nothing links to."""
        meta = _meta(doctype)
        document = work.transaction.get(doctype, name)
        if document is None:
            raise nothing_there()
        work.require(meta, "delete")
        if doctype == "Email Queue" and work.user != ADMINISTRATOR:
            raise invalid("Only Administrator can delete Email Queue")
        on_trash = self._behaviour(doctype).on_trash
        if on_trash:
            on_trash(work, document)
        check_not_linked(work, document)
        work.transaction.delete(doctype, document["name"])

    def rename(self, work: Work, doctype: str, old: str, new: str) -> str:
        """Give a document another name, wherever it is named."""
        meta = _meta(doctype)
        document = work.transaction.get(doctype, old)
        if document is None:
            raise invalid(f"Can't rename {old} to {new} because {old} doesn't exist.")
        work.require(meta, "write")
        if old == new:
            raise invalid("No changes made because old and new name are the same.")
        check_name(new)
        if work.transaction.get(doctype, new) and old.casefold() != new.casefold():
            raise invalid(f"Another {doctype} with name {new} exists, select another name")
        if not meta.may_be_renamed:
            raise invalid(f"{doctype} not allowed to be renamed")
        _move(work, meta, document, new)
        text = f"Document renamed from {bold(old)} to {bold(new)}"
        work.messages.append({"message": text, "title": "Message", "indicator": "green", "alert": 1})
        return new

    def save(self, work: Work, document: Document, before: Document | None) -> None:
        """Check and store a document. Also used by the product itself on documents that depend on another."""
        meta = DOCTYPES[document["doctype"]]
        behaviour = self._behaviour(meta.name)
        if meta.name_field:
            document[meta.name_field] = document["name"]
        if behaviour.validate:
            behaviour.validate(work, document, before)
        check_selects(meta, document)
        check_mandatory(meta, document)
        _store_passwords(work, meta, document)
        check_unique(work, meta, document, before)
        _stamp(work, document, before)
        work.transaction.put(_without_marks(document))
        if behaviour.on_update:
            behaviour.on_update(work, document, before)

    def _behaviour(self, doctype: str) -> Behaviour:
        return self._behaviours.get(doctype, self._plain)

    def _stored(self, work: Work, doctype: str, name: str) -> Document:
        document = work.transaction.get(doctype, name)
        if document is None:
            raise not_found(doctype, name)
        return document

    def _new(self, work: Work, meta: DocType, values: Mapping[str, Any]) -> Document:
        document: Document = {"doctype": meta.name, "docstatus": 0, "idx": 0}
        for one in meta.fields:
            document[one.name] = _initial(work, one)
        self._assign(work, meta, document, values)
        return document

    def _changed(self, work: Work, meta: DocType, before: Document, values: Mapping[str, Any]) -> Document:
        document = dict(before)
        if "creation" in values and values["creation"] != before["creation"]:
            text = f"Value cannot be changed for {bold('Created On')}"
            raise invalid(text, kind="CannotChangeConstantError")
        self._assign(work, meta, document, values)
        for one in meta.fields:
            if one.set_only_once and document[one.name] != before[one.name]:
                text = f"Value cannot be changed for {bold(one.title)}"
                raise invalid(text, kind="CannotChangeConstantError")
        return document

    def _assign(self, work: Work, meta: DocType, document: Document, values: Mapping[str, Any]) -> None:
        for one in meta.fields:
            if one.name not in values:
                continue
            value = values[one.name]
            if one.kind == "Table":
                document[one.name] = [
                    self._row(work, meta, document, one, at, row) for at, row in enumerate(value or [], 1)
                ]
            else:
                document[one.name] = _cast(one, value)

    def _row(
        self, work: Work, meta: DocType, document: Document, one: Field, index: int, row: Mapping[str, Any]
    ) -> Document:
        table = DOCTYPES[one.options]
        kept = next((old for old in document.get(one.name) or [] if old.get("name") == row.get("name")), None)
        new = (
            dict(kept)
            if kept
            else {"doctype": table.name, "docstatus": 0, "name": secrets.token_hex(5), "__unsaved": 1}
        )
        for column in table.fields:
            new.setdefault(column.name, _initial(work, column))
        new.update({column.name: _cast(column, row[column.name]) for column in table.fields if column.name in row})
        return {**new, "idx": index, "parent": document.get("name"), "parentfield": one.name, "parenttype": meta.name}

    def _adopt_rows(self, work: Work, meta: DocType, document: Document) -> None:
        for table in meta.of_kind("Table"):
            for row in document[table.name] or []:
                row["parent"] = document["name"]

    def _fetch_links(self, work: Work, meta: DocType, document: Document) -> None:
        """Check that links lead somewhere, and take over what is fetched from the linked document, at each save."""
        missing = [
            f"{one.title}: {document[one.name]}"
            for one in meta.of_kind("Link")
            if document.get(one.name)
            and one.options in DOCTYPES
            and not work.transaction.get(one.options, document[one.name])
        ]
        for table in meta.of_kind("Table"):
            for row in document.get(table.name) or []:
                missing += missing_in_row(work, DOCTYPES[table.options], row)
        if missing:
            raise invalid(f"Could not find {', '.join(missing)}", kind="LinkValidationError")
        for one in meta.fields:
            link, _, source = one.fetch_from.partition(".")
            if link and document.get(link):
                linked_to = meta.field(link)
                linked = work.transaction.get(linked_to.options, document[link]) if linked_to else None
                document[one.name] = _cast(one, (linked or {}).get(source))

    @staticmethod
    def _check_latest(values: Mapping[str, Any], before: Document) -> None:
        if "modified" in values and str(values["modified"]) != before["modified"]:
            text = (
                f"Error: Document has been modified after you have opened it ({before['modified']}, "
                f"{values['modified']}). Please refresh to get the latest document."
            )
            raise invalid(text, kind="TimestampMismatchError")


def shown(document: Document) -> Document:
    """Return a document as the interface shows it alone: unset fields left out, in its rows too."""
    return {
        key: [shown(row) for row in value] if isinstance(value, list) else value
        for key, value in document.items()
        if value is not None
    }


def now() -> str:
    """Return the time as the site writes it."""
    return datetime.now(SITE_ZONE).strftime("%Y-%m-%d %H:%M:%S.%f")


def _meta(doctype: str) -> DocType:
    if doctype not in DOCTYPES:
        raise not_found("DocType", doctype)
    return DOCTYPES[doctype]


def _initial(work: Work, one: Field) -> Any:
    if one.kind == "Table":
        return []
    if one.name == "company":
        return work.company or None
    if one.kind in {"Int", "Check"}:
        return one.default or 0
    return one.default if one.default is not None or one.kind != "Select" else ""


def _cast(one: Field, value: Any) -> Any:
    """Return a value as the database keeps it; garbage in a number becomes 0 without a word."""
    if one.kind in {"Int", "Check"}:
        try:
            return int(value or 0)
        except (TypeError, ValueError):
            return 0
    return value


def _store_passwords(work: Work, meta: DocType, document: Document) -> None:
    for one in meta.of_kind("Password"):
        value = document.get(one.name)
        if value and not is_mask(str(value)):
            work.transaction.set_password(meta.name, document["name"], one.name, str(value))
            document[one.name] = "*" * len(str(value))


def _stamp(work: Work, document: Document, before: Document | None) -> None:
    stamp = now()
    for one in (document, *_rows(document)):
        one["owner"] = (before or {}).get("owner", work.user)
        one["creation"] = (before or {}).get("creation", stamp)
        one["modified"] = stamp
        one["modified_by"] = work.user


def _move(work: Work, meta: DocType, document: Document, new: str) -> None:
    old = document["name"]
    for one in meta.of_kind("Password"):
        password = work.transaction.password(meta.name, old, one.name)
        if password is not None:
            work.transaction.set_password(meta.name, new, one.name, password)
    work.transaction.delete(meta.name, old)
    document["name"] = new
    if meta.name_field:
        document[meta.name_field] = new
    for row in _rows(document):
        row["parent"] = new
    work.transaction.put(document)
    for other in DOCTYPES.values():
        links = [one.name for one in other.of_kind("Link") if one.options == meta.name]
        for linked in work.transaction.all(other.name) if links else []:
            work.transaction.put({**linked, **{link: new for link in links if same(linked.get(link), old)}})


def _rows(document: Document) -> list[Document]:
    return [row for value in document.values() if isinstance(value, list) for row in value]


def _without_marks(document: Document) -> Document:
    kept = {key: value for key, value in document.items() if not key.startswith("__")}
    return {
        key: [{k: v for k, v in row.items() if not k.startswith("__")} for row in value]
        if isinstance(value, list)
        else value
        for key, value in kept.items()
    }
