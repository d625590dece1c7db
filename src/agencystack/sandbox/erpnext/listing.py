"""Lists of documents: which fields, filters, order and page a request asks for, as Frappe reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from agencystack.sandbox.erpnext.documents import Work
from agencystack.sandbox.erpnext.errors import FrappeError, broken, invalid, not_found
from agencystack.sandbox.erpnext.filters import Filter, fits, text_of
from agencystack.sandbox.erpnext.meta import NUMBERS, DocType
from agencystack.sandbox.erpnext.store import Document

DEFAULT_PAGE = 20
Row = dict[str, Any]
_COUNT = re.compile(r"count\((?:name|\*)\)(?:\s+as\s+`?(?P<alias>\w+)`?)?", re.IGNORECASE)


def rows(work: Work, doctype: str, params: Mapping[str, Any]) -> list[Row] | list[list[Any]]:
    """Return the rows a list request asks for.

    Args:
        work: the request.
        doctype: what to list.
        params: ``fields``, ``filters``, ``or_filters``, ``order_by``, ``group_by``, ``limit_start``,
            ``limit_page_length`` or ``limit``, ``as_dict``, ``parent``; as text, or as JSON values.

    Raises:
        FrappeError: 403 without permission, 404 for an unknown doctype, 417 for an unknown field.
    """
    meta = work.known(doctype)
    if meta is None:
        raise not_found("DocType", doctype)
    asked = _json(params, "fields", ["name"])
    fields = _fields(work, meta, [asked] if isinstance(asked, str) else asked)
    every = _filters(work, meta, _json(params, "filters", []))
    some = _filters(work, meta, _json(params, "or_filters", []))
    found = [one for one in _candidates(work, meta, params, every) if all(fits(one, f) for f in every)]
    if some:
        found = [one for one in found if any(fits(one, f) for f in some)]
    found = _ordered(meta, found, str(params.get("order_by") or ""))
    if any(_COUNT.fullmatch(name) for name in fields):
        chosen = _counted(found, fields, str(params.get("group_by") or ""))
    else:
        chosen = [row for one in found for row in _chosen(one, fields)]
    chosen = _page(chosen, params)
    return chosen if str(params.get("as_dict", "1")) not in {"0", "False"} else [list(row.values()) for row in chosen]


def _candidates(work: Work, meta: DocType, params: Mapping[str, Any], every: Iterable[Filter]) -> Iterable[Document]:
    if not meta.is_table:
        work.require(meta, "list")
        return _narrowed(work, meta, every)
    parent = work.known(str(params.get("parent") or ""))
    if parent is None:
        raise FrappeError("PermissionError", status=403, error_message=f"No permission for {meta.name}")
    work.require(parent, "list")
    tables = [one.name for one in parent.of_kind("Table") if one.options == meta.name]
    named = [list(f.values) for f in every if f.column == "parent" and f.values]
    parents: Iterable[Document] = (
        filter(None, (work.transaction.peek(parent.name, str(name)) for name in named[0]))
        if named
        else work.transaction.scan(parent.name)
    )
    return [row for one in parents for table in tables for row in one.get(table) or []]


def _narrowed(work: Work, meta: DocType, every: Iterable[Filter]) -> Iterable[Document]:
    """Return the documents one of the filters leaves, by an index where one can be used."""
    for one in every:
        if one.values is not None and one.column not in {"modified", "creation"}:
            if one.column == "name":
                found = {str(value).casefold(): work.transaction.peek(meta.name, str(value)) for value in one.values}
                return [document for _, document in sorted(found.items()) if document is not None]
            column = f"{one.table}.{one.column}" if one.table else one.column
            return work.transaction.having(meta.name, column, *one.values)
    return work.transaction.scan(meta.name)


def _json(params: Mapping[str, Any], key: str, default: Any) -> Any:
    value = params.get(key)
    if not isinstance(value, str):
        return default if value is None else value
    try:
        return json.loads(value) if value else default
    except json.JSONDecodeError as error:
        if key == "fields":
            return value
        raise broken("JSONDecodeError", str(error), module="json.decoder") from error


def _fields(work: Work, meta: DocType, asked: list[str]) -> list[str]:
    fields = [name for one in asked for name in (meta.columns if one == "*" else (one.strip("`"),))]
    for name in fields:
        if _COUNT.fullmatch(name):
            continue
        table, _, column = name.partition(".")
        child = meta.field(table) if column else None
        holder = work.known(child.options) if child else None
        known = holder.columns if holder else meta.columns
        if (column or table) not in known:
            raise unknown_field(name)
    return fields


def unknown_field(name: str) -> FrappeError:
    """Return the refusal of a field that is not there."""
    return invalid(f"Field not permitted in query: {name}", kind="DataError")


def _filters(work: Work, meta: DocType, given: Any) -> list[Filter]:
    if isinstance(given, dict):
        listed = [[key, *(value if isinstance(value, list) else ["=", value])] for key, value in given.items()]
    else:
        listed = [list(one) for one in given]
    return [_filter(work, meta, one) for one in listed]


def _filter(work: Work, meta: DocType, one: list[Any]) -> Filter:
    of = meta.name
    if len(one) > 3:
        of, *one = one
    name, operator, value = (one[0], "=", one[1]) if len(one) == 2 else one[:3]
    table, holder = "", meta
    if of != meta.name:
        tables = [field for field in meta.of_kind("Table") if field.options == of]
        child = work.known(of)
        if not tables or child is None:
            raise unknown_field(f"{of}.{name}")
        table, holder = tables[0].name, child
    elif "." in str(name):
        table, _, name = str(name).partition(".")
        field = meta.field(table)
        found = work.known(field.options) if field else None
        if found is None:
            raise unknown_field(f"{table}.{name}")
        holder = found
    if name not in holder.columns:
        raise unknown_field(str(name))
    declared = holder.field(str(name))
    numeric = name in {"docstatus", "idx"} or (declared is not None and declared.kind in NUMBERS)
    return Filter(str(name), str(operator).lower(), value, table, numeric)


def _ordered(meta: DocType, found: list[Document], order_by: str) -> list[Document]:
    for part in reversed([part.split() for part in order_by.split(",") if part.strip()]):
        column = part[0].strip("`").split(".")[-1].strip("`")
        if column not in meta.columns:
            text = f"(1054, \"Unknown column '{column}' in 'ORDER BY'\")"
            raise broken("OperationalError", text, module="pymysql.err")
        found = sorted(found, key=lambda one, by=column: _sorting(one.get(by)), reverse=part[-1].lower() == "desc")  # type: ignore[misc]
    return found


def _sorting(value: Any) -> tuple[int, float, str]:
    number = isinstance(value, int | float)
    return (1, float(value), "") if number else (0 if value is None else 1, 0.0, text_of(value))


def _page(found: list[Row], params: Mapping[str, Any]) -> list[Row]:
    start = int(params.get("limit_start") or 0)
    asked = params.get("limit_page_length", params.get("limit"))
    length = DEFAULT_PAGE if asked in (None, "") else int(asked)
    return found[start : start + length] if length else found[start:]


def _counted(found: list[Document], fields: list[str], group_by: str) -> list[Row]:
    groups: dict[str, list[Document]] = {} if group_by else {"": found}
    for one in found if group_by else ():
        groups.setdefault(text_of(one.get(group_by.strip("`"))), []).append(one)
    chosen = []
    for members in groups.values():
        row: Row = {}
        for name in fields:
            count = _COUNT.fullmatch(name)
            if count:
                row[count["alias"] or name] = len(members)
            else:
                row[name] = members[0].get(name) if members else None
        chosen.append(row)
    return chosen


def _chosen(document: Document, fields: list[str]) -> list[Row]:
    """Return the row of a document, or one for each child row where a child's field is asked for."""
    tables = {name.partition(".")[0] for name in fields if "." in name}
    children = [child for table in tables for child in document.get(table) or []] or [{}]
    return [
        {name.split(".")[-1]: child.get(name.split(".")[-1]) if "." in name else document.get(name) for name in fields}
        for child in (children if tables else [{}])
    ]
