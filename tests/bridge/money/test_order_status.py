"""The state of an order is a partial order: late news never moves it back, and both sides end with one state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agencystack.bridge.entities.order_status import COMPLETED, RANK, further, join, said_by
from agencystack.stack.sharing import OrderStatus

STATUSES = st.sampled_from([*RANK, "packed", "wc-shipped"])
MAYBE = st.none() | STATUSES


@given(MAYBE, STATUSES)
def test_what_both_say_is_what_holds(base: str | None, both: str) -> None:
    assert join(base, both, both) == both


@given(MAYBE, MAYBE, MAYBE)
def test_nothing_is_invented(base: str | None, shop: str | None, erp: str | None) -> None:
    assert join(base, shop, erp) in {shop, erp}


@given(STATUSES, STATUSES, STATUSES)
def test_a_second_look_changes_nothing(base: str, shop: str, erp: str) -> None:
    agreed = join(base, shop, erp)
    assert join(agreed, agreed, agreed) == agreed


@given(st.sampled_from(sorted(RANK)), st.sampled_from(sorted(RANK)), st.sampled_from(sorted(RANK)))
def test_erpnext_never_moves_an_order_back(base: str, shop: str, erp: str) -> None:
    agreed = join(base, shop, erp)
    assert agreed == shop or RANK[str(agreed)] > RANK[shop]


@given(STATUSES, STATUSES)
def test_the_shops_own_change_is_taken_as_it_is(base: str, shop: str) -> None:
    assert join(base, shop, base) == shop


@given(STATUSES, STATUSES)
def test_further_does_not_ask_who_speaks_first(one: str, other: str) -> None:
    assert further(one, other) == further(other, one)


def test_a_stale_push_does_not_fail_a_completed_order() -> None:
    assert join("processing", "completed", "failed") == "completed"
    assert join("processing", "completed", "processing") == "completed"


def test_a_plugins_status_gives_way_to_an_end_alone() -> None:
    assert join("processing", "packed", "completed") == "completed"
    assert join("pending", "packed", "processing") == "packed"


def test_a_draft_of_the_shops_order_says_what_the_shop_said() -> None:
    assert said_by({"docstatus": 0, "agencystack_status": "on-hold"}, True, {}) == "on-hold"
    assert (
        said_by({"docstatus": 1, "status": "To Deliver and Bill", "agencystack_status": "on-hold"}, True, {})
        == "on-hold"
    )


def test_delivered_and_billed_is_completed() -> None:
    document = {"docstatus": 1, "status": "Completed", "agencystack_status": "packed"}
    assert said_by(document, True, {"packed": "processing"}) == COMPLETED


def test_an_order_of_erpnext_is_processed_once_it_is_paid() -> None:
    document = {"docstatus": 1, "status": "To Deliver and Bill", "grand_total": 10.81, "advance_paid": 0}
    assert said_by(document, False, {}) == "on-hold"
    assert said_by({**document, "advance_paid": 10.81}, False, {}) == "processing"


def test_cancelling_to_amend_does_not_cancel_the_shops_order() -> None:
    assert said_by({"docstatus": 2, "agencystack_status": "processing"}, True, {}) == "processing"
    assert said_by({"docstatus": 2}, False, {}) == "cancelled"


def test_closing_ends_an_order() -> None:
    assert said_by({"docstatus": 1, "status": "Closed", "agencystack_status": "processing"}, True, {}) == "cancelled"
    closed = {"docstatus": 1, "status": "Closed", "per_delivered": 50.0, "agencystack_status": "processing"}
    assert said_by(closed, True, {}) == "completed"


def test_settings_know_the_same_statuses() -> None:
    assert set(OrderStatus.__args__) == set(RANK)  # type: ignore[attr-defined]
