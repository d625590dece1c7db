"""The checks Frappe makes on every document, whatever its doctype."""

from __future__ import annotations

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.errors import FrappeError, bold, broken, invalid, thrown
from agencystack.sandbox.erpnext.meta import NUMBERS, DocType, Field
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

DATA_LENGTH = 140
# What may be deleted although these still name it (frappe/hooks.py, ignore_links_on_delete).
_FORGETFUL = frozenset({"Communication", "Email Queue", "Comment", "Version", "File", "Deleted Document", "Bin"})
_LEDGERS = frozenset({"GL Entry", "Stock Ledger Entry", "Payment Ledger Entry"})


def check_links(work: Work, meta: DocType, document: Document) -> None:
    """Refuse links that lead nowhere, in the document and in its rows."""
    missing = [f"{one.title}: {document[one.name]}" for one in _dead_links(work, meta, document)]
    for table in meta.of_kind("Table"):
        child = work.known(table.options)
        for row in (document.get(table.name) or []) if child else ():
            dead = _dead_links(work, child, row) if child else ()
            missing += [f"Row #{row['idx']}: {one.title}: {row[one.name]}" for one in dead]
    if missing:
        raise invalid(f"Could not find {', '.join(missing)}", kind="LinkValidationError")


def _dead_links(work: Work, meta: DocType, document: Document) -> list[Field]:
    dead = []
    for one in meta.of_kind("Link"):
        value = document.get(one.name)
        if value and one.options in DOCTYPES:
            linked = work.transaction.peek(one.options, str(value))
            if linked is None:
                dead.append(one)
            else:
                document[one.name] = linked["name"]
    for one in meta.of_kind("Dynamic Link"):
        value, doctype = document.get(one.name), str(document.get(one.options) or "")
        if value and doctype in DOCTYPES and not work.transaction.peek(doctype, str(value)):
            dead.append(one)
    return dead


def check_name(name: str) -> None:
    """Refuse a name the product refuses."""
    if "<" in name or ">" in name:
        raise invalid("Name cannot contain special characters like '<', '>'", kind="NameError", status=409)


def check_selects(meta: DocType, document: Document) -> None:
    """Refuse a value that is none of a select's choices."""
    for one in meta.of_kind("Select"):
        choices = one.options.split("\n") if one.options else []
        if document.get(one.name) and choices and str(document[one.name]) not in choices:
            listed = ", ".join(f'"{choice}"' for choice in choices if choice)
            raise invalid(f' {one.title} cannot be "{document[one.name]}". It should be one of {listed}')


def check_mandatory(work: Work, meta: DocType, document: Document) -> None:
    """Refuse a document without a value it must have; a number always has one."""
    missing: list[str] = []
    messages = []
    for one in meta.fields:
        if one.required and _is_empty(one, document):
            missing.append(one.name)
            messages.append(f"Error: Value missing for {meta.name}: {one.title}")
    for table in meta.of_kind("Table"):
        child = work.known(table.options)
        for row in (document.get(table.name) or []) if child else ():
            for one in child.fields if child else ():
                if one.required and _is_empty(one, row):
                    missing.append(one.name)
                    told = f"Row #{row['idx']}: Value missing for: {one.title}"
                    messages.append(f"Error: {bold(table.options)} {told}")
    if missing:
        text = f"[{meta.name}, {document['name']}]: {', '.join(missing)}"
        raise FrappeError("MandatoryError", text, messages=[{"message": one, "title": "Message"} for one in messages])


def _is_empty(one: Field, document: Document) -> bool:
    value = document.get(one.name)
    return value is None or value == "" or (one.kind == "Table" and not value)


def check_lengths(work: Work, meta: DocType, document: Document) -> None:
    """Refuse text that is too long: of a ``Data`` politely, of a ``Text`` when the database does."""
    for one in meta.fields:
        value = document.get(one.name)
        if not isinstance(value, str):
            continue
        if one.kind in {"Data", "Link", "Dynamic Link"} and len(value) > (one.length or DATA_LENGTH):
            told = f"{bold(one.title)}' ({value}) will get truncated, as max characters allowed is"
            where = f"{meta.name} {document['name']}: '{told} {one.length or DATA_LENGTH}"
            raise invalid(where, kind="CharacterLengthExceededError", title="Value too big")
        if one.length and one.kind == "Text" and len(value.encode(errors="replace")) > one.length:
            text = f"(1406, \"Data too long for column '{one.name}' at row 1\")"
            raise broken("DataError", text, module="pymysql.err")
    for table in meta.of_kind("Table"):
        child = work.known(table.options)
        for row in (document.get(table.name) or []) if child else ():
            if child:
                check_lengths(work, child, {**row, "name": document["name"]})


