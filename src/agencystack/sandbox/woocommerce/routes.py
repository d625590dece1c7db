"""Which address does what in ``wc/v3``, batches among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agencystack.sandbox.woocommerce import listing, loose, schema
from agencystack.sandbox.woocommerce.texts import folded
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request, RestError

if TYPE_CHECKING:
    from agencystack.sandbox.woocommerce.shop import Shop

Handler = Callable[..., Answer]
LIMIT = 100
_CHANGES = ("PUT", "POST", "PATCH")


@dataclass(frozen=True)
class Route:
    """One address.

    Args:
        path: regular expression of the whole of it, below ``/wp-json``.
        methods: HTTP methods.
        answer: gets the request, its body, and what the expression caught.
    """

    path: str
    methods: tuple[str, ...]
    answer: Handler


@dataclass(frozen=True)
class Resource:
    """What a kind of record can do, so that single calls and batches are one.

    Args:
        create: makes one.
        update: changes one, by id; the second argument is the status of the answer where there is none.
        remove: takes one away; forced or into the bin.
        show: one as JSON.
        loosen: what a batch makes of a body, where nothing is checked.
    """

    create: Callable[[Json], Json]
    update: Callable[[Any, Json, int], Json]
    remove: Callable[[Any, bool], Json]
    show: Callable[[Json], Json]
    loosen: Callable[[Json], Json]


def shop_routes(shop: Shop) -> list[Route]:
    """Return the addresses of a shop."""
    return [
        *_collection("/wc/v3/products", _products(shop), lambda *a: _list_products(shop, *a), shop, "product"),
        *_collection("/wc/v3/products/categories", _categories(shop), lambda *a: _list_categories(shop, *a), shop, ""),
        *_collection("/wc/v3/customers", _customers(shop), lambda *a: _list_customers(shop, *a), shop, "customer"),
        *_collection("/wc/v3/orders", _orders(shop), lambda *a: _list_orders(shop, *a), shop, "order"),
        *_variation_routes(shop),
        *_refund_routes(shop),
    ]


def _collection(path: str, resource: Resource, lists: Handler, shop: Shop, kind: str) -> list[Route]:
    def create(request: Request, body: Json) -> Answer:
        made = resource.create(body)
        shown = resource.show(made)
        return Answer(201, shown, {"Location": f"{shop.state.url}/wp-json{path}/{made['id']}"}, _COST.get(kind, 0.1))

    def read(request: Request, body: Json, id_: str) -> Answer:
        found = _found(shop, kind, id_, 404)
        if kind == "product":
            return Answer(200, shop.products.show(found, request.params.get("context", "view")))
        return Answer(200, resource.show(found))

    def update(request: Request, body: Json, id_: str) -> Answer:
        return Answer(200, resource.show(resource.update(id_, body, 400)), seconds=0.09)

    def remove(request: Request, body: Json, id_: str) -> Answer:
        return Answer(200, resource.remove(id_, schema.truth(request.params.get("force", "false"))), seconds=0.08)

    return [
        Route(f"{path}/batch", _CHANGES, lambda request, body: batch(resource, body, kind)),
        Route(path, ("GET",), lists),
        Route(path, ("POST",), create),
        Route(rf"{path}/(\d+)", ("GET",), read),
        Route(rf"{path}/(\d+)", _CHANGES, update),
        Route(rf"{path}/(\d+)", ("DELETE",), remove),
    ]


# What one record takes in a batch, and alone, in seconds (facts/wordpress.md "Speed").
_COST = {"product": 0.104, "order": 0.13, "customer": 0.2}
_IN_BATCH = {"product": 0.04, "order": 0.046, "customer": 0.15, "variation": 0.04}
_UPDATE_IN_BATCH = 0.021


def batch(resource: Resource, body: Json, kind: str) -> Answer:
    """Do many things, each answered for itself; the whole is 200 whatever became of them."""
    count = sum(len(body.get(name) or ()) for name in ("create", "update", "delete"))
    if count > LIMIT:
        said = f"Unable to accept more than {LIMIT} items for this request."
        raise RestError("woocommerce_rest_request_entity_too_large", said, 413)
    if not count:
        return Answer(200, [])
    done: Json = {}
    if body.get("create"):
        done["create"] = [_tried(0, _created, resource, one) for one in body["create"]]
    if body.get("update"):
        done["update"] = [_tried(one.get("id", 0), _updated, resource, one) for one in body["update"]]
    if body.get("delete"):
        done["delete"] = [_tried(id_, resource.remove, id_, True) for id_ in body["delete"]]
    seconds = 0.06 + len(body.get("create") or ()) * _IN_BATCH.get(kind, 0.04)
    return Answer(200, done, seconds=seconds + len(body.get("update") or ()) * _UPDATE_IN_BATCH)


def _tried(id_: Any, work: Callable[..., Json], *of: Any) -> Json:
    try:
        return work(*of)
    except RestError as error:
        return {"id": id_, "error": error.body}


def _created(resource: Resource, body: Json) -> Json:
    return resource.show(resource.create(resource.loosen(body)))


def _updated(resource: Resource, body: Json) -> Json:
    return resource.show(resource.update(body.get("id", 0), resource.loosen(body), 400))


def _found(shop: Shop, kind: str, id_: object, status: int) -> Json:
    if kind == "order":
        return shop.orders.get(id_, status)
    if kind == "customer":
        return shop.customers.get(id_, status)
    if kind == "product":
        found = shop.products.get(id_)
        if found is None:
            raise RestError("woocommerce_rest_product_invalid_id", "Invalid ID.", status)
        return found
    return shop.categories.get(id_, status)


def _products(shop: Shop) -> Resource:
    def create(body: Json) -> Json:
        made = shop.products.create(body)
        shop.events.happened("product", made["id"], "created")
        return made

    def update(id_: Any, body: Json, status: int) -> Json:
        product = _found(shop, "product", id_, status)
        if product["type"] == "variation":
            place = "/products/&lt;product_id&gt;/variations/&lt;id&gt;"
            said = f"To manipulate product variations you should use the {place} endpoint."
            raise RestError("woocommerce_rest_invalid_product_id", said, 404)
        shop.products.update(product, body)
        shop.events.happened("product", product["id"], "updated")
        return product

    def remove(id_: Any, force: bool) -> Json:
        product = _found(shop, "product", id_, 404)
        shown = shop.products.show(product, "edit")
        if force:
            for child in shop.products.children(product["id"]):
                del shop.state.data.variations[str(child["id"])]
            del shop.state.data.products[str(product["id"])]
        else:
            _into_the_bin(shop, product, "product")
        shop.events.happened("product", product["id"], "deleted")
        return shown

    return Resource(create, update, remove, lambda one: shop.products.show(one, "edit"), loose.product)


def _into_the_bin(shop: Shop, record: Json, kind: str) -> None:
    if record["status"] == "trash":
        name = {"order": "shop_order", "product": "product"}[kind]
        raise RestError("woocommerce_rest_already_trashed", f"The {name} has already been deleted.", 410)
    record["status"] = "trash"
    record["modified"] = shop.state.second()


def _categories(shop: Shop) -> Resource:
    def create(body: Json) -> Json:
        made = shop.categories.create(body)
        shop.events.mark("category", made["id"])
        return made

    def update(id_: Any, body: Json, status: int) -> Json:
        term = shop.categories.get(id_)
        shop.categories.update(term, body)
        shop.events.mark("category", term["id"])
        return term

    def remove(id_: Any, force: bool) -> Json:
        term = shop.categories.get(id_)
        if not force:
            raise RestError("woocommerce_rest_trash_not_supported", "Resource does not support trashing.", 501)
        shown = shop.categories.show(term)
        shop.categories.remove(term)
        shop.events.mark("category", term["id"])
        return shown

    return Resource(create, update, remove, shop.categories.show, loose.category)


def _customers(shop: Shop) -> Resource:
    def create(body: Json) -> Json:
        made = shop.customers.create(body)
        shop.events.happened("customer", made["id"], "created")
        return made

    def update(id_: Any, body: Json, status: int) -> Json:
        user = shop.customers.get(id_)
        shop.customers.update(user, body)
        shop.events.happened("customer", user["id"], "updated")
        return user

    def remove(id_: Any, force: bool) -> Json:
        user = shop.customers.get(id_)
        if not force:
            raise RestError("woocommerce_rest_trash_not_supported", "Customers do not support trashing.", 501)
        shown = shop.customers.show(user)
        del shop.state.data.users[str(user["id"])]
        shop.events.happened("customer", user["id"], "deleted")
        return shown

    return Resource(create, update, remove, shop.customers.show, loose.customer)


def _orders(shop: Shop) -> Resource:
    def create(body: Json) -> Json:
        made = shop.orders.create(body)
        shop.events.happened("order", made["id"], "created")
        shop.events.happened("order", made["id"], "updated")
        return made

    def update(id_: Any, body: Json, status: int) -> Json:
        order = shop.orders.get(id_, status)
        had = set(shop.state.data.refunds)
        shop.orders.update(order, body)
        for refund in set(shop.state.data.refunds) - had:
            shop.events.mark("refund", int(refund))
        shop.events.happened("order", order["id"], "updated")
        return order

    def remove(id_: Any, force: bool) -> Json:
        order = shop.orders.get(id_)
        shown = shop.orders.show(order)
        if force:
            del shop.state.data.orders[str(order["id"])]
        else:
            _into_the_bin(shop, order, "order")
        shop.events.happened("order", order["id"], "deleted")
        return shown

    return Resource(create, update, remove, shop.orders.show, loose.order)


# Lists. -----------------------------------------------------------------------------------------------------------


def _list_products(shop: Shop, request: Request, body: Json) -> Answer:
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


def _list_categories(shop: Shop, request: Request, body: Json) -> Answer:
    params = request.params
    rows = list(shop.state.data.categories.values())
    for name, column in (("slug", "slug"), ("parent", "parent")):
        if name in params:
            rows = [one for one in rows if str(one[column]) == params[name]]
    if "search" in params:
        rows = [one for one in rows if folded(params["search"]) in folded(one["name"])]
    return shop.listed(request, rows, lambda one: shop.categories.show(dict(one)), by_time=False, default="name")


def _list_customers(shop: Shop, request: Request, body: Json) -> Answer:
    params, role = request.params, request.params.get("role", "customer")
    rows = [one for one in shop.state.data.users.values() if role in {"all", one["role"]}]
    if "email" in params:
        rows = [one for one in rows if folded(one["email"]) == folded(params["email"])]
    if "search" in params:
        rows = [one for one in rows if folded(params["search"]) in folded(f"{one['login']} {one['email']}")]
    return shop.listed(request, rows, lambda one: shop.customers.show(dict(one)), by_time=False, default="login")


def _list_orders(shop: Shop, request: Request, body: Json) -> Answer:
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


# What is below other records. -------------------------------------------------------------------------------------


def _variation_routes(shop: Shop) -> list[Route]:
    path = r"/wc/v3/products/(\d+)/variations"

    def resource(product_id: str) -> Resource:
        product = shop.state.data.products.get(product_id)
        if product is None:
            # PHP dies of it (recordings/woocommerce/variations.json).
            raise RestError("internal_server_error", _CRITICAL, 500)

        def create(body: Json) -> Json:
            made = shop.variations.create(product, body)
            shop.events.happened("variation", made["id"], "created")
            shop.events.happened("product", product["id"], "updated")
            return made

        def update(id_: Any, body: Json, status: int) -> Json:
            one = shop.variations.get(product_id, id_, status)
            shop.variations.update(one, body)
            shop.events.happened("variation", one["id"], "updated")
            shop.events.happened("product", product["id"], "updated")
            return one

        def remove(id_: Any, force: bool) -> Json:
            one = shop.variations.get(product_id, id_)
            shown = shop.variations.show(one, "edit")
            if force:
                del shop.state.data.variations[str(one["id"])]
            else:
                _into_the_bin(shop, one, "product")
            shop.events.happened("variation", one["id"], "deleted")
            return shown

        return Resource(create, update, remove, lambda one: shop.variations.show(one, "edit"), loose.product)

    def lists(request: Request, body: Json, product_id: str) -> Answer:
        rows = [one for one in shop.products.children(int(product_id)) if one["status"] != "trash"]
        if "sku" in request.params:
            rows = [one for one in rows if folded(one["sku"]) == folded(request.params["sku"])]
        context = request.params.get("context", "view")
        return shop.listed(request, rows, lambda one: shop.variations.show(dict(one), context), seconds=0.0026)

    def create(request: Request, body: Json, product_id: str) -> Answer:
        own = resource(product_id)
        return Answer(201, own.show(own.create(body)), seconds=0.104)

    def read(request: Request, body: Json, product_id: str, id_: str) -> Answer:
        context = request.params.get("context", "view")
        return Answer(200, shop.variations.show(shop.variations.get(product_id, id_), context))

    def update(request: Request, body: Json, product_id: str, id_: str) -> Answer:
        own = resource(product_id)
        return Answer(200, own.show(own.update(id_, body, 404)), seconds=0.09)

    def remove(request: Request, body: Json, product_id: str, id_: str) -> Answer:
        return Answer(200, resource(product_id).remove(id_, schema.truth(request.params.get("force", "false"))))

    return [
        Route(f"{path}/batch", _CHANGES, lambda request, body, id_: batch(resource(id_), body, "variation")),
        Route(path, ("GET",), lists),
        Route(path, ("POST",), create),
        Route(rf"{path}/(\d+)", ("GET",), read),
        Route(rf"{path}/(\d+)", _CHANGES, update),
        Route(rf"{path}/(\d+)", ("DELETE",), remove),
    ]


_CRITICAL = (
    "<p>There has been a critical error on this website.</p><p>"
    '<a href="https://wordpress.org/documentation/article/faq-troubleshooting/">Learn more about troubleshooting '
    "WordPress.</a></p>"
)


def _refund_routes(shop: Shop) -> list[Route]:
    path = r"/wc/v3/orders/(\d+)/refunds"

    def found(order_id: str, id_: str) -> Json:
        refund = shop.state.data.refunds.get(id_)
        if refund is None or str(refund["parent_id"]) != order_id:
            raise RestError("woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.", 404)
        return refund

    def every(request: Request, body: Json) -> Answer:
        rows = list(shop.state.data.refunds.values())
        return shop.listed(request, rows, lambda one: shop.refunds.show(dict(one), listed=True), seconds=0.0026)

    def lists(request: Request, body: Json, order_id: str) -> Answer:
        rows = shop.refunds.of_order(shop.orders.get(order_id))
        return shop.listed(request, rows, lambda one: shop.refunds.show(dict(one)), seconds=0.0026)

    def create(request: Request, body: Json, order_id: str) -> Answer:
        order = shop.orders.get(order_id)
        made = shop.refunds.create(order, body)
        shop.events.mark("refund", made["id"])
        shop.events.happened("order", order["id"], "updated")
        return Answer(201, shop.refunds.show(made), seconds=0.15)

    def read(request: Request, body: Json, order_id: str, id_: str) -> Answer:
        return Answer(200, shop.refunds.show(found(order_id, id_)))

    def remove(request: Request, body: Json, order_id: str, id_: str) -> Answer:
        refund = found(order_id, id_)
        shown = shop.refunds.show(refund)
        shop.refunds.remove(refund)
        shop.events.mark("refund", refund["id"])
        return Answer(200, shown)

    return [
        Route("/wc/v3/refunds", ("GET",), every),
        Route(path, ("GET",), lists),
        Route(path, ("POST",), create),
        Route(rf"{path}/(\d+)", ("GET",), read),
        Route(rf"{path}/(\d+)", ("DELETE",), remove),
    ]
