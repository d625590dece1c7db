"""The stand-in answers every recorded request of a business kind as the real ERPNext did, field by field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agencystack.sandbox.erpnext import ErpNextStandIn
from tests.contract.erpnext_selling.replaying import Replay

# In the order they were recorded, as each goes on with what the ones before made. The numbers are exchanges that are
# asked but not compared, for a reason that is no promise of the stand-in's:
KNOWN: dict[str, tuple[int, ...]] = {
    # lists without an order or by the recorder's own times; Version; /api/v2
    "02_customer": (22, 31, 32, 34, 35, 40, 44, 45, 48, 50, 54, 57, 58, 59),
    "04_item": (6,),  # the recorded site's 200 units
    "05_contact_address": (),
    "06_sales_order": (12, 19, 42, 45),  # its chart of accounts; a zero counted as missing; 45: what a draft allocates
    "07_stock": (),
    # idx of a field in its form; 2 and 10: the recorded site was broken for Item just then
    "09_custom_field": (0, 2, 4, 10),
    "09b_custom_field_item": (1,),
    "30_money": (63, 71),  # another setting of the site, answered along
    # 8: a list of all prices; 63 to 65: 120 lines, left out here; the others: the recorder changed the answer in place
    "31_money_more": (8, 63, 64, 65, 70, 112, 115),
    "32_invoice_payment_return": (10, 29, 43),  # a float's last digit; idx of a row that was moved
    "33_item_variants": (14, 50, 57),  # item_defaults of a template; module of an error; get_item_details
    "34_stock_bin": (),
    "36_content": (6, 17),  # public pages
    "35_status_dupes": (),
    "37_portal_user_contact": (0, 18, 19),  # desk settings of a user
    "38_lead": (0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 17),  # selects without a choice of their own
    "39_delete_cancel": (5, 6, 7, 9, 11, 12),  # Version; other deletions; restoring
    "33b_item_prices_variants": (11, 12, 13, 14, 15, 16, 20),  # get_item_details; other settings
    "31b_money_more": (23, 29, 38, 40, 41),  # changed in place; a public page; restoring
    "32b_refund_more": (17, 19),  # a public page; a margin
}


def test_the_stand_in_answers_as_recorded(recorded_day: Callable[[], datetime]) -> None:
    replay = Replay(lab(recorded_day))

    differences = [
        difference for recording, known in KNOWN.items() for difference in replay.run(recording, frozenset(known))
    ]

    assert differences == []


def test_a_wrong_cent_would_be_seen(recorded_day: Callable[[], datetime]) -> None:
    replay = Replay(lab(recorded_day))
    for recording in ("02_customer", "04_item", "05_contact_address"):
        replay.run(recording)
    work = replay.site.work()
    item = work.transaction.get("Item Price", work.transaction.having("Item Price", "item_code", "SKU-001")[0]["name"])
    assert item is not None
    work.transaction.put({**item, "price_list_rate": 20.0})
    work.transaction.commit()

    differences = replay.run("06_sales_order", frozenset(KNOWN["06_sales_order"]))

    assert any("price_list_rate: 20.0 instead of 19.99" in one for one in differences)


def lab(clock: Callable[[], datetime]) -> ErpNextStandIn:
    """Return a stand-in with what the recorded site held besides what its setup made."""
    site = ErpNextStandIn(None, company="Lab GmbH", clock=clock)
    work = site.work()
    bank = {"account_name": "Lab Bank", "account_type": "Bank", "parent_account": "Bank Accounts - LG"}
    site.documents.insert(work, "Account", {**bank, "company": "Lab GmbH"})
    company = work.transaction.get("Company", "Lab GmbH")
    assert company is not None
    work.transaction.put({**company, "default_bank_account": "Lab Bank - LG"})
    work.transaction.commit()
    return site


def moving(day: datetime) -> Callable[[], datetime]:
    """Return a clock that goes on by a millisecond each time it is read."""
    ticks = iter(range(10**9))
    return lambda: day + timedelta(milliseconds=next(ticks))


def recorded() -> Callable[[], datetime]:
    """Return a clock of the day of the recordings."""
    return moving(datetime(2026, 11, 22, 19, 30, tzinfo=ZoneInfo("Europe/Berlin")))
