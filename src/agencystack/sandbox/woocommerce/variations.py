"""Variations of a product: products of their own, shown a little differently, with what they do not say taken over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.products import Products, blank, judge_stock
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.texts import autop, folded, slug_of
from agencystack.sandbox.woocommerce.wire import Json, RestError

_CHECKS: Mapping[str, schema.Check] = {
    "description": schema.string,
    "sku": schema.string,
    "regular_price": schema.string,
    "sale_price": schema.string,
    "date_on_sale_from": schema.moment,
    "date_on_sale_to": schema.moment,
    "status": schema.one_of("draft", "pending", "private", "publish", "trash"),
    "tax_class": schema.string,
    "stock_quantity": schema.integer,
    "stock_status": schema.one_of("instock", "outofstock", "onbackorder"),
    "backorders": schema.one_of("no", "notify", "yes"),
    "weight": schema.string,
    "image": schema.item(id=schema.integer, src=schema.string),
    "attributes": schema.items(id=schema.integer, name=schema.string, option=schema.string),
    "menu_order": schema.integer,
    "meta_data": schema.items(key=schema.string),
}
_SHOWN = (
    *("date_created", "date_created_gmt", "date_modified", "date_modified_gmt", "description", "permalink", "sku"),
    *("global_unique_id", "price", "regular_price", "sale_price", "date_on_sale_from", "date_on_sale_from_gmt"),
    *("date_on_sale_to", "date_on_sale_to_gmt", "on_sale", "status", "purchasable", "virtual", "downloadable"),
    *("downloads", "download_limit", "download_expiry", "tax_status", "tax_class", "manage_stock", "stock_quantity"),
    *("stock_status", "backorders", "backorders_allowed", "backordered", "low_stock_amount", "weight", "dimensions"),
    *("shipping_class", "shipping_class_id", "attributes", "menu_order", "meta_data"),
)


class Variations:
    """The variations of a shop's products.

    Args:
        state: the shop's data.
        products: its products.
    """

    def __init__(self, state: State, products: Products) -> None:
        self._state = state
        self._products = products

    def get(self, product: object, id_: object, status: int = 404) -> Json:
        """Return a variation of a product.

        Raises:
            RestError: there is none of that id.
        """
        found = self._state.data.variations.get(str(id_))
        if found is None or str(found["parent_id"]) != str(product):
            raise RestError("woocommerce_rest_product_variation_invalid_id", "Invalid ID.", status)
        return found

    def create(self, product: Json, body: Mapping[str, Any]) -> Json:
        """Make a variation; an option the product does not know is taken as it is, in small letters."""
        schema.check_all(_CHECKS, body)
        now = self._state.second()
        made = {
            **blank("variation"),
            "parent_id": product["id"],
            "tax_class": "parent",
            "created": now,
            "modified": now,
        }
        self._take(made, product, body)
        made["id"] = self._state.number("post")
        self._state.data.variations[str(made["id"])] = made
        product["modified"] = now
        return made

    def update(self, variation: Json, body: Mapping[str, Any]) -> None:
        """Change a variation; its product's date_modified moves too."""
        schema.check_all(_CHECKS, body)
        product = self._products.get(variation["parent_id"])
        changed = dict(variation)
        self._take(changed, product or blank("variable"), body)
        variation.update(changed)
        variation["modified"] = self._state.second()
        if product:
            product["modified"] = variation["modified"]

    def show(self, variation: Json, context: str = "view") -> Json:
        """Return a variation as REST shows it below its product."""
        as_product = self._products.show(variation)
        options = ", ".join(one["option"] for one in variation["attributes"])
        link = f"{self._state.url}/wp-json/wc/v3/products/{variation['parent_id']}"
        image = as_product["images"]
        shown = {name: as_product[name] for name in _SHOWN}
        shown["description"] = autop(variation["description"])
        if context == "edit":
            shown["tax_class"] = variation["tax_class"]
        return {
            "id": variation["id"],
            "type": "variation",
            **shown,
            "image": image[0] if image else None,
            "name": options,
            "parent_id": variation["parent_id"],
            "_links": {
                "self": [{"href": f"{link}/variations/{variation['id']}"}],
                "collection": [{"href": f"{link}/variations"}],
                "up": [{"href": link}],
            },
        }

    def _take(self, variation: Json, product: Json, body: Mapping[str, Any]) -> None:
        if body.get("attributes") is not None:
            options = [self._option(product, one) for one in body["attributes"]]
            variation["attributes"] = [one for one in options if one]
        given = {name: value for name, value in body.items() if name not in {"attributes", "image", "name", "type"}}
        if given.get("manage_stock") == "parent":
            given["manage_stock"] = False
        self._products.take(variation, given)
        if variation["manage_stock"]:
            judge_stock(variation)
        if body.get("image"):
            self._products.take(variation, {"images": [body["image"]]})
        chosen = ", ".join(one["option"] for one in variation["attributes"] if _is_named(variation["attributes"]))
        variation["name"] = f"{product['name']} - {chosen}" if chosen else product["name"]
        variation["slug"] = slug_of(variation["name"])

    def _option(self, product: Json, sent: Mapping[str, Any]) -> Json | None:
        """Return what a variation is by one attribute; one that its product has not is dropped in silence."""
        wanted = str(sent.get("option", ""))
        for known in product["attributes"]:
            named = folded(known["name"]) == folded(str(sent.get("name", "")))
            if (sent.get("id") and known["id"] == sent["id"]) or (not sent.get("id") and named):
                exact = next((one for one in known["options"] if folded(one) == folded(wanted)), wanted.lower())
                slug = known["slug"] if known["id"] else slug_of(known["name"])
                return {"id": known["id"], "name": known["name"], "slug": slug, "option": exact}
        return None


def _is_named(attributes: Sequence[Json]) -> bool:
    """Tell whether a variation's title names its options: not with three of them, or with long names."""
    return len(attributes) < 3 and not (len(attributes) > 1 and any("-" in one["slug"] for one in attributes))
