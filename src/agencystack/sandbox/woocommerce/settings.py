"""What a shop is set up with: settings, tax rates, attributes, coupons, webhooks, notes, and copies of products."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from agencystack.sandbox.woocommerce.routes import Route
from agencystack.sandbox.woocommerce.texts import slug_of
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request, RestError

if TYPE_CHECKING:
    from agencystack.sandbox.woocommerce.shop import Shop

_CHANGES = ("PUT", "POST", "PATCH")
_TAX = ("prices_include_tax", "tax_based_on", "tax_round_at_subtotal")


def settings_routes(shop: Shop) -> list[Route]:
    """Return the addresses a shop is set up by."""
    return [
        *_setting_routes(shop),
        *_rate_routes(shop),
        *_attribute_routes(shop),
        *_hook_routes(shop),
        Route("/wc/v3/coupons", ("POST",), lambda request, body: _coupon(shop, body)),
        Route(r"/wc/v3/products/(\d+)/duplicate", ("POST",), lambda request, body, id_: _duplicate(shop, id_)),
        Route(r"/wc/v3/orders/(\d+)/notes", ("POST",), lambda request, body, id_: _note(shop, id_, body)),
        Route("/wc/v3/system_status", ("GET",), lambda request, body: _status(shop)),
        Route("/wc/v3/payment_gateways", ("GET",), lambda request, body: Answer(200, _gateways())),
        Route("/wc/v3/data/currencies/current", ("GET",), lambda request, body: _currency(shop)),
    ]


def _setting_routes(shop: Shop) -> list[Route]:
    known = shop.state.data.settings

    def shown(group: str, name: str) -> Json:
        if name not in shop.state.data.settings:
            raise RestError("rest_setting_setting_invalid", "Invalid setting.", 404)
        return {"id": name, "label": "", "type": "text", "value": shop.state.data.settings[name], "group_id": group}

    def lists(request: Request, body: Json, group: str) -> Answer:
        tax = {f"woocommerce_{name}" for name in _TAX}
        names = [name for name in shop.state.data.settings if (name in tax) == (group == "tax")]
        return Answer(200, [shown(group, name) for name in names])

    def change(request: Request, body: Json, group: str, name: str) -> Answer:
        shown(group, name)
        shop.state.data.settings[name] = str(body.get("value", known.get(name)))
        return Answer(200, shown(group, name))

    one = r"/wc/v3/settings/(general|tax|products)/(\w+)"
    return [
        Route(r"/wc/v3/settings/(general|tax|products)", ("GET",), lists),
        Route(one, ("GET",), lambda request, body, group, name: Answer(200, shown(group, name))),
        Route(one, _CHANGES, change),
    ]


def _rate_routes(shop: Shop) -> list[Route]:
    def create(request: Request, body: Json) -> Answer:
        rate: Json = {
            "id": shop.state.number("rate"),
            "country": str(body.get("country", "")),
            "state": "",
            "postcode": "",
            "city": "",
            "rate": f"{float(body.get('rate') or 0):.4f}",
            "name": str(body.get("name") or "Tax"),
            "priority": int(body.get("priority", 1)),
            "compound": bool(body.get("compound", False)),
            "shipping": bool(body.get("shipping", True)),
            "order": int(body.get("order", 0)),
            "class": str(body.get("class") or "standard"),
            "postcodes": [],
            "cities": [],
        }
        shop.state.data.rates[str(rate["id"])] = rate
        return Answer(201, rate)

    def remove(request: Request, body: Json, id_: str) -> Answer:
        if id_ not in shop.state.data.rates:
            raise RestError("woocommerce_rest_invalid_id", "Invalid ID.", 404)
        return Answer(200, shop.state.data.rates.pop(id_))

    return [
        Route("/wc/v3/taxes", ("GET",), lambda request, body: Answer(200, list(shop.state.data.rates.values()))),
        Route("/wc/v3/taxes", ("POST",), create),
        Route(r"/wc/v3/taxes/(\d+)", ("DELETE",), remove),
    ]


def _attribute_routes(shop: Shop) -> list[Route]:
    def create(request: Request, body: Json) -> Answer:
        name = str(body.get("name", ""))
        slug = f"pa_{slug_of(str(body.get('slug') or name).removeprefix('pa_'))}"
        if any(one["slug"] == slug for one in shop.state.data.attributes.values()):
            said = f'Slug "{slug.removeprefix("pa_")}" is already in use. Change it, please.'
            raise RestError("woocommerce_rest_cannot_create", said, 400)
        made: Json = {"id": shop.state.number("attribute"), "name": name, "slug": slug, "type": "select"}
        made |= {"order_by": "menu_order", "has_archives": False}
        shop.state.data.attributes[str(made["id"])] = made
        return Answer(201, made)

    def term(request: Request, body: Json, id_: str) -> Answer:
        if id_ not in shop.state.data.attributes:
            raise RestError("woocommerce_rest_taxonomy_invalid", "Resource does not exist.", 404)
        name = str(body.get("name", ""))
        made = {
            "id": shop.state.number("term"),
            "name": name,
            "slug": slug_of(name),
            "description": "",
            "menu_order": 0,
        }
        return Answer(201, made)

    path = "/wc/v3/products/attributes"
    return [
        Route(path, ("GET",), lambda request, body: Answer(200, list(shop.state.data.attributes.values()))),
        Route(path, ("POST",), create),
        Route(rf"{path}/(\d+)/terms", ("POST",), term),
    ]


def _hook_routes(shop: Shop) -> list[Route]:
    events, path = shop.events, "/wc/v3/webhooks"

    def lists(request: Request, body: Json) -> Answer:
        rows = [
            one for one in shop.state.data.webhooks.values() if request.params.get("status") in {None, one["status"]}
        ]
        return shop.listed(request, rows, lambda one: events.show_hook(dict(one)))

    def change(request: Request, body: Json, id_: str) -> Answer:
        hook = events.hook(id_)
        events.update_hook(hook, body)
        return Answer(200, events.show_hook(hook))

    def remove(request: Request, body: Json, id_: str) -> Answer:
        shown = events.show_hook(events.hook(id_))
        del shop.state.data.webhooks[id_]
        return Answer(200, shown)

    return [
        Route(path, ("GET",), lists),
        Route(path, ("POST",), lambda request, body: Answer(201, events.show_hook(events.create_hook(body)))),
        Route(rf"{path}/(\d+)", ("GET",), lambda request, body, id_: Answer(200, events.show_hook(events.hook(id_)))),
        Route(rf"{path}/(\d+)", _CHANGES, change),
        Route(rf"{path}/(\d+)", ("DELETE",), remove),
    ]


def _coupon(shop: Shop, body: Json) -> Answer:
    return Answer(201, shop.coupons.show(shop.coupons.create(body)))


def _duplicate(shop: Shop, id_: str) -> Answer:
    """Copy a product: a draft without a SKU, and with every meta of the first, ours too."""
    product = shop.state.data.products.get(id_)
    if product is None:
        raise RestError("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
    made = copy.deepcopy(product)
    now = shop.state.second()
    made |= {"id": shop.state.number("post"), "name": f"{product['name']} (Copy)", "status": "draft", "sku": ""}
    made |= {"slug": "", "created": now, "modified": now}
    shop.state.data.products[str(made["id"])] = made
    shop.events.happened("product", made["id"], "created")
    return Answer(200, shop.products.show(made))


def _note(shop: Shop, id_: str, body: Json) -> Answer:
    """Add a note; the order's date_modified does not move, and one for the customer is mailed."""
    order = shop.orders.get(id_)
    now, public = shop.state.second(), bool(body.get("customer_note", False))
    note: Json = {"id": shop.state.number("comment"), "author": "WooCommerce", "note": str(body.get("note", ""))}
    note |= {"customer_note": public, **shop.state.both("created", now)}
    shop.state.data.notes[str(note["id"])] = {**note, "order": order["id"]}
    if public:
        shop.events.tell(order["billing"]["email"], "A note has been added to your order")
    return Answer(201, note)


def _status(shop: Shop) -> Answer:
    url = shop.state.url
    environment = {"home_url": url, "site_url": url, "version": "10.5.2", "wp_version": "6.9.1"}
    return Answer(200, {"environment": environment, "settings": {"currency": shop.state.setting("currency")}})


def _gateways() -> list[Json]:
    names = {"bacs": "Direct bank transfer", "cheque": "Check payments", "cod": "Cash on delivery"}
    return [{"id": id_, "title": title, "enabled": False} for id_, title in names.items()]


def _currency(shop: Shop) -> Answer:
    code = shop.state.setting("currency")
    return Answer(200, {"code": code, "name": code, "symbol": code})
