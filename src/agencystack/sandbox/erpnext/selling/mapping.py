"""Documents ERPNext makes of others, not saved yet: invoice and note of an order, return, payment, variant."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.sandbox.erpnext.errors import invalid, not_found
from agencystack.sandbox.erpnext.selling.invoices import claimed
from agencystack.sandbox.erpnext.selling.money import Totals
from agencystack.sandbox.erpnext.selling.payments import prepare
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.values import assign, new_document
from agencystack.sandbox.erpnext.work import Work

Mapper = Callable[[Work, Mapping[str, Any]], Any]
_SO = "erpnext.selling.doctype.sales_order.sales_order"
_SI = "erpnext.accounts.doctype.sales_invoice.sales_invoice"
_HEADER = (
    "customer",
    "customer_name",
    "company",
    "currency",
    "conversion_rate",
    "selling_price_list",
    "price_list_currency",
    "plc_conversion_rate",
    "ignore_pricing_rule",
    "disable_rounded_total",
    "apply_discount_on",
    "discount_amount",
    "customer_address",
    "customer_group",
    "territory",
    "language",
)
_ROW = (
    "item_code",
    "item_name",
    "description",
    "item_group",
    "stock_uom",
    "uom",
    "conversion_factor",
    "price_list_rate",
    "discount_percentage",
    "rate",
    "warehouse",
    "cost_center",
)
_TAX = (
    "charge_type",
    "account_head",
    "description",
    "rate",
    "tax_amount",
    "included_in_print_rate",
    "row_id",
    "cost_center",
    "dont_recompute_tax",
    "item_wise_tax_detail",
)


def mappers() -> Mapping[str, Mapper]:
    """Return the functions by name."""
    return {
        f"{_SO}.make_sales_invoice": _invoice_of_order,
        f"{_SO}.make_delivery_note": _note_of_order,
        f"{_SI}.make_sales_return": _return_of_invoice,
        "erpnext.accounts.doctype.payment_entry.payment_entry.get_payment_entry": _payment_of,
        "erpnext.controllers.item_variant.create_variant": _variant,
        "erpnext.crm.doctype.lead.lead.make_customer": _customer_of_lead,
    }


def _source(work: Work, doctype: str, name: Any) -> Document:
    found = work.transaction.get(doctype, str(name))
    if found is None:
        raise not_found(doctype, str(name))
    work.require(work.meta(doctype), "read")
    return found


def _submitted_order(work: Work, given: Mapping[str, Any]) -> Document:
    order = _source(work, "Sales Order", given["source_name"])
    if order["docstatus"] != 1:
        text = "Cannot map because following condition fails: docstatus=1"
        raise invalid(text)
    return order


def _begun(work: Work, doctype: str, source: Document) -> Document:
    made = new_document(work, work.meta(doctype), {})
    made |= {field: source.get(field) for field in _HEADER if field in made}
    made["posting_date"], made["posting_time"] = work.today(), work.now()[11:]
    company = work.transaction.peek("Company", str(source["company"])) or {}
    if "debit_to" in made:
        made["debit_to"] = company.get("default_receivable_account")
        made["party_account_currency"] = company.get("default_currency")
    return made


def _filled(work: Work, made: Document, rows: list[dict[str, Any]], taxes: list[Document], sign: float) -> Document:
    copies = [{field: tax.get(field) for field in _TAX} for tax in taxes]
    for tax in copies:
        if tax["charge_type"] == "Actual":
            tax["tax_amount"] = sign * float(tax["tax_amount"] or 0)
        if not tax.get("dont_recompute_tax"):
            tax.pop("item_wise_tax_detail")
    made["discount_amount"] = sign * float(made.get("discount_amount") or 0)
    company = work.transaction.peek("Company", str(made["company"])) or {}
    for row in rows:
        row["stock_qty"] = row["qty"] * float(row.get("conversion_factor") or 1)
        row["income_account"] = company.get("default_income_account")
    assign(work, work.meta(made["doctype"]), made, {"items": rows, "taxes": copies})
    Totals(work, made, checked=False).work_out()
    for row in (*made["items"], *made["taxes"]):
        row.pop("name", None)
        row.pop("parent", None)
    return {key: value for key, value in made.items() if value is not None}


def _invoice_of_order(work: Work, given: Mapping[str, Any]) -> Document:
    order = _submitted_order(work, given)
    made = _begun(work, "Sales Invoice", order)
    made |= {"po_no": order.get("po_no"), "po_date": order.get("po_date"), "due_date": work.today()}
    billed: dict[str, float] = {}
    for invoice in work.transaction.having("Sales Invoice", "items.sales_order", order["name"]):
        for row in invoice["items"] if invoice["docstatus"] == 1 and not invoice.get("is_return") else ():
            billed[str(row["so_detail"])] = billed.get(str(row["so_detail"]), 0.0) + row["qty"]
    rows = []
    for row in order["items"]:
        left = row["qty"] - billed.get(row["name"], 0.0)
        if left <= 0:
            continue
        own = {"sales_order": order["name"], "so_detail": row["name"], "qty": left}
        rows.append({**{field: row.get(field) for field in _ROW}, **own})
    made = _filled(work, made, rows, order["taxes"], 1.0)
    made["outstanding_amount"] = claimed(made)
    return made


def _note_of_order(work: Work, given: Mapping[str, Any]) -> Document:
    order = _submitted_order(work, given)
    made = _begun(work, "Delivery Note", order)
    rows = []
    for row in order["items"]:
        left = row["qty"] - float(row.get("delivered_qty") or 0)
        if left > 0:
            own = {"against_sales_order": order["name"], "so_detail": row["name"], "qty": left}
            rows.append({**{field: row.get(field) for field in _ROW}, **own})
    return _filled(work, made, rows, order["taxes"], 1.0)


def _return_of_invoice(work: Work, given: Mapping[str, Any]) -> Document:
    invoice = _source(work, "Sales Invoice", given["source_name"])
    made = _begun(work, "Sales Invoice", invoice)
    made |= {"is_return": 1, "return_against": invoice["name"], "update_stock": invoice.get("update_stock")}
    returned: dict[str, float] = {}
    for other in work.transaction.having("Sales Invoice", "return_against", invoice["name"]):
        for row in other["items"] if other["docstatus"] == 1 else ():
            key = str(row.get("sales_invoice_item"))
            returned[key] = returned.get(key, 0.0) - row["qty"]
    rows = []
    for row in invoice["items"]:
        own = {"sales_invoice_item": row["name"], "qty": returned.get(row["name"], 0.0) - row["qty"]}
        order = {"sales_order": row.get("sales_order"), "so_detail": row.get("so_detail")}
        rows.append({**{field: row.get(field) for field in _ROW}, **own, **order})
    made = _filled(work, made, rows, invoice["taxes"], -1.0)
    made["outstanding_amount"] = claimed(made)
    return made


def _payment_of(work: Work, given: Mapping[str, Any]) -> Document:
    doctype, name = str(given["dt"]), str(given["dn"])
    source = _source(work, doctype, name)
    made = new_document(work, work.meta("Payment Entry"), {})
    total = source.get("rounded_total") or source["grand_total"]
    paid = float(source.get("advance_paid") or 0)
    open_ = total - paid if doctype == "Sales Order" else source["outstanding_amount"]
    company = work.transaction.peek("Company", str(source["company"])) or {}
    receives = open_ >= 0
    bank = company.get("default_bank_account") or company.get("default_cash_account")
    own = company.get("default_receivable_account")
    made |= {
        "payment_type": "Receive" if receives else "Pay",
        "party_type": "Customer",
        "party": source["customer"],
        "party_name": source["customer_name"],
        "company": source["company"],
        "posting_date": work.today(),
        "paid_from": own if receives else bank,
        "paid_to": bank if receives else own,
        "paid_amount": abs(open_),
        "received_amount": abs(open_),
    }
    row = {"reference_doctype": doctype, "reference_name": name, "total_amount": total, "allocated_amount": open_}
    assign(work, work.meta("Payment Entry"), made, {"references": [row]})
    prepare(work, made, None)
    for one in made["references"]:
        one.pop("name", None)
    return {key: value for key, value in made.items() if value is not None}


def _variant(work: Work, given: Mapping[str, Any]) -> Document:
    template = _source(work, "Item", given.get("item") or given.get("source_name"))
    args = given["args"]
    wanted: dict[str, str] = json.loads(args) if isinstance(args, str) else dict(args)
    made = new_document(work, work.meta("Item"), {})
    made |= {key: template.get(key) for key in ("item_group", "stock_uom", "is_stock_item", "brand", "description")}
    shorts = []
    for row in template["attributes"]:
        attribute = work.transaction.peek("Item Attribute", row["attribute"]) or {}
        values = attribute.get("item_attribute_values", [])
        chosen = next((one for one in values if one["attribute_value"] == wanted.get(row["attribute"])), None)
        if chosen:
            shorts.append(str(chosen["abbr"]))
    suffix = "-".join(shorts)
    made |= {"item_code": f"{template['name']}-{suffix}", "item_name": f"{template['item_name']}-{suffix}"}
    made["variant_of"], made["has_variants"] = template["name"], 0
    rows = [{"attribute": name, "attribute_value": value} for name, value in wanted.items()]
    assign(work, work.meta("Item"), made, {"attributes": rows})
    for row in made["attributes"]:
        row.pop("name", None)
    return {key: value for key, value in made.items() if value is not None}


def _customer_of_lead(work: Work, given: Mapping[str, Any]) -> Document:
    lead = _source(work, "Lead", given["source_name"])
    made = new_document(work, work.meta("Customer"), {})
    kind = "Company" if lead.get("company_name") else "Individual"
    made |= {"customer_name": lead.get("company_name") or lead["lead_name"], "customer_type": kind}
    made["lead_name"] = lead["name"]
    return {key: value for key, value in made.items() if value is not None}
