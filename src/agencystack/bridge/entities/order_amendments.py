"""Amendments: ERPNext edits a submitted document by cancelling it and submitting a copy, which then stands for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agencystack.bridge.entities.order_status import STATUS_FIELD
from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Documents
from agencystack.bridge.sides.erpnext.form import Native

STANDS_FOR = "agencystack_amended"
"""Laid beside an amendment that is read in the place of what it amends; no field of ERPNext's."""

_SALES_ORDER = "Sales Order"
_MOST_AMENDMENTS = 20


def amendments(
    documents: Documents, found: Mapping[str, Native], natives: Callable[[Sequence[str]], Mapping[str, Native]]
) -> Mapping[str, Native]:
    """Return what stands for cancelled documents now, by the name of each.

    Args:
        documents: the way to documents.
        found: documents by name, cancelled ones among them.
        natives: reads Sales Orders by name.
    """
    newest: dict[str, Native] = {}
    wanted = {name: name for name, one in found.items() if int(one.document.get("docstatus") or 0) == 2}
    for _ in range(_MOST_AMENDMENTS):
        if not wanted:
            break
        filters = [["amended_from", "in", sorted(wanted)]]
        listed = documents.select(_SALES_ORDER, filters, ["name", "amended_from"])
        origins = {str(one["name"]): wanted[str(one["amended_from"])] for one in listed}
        read = natives(sorted(origins))
        wanted = {}
        for name, native in read.items():
            newest[origins[name]] = _amended(found[origins[name]], native)
            if int(native.document.get("docstatus") or 0) == 2:
                wanted[name] = origins[name]
    return newest


def _amended(origin: Native, amendment: Native) -> Native:
    kept = {name: origin.document.get(name) for name in (TOKEN_FIELD, "creation")}
    label = amendment.document.get(STATUS_FIELD) or origin.document.get(STATUS_FIELD)
    return replace(amendment, document={**amendment.document, **kept, STATUS_FIELD: label, STANDS_FOR: True})
