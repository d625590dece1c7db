"""What a company's ERPNext holds before anything is sold: accounts, warehouses, groups, lists, units (setup wizard)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agencystack.sandbox.erpnext.documents import Documents, Work

_GROUPS = {
    "Customer Group": ("All Customer Groups", ("Commercial", "Government", "Individual", "Non Profit")),
    "Territory": ("All Territories", ("Germany", "Rest Of The World")),
    "Item Group": (
        "All Item Groups",
        ("Products", "Raw Material", "Services", "Sub Assemblies", "Consumable"),
    ),
}
_NAME_FIELDS = {"Customer Group": "customer_group", "Territory": "territory", "Item Group": "item_group"}
_WAREHOUSES = ("Stores", "Work In Progress", "Finished Goods", "Goods In Transit")
# Account, its type, the group it is in.
_ACCOUNTS = (
    ("Debtors", "Receivable", "Accounts Receivable"),
    ("Cash", "Cash", "Cash In Hand"),
    ("Bank", "Bank", "Bank Accounts"),
    ("Stock In Hand", "Stock", "Stock Assets"),
    ("Creditors", "Payable", "Accounts Payable"),
    ("Umsatzsteuer 19 %", "Tax", "Duties and Taxes"),
    ("Umsatzsteuer 7 %", "Tax", "Duties and Taxes"),
    ("Abziehbare Vorsteuer 19 %", "Tax", "Tax Assets"),
    ("Temporary Opening", "Temporary", "Temporary Accounts"),
    ("Sales", "Income Account", "Direct Income"),
    ("Cost of Goods Sold", "Cost of Goods Sold", "Stock Expenses"),
    ("Stock Adjustment", "Stock Adjustment", "Stock Expenses"),
    ("Freight and Forwarding Charges", "Chargeable", "Indirect Expenses"),
    ("Marketing Expenses", "Chargeable", "Indirect Expenses"),
    ("Round Off", "Round Off", "Indirect Expenses"),
    ("Write Off", "", "Indirect Expenses"),
)
_UOMS = {"Nos": 1, "Box": 1, "Pair": 1, "Set": 1, "Unit": 1, "Kg": 0, "Gram": 0, "Litre": 0, "Meter": 0, "Hour": 0}
# Currency and its smallest coin.
_CURRENCIES = {"EUR": 0.01, "USD": 0.01, "CHF": 0.05, "GBP": 0.01, "JPY": 1.0, "SEK": 0.01}
_COUNTRIES = {
    "Germany": "de",
    "Switzerland": "ch",
    "Austria": "at",
    "France": "fr",
    "Italy": "it",
    "Netherlands": "nl",
    "United Kingdom": "gb",
    "United States": "us",
    "Japan": "jp",
}
_MODES = {"Cash": "Cash", "Wire Transfer": "Bank", "Credit Card": "Bank", "Bank Draft": "Bank", "Cheque": "Bank"}
SINGLES: Mapping[str, Mapping[str, object]] = {
    "Selling Settings": {"cust_master_name": "Customer Name", "selling_price_list": "Standard Selling"},
    "Stock Settings": {"item_naming_by": "Item Code", "stock_uom": "Nos", "auto_insert_price_list_rate_if_missing": 1},
}


def open_books(work: Work, documents: Documents, company: str, abbr: str) -> None:
    """Fill a site with what its setup wizard made.

    Args:
        work: as the administrator.
        documents: the site's.
        company: its company.
        abbr: which each account and warehouse carries: ``Stores - SG``.
    """
    for doctype, name, values in _all(company, abbr):
        if not work.transaction.peek(doctype, name):
            documents.plant(work, doctype, name, values)
    stock = work.transaction.get("Stock Settings", "Stock Settings")
    if stock and not stock.get("default_warehouse"):
        work.transaction.put({**stock, "default_warehouse": f"Stores - {abbr}"})


def has_books(work: Work) -> bool:
    """Tell whether a site was filled already."""
    return bool(work.transaction.peek("Price List", "Standard Selling"))


Planted = tuple[str, str, dict[str, Any]]


def _all(company: str, abbr: str) -> Iterator[Planted]:
    yield from _world()
    yield from _company(company, abbr)
    for doctype, (root, members) in _GROUPS.items():
        field = _NAME_FIELDS[doctype]
        yield doctype, root, {f"{field}_name": root, "is_group": 1, "lft": 1, "rgt": 2 + 2 * len(members)}
        for at, name in enumerate(members):
            values = {f"{field}_name": name, f"parent_{field}": root, "is_group": 0}
            yield doctype, name, {**values, "lft": 2 + 2 * at, "rgt": 3 + 2 * at}
    for name, buying, selling in (("Standard Selling", 0, 1), ("Standard Buying", 1, 0)):
        values = {"price_list_name": name, "currency": "EUR", "enabled": 1, "buying": buying, "selling": selling}
        yield "Price List", name, values


def _world() -> Iterator[Planted]:
    for name, coin in _CURRENCIES.items():
        values = {"currency_name": name, "enabled": 1, "smallest_currency_fraction_value": coin}
        yield "Currency", name, {**values, "number_format": "#.###,##"}
    for name, code in _COUNTRIES.items():
        yield "Country", name, {"country_name": name, "code": code}
    for name, whole in _UOMS.items():
        yield "UOM", name, {"uom_name": name, "must_be_whole_number": whole, "enabled": 1}
    for code, name in (("en", "English"), ("de", "Deutsch"), ("fr", "Français")):
        yield "Language", code, {"language_code": code, "language_name": name, "enabled": 1}
    for year in range(2024, 2032):
        span = {"year_start_date": f"{year}-01-01", "year_end_date": f"{year}-12-31"}
        yield "Fiscal Year", str(year), {"year": str(year), **span}


def _company(company: str, abbr: str) -> Iterator[Planted]:
    def own(name: str) -> str:
        return f"{name} - {abbr}"

    accounts = {
        "default_cash_account": own("Cash"),
        "default_bank_account": own("Bank"),
        "default_receivable_account": own("Debtors"),
        "default_payable_account": own("Creditors"),
        "default_income_account": own("Sales"),
        "default_expense_account": own("Cost of Goods Sold"),
        "stock_adjustment_account": own("Stock Adjustment"),
        "default_inventory_account": own("Stock In Hand"),
        "round_off_account": own("Round Off"),
        "write_off_account": own("Write Off"),
        "cost_center": own("Main"),
    }
    values = {"company_name": company, "abbr": abbr, "default_currency": "EUR", "country": "Germany"}
    yield "Company", company, {**values, "enable_perpetual_inventory": 1, **accounts}
    yield "Cost Center", own("Main"), {"cost_center_name": "Main", "company": company}
    for name in sorted({group for _, _, group in _ACCOUNTS}):
        yield "Account", own(name), {"account_name": name, "company": company, "is_group": 1, "root_type": _root(name)}
    for name, kind, group in _ACCOUNTS:
        told = {"account_name": name, "account_type": kind, "company": company, "account_currency": "EUR"}
        yield "Account", own(name), {**told, "parent_account": own(group), "is_group": 0, "root_type": _root(group)}
    everything = own("All Warehouses")
    yield "Warehouse", everything, {"warehouse_name": "All Warehouses", "company": company, "is_group": 1}
    for name in _WAREHOUSES:
        yield "Warehouse", own(name), {"warehouse_name": name, "company": company, "parent_warehouse": everything}
    for name, kind in _MODES.items():
        row = {"company": company, "default_account": own(kind)}
        yield "Mode of Payment", name, {"mode_of_payment": name, "enabled": 1, "type": kind, "accounts": [row]}


def _root(group: str) -> str:
    for word, root in (
        ("Income", "Income"),
        ("Expenses", "Expense"),
        ("Payable", "Liability"),
        ("Duties", "Liability"),
    ):
        if word in group:
            return root
    return "Asset"
