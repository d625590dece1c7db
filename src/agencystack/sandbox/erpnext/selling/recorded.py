"""The business doctypes with their fields and permissions, as ERPNext 15.109 describes them (``getdoctype``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from agencystack.sandbox.erpnext.meta import DocType, Field, Kind
from agencystack.sandbox.erpnext.selling.crm import CRM_NOTE, LEAD

_KINDS: Mapping[str, Kind] = {
    "Check": "Check",
    "Int": "Int",
    "Long Int": "Int",
    "Float": "Float",
    "Currency": "Float",
    "Percent": "Float",
    "Select": "Select",
    "Link": "Link",
    "Dynamic Link": "Dynamic Link",
    "Table": "Table",
    "Table MultiSelect": "Table",
    "Date": "Date",
    "Datetime": "Datetime",
    "Time": "Time",
    "Password": "Password",
    "Data": "Data",
    "Phone": "Data",
    "Read Only": "Data",
    "Autocomplete": "Data",
}
_UNCLEANED = frozenset({"Code", "JSON", "HTML Editor", "Markdown Editor", "Attach", "Attach Image", "Signature"})
# MariaDB's ``text``; ``longtext`` has no limit that matters.
_SMALL = frozenset({"Small Text", "Attach", "Attach Image"})
_TEXT_BYTES = 65_535
# What ERPNext's CRM adds, which the site whose fields were read did not have.
_MISSING = {"Customer": (Field("lead_name", "Link", options="Lead", label="From Lead"),)}


def doctypes() -> tuple[DocType, ...]:
    """Return the doctypes."""
    held = json.loads(files(__package__).joinpath("doctypes.json").read_text())
    return (LEAD, CRM_NOTE, *(_doctype(name, one) for name, one in held.items()))


def _doctype(name: str, told: Mapping[str, Any]) -> DocType:
    return DocType(
        name,
        (*(_field(one) for one in told["fields"]), *_MISSING.get(name, ())),
        is_table=bool(told.get("table")),
        may_be_renamed=bool(told.get("rename")),
        is_single=bool(told.get("single")),
        is_submittable=bool(told.get("submittable")),
        autoname=told.get("autoname", ""),
        may=told.get("perms", {}),
    )


def _field(told: Mapping[str, Any]) -> Field:
    kind = told["t"]
    taken: Kind = _KINDS.get(kind, "HTML" if kind in _UNCLEANED or told.get("x") else "Text")
    return Field(
        told["n"],
        taken,
        default=told.get("d"),
        options=told.get("o", ""),
        label=told.get("l", ""),
        required=bool(told.get("r")),
        unique=bool(told.get("u")),
        fetch_from=told.get("f", ""),
        set_only_once=bool(told.get("s")),
        fetch_if_empty=bool(told.get("e")),
        allow_on_submit=bool(told.get("a")),
        length=_TEXT_BYTES if kind in _SMALL else int(told.get("len", 0)),
        digits="currency" if kind == "Currency" else "",
        cleaned=taken == "Text" or (taken == "Data" and told.get("o") != "Email"),
    )
