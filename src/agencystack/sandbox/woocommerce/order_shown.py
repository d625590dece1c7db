"""How an order is shown."""

from __future__ import annotations

from agencystack.sandbox.woocommerce.currencies import SYMBOLS
from agencystack.sandbox.woocommerce.money import amount
from agencystack.sandbox.woocommerce.order_lines import line_shown
from agencystack.sandbox.woocommerce.products import Products
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.totals import COUPON, FEE, LINE, SHIPPING, TAX, of
from agencystack.sandbox.woocommerce.wire import Json

VERSION = "10.5.2"


def needs_payment(order: Json) -> bool:
    """Tell whether an order waits for money."""
    return order["status"] in {"pending", "failed", "checkout-draft"} and amount(order["totals"]["total"]) > 0


def order_shown(state: State, products: Products, order: Json) -> Json:
    """Return an order as REST shows it."""
    rounding = state.rounding
    collection = f"{state.url}/wp-json/wc/v3/orders"
    money = {name: rounding.shown(amount(value)) for name, value in order["totals"].items()}
    lines = {
        name: [line_shown(state, products, line) for line in of(order, kind)]
        for name, kind in (
            ("line_items", LINE),
            ("tax_lines", TAX),
            ("shipping_lines", SHIPPING),
            ("fee_lines", FEE),
            ("coupon_lines", COUPON),
        )
    }
    local = {name: state.local(order[name]) for name in ("created", "modified", "completed", "paid")}
    return {
        "id": order["id"],
        "parent_id": 0,
        "status": order["status"],
        "currency": order["currency"],
        "version": VERSION,
        "prices_include_tax": order["prices_include_tax"],
        "date_created": local["created"],
        "date_modified": local["modified"],
        **money,
        "customer_id": order["customer_id"],
        "order_key": order["order_key"],
        "billing": dict(order["billing"]),
        "shipping": dict(order["shipping"]),
        "payment_method": order["payment_method"],
        "payment_method_title": order["payment_method_title"],
        "transaction_id": order["transaction_id"],
        "customer_ip_address": "",
        "customer_user_agent": "",
        "created_via": order["created_via"],
        "customer_note": order["customer_note"],
        "date_completed": local["completed"],
        "date_paid": local["paid"],
        "cart_hash": "",
        "number": str(order["id"]),
        "meta_data": [dict(one) for one in order["meta_data"]],
        **lines,
        "refunds": [
            _refund(state, one) for one in reversed(state.data.refunds.values()) if one["parent_id"] == order["id"]
        ],
        "payment_url": f"{state.url}/checkout/order-pay/{order['id']}/?pay_for_order=true&key={order['order_key']}",
        "is_editable": order["status"] in {"pending", "on-hold", "auto-draft", "failed"},
        "needs_payment": needs_payment(order),
        "needs_processing": any(line["sku"] is not None for line in lines["line_items"]),
        "date_created_gmt": order["created"],
        "date_modified_gmt": order["modified"],
        "date_completed_gmt": order["completed"],
        "date_paid_gmt": order["paid"],
        "currency_symbol": SYMBOLS.get(order["currency"], order["currency"]),
        "_links": {
            "self": [
                {
                    "href": f"{collection}/{order['id']}",
                    "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
                }
            ],
            "collection": [{"href": collection}],
        },
    }


def _refund(state: State, refund: Json) -> Json:
    shown = state.rounding.shown(-amount(refund["amount"]))
    return {"id": refund["id"], "reason": refund["reason"], "total": f"-{shown.lstrip('-')}"}
