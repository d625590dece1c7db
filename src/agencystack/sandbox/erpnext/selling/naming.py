"""How ERPNext names documents: by a field, by a series, by what is free."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from agencystack.sandbox.erpnext.errors import invalid
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

_SERIES = "__Series"
_DIGITS = 5


def named(work: Work, document: Document) -> str:
    """Return the name of a new document by its doctype's own rule."""
    meta = work.meta(document["doctype"])
    rule = meta.autoname
    if document.get("amended_from"):
        return amended(work, document)
    if rule.startswith("field:"):
        field = meta.field(rule.removeprefix("field:"))
        value = str(document.get(field.name) or "").strip() if field else ""
        if not value:
            raise invalid(f"{field.title if field else rule} is required")
        return value
    if rule == "naming_series:":
        series = meta.field("naming_series")
        pattern = str(document.get("naming_series") or (series.options.split("\n")[0] if series else ""))
        document["naming_series"] = pattern
        return next_in_series(work, pattern)
    if "#" in rule:
        return next_in_series(work, rule)
    return str(document.get("name") or "") if rule == "prompt" else secrets.token_hex(5)


def next_in_series(work: Work, pattern: str) -> str:
    """Return the next name of a series (``SAL-ORD-.YYYY.-``); a request that fails uses none up."""
    prefix = _prefix(work, pattern)
    kept = work.transaction.get(_SERIES, prefix) or {"doctype": _SERIES, "name": prefix, "current": 0}
    kept["current"] += 1
    work.transaction.put(kept)
    return f"{prefix}{kept['current']:0{_DIGITS}d}"


def give_back(work: Work, document: Document) -> None:
    """Take a number back: deleting the last document of a series lets the next one have its name (39_delete_cancel)."""
    found = re.fullmatch(r"(?P<prefix>.*-)(?P<number>\d{5})", document["name"])
    kept = work.transaction.get(_SERIES, found["prefix"]) if found else None
    if found and kept and kept["current"] == int(found["number"]):
        kept["current"] -= 1
        work.transaction.put(kept)


def _prefix(work: Work, pattern: str) -> str:
    parts = (part for part in pattern.split(".") if set(part) != {"#"})
    return "".join(work.now()[:4] if part == "YYYY" else part for part in parts)


def amended(work: Work, document: Document) -> str:
    """Return the name of the next version of a cancelled document."""
    base = re.sub(r"-\d+$", "", str(document["amended_from"]))
    known = work.transaction.peek(document["doctype"], base)
    base = base if known else str(document["amended_from"])
    return free(work, document["doctype"], base, start=1)


def with_abbr(work: Work, document: Document, field: str) -> str:
    """Return the name of something a company has of its own: ``Stores - SG``."""
    company = work.transaction.peek("Company", str(document.get("company") or work.company)) or {}
    name, abbr = str(document.get(field) or "").strip(), company.get("abbr")
    return name if name.endswith(f" - {abbr}") else f"{name} - {abbr}"


def free(work: Work, doctype: str, base: str, *, start: int = 0, between: str = "-") -> str:
    """Return a name nobody has: the base, or the base with the next number."""
    if start == 0 and not work.transaction.peek(doctype, base):
        return base
    number = max(start, 1)
    while work.transaction.peek(doctype, f"{base}{between}{number}"):
        number += 1
    return f"{base}{between}{number}"


def scrubbed(text: str) -> str:
    """Return a field name of a label."""
    return re.sub(r"[^a-z0-9_]", "", re.sub(r"[ -]+", "_", text.strip().lower()))


def first(found: Iterable[Document]) -> Document | None:
    """Return the oldest of some documents."""
    return min(found, key=lambda one: (one.get("creation", ""), one["name"]), default=None)
