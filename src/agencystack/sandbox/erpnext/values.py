"""How Frappe takes the values it is sent: which fields a document has, of what type, and how it shows them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.errors import bold, invalid
from agencystack.sandbox.erpnext.meta import DocType, Field
from agencystack.sandbox.erpnext.sanitising import sanitised
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

SENT = "__sent"
"""Which fields of a row the request named; the others may be filled in."""


def new_document(work: Work, meta: DocType, values: Mapping[str, Any]) -> Document:
    """Return a document with defaults and what was sent; unknown fields are dropped without a word."""
    document: Document = {"doctype": meta.name, "docstatus": 0, "idx": 0}
    for one in meta.fields:
        document[one.name] = initial(work, one)
    assign(work, meta, document, values)
    return document


def changed_document(work: Work, meta: DocType, before: Document, values: Mapping[str, Any]) -> Document:
    """Return a document with what was sent laid over what it was."""
    document = {
        key: [dict(row) for row in value] if isinstance(value, list) else value for key, value in before.items()
    }
    if "creation" in values and str(values["creation"]) != str(before["creation"]):
        raise invalid(f"Value cannot be changed for {bold('Created On')}", kind="CannotChangeConstantError")
    assign(work, meta, document, values)
    for one in meta.fields:
        if one.set_only_once and document[one.name] != before.get(one.name):
            raise invalid(f"Value cannot be changed for {bold(one.title)}", kind="CannotChangeConstantError")
        document.setdefault(one.name, None)
    return document


def assign(work: Work, meta: DocType, document: Document, values: Mapping[str, Any]) -> None:
    """Lay what was sent over a document; a child table replaces all its rows."""
    for one in meta.fields:
        if one.name not in values:
            continue
        value = values[one.name]
        if one.kind == "Table":
            rows = value if isinstance(value, list) else []
            document[one.name] = [new_row(work, meta, document, one, at, row) for at, row in enumerate(rows, 1)]
        else:
            document[one.name] = cast(one, value)


def new_row(work: Work, meta: DocType, document: Document, one: Field, index: int, row: Mapping[str, Any]) -> Document:
    """Return a row as it is stored; one sent with its name keeps that, and its creation."""
    table = work.meta(one.options)
    kept = next((old for old in document.get(one.name) or [] if row.get("name") and old["name"] == row["name"]), None)
    new: Document = {"doctype": table.name, "docstatus": 0, "name": secrets.token_hex(5), "__unsaved": 1}
    if kept:
        new = {key: kept[key] for key in ("doctype", "docstatus", "name", "owner", "creation") if key in kept}
    for column in table.fields:
        new[column.name] = initial(work, column)
    sent = {column.name for column in table.fields if column.name in row}
    new.update({column.name: cast(column, row[column.name]) for column in table.fields if column.name in sent})
    place = {
        "idx": int(row.get("idx") or index),
        "parent": document.get("name"),
        "parentfield": one.name,
        "parenttype": meta.name,
    }
    return {**new, **place, SENT: sorted(sent)}


def initial(work: Work, one: Field) -> Any:
    """Return what a field of a new document holds."""
    if one.kind == "Table":
        return []
    if one.kind == "Link" and one.options == "Company" and not one.fetch_from and not one.default:
        return work.company if one.name == "company" and work.company else None
    if one.kind in {"Int", "Check"}:
        return int(one.default or 0)
    if one.kind == "Float":
        return float(one.default or 0)
    if one.kind in {"Date", "Datetime", "Time"} and str(one.default).lower() in {"today", "now"}:
        return _moment(work, one)
    if str(one.default or "").startswith(":"):
        return None  # taken from the company, by what the doctype does
    if one.kind == "Select" and one.default is None and not one.fetch_from:
        return one.options.split("\n")[0] if one.options and not one.allow_on_submit else ""
    return one.default


def _moment(work: Work, one: Field) -> str:
    now = work.now()
    return now[:10] if one.kind == "Date" else now[11:] if one.kind == "Time" else now


def cast(one: Field, value: Any) -> Any:
    """Return a value as the database keeps it; garbage in a number becomes 0 without a word."""
    if one.kind in {"Int", "Check"}:
        try:
            return int(float(value or 0))
        except (TypeError, ValueError):
            return 0
    if one.kind == "Float":
        try:
            return float(str(value).replace(",", "")) if value not in (None, "") else 0.0
        except ValueError:
            return 0.0
    if one.cleaned and isinstance(value, str):
        return sanitised(value)
    return value


def shown(document: Document) -> Document:
    """Return a document as the interface shows it alone: unset fields left out, in its rows too."""
    return {
        key: [shown(row) for row in value] if isinstance(value, list) else value
        for key, value in document.items()
        if value is not None and key != SENT
    }


def without_marks(document: Document) -> Document:
    """Return a document as it is stored."""
    return {
        key: [without_marks(row) for row in value] if isinstance(value, list) else _as_decimal(value)
        for key, value in document.items()
        if not key.startswith("__")
    }


def _as_decimal(value: Any) -> Any:
    """Return a number as the database keeps it: with 9 decimal places."""
    return round(value, 9) if isinstance(value, float) else value


def rows_of(document: Document) -> list[Document]:
    """Return all child rows of a document."""
    return [row for value in document.values() if isinstance(value, list) for row in value if isinstance(row, dict)]


def fetched(work: Work, meta: DocType, document: Document) -> None:
    """Take over what is fetched from linked documents, at each save."""
    for one in meta.fields:
        link, _, source = one.fetch_from.partition(".")
        if not link or not document.get(link) or (one.fetch_if_empty and document.get(one.name)):
            continue
        linked_to = meta.field(link)
        linked = work.transaction.peek(linked_to.options, str(document[link])) if linked_to else None
        if linked is not None and (linked_to is None or linked_to.options in DOCTYPES):
            document[one.name] = cast(one, linked.get(source))
