"""The lists of ``wc/v3``: what each can be narrowed to beyond what every list can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agencystack.sandbox.woocommerce import listing
from agencystack.sandbox.woocommerce.texts import folded
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request

if TYPE_CHECKING:
    from agencystack.sandbox.woocommerce.shop import Shop


def list_products(shop: Shop, request: Request, body: Json) -> Answer:
    """Answer the list of products; a SKU finds variations too."""
    params = request.params
    status = params.get("status", "any")
    rows = [one for one in shop.state.data.products.values() if _has_status(one, status)]
    if "sku" in params:
        wanted = {folded(one) for one in params["sku"].split(",") if one.strip()}
        everything = [*rows, *shop.state.data.variations.values()]
        rows = [one for one in everything if one["sku"] and folded(one["sku"]) in wanted]
    for name in ("type", "slug"):
        if name in params:
            rows = [one for one in rows if one[name] == params[name]]
    if "category" in params:
        rows = [one for one in rows if set(one["categories"]) & set(listing.ids(params["category"]))]
    if "search" in params:
        rows = [one for one in rows if folded(params["search"]) in folded(one["name"])]
    context = params.get("context", "view")
    return shop.listed(request, rows, lambda one: shop.products.show(dict(one), context), seconds=0.0026)


def _has_status(record: Mapping[str, Any], status: str) -> bool:
    if status == "any":
        return bool(record["status"] not in {"trash", "auto-draft"})
    return record["status"] in status.split(",")


def list_categories(shop: Shop, request: Request, body: Json) -> Answer:
    """Answer the list of product categories."""
    params = request.params
    rows = list(shop.state.data.categories.values())
    for name, column in (("slug", "slug"), ("parent", "parent")):
        if name in params:
            rows = [one for one in rows if str(one[column]) == params[name]]
    if "search" in params:
        rows = [one for one in rows if folded(params["search"]) in folded(one["name"])]
    return shop.listed(request, rows, lambda one: shop.categories.show(dict(one)), by_time=False, default="name")


def list_customers(shop: Shop, request: Request, body: Json) -> Answer:
    """Answer the list of users: customers alone, unless a role is named."""
    params, role = request.params, request.params.get("role", "customer")
    rows = [one for one in shop.state.data.users.values() if role in {"all", one["role"]}]
    if "email" in params:
        rows = [one for one in rows if folded(one["email"]) == folded(params["email"])]
    if "search" in params:
        rows = [one for one in rows if folded(params["search"]) in folded(f"{one['login']} {one['email']}")]
    return shop.listed(request, rows, lambda one: shop.customers.show(dict(one)), by_time=False, default="login")


def list_orders(shop: Shop, request: Request, body: Json) -> Answer:
    """Answer the list of orders."""
    params, known = request.params, {*_KNOWN, *shop.state.data.statuses}
    rows = [one for one in shop.state.data.orders.values() if _order_listed(one, params.get("status", "any"), known)]
    if "customer" in params:
        rows = [one for one in rows if str(one["customer_id"]) == params["customer"]]
    return shop.listed(request, rows, lambda one: shop.orders.show(dict(one)), seconds=0.0052)


_KNOWN = frozenset(
    {"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft"}
)


def _order_listed(order: Mapping[str, Any], status: str, known: set[str]) -> bool:
    """Tell whether a list shows an order: one whose state belongs to a plugin that is off it never does."""
    if status == "any":
        return order["status"] in known
    return order["status"] in status.split(",") and order["status"] in {*known, "trash"}
