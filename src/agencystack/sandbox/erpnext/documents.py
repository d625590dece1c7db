"""Frappe's way with documents: create, change, submit, cancel, delete and rename them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.document_checks import (
    check_after_submit,
    check_lengths,
    check_links,
    check_mandatory,
    check_name,
    check_not_linked,
    check_selects,
    check_unique,
)
from agencystack.sandbox.erpnext.errors import (
    FrappeError,
    bold,
    invalid,
    not_found,
    nothing_there,
    thrown,
    unknown_doctype,
)
from agencystack.sandbox.erpnext.mail_servers import is_mask
from agencystack.sandbox.erpnext.meta import DocType
from agencystack.sandbox.erpnext.renaming import move
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.values import (
    changed_document,
    fetched,
    new_document,
    rows_of,
    shown,
    without_marks,
)
from agencystack.sandbox.erpnext.work import ADMINISTRATOR, GUEST, Work, here

__all__ = ["ADMINISTRATOR", "GUEST", "Behaviour", "Documents", "Work", "now", "random_name", "shown"]

DRAFT, SUBMITTED, CANCELLED = 0, 1, 2
_STATES = {DRAFT: "Draft", SUBMITTED: "Submitted", CANCELLED: "Cancelled"}
# frappe/model/delete_doc.py: of these, deletions leave no trace.
_TRACELESS = frozenset(
    {"Deleted Document", "Comment", "Version", "Email Queue", "Bin", "GL Entry", "Stock Ledger Entry"}
)

Hook = Callable[[Work, Document, Document | None], None]
Namer = Callable[[Document], str]
Done = Callable[[Work, Document], None]


@dataclass(frozen=True)
class Behaviour:
    """What a doctype does beyond its fields.

    Args:
        namer: returns the name of a new document.
        validate: checks before it is stored; gets the document, and as it was stored before (``None`` for a new one).
        on_update: what else happens once it is stored.
        on_trash: what happens before it is deleted; gets the document.
        prepare: what happens before its links are looked at.
        named: returns the name of a new document where others matter to it, instead of ``namer``.
        on_submit: what else happens once it is submitted.
        on_cancel: what else happens once it is cancelled, before it is looked at whether something links to it.
        after_submit: what else happens once a submitted document was changed.
        on_rename: what else happens once it has another name.
    """

    namer: Namer
    validate: Hook | None = None
    on_update: Hook | None = None
    on_trash: Done | None = None
    prepare: Hook | None = None
    named: Callable[[Work, Document], str] | None = None
    on_submit: Done | None = None
    on_cancel: Done | None = None
    after_submit: Done | None = None
    on_rename: Callable[[Work, Document, str], None] | None = None


def random_name(_: Document) -> str:
    """Return a name such as Frappe gives documents without one of their own."""
    return secrets.token_hex(5)


def now() -> str:
    """Return the time as the site writes it."""
    return here().strftime("%Y-%m-%d %H:%M:%S.%f")


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
        meta = work.meta(doctype)
        work.require(meta, "read")
        stored = self._stored(work, doctype, name)
        # Fields that were added since have no value.
        return shown({**{one.name: None if one.kind != "Table" else [] for one in meta.fields}, **stored})

    def insert(
        self, work: Work, doctype: str, values: Mapping[str, Any], *, checked: bool = True, set_name: str = ""
    ) -> Document:
        """Create a document.

        Args:
            work: the request.
            doctype: its type.
            values: its fields; a name in here counts only where the doctype takes it.
            checked: off for what the product creates itself, whoever asks.
            set_name: a name that counts whatever the doctype's rule; only an app can give one.
        """
        if doctype not in DOCTYPES:
            raise unknown_doctype(doctype)
        meta, behaviour = work.meta(doctype), self._behaviour(doctype)
        if checked:
            work.require(meta, "create")
        document = new_document(work, meta, values)
        document["docstatus"] = int(values.get("docstatus") or DRAFT)
        if document["docstatus"] and not meta.is_submittable:
            raise invalid(f"{meta.name} cannot be submitted", kind="DocstatusTransitionError")
        if document["docstatus"] == SUBMITTED and checked:
            work.require(meta, "submit")
        # Some doctypes take the name that was sent; the others make one up.
        document["name"] = values.get("name")
        if behaviour.prepare:
            behaviour.prepare(work, document, None)
        check_links(work, meta, document)
        fetched(work, meta, document)
        named = behaviour.named(work, document) if behaviour.named and not set_name else set_name
        document["name"] = named or behaviour.namer(document)
        check_name(document["name"])
        _adopt_rows(meta, document)
        self.save(work, document, None)
        if document["docstatus"] == SUBMITTED and behaviour.on_submit:
            behaviour.on_submit(work, document)
        return shown(document)

    def plant(self, work: Work, doctype: str, name: str, values: Mapping[str, Any]) -> None:
        """Store a document unchecked, as the product's installation does."""
        meta = work.meta(doctype)
        document = {**new_document(work, meta, values), "name": name}
        document["docstatus"] = int(values.get("docstatus") or DRAFT)
        _adopt_rows(meta, document)
        _store_passwords(work, meta, document)
        _stamp(work, document, None)
        work.transaction.put(without_marks(document))

    def update(self, work: Work, doctype: str, name: str, values: Mapping[str, Any]) -> Document:
        """Change fields of a document, submit it or cancel it."""
        meta = work.meta(doctype)
        # Sending a name means another document, not a rename.
        before = self._stored(work, doctype, str(values.get("name", name)))
        work.require(meta, "write")
        self._check_latest(work, values, before)
        document = changed_document(work, meta, before, values)
        target = int(values.get("docstatus", before.get("docstatus") or DRAFT) or DRAFT)
        document["docstatus"] = target
        self._move_on(work, meta, document, before, target)
        return shown(document)

    def change(self, work: Work, before: Document, values: Mapping[str, Any]) -> None:
        """Change fields of a document as the product itself does, whoever asks."""
        meta = work.meta(before["doctype"])
        document = changed_document(work, meta, before, values)
        check_links(work, meta, document)
        fetched(work, meta, document)
        self.save(work, document, before)

    def delete(self, work: Work, doctype: str, name: str, *, checked: bool = True) -> None:
        """Delete a document that nothing links to."""
        meta = work.meta(doctype)
        document = work.transaction.get(doctype, name)
        if document is None:
            raise nothing_there()
        if checked:
            work.require(meta, "delete")
        if doctype == "Email Queue" and work.user != ADMINISTRATOR:
            raise invalid("Only Administrator can delete Email Queue")
        if document.get("docstatus") == SUBMITTED:
            raise invalid(_SUBMITTED_STAYS.format(doctype, document["name"]))
        on_trash = self._behaviour(doctype).on_trash
        if on_trash:
            on_trash(work, document)
        try:
            check_not_linked(work, document)
        except FrappeError as error:
            if not (meta.field("disabled") or meta.field("enabled")):
                raise
            text = f"You can disable this {doctype} instead of deleting it."
            raise FrappeError(error.kind, text, messages=[*error.messages, thrown(text)]) from error
        work.transaction.delete(doctype, document["name"])
        if doctype not in _TRACELESS:
            self._leave_trace(work, document)

    def rename(self, work: Work, doctype: str, old: str, new: str, *, merge: bool = False) -> str:
        """Give a document another name, wherever it is named."""
        meta = work.meta(doctype)
        document = work.transaction.get(doctype, old)
        if document is None:
            raise invalid(f"Can't rename {old} to {new} because {old} doesn't exist.")
        work.require(meta, "write")
        if old == new:
            raise invalid("No changes made because old and new name are the same.")
        check_name(new)
        if work.transaction.peek(doctype, new) and old.casefold() != new.casefold() and not merge:
            raise invalid(f"Another {doctype} with name {new} exists, select another name")
        if not meta.may_be_renamed:
            raise invalid(f"{doctype} not allowed to be renamed")
        if merge:
            self._leave_trace(work, document)
        move(work, meta, document, new, merge=merge)
        behaviour = self._behaviour(doctype)
        if behaviour.on_rename and not merge:
            behaviour.on_rename(work, document, old)
        text = f"Document renamed from {bold(old)} to {bold(new)}"
        work.messages.append({"message": text, "title": "Message", "indicator": "green", "alert": 1})
        return new

    def save(self, work: Work, document: Document, before: Document | None) -> None:
        """Check and store a document. Also used by the product itself on documents that depend on another."""
        meta = work.meta(document["doctype"])
        behaviour = self._behaviour(meta.name)
        if meta.name_field:
            document[meta.name_field] = document["name"]
        # Frappe takes the time before it does the work, and commits after it (contract/erpnext/14).
        _stamp(work, document, before)
        if behaviour.validate:
            behaviour.validate(work, document, before)
        check_selects(meta, document)
        check_mandatory(work, meta, document)
        check_lengths(work, meta, document)
        _store_passwords(work, meta, document)
        check_unique(work, meta, document, before)
        _stamp_rows(work, document)
        work.transaction.put(without_marks(document))
        if behaviour.on_update:
            behaviour.on_update(work, document, before)

    def _move_on(self, work: Work, meta: DocType, document: Document, before: Document, target: int) -> None:
        """Save a document in the state it is to have."""
        behaviour, source = self._behaviour(meta.name), int(before.get("docstatus") or DRAFT)
        if source == CANCELLED:
            raise FrappeError("ValidationError", "Cannot edit cancelled document")
        if (source, target) in {(DRAFT, CANCELLED), (SUBMITTED, DRAFT)}:
            told = f"{source} ({_STATES[source]}) to {target} ({_STATES[target]})"
            raise FrappeError("DocstatusTransitionError", f"Cannot change docstatus from {told}")
        if source == target == SUBMITTED:
            check_mandatory(work, meta, document)
            check_after_submit(work, meta, document, before)
            _stamp(work, document, before)
            check_unique(work, meta, document, before)
            work.transaction.put(without_marks(document))
            if behaviour.after_submit:
                behaviour.after_submit(work, document)
        elif target == CANCELLED:
            work.require(meta, "cancel")
            self._cancel(work, document, before)
        else:
            if behaviour.prepare:
                behaviour.prepare(work, document, before)
            check_links(work, meta, document)
            fetched(work, meta, document)
            if target == SUBMITTED:
                work.require(meta, "submit")
            self.save(work, document, before)
            if target == SUBMITTED and behaviour.on_submit:
                behaviour.on_submit(work, document)

    def _cancel(self, work: Work, document: Document, before: Document) -> None:
        behaviour = self._behaviour(document["doctype"])
        _stamp(work, document, before)
        for row in rows_of(document):
            row["docstatus"] = CANCELLED
        if "status" in document and document["doctype"] != "Delivery Note":
            document["status"] = "Cancelled"
        work.transaction.put(without_marks(document))
        if behaviour.on_cancel:
            behaviour.on_cancel(work, document)
        check_not_linked(work, document, submitted_only=True)

    def _leave_trace(self, work: Work, document: Document) -> None:
        doctype, name = document["doctype"], document["name"]
        told = json.dumps(document, indent=1, sort_keys=True)
        trace = {"deleted_doctype": doctype, "deleted_name": name, "data": told, "restored": 0}
        self.plant(work, "Deleted Document", secrets.token_hex(5), trace)
        comment = {"comment_type": "Deleted", "reference_doctype": doctype, "subject": f"{doctype} {name}"}
        self.plant(work, "Comment", secrets.token_hex(5), comment)

    def _behaviour(self, doctype: str) -> Behaviour:
        return self._behaviours.get(doctype, self._plain)

    def _stored(self, work: Work, doctype: str, name: str) -> Document:
        document = work.transaction.get(doctype, name)
        if document is None:
            raise not_found(doctype, name)
        return document

    @staticmethod
    def _check_latest(work: Work, values: Mapping[str, Any], before: Document) -> None:
        if values.get("modified") and str(values["modified"]) != before["modified"]:
            text = (
                f"Error: Document has been modified after you have opened it ({before['modified']}, "
                f"{work.now()}). Please refresh to get the latest document."
            )
            raise invalid(text, kind="TimestampMismatchError")


