"""What a person does when ERPNext refuses a document of an order, by the (English) words it refuses it with."""

from __future__ import annotations

from collections.abc import Sequence

from agencystack.bridge.sides.erpnext.documents import Saved

_REMEDIES: Sequence[tuple[str, str]] = (
    (
        "entered multiple times",
        "tick “Allow Item to be Added Multiple Times in a Transaction” in ERPNext's Selling Settings: a line whose "
        "price is no whole cent takes two rows",
    ),
    (
        "already exists against Customer's Purchase Order",
        "that order is in ERPNext already: link or delete that document",
    ),
    ("UOMMustBeIntegerError", "let the Item's unit take fractions, or correct the quantity in the shop"),
    ("FiscalYearError", "make the fiscal year of that day in ERPNext, or enter the document by hand on another day"),
    (
        "closed Accounting Period",
        "reopen the accounting period in ERPNext, or enter the document by hand on another day",
    ),
    ("Books have been closed", "reopen the period in ERPNext, or enter the document by hand on another day"),
    ("add or update entries before", "move the date accounts are frozen till (Accounts Settings), or enter it by hand"),
    ("PartyDisabled", "enable the Customer in ERPNext, or give the order to another one"),
    ("PartyFrozen", "unfreeze the Customer in ERPNext"),
    (
        "DoesNotExistError",
        "what it names is not in ERPNext (any more): restore it there, or write its name as ERPNext has it into the "
        "accounting settings or the order, and retry",
    ),
    ("LinkValidationError", "write the name as ERPNext has it into the accounting settings, and retry"),
    ("does not belong to company", "write an account of that company into the accounting settings, and retry"),
    ("is disabled", "enable it in ERPNext, or replace it in the order"),
    ("Data too long", "shorten it in the shop: ERPNext's field holds less"),
    ("CharacterLengthExceeded", "shorten it in the shop: ERPNext's field holds less"),
    ("UpdateAfterSubmitError", "let the field be changed after submission (Customize Form), or amend the document"),
    ("PermissionError", "give the bridge's ERPNext user the rights the integration's plan names (apply it again)"),
)


def remedy_for(saved: Saved) -> str | None:
    """Return what to do about a refusal; ``None`` where nothing better than ERPNext's own words is known."""
    said = f"{saved.kind} {saved.message}"
    return next((remedy for words, remedy in _REMEDIES if words in said), None)
