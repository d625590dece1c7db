"""What the bridge relies on in ERPNext, as the facts state it, on the stand-in and on a real site.

With ``AGENCYSTACK_TEST_STACK`` naming a ``stack.yaml`` the same questions are asked of its first ERPNext, whose user
must be able to sell and to keep items. Each test makes records of its own there; what it submits is cancelled.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import yaml

from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.erpnext.inside import Inside

STACK = "AGENCYSTACK_TEST_STACK"
TOKEN = {"label": "AgencyStack Token", "fieldname": "agencystack_token", "fieldtype": "Data", "unique": 1, "no_copy": 1}


class Shop:
    """An ERPNext, and records of a test's own in it."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.mark = secrets.token_hex(4)
        company = self.rows("Company", ["name", "abbr"])[0]
        self.company, self.abbr = company["name"], company["abbr"]
        self.submitted: list[tuple[str, str]] = []

    def send(self, method: str, path: str, body: Any = None, **params: str) -> tuple[int, dict[str, Any]]:
        content = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json"} if content else {}
        answer = self.client.request(method, path, content=content, params=params or None, headers=headers)
        return answer.status_code, answer.json()

    def resource(self, method: str, doctype: str, name: str = "", body: Any = None) -> tuple[int, dict[str, Any]]:
        path = f"/api/resource/{quote(doctype, safe='')}" + (f"/{quote(name, safe='')}" if name else "")
        status, answer = self.send(method, path, body)
        data = answer.get("data")
        if status == 200 and method in {"POST", "PUT"} and isinstance(data, dict) and data.get("docstatus") == 1:
            self.submitted.append((doctype, data["name"]))
        return status, answer

    def made(self, doctype: str, body: Mapping[str, Any]) -> dict[str, Any]:
        status, answer = self.resource("POST", doctype, body=dict(body))
        assert status == 200, answer
        return dict(answer["data"])

    def changed(self, doctype: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        status, answer = self.resource("PUT", doctype, name, dict(body))
        assert status == 200, answer
        return dict(answer["data"])

    def refused(self, method: str, doctype: str, name: str = "", body: Any = None) -> tuple[int, str]:
        status, answer = self.resource(method, doctype, name, body)
        assert status >= 400, answer
        return status, str(answer.get("exc_type"))

    def rows(self, doctype: str, fields: list[str], filters: list[Any] | None = None) -> list[dict[str, Any]]:
        asked = {"doctype": doctype, "fields": fields, "filters": filters or [], "limit_page_length": 0}
        status, answer = self.send("POST", "/api/method/frappe.client.get_list", asked)
        assert status == 200, answer
        return list(answer["message"])

    def mapped(self, method: str, **given: str) -> dict[str, Any]:
        status, answer = self.send("POST", f"/api/method/{method}", given)
        assert status == 200, answer
        return dict(answer["message"])

    def customer(self, **values: Any) -> str:
        return str(self.made("Customer", {"customer_name": f"F-{self.mark}-{secrets.token_hex(2)}", **values})["name"])

    def item(self, **values: Any) -> str:
        code = f"F-{self.mark}-{secrets.token_hex(2)}"
        return str(
            self.made("Item", {"item_code": code, "item_group": "Products", "is_stock_item": 0, **values})["name"]
        )

    def order(self, customer: str, items: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
        body = {"customer": customer, "delivery_date": "2099-12-20", "items": items, "disable_rounded_total": 1}
        return self.made("Sales Order", {**body, "ignore_pricing_rule": 1, **values})

    def close(self) -> None:
        for doctype, name in reversed(dict.fromkeys(self.submitted)):
            self.resource("PUT", doctype, name, {"docstatus": 2})


@pytest.fixture(params=["stand-in", "real"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    if request.param == "stand-in":
        site = ErpNextStandIn(None, company="Lab GmbH", connector_app=False)
        headers = {"Authorization": f"token {site.bridge_key}:{site.bridge_secret}"}
        found = Shop(httpx.Client(base_url="http://erp", headers=headers, transport=Inside(site)))
    else:
        if not os.environ.get(STACK):
            pytest.skip(f"no real ERPNext: {STACK} names no stack.yaml")
        stack = yaml.safe_load(Path(os.environ[STACK]).read_text())
        components = (one for client in stack["clients"].values() for one in client["components"].items())
        told = next(settings for name, settings in components if name == "erpnext")
        key, secret = (Path(told[part].removeprefix("file:")).read_text().strip() for part in ("api_key", "api_secret"))
        headers = {"Authorization": f"token {key}:{secret}"}
        found = Shop(httpx.Client(base_url=told["url"], headers=headers, timeout=120))
    yield found
    found.close()


def test_a_unique_field_refuses_a_second_document_and_can_be_searched(shop: Shop) -> None:
    shop.resource("POST", "Custom Field", body={"dt": "Customer", **TOKEN})
    token = secrets.token_hex(16)
    first = shop.customer(agencystack_token=token)

    body = {"customer_name": "Another", "agencystack_token": token}
    assert shop.refused("POST", "Customer", body=body) == (417, "UniqueValidationError")
    assert shop.rows("Customer", ["name"], [["agencystack_token", "in", [token, "other"]]]) == [{"name": first}]


def test_a_field_that_is_not_there_cannot_be_searched(shop: Shop) -> None:
    asked = {"doctype": "Currency", "fields": ["name", "agencystack_token"], "filters": []}
    status, answer = shop.send("POST", "/api/method/frappe.client.get_list", asked)
    assert (status, answer["exc_type"]) == (417, "DataError")


def test_customers_of_one_name_are_told_apart_by_a_number(shop: Shop) -> None:
    name = f"F-{shop.mark}-twin"
    assert [shop.made("Customer", {"customer_name": name})["name"] for _ in range(2)] == [name, f"{name} - 1"]


@pytest.mark.parametrize(
    ("doctype", "body", "wanted"),
    [
        ("Customer", {"customer_name": "a <b>"}, (409, "NameError")),
        ("Customer", {"customer_type": "Company"}, (500, "AttributeError")),
        ("Customer", {"customer_name": "x" * 150}, (417, "CharacterLengthExceededError")),
        ("Customer", {"customer_name": "x", "customer_group": "Nope"}, (417, "LinkValidationError")),
        ("Customer", {"customer_name": "x", "customer_type": "Alien"}, (417, "ValidationError")),
        ("Item", {"item_code": "F-none"}, (417, "MandatoryError")),
        (
            "Sales Order",
            {"customer": "Nobody at all", "items": [{"item_code": "x", "qty": 1}]},
            (404, "DoesNotExistError"),
        ),
        ("Sales Order", {"customer": "Nobody at all", "items": [{"item_code": "x"}]}, (417, "InvalidQtyError")),
        ("Nonsense", {"a": 1}, (500, "ImportError")),
    ],
)
def test_a_refusal_has_its_status_and_its_word(
    shop: Shop, doctype: str, body: dict[str, Any], wanted: tuple[int, str]
) -> None:
    assert shop.refused("POST", doctype, body=body) == wanted


def test_a_stale_modified_is_refused_and_nothing_changed(shop: Shop) -> None:
    name = shop.customer()
    stale = {"website": "https://x.example", "modified": "2020-01-01 00:00:00.000000"}
    assert shop.refused("PUT", "Customer", name, stale) == (417, "TimestampMismatchError")
    status, answer = shop.resource("GET", "Customer", name)
    assert (status, answer["data"].get("website")) == (200, None)
    shop.changed("Customer", name, {"website": "https://x.example", "modified": answer["data"]["modified"]})


def test_html_that_could_run_becomes_text(shop: Shop) -> None:
    name = shop.customer(customer_details="<script>alert(1)</script><b>ok</b>")
    status, answer = shop.resource("GET", "Customer", name)
    assert answer["data"]["customer_details"] == "&lt;script&gt;alert(1)&lt;/script&gt;<b>ok</b>"
    assert status == 200


@pytest.mark.parametrize("name", ["50% A/B & Co?", "Ünï #1 😀", "a < b"])
def test_names_bear_any_character(shop: Shop, name: str) -> None:
    wanted = f"{name} {shop.mark}"
    if "<" in name:
        assert shop.refused("POST", "Customer", body={"customer_name": wanted}) == (409, "NameError")
        return
    assert shop.made("Customer", {"customer_name": wanted})["name"] == wanted
    assert shop.resource("GET", "Customer", wanted)[1]["data"]["name"] == wanted


def test_a_list_of_everything_shows_what_a_single_document_shows(shop: Shop) -> None:
    name = shop.made("Contact", {"first_name": f"F {shop.mark}", "phone_nos": [{"phone": "+41 1"}]})["name"]
    single = shop.resource("GET", "Contact", name)[1]["data"]
    row = shop.rows("Contact", ["*"], [["name", "=", name]])[0]

    assert {key: value for key, value in row.items() if value is not None} == {
        key: value for key, value in single.items() if not isinstance(value, list) and key != "doctype"
    }


def test_the_zone_is_told_to_a_user(shop: Shop) -> None:
    status, answer = shop.send("GET", "/api/method/frappe.client.get_time_zone")
    assert (status, answer["message"]) == (200, {"time_zone": "Europe/Berlin"})


def test_child_tables_are_named_by_the_fields_of_a_type(shop: Shop) -> None:
    status, answer = shop.send("GET", "/api/method/frappe.desk.form.load.getdoctype", doctype="Contact")
    tables = {one["fieldname"]: one["options"] for one in answer["docs"][0]["fields"] if one["fieldtype"] == "Table"}
    assert status == 200
    assert tables == {"email_ids": "Contact Email", "phone_nos": "Contact Phone", "links": "Dynamic Link"}


def test_split_rows_and_given_taxes_are_equal_to_the_cent(shop: Shop) -> None:
    item, account = shop.item(), tax_account(shop)
    rows = [{"item_code": item, "qty": 2, "rate": 3.33}, {"item_code": item, "qty": 1, "rate": 3.34}]
    taxes = [{"charge_type": "Actual", "account_head": account, "description": "VAT", "tax_amount": 0.81}]

    order = shop.order(shop.customer(), rows, taxes=taxes)

    assert (order["net_total"], order["total_taxes_and_charges"], order["grand_total"]) == (10.0, 0.81, 10.81)


def test_a_rate_is_rounded_before_it_is_multiplied(shop: Shop) -> None:
    order = shop.order(shop.customer(), [{"item_code": shop.item(), "qty": 3, "rate": 10 / 3}])
    assert order["grand_total"] == 9.99


def test_a_discount_on_the_net_total_keeps_every_cent(shop: Shop) -> None:
    item = shop.item()
    rows = [{"item_code": item, "qty": 3, "rate": 6.67}, {"item_code": item, "qty": 1, "rate": 0.01}]
    order = shop.order(shop.customer(), rows, apply_discount_on="Net Total", discount_amount=5)
    assert (order["net_total"], order["grand_total"]) == (15.02, 15.02)
    assert round(sum(row["net_amount"] for row in order["items"]), 2) == 15.02
    body = {"customer": order["customer"], "delivery_date": "2099-12-20", "items": rows, "discount_amount": 99}
    assert shop.refused("POST", "Sales Order", body=body) == (417, "ValidationError")


def test_orders_are_refused_as_the_facts_say(shop: Shop) -> None:
    customer, item = shop.customer(), shop.item()
    body = {"customer": customer, "delivery_date": "2099-12-20"}
    assert shop.refused("POST", "Sales Order", body=body) == (500, "TypeError")
    zero = {**body, "items": [{"item_code": item, "qty": 0, "rate": 1}]}
    assert shop.refused("POST", "Sales Order", body=zero) == (417, "InvalidQtyError")
    half = {**body, "items": [{"item_code": item, "qty": 1.5, "rate": 1}]}
    assert shop.refused("POST", "Sales Order", body=half) == (417, "UOMMustBeIntegerError")
    shop.order(customer, [{"item_code": item, "qty": 1, "rate": 1}], po_no=f"P-{shop.mark}")
    twice = {**body, "items": [{"item_code": item, "qty": 1, "rate": 1}], "po_no": f"P-{shop.mark}"}
    assert shop.refused("POST", "Sales Order", body=twice) == (417, "ValidationError")


def test_an_order_goes_from_draft_to_invoiced_to_paid(shop: Shop) -> None:
    customer, item = shop.customer(), shop.item()
    order = shop.order(customer, [{"item_code": item, "qty": 2, "rate": 5}])
    assert shop.refused("PUT", "Sales Order", order["name"], {"docstatus": 2}) == (417, "DocstatusTransitionError")
    assert shop.changed("Sales Order", order["name"], {"docstatus": 1})["status"] == "To Deliver and Bill"
    assert shop.refused("DELETE", "Sales Order", order["name"]) == (417, "ValidationError")

    make = "erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice"
    invoice = shop.made("Sales Invoice", shop.mapped(make, source_name=order["name"]))
    assert shop.changed("Sales Invoice", invoice["name"], {"docstatus": 1})["status"] == "Unpaid"
    row = shop.rows("Sales Order", ["status", "per_billed"], [["name", "=", order["name"]]])[0]
    assert row == {"status": "To Deliver", "per_billed": 100.0}

    reference = {"reference_doctype": "Sales Invoice", "reference_name": invoice["name"], "allocated_amount": 10}
    payment = {
        "payment_type": "Receive",
        "party_type": "Customer",
        "party": customer,
        "paid_from": f"Debtors - {shop.abbr}",
        "paid_to": f"Cash - {shop.abbr}",
        "paid_amount": 10,
        "received_amount": 10,
        "docstatus": 1,
        "references": [reference],
    }
    shop.made("Payment Entry", payment)
    paid = shop.rows("Sales Invoice", ["status", "outstanding_amount"], [["name", "=", invoice["name"]]])[0]
    assert paid == {"status": "Paid", "outstanding_amount": 0.0}
    assert shop.refused("POST", "Payment Entry", body=payment) == (417, "ValidationError")
    assert shop.refused("PUT", "Sales Order", order["name"], {"docstatus": 2}) == (417, "LinkExistsError")


def test_a_return_has_negative_quantities_and_not_too_many(shop: Shop) -> None:
    customer, item = shop.customer(), shop.item()
    body = {"customer": customer, "docstatus": 1, "disable_rounded_total": 1}
    invoice = shop.made("Sales Invoice", {**body, "items": [{"item_code": item, "qty": 3, "rate": 3.33}]})
    detail = shop.resource("GET", "Sales Invoice", invoice["name"])[1]["data"]["items"][0]["name"]
    back = {**body, "is_return": 1, "return_against": invoice["name"]}

    def rows(quantity: int) -> dict[str, Any]:
        return {"items": [{"item_code": item, "qty": quantity, "rate": 3.33, "sales_invoice_item": detail}]}

    assert shop.refused("POST", "Sales Invoice", body={**back, **rows(1)}) == (417, "ValidationError")
    assert shop.refused("POST", "Sales Invoice", body={**back, **rows(-4)}) == (417, "StockOverReturnError")
    note = shop.made("Sales Invoice", {**back, **rows(-1)})
    assert (note["grand_total"], note["outstanding_amount"]) == (-3.33, -3.33)
    assert shop.refused("POST", "Sales Invoice", body={**back, **rows(-3)}) == (417, "StockOverReturnError")


def test_submitted_orders_reserve_stock_and_cancelled_ones_free_it(shop: Shop) -> None:
    customer, item = shop.customer(), shop.item(is_stock_item=1)
    warehouse = f"Stores - {shop.abbr}"
    assert shop.rows("Bin", ["name"], [["item_code", "=", item]]) == []
    row = {"item_code": item, "qty": 9, "rate": 1, "warehouse": warehouse}
    order = shop.order(customer, [row])
    shop.changed("Sales Order", order["name"], {"docstatus": 1})

    def held() -> dict[str, Any]:
        fields = ["actual_qty", "reserved_qty", "projected_qty"]
        return shop.rows("Bin", fields, [["item_code", "=", item], ["warehouse", "=", warehouse]])[0]

    assert held() == {"actual_qty": 0.0, "reserved_qty": 9.0, "projected_qty": -9.0}
    shop.changed("Sales Order", order["name"], {"docstatus": 2})
    assert held() == {"actual_qty": 0.0, "reserved_qty": 0.0, "projected_qty": 0.0}
    refused = shop.refused("PUT", "Sales Order", order["name"], {"docstatus": 1})
    assert refused == (417, "ValidationError")


def test_deleting_leaves_word_and_frees_the_name(shop: Shop) -> None:
    name = shop.customer()
    status, answer = shop.resource("DELETE", "Customer", name)
    assert (status, answer) == (202, {"data": "ok"})
    assert shop.refused("DELETE", "Customer", name) == (404, "DoesNotExistError")
    logged = shop.rows("Deleted Document", ["deleted_doctype"], [["deleted_name", "=", name]])
    assert logged == [{"deleted_doctype": "Customer"}]


def tax_account(shop: Shop) -> str:
    accounts = shop.rows("Account", ["name"], [["account_type", "=", "Tax"], ["is_group", "=", 0]])
    return str(sorted(one["name"] for one in accounts)[0])