_SUBMITTED_STAYS = (
    "{} {}: Submitted Record cannot be deleted. You must <a href='https://docs.erpnext.com//docs/user/manual/en/"
    "setting-up/articles/delete-submitted-document' target='_blank'> Cancel </a> it first."
)


def _adopt_rows(meta: DocType, document: Document) -> None:
    for table in meta.of_kind("Table"):
        for row in document[table.name] or []:
            row["parent"] = document["name"]


def _store_passwords(work: Work, meta: DocType, document: Document) -> None:
    for one in meta.of_kind("Password"):
        value = document.get(one.name)
        if value and not is_mask(str(value)):
            work.transaction.set_password(meta.name, document["name"], one.name, str(value))
            document[one.name] = "*" * len(str(value))


def _stamp(work: Work, document: Document, before: Document | None) -> None:
    stamp = work.now()
    document["owner"] = (before or {}).get("owner", work.user)
    document["creation"] = (before or {}).get("creation", stamp)
    document["modified"] = stamp
    document["modified_by"] = work.user
    _stamp_rows(work, document)


def _stamp_rows(work: Work, document: Document) -> None:
    for row in rows_of(document):
        row.setdefault("owner", work.user)
        row.setdefault("creation", document["modified"])
        row["modified"], row["modified_by"] = document["modified"], work.user
        row["docstatus"] = document["docstatus"]
        row["parent"] = document["name"]
