"""Orders: how they are made, line by line and without a transaction, how they are edited, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.coupons import Coupons
from agencystack.sandbox.woocommerce.currencies import CURRENCIES
from agencystack.sandbox.woocommerce.money import ZERO, amount, plain, tax_within, total
from agencystack.sandbox.woocommerce.order_shown import needs_payment, order_shown
from agencystack.sandbox.woocommerce.order_states import STATUSES, OrderStates
from agencystack.sandbox.woocommerce.products import Products
from agencystack.sandbox.woocommerce.state import State, secret_word
from agencystack.sandbox.woocommerce.stock import Stock
from agencystack.sandbox.woocommerce.texts import slug_of
from agencystack.sandbox.woocommerce.totals import FEE, LINE, SHIPPING, Totals, of
from agencystack.sandbox.woocommerce.wire import Json, RestError

ADDRESS = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country")
_TEXTS = ("payment_method", "payment_method_title", "transaction_id", "customer_note")
_LINE = {"id": schema.integer, "quantity": schema.integer, "total": schema.string, "subtotal": schema.string}
_ITEMS = {
    "line_items": schema.items(product_id=schema.anything, **_LINE),
    "shipping_lines": schema.items(id=schema.integer, method_title=schema.string, total=schema.string),
    "fee_lines": schema.items(id=schema.integer, name=schema.string, total=schema.string),
    "coupon_lines": schema.items(id=schema.integer, code=schema.string),
}
_ADDRESS = schema.item(**dict.fromkeys((*ADDRESS, "phone"), schema.string))
_BILLING = schema.item(**dict.fromkeys((*ADDRESS, "phone"), schema.string), email=schema.email)

Stage = Callable[[str, Json], None]


class Orders:
    """The orders of a shop.

    Args:
        state: the shop's data.
        products: its products.
        totals: adds orders up.
        stock: moves stock.
        states: changes their states.
        coupons: puts coupons on them.
        stage: told how far the making of an order has come; whoever listens may look at the half of it, or end it.
    """

    def __init__(
        self,
        state: State,
        products: Products,
        totals: Totals,
        stock: Stock,
        states: OrderStates,
        coupons: Coupons,
        stage: Stage,
    ) -> None:
        self._state = state
        self._products = products
        self._totals = totals
        self._stock = stock
        self._states = states
        self._coupons = coupons
        self._stage = stage

    def get(self, id_: object, status: int = 404) -> Json:
        """Return an order.

        Raises:
            RestError: there is none of that id (a refund is none).
        """
        order = self._state.data.orders.get(str(id_))
        if order is None:
            raise RestError("woocommerce_rest_shop_order_invalid_id", "Invalid ID.", status)
        return order

    def create(self, body: Mapping[str, Any]) -> Json:
        """Make an order: its row first, its lines after it, its totals last."""
        self._check(body, ("auto-draft", *STATUSES, *self._state.data.statuses, "checkout-draft"))
        for line in body.get("line_items") or ():
            self._product_named(line)
        order = self._begun(body)
        self._take_fields(order, body)
        self._stage("before_save", order)
        self._state.data.orders[str(order["id"])] = order
        self._stage("new_order", order)
        self._take_lines(order, body)
        self._stage("before_totals", order)
        self._totals.add_up(order)
        order["unfinished"] = False
        self._finish(order, body, creating=True)
        return order

    def update(self, order: Json, body: Mapping[str, Any]) -> None:
        """Change an order; its date_modified moves whether anything changes or not."""
        self._check(body, ("auto-draft", *STATUSES, *self._state.data.statuses, "checkout-draft"))
        self._take_fields(order, body)
        self._take_lines(order, body)
        if any(body.get(name) is not None for name in (*_ITEMS, "billing", "shipping")):
            self._totals.add_up(order)
        self._finish(order, body, creating=False)

    def _finish(self, order: Json, body: Mapping[str, Any], *, creating: bool) -> None:
        if body.get("coupon_lines") is not None:
            try:
                self._coupons.apply(order, body["coupon_lines"])
            except RestError:
                if creating:
                    order["status"] = "auto-draft"
                raise
        self._touch(order)
        self._stage("saved", order)
        if body.get("status"):
            self._states.enter(order, body["status"])
        if body.get("set_paid") is True and (creating or needs_payment(order)):
            self._states.pay(order, str(body.get("transaction_id") or ""))
        self._touch(order)
        self._stage("done", order)

    def _touch(self, order: Json) -> None:
        order["modified"] = self._state.second()

    # What is taken. -----------------------------------------------------------------------------------------------

    def _check(self, body: Mapping[str, Any], statuses: tuple[str, ...]) -> None:
        ordered = ("auto-draft", *(one for one in statuses if one != "auto-draft"))
        schema.check_all(
            {
                "status": schema.one_of(*dict.fromkeys(ordered)),
                "currency": schema.one_of(*CURRENCIES),
                "customer_id": schema.integer,
                "billing": _BILLING,
                "shipping": _ADDRESS,
                **dict.fromkeys(_TEXTS, schema.string),
                **_ITEMS,
                "meta_data": schema.items(key=schema.string),
                "set_paid": schema.boolean,
            },
            body,
        )

    def _begun(self, body: Mapping[str, Any]) -> Json:
        now = self._state.second()
        return {
            "id": self._state.number("post"),
            "status": "pending",
            "currency": self._state.setting("currency"),
            "prices_include_tax": self._state.setting("prices_include_tax") == "yes",
            "created": now,
            "modified": now,
            "paid": None,
            "completed": None,
            "customer_id": 0,
            "order_key": f"wc_order_{secret_word()}",
            "billing": dict.fromkeys((*ADDRESS, "email", "phone"), ""),
            "shipping": dict.fromkeys((*ADDRESS, "phone"), ""),
            **dict.fromkeys(_TEXTS, ""),
            "created_via": "rest-api",
            "meta_data": [],
            "items": [],
            "totals": dict.fromkeys(
                (
                    "discount_total",
                    "discount_tax",
                    "shipping_total",
                    "shipping_tax",
                    "cart_tax",
                    "total",
                    "total_tax",
                ),
                "0",
            ),
            "stock_reduced": False,
            "announced": False,
            "unfinished": True,
        }

    def _take_fields(self, order: Json, body: Mapping[str, Any]) -> None:
        if body.get("customer_id") and str(body["customer_id"]) not in self._state.data.users:
            raise RestError("woocommerce_rest_invalid_customer_id", "Customer ID is invalid.")
        if body.get("customer_id") is not None:
            order["customer_id"] = int(body["customer_id"])
        if body.get("currency"):
            order["currency"] = body["currency"]
        for name in _TEXTS:
            if body.get(name) is not None:
                order[name] = body[name]
        for name in ("billing", "shipping"):
            given = body.get(name) or {}
            order[name] = {**order[name], **{key: value for key, value in given.items() if key in order[name]}}
        given = list(body.get("meta_data") or ())
        for one in given:
            if one.get("key") == "_order_stock_reduced":
                # A property of an order, although it is sent as meta; it is not shown.
                order["stock_reduced"] = one.get("value") in {True, "yes", "1", "true"}
        own = [one for one in given if one.get("key") != "_order_stock_reduced"]
        order["meta_data"] = self._state.merged_meta(order["meta_data"], own)

    def _take_lines(self, order: Json, body: Mapping[str, Any]) -> None:
        takes = {
            "line_items": (LINE, self._line),
            "shipping_lines": (SHIPPING, self._shipping),
            "fee_lines": (FEE, self._fee),
        }
        for name, (kind, take) in takes.items():
            for sent in body.get(name) or ():
                known = self._known(order, kind, sent)
                if known is not None and _removes(sent):
                    if kind == LINE:
                        self._stock.follow(order, known, 0)
                    order["items"] = [line for line in order["items"] if line is not known]
                    continue
                if known is None and _removes(sent) and sent.get("quantity") != 0:
                    self._product_named(sent)
                line = take(order, sent, known)
                line["meta_data"] = self._state.merged_meta(line["meta_data"], sent.get("meta_data"))
                if known is None:
                    order["items"].append(line)
                    self._stage("item", order)
                elif kind == LINE:
                    self._stock.follow(order, line, line["quantity"])

    def _known(self, order: Json, kind: str, sent: Mapping[str, Any]) -> Json | None:
        if not sent.get("id"):
            return None
        for line in of(order, kind):
            if line["id"] == int(sent["id"]):
                return line
        raise RestError("woocommerce_rest_invalid_item_id", "Order item ID provided is not associated with order.")

    def _product_named(self, sent: Mapping[str, Any]) -> Json | None:
        """Return the product a line names; what does not exist becomes an empty line, what names none is refused."""
        if sent.get("sku"):
            return self._products.with_sku(str(sent["sku"]))
        if sent.get("variation_id") or sent.get("product_id"):
            return self._products.get(sent.get("variation_id") or sent["product_id"])
        if sent.get("id"):
            return None
        raise RestError("woocommerce_rest_required_product_reference", "Product ID or SKU is required.")

    def _line(self, order: Json, sent: Mapping[str, Any], known: Json | None) -> Json:
        product = self._product_named(sent)
        line = known or self._new_line(product, sent)
        if (
            known is not None
            and product is not None
            and product["id"] not in {line["product_id"], line["variation_id"]}
        ):
            line |= self._of_product(product)
        for name in ("name", "tax_class"):
            if sent.get(name) is not None:
                line[name] = str(sent[name])
        if sent.get("quantity") is not None:
            line["quantity"] = int(float(sent["quantity"]))
        if sent.get("total") is not None:
            line["total"] = plain(amount(sent["total"]))
            if amount(line["subtotal"]) < amount(line["total"]):
                line["subtotal"] = line["total"]
        if sent.get("subtotal") is not None:
            line["subtotal"] = plain(max(amount(sent["subtotal"]), ZERO))
        return line

    def _new_line(self, product: Json | None, sent: Mapping[str, Any]) -> Json:
        net = self._net(product, amount(sent.get("_sent") or sent.get("quantity") or 1)) if product else ZERO
        line: Json = {
            "id": self._state.number("item"),
            "kind": LINE,
            "name": "",
            "product_id": 0,
            "variation_id": 0,
            "quantity": 1,
            "tax_class": "",
            "tax_status": "taxable",
            "subtotal": plain(net),
            "subtotal_tax": "0",
            "total": plain(net),
            "total_tax": "0",
            "taxes": {},
            "meta_data": [],
        }
        if product:
            line |= self._of_product(product)
        if product and product["type"] == "variation":
            chosen = [{"key": one["slug"], "value": _option(one)} for one in product["attributes"]]
            line["meta_data"] = self._state.merged_meta([], chosen)
        return line

    def _of_product(self, product: Json) -> Json:
        variation = product["type"] == "variation"
        return {
            "name": product["name"],
            "product_id": product["parent_id"] if variation else product["id"],
            "variation_id": product["id"] if variation else 0,
            "tax_class": self._products.tax_class(product),
            "tax_status": product["tax_status"],
        }

    def _net(self, product: Json, quantity: Decimal) -> Decimal:
        """Return what pieces of a product cost without tax; a price that includes tax loses the shop's own."""
        price = max(ZERO, amount(self._products.price(product))) * max(quantity, ZERO)
        if self._state.setting("prices_include_tax") != "yes" or product["tax_status"] != "taxable":
            return price
        base = self._state.setting("default_country").partition(":")[0]
        return price - total(tax_within(price, self._state.rates(self._products.tax_class(product), base)).values())

    def _shipping(self, order: Json, sent: Mapping[str, Any], known: Json | None) -> Json:
        line: Json = known or {
            "id": self._state.number("item"),
            "kind": SHIPPING,
            "method_title": "",
            "method_id": "",
            "instance_id": "",
            "total": "0",
            "total_tax": "0",
            "tax_class": "",
            "tax_status": "taxable",
            "taxes": {},
            "meta_data": [],
        }
        for name in ("method_title", "method_id", "instance_id"):
            if sent.get(name) is not None:
                line[name] = str(sent[name])
        if sent.get("total") is not None:
            line["total"] = plain(amount(sent["total"]))
        return line

    def _fee(self, order: Json, sent: Mapping[str, Any], known: Json | None) -> Json:
        line: Json = known or {
            "id": self._state.number("item"),
            "kind": FEE,
            "name": "",
            "tax_class": "",
            "tax_status": "taxable",
            "total": "0",
            "total_tax": "0",
            "taxes": {},
            "meta_data": [],
        }
        for name in ("name", "tax_class", "tax_status"):
            if sent.get(name) is not None:
                line[name] = str(sent[name])
        if sent.get("total") is not None:
            line["total"] = plain(amount(sent["total"]))
        return line

    def show(self, order: Json) -> Json:
        """Return an order as REST shows it."""
        return order_shown(self._state, self._products, order)


def _option(attribute: Json) -> str:
    """Return an option as a line keeps it: of an attribute of the whole shop by its slug."""
    return slug_of(attribute["option"]) if attribute["id"] else str(attribute["option"])


def _removes(sent: Mapping[str, Any]) -> bool:
    """Tell whether a line is to go: a quantity of nothing, or a null where it says what it is."""
    named = any(key in sent and sent[key] is None for key in ("product_id", "method_id", "method_title", "name"))
    return named or ("quantity" in sent and sent["quantity"] in {0, "0"})
