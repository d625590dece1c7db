"""Fields and properties a site adds to doctypes (contract/erpnext/09, 09b), and its webhooks (12)."""

from __future__ import annotations

from collections.abc import Mapping

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.documents import Behaviour
from agencystack.sandbox.erpnext.errors import bold, invalid
from agencystack.sandbox.erpnext.selling.naming import scrubbed
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work


def behaviours() -> Mapping[str, Behaviour]:
    """Return what custom fields, property setters and webhooks do."""
    return {
        "Custom Field": Behaviour(
            lambda one: f"{one['dt']}-{one['fieldname']}", prepare=_prepare_field, validate=_check_field
        ),
        "Property Setter": Behaviour(_setter_name, prepare=_replace_setter),
        "Webhook": Behaviour(lambda one: str(one.get("name") or "")),
    }


def _prepare_field(work: Work, field: Document, before: Document | None) -> None:
    if field.get("dt") and field["dt"] not in DOCTYPES:
        raise invalid(f"Could not find DocType: {field['dt']}", kind="LinkValidationError")
    if before is None and not field.get("fieldname"):
        if not field.get("label"):
            raise invalid("Label is mandatory")
        field["fieldname"] = f"custom_{scrubbed(str(field['label']))}"


def _check_field(work: Work, field: Document, before: Document | None) -> None:
    meta = work.meta(str(field["dt"]))
    if before is None and meta.field(str(field["fieldname"])):
        raise invalid(f"A field with the name {bold(field['fieldname'])} already exists in {field['dt']}")


def _setter_name(setter: Document) -> str:
    return "-".join(str(setter.get(key) or "main") for key in ("doc_type", "field_name", "property"))


def _replace_setter(work: Work, setter: Document, before: Document | None) -> None:
    # The product deletes an earlier one of the same property by itself (PropertySetter.validate).
    if before is None and work.transaction.peek("Property Setter", _setter_name(setter)):
        work.transaction.delete("Property Setter", _setter_name(setter))
