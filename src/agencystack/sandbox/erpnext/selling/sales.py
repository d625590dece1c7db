"""What Sales Orders, Sales Invoices and Delivery Notes share: party, rows, money (contract/erpnext/06, 30)."""

from __future__ import annotations

import secrets
from typing import Any

from agencystack.sandbox.erpnext.documents import Documents
from agencystack.sandbox.erpnext.errors import FrappeError, bold, broken, invalid, not_found, thrown
from agencystack.sandbox.erpnext.meta import DocType
from agencystack.sandbox.erpnext.selling.money import Totals
from agencystack.sandbox.erpnext.selling.naming import first
from agencystack.sandbox.erpnext.selling.parties import linked
from agencystack.sandbox.erpnext.selling.prices import price_on
from agencystack.sandbox.erpnext.selling.settings import setting
from agencystack.sandbox.erpnext.selling.stock import Stock
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.values import SENT
from agencystack.sandbox.erpnext.work import Work

_PARTY = "erpnext.exceptions"
_ACCOUNTS = "erpnext.controllers.accounts_controller"
_WHOLE = "erpnext.utilities.transaction_base"
_TAKEN_FROM_ITEM = ("item_name", "description", "item_group", "stock_uom", "brand")


class Sales:
    """Fills in and checks documents of sale.

    Args:
        documents: the site's.
        stock: the site's.
    """

    def __init__(self, documents: Documents, stock: Stock) -> None:
        self.documents = documents
        self.stock = stock

    def prepare(self, work: Work, document: Document, before: Document | None) -> None:
        """Look up the party and the items, before any link is looked at."""
        if not document["items"] and document["doctype"] == "Sales Order":
            raise broken("TypeError", "unsupported operand type(s) for *: 'NoneType' and 'float'")
        for row in document["items"]:
            self._check_quantity(document, row)
        customer = self._customer(work, document)
        document["company"] = document.get("company") or work.company
        document["naming_series"] = document.get("naming_series") or None
        dated = "transaction_date" if document["doctype"] == "Sales Order" else "posting_date"
        document[dated] = document.get(dated) or work.today()
        if "posting_time" in document:
            document["posting_time"] = document.get("posting_time") or work.now()[11:]
        self._currency(work, document)
        for field in ("customer_name", "customer_group", "territory", "language"):
            document[field] = document.get(field) or customer.get(field)
        document["tax_category"] = document.get("tax_category") or customer.get("tax_category") or ""
        self._address(work, document)
        meta = work.meta(f"{document['doctype']} Item")
        for row in document["items"]:
            self._fill_row(work, meta, document, row)

    def check(self, work: Work, document: Document, before: Document | None) -> None:
        """Refuse what cannot be sold, and work the money out."""
        for row in document["items"]:
            self._check_row(work, document, row)
        for tax in document.get("taxes") or []:
            self._fill_tax(work, document, tax)
        if document["docstatus"] == 1:
            self._check_rates(work, document)
        Totals(work, document).work_out()
        self._schedule(document)

    def _customer(self, work: Work, document: Document) -> Document:
        name = str(document.get("customer") or "")
        if not name:
            return {}
        customer = work.transaction.peek("Customer", name)
        if customer is None:
            raise not_found("Customer", name)
        document["customer"] = customer["name"]
        if customer.get("disabled"):
            raise invalid(f"Customer {customer['name']} is disabled", kind="PartyDisabled", module=_PARTY)
        if customer.get("is_frozen"):
            raise invalid(f"Customer {customer['name']} is frozen", kind="PartyFrozen", module=_PARTY)
        return customer

    def _currency(self, work: Work, document: Document) -> None:
        company = work.transaction.peek("Company", str(document["company"])) or {}
        own = str(company.get("default_currency") or "EUR")
        customer = work.transaction.peek("Customer", str(document.get("customer") or "")) or {}
        document["currency"] = document.get("currency") or customer.get("default_currency") or own
        listed = document.get("selling_price_list") or customer.get("default_price_list")
        document["selling_price_list"] = listed or setting(work, "Selling Settings", "selling_price_list")
        prices = work.transaction.peek("Price List", str(document["selling_price_list"] or "")) or {}
        document["price_list_currency"] = prices.get("currency") or own
        if document["currency"] == own:
            document["conversion_rate"] = 1.0
        elif not document.get("conversion_rate") or document["conversion_rate"] == 1.0:
            document["conversion_rate"] = self._exchange(work, document, document["currency"], own)
        same = document["price_list_currency"] == own
        if same:
            document["plc_conversion_rate"] = 1.0
        elif not document.get("plc_conversion_rate"):
            listed_in = document["price_list_currency"]
            document["plc_conversion_rate"] = self._exchange(work, document, listed_in, own)

    def _exchange(self, work: Work, document: Document, source: str, target: str) -> float:
        for one in work.transaction.having("Currency Exchange", "from_currency", source):
            if one["to_currency"] == target:
                return float(one["exchange_rate"])
        if document.get("conversion_rate") == 1.0 and source != document["currency"]:
            return 1.0
        text = f"Exchange Rate is mandatory. Maybe Currency Exchange record is not created for {source} to {target}."
        unable = (
            f"Unable to find exchange rate for {source} to {target} for key date {work.today()}. Please create a "
            "Currency Exchange record manually"
        )
        messages: list[dict[str, Any]] = [{"message": unable, "title": "Message"}, thrown(text)]
        raise FrappeError("ValidationError", text, messages=messages)

    def _address(self, work: Work, document: Document) -> None:
        if document.get("customer_address") or not document.get("customer"):
            return
        found = [one for one in linked(work, "Address", "Customer", document["customer"]) if not one["disabled"]]
        chosen = first([one for one in found if one["is_primary_address"]] or found)
        document["customer_address"] = chosen["name"] if chosen else None

    def _fill_row(self, work: Work, meta: DocType, document: Document, row: Document) -> None:
        code = str(row.get("item_code") or "")
        if not code:
            return
        item = work.transaction.peek("Item", code)
        if item is None:
            raise not_found("Item", code)
        row["item_code"] = item["name"]
        for field in _TAKEN_FROM_ITEM:
            row[field] = row.get(field) or item.get(field)
        row["uom"] = row.get("uom") or item.get("sales_uom") or item["stock_uom"]
        row["conversion_factor"] = row.get("conversion_factor") or _factor(item, row["uom"])
        row["qty"] = float(row.get("qty") or 0)
        row["stock_qty"] = row["qty"] * row["conversion_factor"]
        row["warehouse"] = row.get("warehouse") or document.get("set_warehouse") or self.warehouse(work, item)
        if meta.field("is_stock_item"):
            row["is_stock_item"] = item["is_stock_item"]
        if meta.field("valuation_rate") and item["is_stock_item"] and row.get("warehouse"):
            row["valuation_rate"] = self.stock.bin(work, item["name"], row["warehouse"])["valuation_rate"]
        self._fill_accounts(work, document, meta, row)
        self._fill_price(work, document, row)

    def _fill_accounts(self, work: Work, document: Document, meta: DocType, row: Document) -> None:
        company = work.transaction.peek("Company", str(document["company"])) or {}
        row["cost_center"] = row.get("cost_center") or company.get("cost_center")
        row["item_tax_rate"] = row.get("item_tax_rate") or "{}"
        if meta.field("income_account"):
            row["income_account"] = row.get("income_account") or company.get("default_income_account")
            row["expense_account"] = row.get("expense_account") or company.get("default_expense_account")

    def warehouse(self, work: Work, item: Document) -> str | None:
        """Return where an item is taken from by default."""
        own = (row["default_warehouse"] for row in item.get("item_defaults") or [] if row.get("default_warehouse"))
        found = next(own, None) or setting(work, "Stock Settings", "default_warehouse")
        return str(found) if found else None

    def _fill_price(self, work: Work, document: Document, row: Document) -> None:
        """Take the list's price where none is named; a rate of 0 then becomes it (33b_item_prices_variants)."""
        if SENT not in row or "price_list_rate" in row[SENT]:
            return
        date = str(document.get("transaction_date") or document.get("posting_date"))
        listed = price_on(
            work, row["item_code"], str(document["selling_price_list"]), date, str(document.get("customer"))
        )
        to_document = float(document["plc_conversion_rate"]) / float(document["conversion_rate"])
        row["price_list_rate"] = listed * to_document * row["conversion_factor"]
        if not listed:
            self._auto_price(work, document, row)

    def _check_row(self, work: Work, document: Document, row: Document) -> None:
        item = work.transaction.peek("Item", str(row.get("item_code") or ""))
        if item is None:
            return
        if item.get("has_variants"):
            raise invalid(f"Item {item['name']} is a template, please select one of its variants")
        if item.get("disabled"):
            raise invalid(f"Item {item['name']} is disabled")
        if not item.get("is_sales_item"):
            raise invalid(f"Item {item['name']} must be a Sales Item")
        returned = bool(document.get("is_return"))
        if row["qty"] < 0 and not returned:
            where = f"{bold(row['doctype'])} Row #{row['idx']}"
            text = f"{where}: Value cannot be negative for {bold('Quantity')}"
            raise invalid(text, kind="NonNegativeError", title="Negative Value")
        uom = work.transaction.peek("UOM", str(row["uom"])) or {}
        if uom.get("must_be_whole_number") and not float(row["qty"]).is_integer():
            text = (
                f"Row {row['idx']}: Quantity ({row['qty']}) cannot be a fraction. To allow this, disable "
                f"'{bold('Must be Whole Number')}' in UOM {bold(row['uom'])}."
            )
            raise invalid(text, kind="UOMMustBeIntegerError", module=_WHOLE)

    def _check_quantity(self, document: Document, row: Document) -> None:
        """Refuse a quantity of nothing: the first thing the product looks at."""
        if not float(row.get("qty") or 0) and not document.get("is_return"):
            text = f"Row #{row['idx']}: Quantity for Item {bold(row.get('item_code'))} cannot be zero."
            raise invalid(text, kind="InvalidQtyError", title="Invalid Quantity", module=_ACCOUNTS)

    def _fill_tax(self, work: Work, document: Document, tax: Document) -> None:
        company = work.transaction.peek("Company", str(document["company"])) or {}
        tax["cost_center"] = tax.get("cost_center") or company.get("cost_center")
        account = work.transaction.peek("Account", str(tax.get("account_head") or "")) or {}
        if account.get("is_group"):
            raise invalid(f"Row {tax['idx']}: Account {account['name']} is a Group Account")
        if str(tax.get("charge_type")).startswith("On Previous") and tax["idx"] == 1:
            names = "'On Previous Row Amount' or 'On Previous Row Total'"
            raise invalid(f"Cannot select charge type as {names} for first row")

    def _check_rates(self, work: Work, document: Document) -> None:
        if setting(work, "Selling Settings", "allow_negative_rates_for_items") or document.get("is_return"):
            return
        for row in document["items"]:
            if float(row.get("rate") or 0) < 0:
                link = '<a href="/app/selling-settings/Selling%20Settings">Selling Settings</a>'
                how = f"enable {bold('`Allow Negative rates for Items`')} in {link}"
                text = (
                    f"For item {bold(row['item_code'])}, rate must be a positive number. To Allow negative rates, {how}"
                )
                raise invalid(text)

    def _schedule(self, document: Document) -> None:
        if "payment_schedule" not in document or document.get("is_return"):
            return
        total = document.get("rounded_total") or document["grand_total"]
        rows = document["payment_schedule"]
        due = str(document.get("due_date") or document.get("transaction_date") or document.get("posting_date"))
        row = rows[0] if rows else {"name": secrets.token_hex(5), "doctype": "Payment Schedule", "idx": 1}
        row |= {"due_date": due, "invoice_portion": 100.0, "payment_amount": total, "outstanding": total}
        row |= {"base_payment_amount": total, "docstatus": document["docstatus"], "paid_amount": 0.0}
        row |= {"parent": document["name"], "parentfield": "payment_schedule", "parenttype": document["doctype"]}
        document["payment_schedule"] = [row] if total else []

    def _auto_price(self, work: Work, document: Document, row: Document) -> None:
        """Make an Item Price of the first rate of an item that has none, as a new ERPNext does (31_money_more)."""
        if not setting(work, "Stock Settings", "auto_insert_price_list_rate_if_missing") or not row.get("rate"):
            return
        prices = work.transaction.peek("Price List", str(document["selling_price_list"])) or {}
        if prices.get("currency") != document["currency"] or document.get("is_return"):
            return
        known = work.transaction.having("Item Price", "item_code", row["item_code"])
        if any(one["price_list"] == prices["name"] for one in known):
            return
        item = work.transaction.peek("Item", row["item_code"]) or {}
        if item.get("has_variants"):
            return
        values = {"item_code": row["item_code"], "price_list": prices["name"], "price_list_rate": row["rate"]}
        self.documents.insert(work, "Item Price", values, checked=False)
        link = f'<a href="/app/item/{row["item_code"]}">{row["item_code"]}</a>'
        text = f"Item Price added for {link} in Price List - {prices['name']}"
        work.messages.append({"message": text, "title": "Message", "alert": 1})


def _factor(item: Document, uom: str) -> float:
    return next((float(row["conversion_factor"]) for row in item["uoms"] if row["uom"] == uom), 1.0)
