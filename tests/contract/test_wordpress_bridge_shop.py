"""What the connector notes of a shop: WooCommerce's hooks as they were recorded, fired at Debian's real WordPress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import wordpress_bridge
from tests.contract.wordpress_bridge import Joined

pytestmark = pytest.mark.real

RECORDED = json.loads((Path(__file__).parent / "recordings/agencystack-bridge/woocommerce-hooks.json").read_text())
PRODUCT, VARIABLE, VARIATION = ("product", "5502"), ("product", "5503"), ("variation", "5504")
ORDER, PAID, REFUND = ("order", "5505"), ("order", "5506"), ("refund", "5507")

# What was in the database while the hooks were recorded, put there without any hook.
THERE = """
foreach ( $in["posts"] as $id => $type ) {
	$parent = 'product_variation' === $type ? 5503 : 0;
	$wpdb->query(
		"REPLACE INTO $wpdb->posts (ID, post_type, post_status, post_title, post_parent, post_content, post_excerpt,
		to_ping, pinged, post_content_filtered) VALUES ($id, '$type', 'publish', 'x', $parent, '', '', '', '', '')"
	);
}
update_option( "wc_double_orders", array(
	5505 => array( "type" => "shop_order", "status" => $in["status"], "parent" => 0 ),
	5506 => array( "type" => "shop_order", "status" => $in["status"], "parent" => 0 ),
	5507 => array( "type" => "shop_order_refund", "status" => "completed", "parent" => 5505 ),
) );
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Joined]:
    reason = wordpress_bridge.unavailable()
    if reason:
        pytest.skip(reason)
    with wordpress_bridge.joined("woocommerce") as found:
        yield found


def _posts(action: str) -> dict[str, str]:
    """Types of the posts that the recorded hooks of an action are about."""
    types: dict[str, str] = {}
    for _, arguments in RECORDED["actions"][action]:
        for one in arguments:
            name, _, id_ = one.partition("#") if isinstance(one, str) else ("", "", "")
            if id_.isdigit() and int(id_):
                kinds = {"WC_Product_Simple": "product", "WC_Product_Variable": "product"}
                kinds |= {"WC_Product_Variation": "product_variation"}
                if name in kinds:
                    types[id_] = kinds[name]
    return types | {"5502": "product", "5503": "product", "5504": "product_variation"}


def replayed(site: Joined, action: str, status: str = "processing") -> set[tuple[str, str]]:
    while site.taken():
        pass
    site.php(THERE, {"posts": _posts(action), "status": status})
    assert site.taken() == set()
    site.php("wc_double_replay( $in );", RECORDED["actions"][action])
    return site.taken()


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("product-create-REST", {PRODUCT}),
        ("product-update-REST", {PRODUCT}),
        ("product-update-REST-meta-only", {PRODUCT}),
        ("product-wc_update_product_stock", {PRODUCT}),
        ("product-raw-update_post_meta", {PRODUCT}),
        ("product-wp_set_object_terms", {PRODUCT}),
        ("product-trash-REST", {PRODUCT}),
        ("product-untrash-PHP", {PRODUCT}),
        ("product-raw-wpdb", set()),
        ("variable-create-REST", {VARIABLE}),
        ("variation-create-REST", {VARIATION, VARIABLE}),
        ("variation-save-PHP", {VARIATION, VARIABLE}),
        ("variation-delete-REST", {VARIATION, VARIABLE}),
        ("order-create-pending", {ORDER}),
        ("order-create-set_paid", {PAID}),
        ("order-status-processing", {ORDER}),
        ("order-edit-line", {ORDER}),
        ("order-note", set()),
        ("order-cancel", {ORDER}),
        ("order-trash", {ORDER}),
        ("order-untrash-PUT", {ORDER}),
        ("order-meta-PHP-save_meta_data", {ORDER}),
        ("order-refund", {ORDER, REFUND}),
    ],
)
def test_what_woocommerce_changes_is_told(site: Joined, action: str, expected: set[tuple[str, str]]) -> None:
    seen = replayed(site, action)
    assert expected <= seen
    # An order takes stock, a refund gives it back: their products are told as well, and nothing else.
    assert {entity for entity, _ in seen - expected} <= {"product", "variation"}
    if not action.startswith("order"):
        assert seen == expected


def test_a_cart_is_no_order_until_it_is_placed(site: Joined) -> None:
    assert replayed(site, "order-edit-line", status="checkout-draft") == set()
    assert replayed(site, "order-edit-line", status="pending") == {ORDER}


@pytest.mark.parametrize("action", ["category-create", "category-rename", "category-delete"])
def test_categories_are_told(site: Joined, action: str) -> None:
    assert {entity for entity, _ in replayed(site, action)} == {"category"}


def test_deleting_a_refund_is_seen_before_it_is_gone(site: Joined) -> None:
    replayed(site, "order-note")
    site.php("apply_filters( 'woocommerce_pre_delete_order_refund', null, new WC_Order_Refund( 5507 ), true );")
    assert site.taken() == {ORDER, REFUND}


def test_a_copied_product_does_not_pass_for_the_one_that_was_made(site: Joined) -> None:
    kept: Any = site.told("apply_filters( 'woocommerce_duplicate_product_exclude_meta', array() )")
    assert kept == ["_agencystack_token"]


def test_a_killed_save_leaves_a_mark(site: Joined) -> None:
    replayed(site, "order-note")
    site.php(
        "do_action( 'woocommerce_before_product_object_save', new WC_Product_Simple( 5502 ), null );"
        " posix_kill( getmypid(), 9 );",
        returns=-9,
    )
    assert site.taken() == set(), "it may still be going on"
    site.php('$wpdb->query( "UPDATE {$wpdb->prefix}agencystack_marks SET at = at - 61 WHERE state = 0" );')
    assert site.taken() == {PRODUCT}
