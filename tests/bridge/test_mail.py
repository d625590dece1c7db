"""No write of the bridge mails anybody, unless the client said so: counted on both products, not believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agencystack.bridge.record import SideName
from tests.bridge.together import E, Together, W, sharing_of

CUSTOMERS, ORDERS = 1000, 200


def backfilled(it: Together, *entities: str) -> None:
    """Bring everything over, as ``agencystack bridge backfill`` does."""
    for entity in entities:
        for side in SideName:
            it.bridge.backfill(entity, side)
    it.run()


def test_a_backfill_of_a_shop_sends_no_mail(tmp_path: Path) -> None:
    it = Together(tmp_path, plugin=True)
    mug = it.product(sku="MUG")
    people = [it.customer(f"p{n}@example.test", first_name=f"P{n}", last_name="Kunde") for n in range(CUSTOMERS)]
    for n in range(ORDERS):
        it.order({"product_id": int(mug), "quantity": 1}, customer_id=int(people[n]))
    mails, queued = len(it.shop.mails), len(it.docs("Email Queue"))

    backfilled(it, "category", "customer", "product", "order", "payment")

    assert len(it.docs("Customer")) == CUSTOMERS
    assert len(it.docs("Sales Order", docstatus=1)) == ORDERS
    assert it.refused() == it.asked() == []
    assert len(it.shop.mails) == mails
    assert len(it.docs("Email Queue")) == queued


def test_customers_and_orders_that_the_office_made_are_announced_to_nobody(tmp_path: Path) -> None:
    it = Together(tmp_path, plugin=True)
    made_in_the_office(it)

    it.run()

    assert [one["email"] for one in it.shop.state.data.users.values()][1:] == ["neu@example.test"]
    assert it.shop.mails == []


@pytest.mark.parametrize("notify", [True, False])
def test_only_what_says_notify_is_mailed_about(tmp_path: Path, notify: bool) -> None:
    customers: dict[str, Any] = {"customer": {"direction": "both", "notify": notify}}
    it = Together(tmp_path, plugin=True, sharing=sharing_of(entities=customers))
    made_in_the_office(it)

    it.run()

    assert [mail["to"] for mail in it.shop.mails] == (["neu@example.test"] if notify else [])


def made_in_the_office(it: Together) -> None:
    """Make a Customer with an e-mail address in ERPNext."""
    it.run()
    groups = {"customer_group": "Individual", "territory": "All Territories"}
    it.make(
        "Customer", {"customer_name": "Neu", "customer_type": "Individual", "email_id": "neu@example.test", **groups}
    )


def test_without_our_plugin_the_preview_counts_the_mails(tmp_path: Path) -> None:
    it = Together(tmp_path, plugin=False)
    it.customer("there@example.test")
    groups = {"customer_group": "Individual", "territory": "All Territories"}
    for n in range(3):
        told = {"customer_name": f"Neu {n}", "customer_type": "Individual", "email_id": f"n{n}@example.test"}
        it.make("Customer", {**told, **groups})

    preview = it.bridge.preview("customer")

    assert preview.created == {W: 3, E: 1}
    assert preview.mails[W] == 3
    assert it.wrote == []
