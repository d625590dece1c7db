"""The checks Frappe makes on every document, whatever its doctype."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.errors import FrappeError, bold, invalid, thrown
from agencystack.sandbox.erpnext.meta import DocType
from agencystack.sandbox.erpnext.store import Document

if TYPE_CHECKING:
    from agencystack.sandbox.erpnext.documents import Work


def missing_in_row(work: Work, table: DocType, row: Document) -> list[str]:
    """Return which links of a row lead nowhere, as the product lists them."""
    return [
        f"Row #{row['idx']}: {one.title}: {row[one.name]}"
        for one in table.of_kind("Link")
        if row.get(one.name) and one.options in DOCTYPES and not work.transaction.get(one.options, row[one.name])
    ]


def check_name(name: str) -> None:
    """Refuse a name the product refuses."""
    if "<" in name or ">" in name:
        raise invalid("Name cannot contain special characters like '<', '>'", kind="NameError", status=409)


def check_selects(meta: DocType, document: Document) -> None:
    """Refuse a value that is none of a select's choices."""
    for one in meta.of_kind("Select"):
        choices = one.options.split("\n") if one.options else []
        if document.get(one.name) and choices and document[one.name] not in choices:
            listed = ", ".join(f'"{choice}"' for choice in choices)
            raise invalid(f' {one.title} cannot be "{document[one.name]}". It should be one of {listed}')


def check_mandatory(meta: DocType, document: Document) -> None:
    """Refuse a document without a value it must have."""
    missing = [one for one in meta.fields if one.required and document.get(one.name) in (None, "")]
    if missing:
        messages = [
            {"message": f"Error: Value missing for {meta.name}: {one.title}", "title": "Message"} for one in missing
        ]
        names = ", ".join(one.name for one in missing)
        raise FrappeError("MandatoryError", f"[{meta.name}, {document['name']}]: {names}", messages=messages)


def check_unique(work: Work, meta: DocType, document: Document, before: Document | None) -> None:
    """Refuse a second document of a name, or of a value that is unique."""
    name = document["name"]
    if before is None and work.transaction.get(meta.name, name):
        duplicate = f"IntegrityError(1062, \"Duplicate entry '{name}' for key 'PRIMARY'\")"
        message = {"message": f"{meta.name} {bold(name)} already exists", "title": "Duplicate Name", "indicator": "red"}
        text = f"('{meta.name}', '{name}', {duplicate})"
        raise FrappeError("DuplicateEntryError", text, status=409, messages=[*work.messages, message])
    for one in meta.fields:
        value = document.get(one.name)
        others = work.transaction.all(meta.name) if one.unique and value else []
        if any(same(other.get(one.name), value) and other["name"] != name for other in others):
            duplicate = f"IntegrityError(1062, \"Duplicate entry '{value}' for key '{one.name}'\")"
            message = {"message": f"{one.title} must be unique", "title": "Message"}
            text = f"('{meta.name}', '{name}', {duplicate})"
            raise FrappeError("UniqueValidationError", text, messages=[message])


def same(one: object, other: object) -> bool:
    """Compare as MariaDB does: without case."""
    return str(one).casefold() == str(other).casefold()


# What may be deleted although these still name it (frappe/hooks.py, ignore_links_on_delete).
_FORGETFUL = frozenset({"Communication", "Email Queue"})


def check_not_linked(work: Work, document: Document) -> None:
    """Refuse to delete what another document names."""
    doctype, name = document["doctype"], document["name"]
    for meta in DOCTYPES.values():
        if meta.is_table or meta.name in _FORGETFUL:
            continue
        links = [one.name for one in meta.of_kind("Link") if one.options == doctype]
        for other in work.transaction.all(meta.name) if links else []:
            if any(same(other.get(link), name) for link in links):
                text = (
                    f'Cannot delete or cancel because {doctype} <a href="/app/Form/{doctype}/{name}">{name}</a> is '
                    f'linked with {meta.name} <a href="/app/Form/{meta.name}/{other["name"]}">{other["name"]}</a> '
                )
                raise FrappeError("LinkExistsError", text, messages=[thrown(text)])
