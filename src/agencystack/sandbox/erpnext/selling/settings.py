"""Single settings documents, as other documents look at them."""

from __future__ import annotations

from datetime import date
from typing import Any

from agencystack.sandbox.erpnext.errors import FrappeError, bold
from agencystack.sandbox.erpnext.work import Work


def setting(work: Work, doctype: str, field: str) -> Any:
    """Return one value of a settings document; ``None`` where it is not set."""
    return (work.transaction.peek(doctype, doctype) or {}).get(field)


def require_year(work: Work, day: str, company: str) -> None:
    """Refuse to book what no fiscal year holds (erpnext/accounts/utils.py ``get_fiscal_years``).

    Raises:
        FrappeError: there is none, or it is disabled.
    """
    for year in work.transaction.scan("Fiscal Year"):
        if not year.get("disabled") and str(year["year_start_date"]) <= day <= str(year["year_end_date"]):
            return
    shown = date.fromisoformat(day).strftime("%d-%m-%Y")
    text = f"Posting Date {shown} is not in any active Fiscal Year for {bold(company)}"
    raise FrappeError("FiscalYearError", text, module="erpnext.accounts.utils")