def check_unique(work: Work, meta: DocType, document: Document, before: Document | None) -> None:
    """Refuse a second document of a name, or of a value that is unique."""
    name = document["name"]
    if before is None and work.transaction.peek(meta.name, name):
        duplicate = f"IntegrityError(1062, \"Duplicate entry '{name}' for key 'PRIMARY'\")"
        message = {"message": f"{meta.name} {bold(name)} already exists", "title": "Duplicate Name", "indicator": "red"}
        text = f"('{meta.name}', '{name}', {duplicate})"
        raise FrappeError("DuplicateEntryError", text, status=409, messages=[*work.messages, message])
    for one in meta.fields:
        value = document.get(one.name) if one.unique else None
        if not value:
            continue
        others = work.transaction.having(meta.name, one.name, value)
        if any(other["name"] != name for other in others):
            duplicate = f"IntegrityError(1062, \"Duplicate entry '{value}' for key '{one.name}'\")"
            message = {"message": f"{one.title} must be unique", "title": "Message"}
            text = f"('{meta.name}', '{name}', {duplicate})"
            raise FrappeError("UniqueValidationError", text, messages=[message])


def check_after_submit(work: Work, meta: DocType, document: Document, before: Document) -> None:
    """Refuse a change of a submitted document where its field does not allow it."""
    for one in meta.fields:
        if one.allow_on_submit or one.kind == "Table" or one.name == "status":
            continue
        _refuse_change(one, document.get(one.name), before.get(one.name))
    for table in meta.of_kind("Table"):
        child = work.known(table.options)
        rows, old = document.get(table.name) or [], {row["name"]: row for row in before.get(table.name) or []}
        if len(rows) != len(old) and not table.allow_on_submit:
            _refuse_change(table, len(rows), len(old))
        for row in rows:
            for one in child.fields if child and row["name"] in old else ():
                if not one.allow_on_submit:
                    _refuse_change(one, row.get(one.name), old[row["name"]].get(one.name))


def _refuse_change(one: Field, new: object, old: object) -> None:
    if new == old or (not new and not old) or (one.kind in NUMBERS and float(new or 0) == float(old or 0)):  # type: ignore[arg-type]
        return
    text = f" Not allowed to change {bold(one.title)} after submission from {bold(old)} to {bold(new)}"
    raise invalid(text, kind="UpdateAfterSubmitError", title="Cannot Update After Submit")


def same(one: object, other: object) -> bool:
    """Compare as MariaDB does: without case."""
    return str(one).casefold() == str(other).casefold()


def check_not_linked(work: Work, document: Document, *, submitted_only: bool = False) -> None:
    """Refuse to delete, or to cancel, what another document names.

    Args:
        work: the request.
        document: what is to go.
        submitted_only: only submitted documents keep it, as they do a document that is cancelled.
    """
    doctype, name = document["doctype"], document["name"]
    for meta in DOCTYPES.values():
        if meta.is_table or meta.name in _FORGETFUL or (meta.name in _LEDGERS and submitted_only):
            continue
        for column in _columns_to(meta, doctype):
            for other in work.transaction.having(meta.name, column, name):
                if other["name"] == name and meta.name == doctype:
                    continue
                if other.get("docstatus") == 2 or (submitted_only and other.get("docstatus") != 1):
                    continue
                if _names(other, column, doctype, name):
                    raise _still_linked(document, other)


def _columns_to(meta: DocType, doctype: str) -> list[str]:
    columns = [one.name for one in meta.of_kind("Link") if one.options == doctype]
    columns += [one.name for one in meta.of_kind("Dynamic Link")]
    for table in meta.of_kind("Table"):
        child = DOCTYPES.get(table.options)
        if child:
            columns += [f"{table.name}.{one.name}" for one in child.of_kind("Link") if one.options == doctype]
            columns += [f"{table.name}.{one.name}" for one in child.of_kind("Dynamic Link")]
    return columns


def _names(other: Document, column: str, doctype: str, name: str) -> bool:
    """Tell whether a column names the document; a dynamic link might name one of another type."""
    table, _, field = column.partition(".")
    meta = DOCTYPES[other["doctype"]]
    holder = DOCTYPES[next(one.options for one in meta.of_kind("Table") if one.name == table)] if field else meta
    declared = holder.field(field or table)
    if declared is None or declared.kind != "Dynamic Link":
        return True
    rows = other.get(table) or [] if field else [other]
    return any(row.get(declared.options) == doctype and same(row.get(declared.name), name) for row in rows)


def _still_linked(document: Document, other: Document) -> FrappeError:
    doctype, name = document["doctype"], document["name"]
    text = (
        f'Cannot delete or cancel because {doctype} <a href="/app/Form/{doctype}/{name}">{name}</a> is '
        f'linked with {other["doctype"]} <a href="/app/Form/{other["doctype"]}/{other["name"]}">{other["name"]}</a> '
    )
    return FrappeError("LinkExistsError", text, messages=[thrown(text)])
