"""Single settings documents, as other documents look at them."""

from __future__ import annotations

from typing import Any

from agencystack.sandbox.erpnext.work import Work


def setting(work: Work, doctype: str, field: str) -> Any:
    """Return one value of a settings document; ``None`` where it is not set."""
    return (work.transaction.peek(doctype, doctype) or {}).get(field)
