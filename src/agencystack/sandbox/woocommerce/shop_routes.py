"""Which address does what in ``wc/v3``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agencystack.sandbox.woocommerce import lists, loose, schema
from agencystack.sandbox.woocommerce.routes import CHANGES, COST, Handler, Resource, Route, batch
from agencystack.sandbox.woocommerce.texts import folded
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request, RestError

if TYPE_CHECKING:
    from agencystack.sandbox.woocommerce.shop import Shop


def shop_routes(shop: Shop) -> list[Route]:
    """Return the addresses of a shop."""
    return [
        *_collection("/wc/v3/products", _products(shop), lambda *a: lists.list_products(shop, *a), shop, "product"),
        *_collection(
            "/wc/v3/products/categories", _categories(shop), lambda *a: lists.list_categories(shop, *a), shop, ""
        ),
        *_collection("/wc/v3/customers", _customers(shop), lambda *a: lists.list_customers(shop, *a), shop, "customer"),
        *_collection("/wc/v3/orders", _orders(shop), lambda *a: lists.list_orders(shop, *a), shop, "order"),
        *_variation_routes(shop),
        *_refund_routes(shop),
    ]


def _collection(path: str, resource: Resource, lists: Handler, shop: Shop, kind: str) -> list[Route]:
    def create(request: Request, body: Json) -> Answer:
        made = resource.create(body)
        shown = resource.show(made)
        return Answer(201, shown, {"Location": f"{shop.state.url}/wp-json{path}/{made['id']}"}, COST.get(kind, 0.1))

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
        Route(f"{path}/batch", CHANGES, lambda request, body: batch(resource, body, kind)),
        Route(path, ("GET",), lists),
        Route(path, ("POST",), create),
        Route(rf"{path}/(\d+)", ("GET",), read),
        Route(rf"{path}/(\d+)", CHANGES, update),
        Route(rf"{path}/(\d+)", ("DELETE",), remove),
    ]


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
        Route(f"{path}/batch", CHANGES, lambda request, body, id_: batch(resource(id_), body, "variation")),
        Route(path, ("GET",), lists),
        Route(path, ("POST",), create),
        Route(rf"{path}/(\d+)", ("GET",), read),
        Route(rf"{path}/(\d+)", CHANGES, update),
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
