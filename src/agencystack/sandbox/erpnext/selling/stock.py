"""What there is of each item in each warehouse, and what moves it (contract/erpnext/07, 34)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from agencystack.sandbox.erpnext.documents import Behaviour, Documents
from agencystack.sandbox.erpnext.errors import invalid
from agencystack.sandbox.erpnext.selling.naming import give_back, named
from agencystack.sandbox.erpnext.selling.settings import setting
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work

_RECONCILIATION = "erpnext.stock.doctype.stock_reconciliation.stock_reconciliation"
_SUBMITTED = 1


class Stock:
    """Bins and the documents that change them.

    Args:
        documents: the site's.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def behaviours(self) -> Mapping[str, Behaviour]:
        """Return what stock documents do."""
        return {
            "Stock Reconciliation": Behaviour(
                lambda one: str(one["name"]),
                named=named,
                prepare=self._prepare,
                validate=self._check_reconciliation,
                on_submit=self._reconcile,
                on_trash=give_back,
            ),
            "Stock Entry": Behaviour(
                lambda one: str(one["name"]),
                named=named,
                prepare=self._prepare,
                validate=self._check_entry,
                on_submit=self._enter,
                on_trash=give_back,
            ),
        }

    def bin(self, work: Work, item_code: str, warehouse: str) -> Document:
        """Return an item's bin; one that is not there yet is empty and not stored."""
        for one in work.transaction.having("Bin", "item_code", item_code):
            if one["warehouse"] == warehouse:
                return dict(one)
        item = work.transaction.peek("Item", item_code) or {}
        numbers = dict.fromkeys(_NUMBERS, 0.0)
        place = {"item_code": item_code, "warehouse": warehouse, "stock_uom": item.get("stock_uom")}
        return {"doctype": "Bin", "name": "", "docstatus": 0, "idx": 0, **place, **numbers}

    def store(self, work: Work, bin_: Document) -> None:
        """Store a bin whose quantities changed."""
        bin_["projected_qty"] = bin_["actual_qty"] + bin_["ordered_qty"] + bin_["planned_qty"] - bin_["reserved_qty"]
        bin_["modified"], bin_["modified_by"] = work.now(), work.user
        if not bin_["name"]:
            bin_["name"] = secrets.token_hex(5)
            bin_["creation"], bin_["owner"] = bin_["modified"], work.user
        work.transaction.put(bin_)

    def is_kept(self, work: Work, item_code: str) -> bool:
        """Tell whether an item is one of stock."""
        return bool((work.transaction.peek("Item", item_code) or {}).get("is_stock_item"))

    def move(self, work: Work, document: Document, item_code: str, warehouse: str, quantity: float) -> None:
        """Put into a warehouse, or take from it.

        Raises:
            FrappeError: there is less than is taken.
        """
        bin_ = self.bin(work, item_code, warehouse)
        after = bin_["actual_qty"] + quantity
        if quantity < 0 and after < 0 and not setting(work, "Stock Settings", "allow_negative_stock"):
            raise _negative(work, document, item_code, warehouse, -after)
        bin_["actual_qty"] = after
        if quantity > 0 and not bin_["valuation_rate"]:
            bin_["valuation_rate"] = 1.0
        self.store(work, bin_)
        self._ledger(work, document, item_code, warehouse, quantity, after)

    def reserve(self, work: Work, item_code: str, warehouse: str) -> None:
        """Count again what submitted orders still have to deliver from a warehouse."""
        wanted = 0.0
        for order in work.transaction.having("Sales Order", "items.item_code", item_code):
            if order["docstatus"] != _SUBMITTED or order["status"] in {"Closed", "On Hold"}:
                continue
            for row in order["items"]:
                if row["item_code"] == item_code and row.get("warehouse") == warehouse:
                    open_ = max(row["qty"] - float(row.get("delivered_qty") or 0), 0.0)
                    wanted += open_ * float(row.get("conversion_factor") or 1)
        bin_ = self.bin(work, item_code, warehouse)
        bin_["reserved_qty"] = wanted
        self.store(work, bin_)

    def _prepare(self, work: Work, document: Document, before: Document | None) -> None:
        if before is None:
            document["company"] = document.get("company") or work.company
            document["posting_date"] = document.get("posting_date") or work.today()
            document["posting_time"] = document.get("posting_time") or work.now()[11:]

    def _check_reconciliation(self, work: Work, document: Document, _: Document | None) -> None:
        company = work.transaction.peek("Company", document["company"]) or {}
        document["expense_account"] = document.get("expense_account") or company.get("stock_adjustment_account")
        document["cost_center"] = document.get("cost_center") or company.get("cost_center")
        changed = []
        for row in document["items"]:
            item = work.transaction.peek("Item", str(row.get("item_code") or "")) or {}
            if item.get("has_variants"):
                raise invalid(f"Row # {row['idx']}: Item {row['item_code']} is a template")
            if not item.get("is_stock_item"):
                raise invalid(f"Row # {row['idx']}: {row['item_code']} is not a stock Item")
            bin_ = self.bin(work, row["item_code"], str(row.get("warehouse") or ""))
            # Frappe's document sends nothing for a quantity that is to stay.
            row["current_qty"], row["current_valuation_rate"] = bin_["actual_qty"], bin_["valuation_rate"]
            rate = float(row.get("valuation_rate") or 0) or bin_["valuation_rate"]
            if row["qty"] and not rate and not row.get("allow_zero_valuation_rate"):
                raise invalid(f"Row # {row['idx']}: Valuation Rate required for Item {row['item_code']}")
            row["valuation_rate"], row["quantity_difference"] = rate, row["qty"] - bin_["actual_qty"]
            row["item_name"], row["stock_uom"] = item["item_name"], item["stock_uom"]
            row["amount"] = row["qty"] * rate
            row["amount_difference"] = row["amount"] - bin_["actual_qty"] * bin_["valuation_rate"]
            if row["quantity_difference"] or rate != bin_["valuation_rate"]:
                changed.append(row)
        if document["items"] and not changed:
            text = "None of the items have any change in quantity or value."
            raise invalid(text, kind="EmptyStockReconciliationItemsError", module=_RECONCILIATION)
        document["items"] = changed
        document["difference_amount"] = sum(row["amount_difference"] for row in changed)

    def _reconcile(self, work: Work, document: Document) -> None:
        for row in document["items"]:
            bin_ = self.bin(work, row["item_code"], row["warehouse"])
            bin_["actual_qty"], bin_["valuation_rate"] = row["qty"], row["valuation_rate"]
            self.store(work, bin_)
            self._ledger(work, document, row["item_code"], row["warehouse"], 0.0, row["qty"])

    def _check_entry(self, work: Work, document: Document, _: Document | None) -> None:
        document["purpose"] = document.get("purpose") or document.get("stock_entry_type")
        if not document["items"]:
            raise invalid("Items is mandatory")
        company = work.transaction.peek("Company", document["company"]) or {}
        for row in document["items"]:
            code = str(row.get("item_code") or "")
            item = work.transaction.peek("Item", code) or {}
            for field in ("item_name", "description", "item_group"):
                row[field] = row.get(field) or item.get(field)
            row["stock_uom"] = row["uom"] = item.get("stock_uom")
            row["cost_center"] = row.get("cost_center") or company.get("cost_center")
            row["conversion_factor"], row["transfer_qty"] = 1.0, row["qty"]
            held = self.bin(work, code, str(row.get("s_warehouse") or row.get("t_warehouse") or ""))
            row["basic_rate"] = float(row.get("basic_rate") or 0) or held["valuation_rate"]
            row["valuation_rate"], row["amount"] = row["basic_rate"], row["basic_rate"] * row["qty"]
            if not row["qty"]:
                raise invalid(f"Row {row['idx']}: Qty is mandatory")

    def _enter(self, work: Work, document: Document) -> None:
        for row in document["items"]:
            if row.get("s_warehouse"):
                self.move(work, document, row["item_code"], row["s_warehouse"], -row["qty"])
            if row.get("t_warehouse"):
                bin_ = self.bin(work, row["item_code"], row["t_warehouse"])
                bin_["valuation_rate"] = float(row.get("basic_rate") or 0) or bin_["valuation_rate"]
                self.store(work, bin_)
                self.move(work, document, row["item_code"], row["t_warehouse"], row["qty"])

    def _ledger(
        self, work: Work, document: Document, item_code: str, warehouse: str, quantity: float, after: float
    ) -> None:
        values = {
            "item_code": item_code,
            "warehouse": warehouse,
            "actual_qty": quantity,
            "qty_after_transaction": after,
            "voucher_type": document["doctype"],
            "voucher_no": document["name"],
            "docstatus": 1,
            "posting_date": work.today(),
        }
        self._documents.plant(work, "Stock Ledger Entry", secrets.token_hex(5), values)


_NUMBERS = (
    "actual_qty",
    "reserved_qty",
    "ordered_qty",
    "planned_qty",
    "indented_qty",
    "projected_qty",
    "reserved_stock",
    "valuation_rate",
    "stock_value",
)


def _title(document: Document) -> str:
    return str(document.get("title") or document.get("purpose") or document["name"])


def _negative(work: Work, document: Document, item_code: str, warehouse: str, missing: float) -> Exception:
    item = work.transaction.peek("Item", item_code) or {}
    link = '<a href="/app/Form/{0}/{1}" style="font-weight: bold;">{0} {2}</a>'
    text = (
        f"<strong>{missing}</strong> units of {link.format('Item', item_code, item.get('item_name'))} needed in "
        f"{link.format('Warehouse', warehouse, warehouse)} on {work.now()} for "
        f"{link.format(document['doctype'], document['name'], _title(document))} to complete this transaction."
    )
    return invalid(text, kind="NegativeStockError", title="Insufficient Stock", module="erpnext.stock.stock_ledger")
