"""Lists of documents: which fields, filters, order and page a request asks for, as Frappe reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.documents import Work
from agencystack.sandbox.erpnext.errors import FrappeError, broken, invalid, not_found
from agencystack.sandbox.erpnext.meta import DocType
from agencystack.sandbox.erpnext.store import Document

DEFAULT_PAGE = 20
Row = dict[str, Any]


def rows(work: Work, doctype: str, params: Mapping[str, str]) -> list[Row] | list[list[Any]]:
    """Return the rows a list request asks for.

    Args:
        work: the request.
        doctype: what to list.
        params: ``fields``, ``filters``, ``or_filters``, ``order_by``, ``limit_start``, ``limit_page_length`` or
            ``limit``, ``as_dict``, ``parent``.

    Raises:
        FrappeError: 403 without permission, 404 for an unknown doctype, 417 for an unknown field.
    """
    if doctype not in DOCTYPES:
        raise not_found("DocType", doctype)
    meta = DOCTYPES[doctype]
    fields = _fields(meta, _json(params, "fields", ["name"]))
    found = _candidates(work, meta, params)
    every, some = _filters(meta, _json(params, "filters", [])), _filters(meta, _json(params, "or_filters", []))
    found = [one for one in found if all(_fits(one, f) for f in every)]
    if some:
        found = [one for one in found if any(_fits(one, f) for f in some)]
    found = _page(_ordered(meta, found, params.get("order_by", "")), params)
    chosen = [row for one in found for row in _chosen(one, fields)]
    return chosen if params.get("as_dict", "1") != "0" else [list(row.values()) for row in chosen]


def _candidates(work: Work, meta: DocType, params: Mapping[str, str]) -> list[Document]:
    if not meta.is_table:
        work.require(meta, "list")
        return work.transaction.all(meta.name)
    parent = DOCTYPES.get(params.get("parent", ""))
    if parent is None:
        raise FrappeError("PermissionError", status=403, error_message=f"No permission for {meta.name}")
    work.require(parent, "list")
    tables = [one.name for one in parent.of_kind("Table") if one.options == meta.name]
    return [row for one in work.transaction.all(parent.name) for table in tables for row in one.get(table) or []]


def _json(params: Mapping[str, str], key: str, default: Any) -> Any:
    try:
        return json.loads(params[key]) if params.get(key) else default
    except json.JSONDecodeError as error:
        raise broken("JSONDecodeError", str(error), module="json.decoder") from error


def _fields(meta: DocType, asked: list[str]) -> list[str]:
    fields = [name for one in asked for name in (meta.columns if one == "*" else (one,))]
    for name in fields:
        table, _, column = name.partition(".")
        child = meta.field(table) if column else None
        known = DOCTYPES[child.options].columns if child and child.options in DOCTYPES else meta.columns
        if (column or table) not in known:
            raise _unknown_field(name)
    return fields


def _unknown_field(name: str) -> FrappeError:
    return invalid(f"Field not permitted in query: {name}", kind="DataError")


def _filters(meta: DocType, given: Any) -> list[tuple[str, str, Any]]:
    if isinstance(given, dict):
        listed = [[key, *(value if isinstance(value, list) else ["=", value])] for key, value in given.items()]
    else:
        listed = [one[-3:] if len(one) > 2 else [one[0], "=", one[1]] for one in given]
    filters = [(str(field), str(operator).lower(), value) for field, operator, value in listed]
    for name, _, _ in filters:
        if name not in meta.columns:
            raise _unknown_field(name)
    return filters


def _fits(document: Document, one: tuple[str, str, Any]) -> bool:
    name, operator, wanted = one
    value = document.get(name)
    if operator == "is":
        return bool(value) == bool(wanted == "set")
    if operator in {"like", "not like"}:
        pattern = re.escape(str(wanted)).replace("%", ".*").replace("_", ".")
        matches = re.fullmatch(pattern, _text(value), re.IGNORECASE | re.DOTALL) is not None
        return matches == (operator == "like")
    if operator in {"in", "not in"}:
        choices = wanted if isinstance(wanted, list) else str(wanted).split(",")
        return (_text(value) in {_text(choice) for choice in choices}) == (operator == "in")
    if operator == "between":
        return _text(wanted[0]) <= _text(value) <= _text(wanted[1]) + "~"
    return _compared(operator, _text(value), _text(wanted))


def _compared(operator: str, value: str, wanted: str) -> bool:
    if operator in {"=", "!="}:
        return (value == wanted) == (operator == "=")
    if operator in {">", ">="}:
        return value > wanted or (operator == ">=" and value == wanted)
    if operator in {"<", "<="}:
        return value < wanted or (operator == "<=" and value == wanted)
    raise invalid(f"Operator {operator} is not allowed")


def _text(value: Any) -> str:
    # MariaDB compares without case, and times with a T as well as with a blank.
    text = "" if value is None else str(int(value) if isinstance(value, bool) else value)
    return re.sub(r"^(\d{4}-\d\d-\d\d)T", r"\1 ", text).casefold()


def _ordered(meta: DocType, found: list[Document], order_by: str) -> list[Document]:
    for part in reversed([part.split() for part in order_by.split(",") if part.strip()]):
        column = part[0].strip("`").split(".")[-1]
        if column not in meta.columns:
            text = f"(1054, \"Unknown column '{column}' in 'ORDER BY'\")"
            raise broken("OperationalError", text, module="pymysql.err")
        found = sorted(found, key=lambda one, by=column: _text(one.get(by)), reverse=part[-1].lower() == "desc")  # type: ignore[misc]
    return found


def _page(found: list[Document], params: Mapping[str, str]) -> list[Document]:
    start = int(params.get("limit_start") or 0)
    length = int(params.get("limit_page_length") or params.get("limit") or DEFAULT_PAGE)
    if params.get("limit_page_length") == "0":
        length = 0
    return found[start : start + length] if length else found[start:]


def _chosen(document: Document, fields: list[str]) -> list[Row]:
    """Return the row of a document, or one for each child row where a child's field is asked for."""
    tables = {name.partition(".")[0] for name in fields if "." in name}
    children = [child for table in tables for child in document.get(table) or []] or [{}]
    return [
        {name.split(".")[-1]: child.get(name.split(".")[-1]) if "." in name else document.get(name) for name in fields}
        for child in (children if tables else [{}])
    ]
