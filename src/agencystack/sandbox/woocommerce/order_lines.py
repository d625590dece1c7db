"""How a line of an order or a refund is shown."""

from __future__ import annotations

from agencystack.sandbox.woocommerce.money import amount, php_float
from agencystack.sandbox.woocommerce.products import Products
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.totals import COUPON, FEE, LINE, SHIPPING
from agencystack.sandbox.woocommerce.wire import Json


def line_shown(state: State, products: Products, line: Json) -> Json:
    """Return a line of whatever kind as REST shows it."""
    makers = {LINE: _item, SHIPPING: _shipping, FEE: _fee, COUPON: _coupon}
    maker = makers.get(line["kind"], _tax)
    return {"id": line["id"], **maker(state, products, line)}


def _item(state: State, products: Products, line: Json) -> Json:
    rounding = state.rounding
    product = products.get(line["variation_id"] or line["product_id"])
    parent = products.get(line["product_id"])
    money = {name: rounding.shown(amount(line[name])) for name in ("subtotal", "subtotal_tax", "total", "total_tax")}
    plain_product = product is not None and product["type"] != "variation"
    return {
        "name": line["name"],
        "product_id": line["product_id"] if parent else 0,
        "variation_id": line["variation_id"] if product else 0,
        "quantity": line["quantity"],
        "tax_class": line["tax_class"],
        **money,
        "taxes": _taxes(state, line),
        "meta_data": [_meta(products, one, product) for one in line["meta_data"]],
        "sku": product["sku"] if product else None,
        "global_unique_id": product["global_unique_id"] if product else None,
        "price": php_float(float(amount(line["total"])) / line["quantity"]) if line["quantity"] else 0,
        "image": {"id": "" if plain_product else 0, "src": ""},
        "parent_name": parent["name"] if parent and product and product["type"] == "variation" else None,
    }


def _shipping(state: State, products: Products, line: Json) -> Json:
    return {
        "method_title": line["method_title"],
        "method_id": line["method_id"],
        "instance_id": line["instance_id"],
        "total": state.rounding.shown(amount(line["total"])),
        "total_tax": state.rounding.shown(amount(line["total_tax"])),
        "taxes": _taxes(state, line),
        "tax_status": line["tax_status"],
        "meta_data": [_meta(products, one, None) for one in line["meta_data"]],
    }


def _fee(state: State, products: Products, line: Json) -> Json:
    return {
        "name": line["name"],
        "tax_class": line["tax_class"],
        "tax_status": line["tax_status"],
        "amount": "",
        "total": state.rounding.shown(amount(line["total"])),
        "total_tax": state.rounding.shown(amount(line["total_tax"])),
        "taxes": _taxes(state, line),
        "meta_data": [_meta(products, one, None) for one in line["meta_data"]],
    }


def _coupon(state: State, products: Products, line: Json) -> Json:
    return {
        "code": line["code"],
        "discount": line["discount"],
        "discount_tax": line["discount_tax"],
        "meta_data": [],
        "discount_type": line["discount_type"],
        "nominal_amount": php_float(amount(line["nominal"])),
        "free_shipping": False,
    }


def _tax(state: State, products: Products, line: Json) -> Json:
    rate = state.data.rates.get(str(line["rate_id"]))
    percent = amount(rate["rate"]) if rate else amount(0)
    name = rate["name"] if rate else "Tax"
    return {
        "rate_code": f"{rate['country']}-{name.upper()}-{rate['priority']}" if rate else "",
        "rate_id": line["rate_id"],
        "label": name,
        "compound": bool(rate and rate["compound"]),
        "tax_total": state.rounding.shown(amount(line["tax"])),
        "shipping_tax_total": state.rounding.shown(amount(line["shipping_tax"])),
        "rate_percent": php_float(percent),
        "meta_data": [],
    }


def _taxes(state: State, line: Json) -> list[Json]:
    shown = state.rounding.shown
    return [
        {
            "id": int(rate),
            "total": shown(amount(tax["total"])),
            "subtotal": shown(amount(tax["subtotal"])) if tax["subtotal"] != "" else "",
        }
        for rate, tax in line["taxes"].items()
    ]


def _meta(products: Products, row: Json, product: Json | None) -> Json:
    attributes = {one["slug"]: one for one in (product or {}).get("attributes", ()) if "option" in one}
    known = attributes.get(row["key"])
    shown = {"display_key": row["key"], "display_value": row["value"]}
    if known:
        shown = {"display_key": known["name"], "display_value": known["option"]}
    return {**row, **shown}
