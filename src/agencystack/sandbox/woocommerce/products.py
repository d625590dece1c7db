"""Products: what WooCommerce takes, corrects in silence and refuses, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.media import fetched
from agencystack.sandbox.woocommerce.money import amount, price_text
from agencystack.sandbox.woocommerce.product_shown import SALE, product_shown
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.texts import bare, folded, kses, slug_of
from agencystack.sandbox.woocommerce.wire import Json, RestError

TYPES = ("simple", "grouped", "external", "variable")
_CHECKS: Mapping[str, schema.Check] = {
    "name": schema.string,
    "slug": schema.string,
    "type": schema.one_of(*TYPES),
    "status": schema.one_of("draft", "pending", "private", "publish", "future", "auto-draft", "trash"),
    "featured": schema.boolean,
    "catalog_visibility": schema.one_of("visible", "catalog", "search", "hidden"),
    "description": schema.string,
    "short_description": schema.string,
    "sku": schema.string,
    "global_unique_id": schema.string,
    "regular_price": schema.string,
    "sale_price": schema.string,
    "date_on_sale_from": schema.moment,
    "date_on_sale_from_gmt": schema.moment,
    "date_on_sale_to": schema.moment,
    "date_on_sale_to_gmt": schema.moment,
    "virtual": schema.boolean,
    "downloadable": schema.boolean,
    "tax_status": schema.one_of("taxable", "shipping", "none"),
    "tax_class": schema.string,
    "manage_stock": schema.boolean,
    "stock_quantity": schema.integer,
    "stock_status": schema.one_of("instock", "outofstock", "onbackorder"),
    "backorders": schema.one_of("no", "notify", "yes"),
    "weight": schema.string,
    "dimensions": schema.item(length=schema.string, width=schema.string, height=schema.string),
    "categories": schema.items(id=schema.integer),
    "tags": schema.items(id=schema.integer, name=schema.string),
    "images": schema.items(id=schema.integer, src=schema.string, name=schema.string, alt=schema.string),
    "attributes": schema.items(id=schema.integer, name=schema.string, visible=schema.boolean, variation=schema.boolean),
    "menu_order": schema.integer,
    "meta_data": schema.items(key=schema.string),
}
_AS_SENT = ("status", "catalog_visibility", "tax_status", "tax_class", "backorders", "purchase_note", "external_url")
_SENT_TOO = ("button_text", "shipping_class", "global_unique_id", "post_password")
_FLAGS = ("featured", "virtual", "downloadable", "sold_individually", "reviews_allowed")


class Products:
    """The products and variations of a shop, and their stock.

    Args:
        state: the shop's data.
    """

    def __init__(self, state: State) -> None:
        self.state = state

    # Reading. -----------------------------------------------------------------------------------------------------

    def get(self, id_: object) -> Json | None:
        """Return a product or variation as it is stored."""
        key = str(id_)
        return self.state.data.products.get(key) or self.state.data.variations.get(key)

    def children(self, id_: int) -> list[Json]:
        """Return the variations of a product."""
        return [one for one in self.state.data.variations.values() if one["parent_id"] == id_]

    def with_sku(self, sku: str) -> Json | None:
        """Return what has a SKU, compared as the database does."""
        wanted = folded(sku)
        for table in (self.state.data.products, self.state.data.variations):
            for one in table.values():
                if one["sku"] and folded(one["sku"]) == wanted:
                    return one
        return None

    def price(self, product: Json) -> str:
        """Return what a product costs now."""
        if product["type"] == "variable":
            prices = [self.price(one) for one in self.children(product["id"])]
            return min((one for one in prices if one), key=amount, default="")
        if self.on_sale(product):
            return str(product["sale_price"])
        return str(product["regular_price"])

    def on_sale(self, product: Json) -> bool:
        """Tell whether the sale price is the price now."""
        if product["type"] == "variable":
            return any(self.on_sale(one) for one in self.children(product["id"]))
        if not product["sale_price"] or amount(product["sale_price"]) >= amount(product["regular_price"]):
            return False
        now = self.state.second()
        return (product["sale_from"] or "") <= now and now <= (product["sale_to"] or "9")

    def stock_of(self, product: Json) -> Json | None:
        """Return the record whose quantity a product's stock is: itself, its parent, or none."""
        if product["manage_stock"]:
            return product
        parent = self.get(product["parent_id"]) if product["type"] == "variation" else None
        return parent if parent and parent["manage_stock"] else None

    def sku(self, product: Json) -> str:
        """Return a product's SKU; a variation that has none of its own shows its product's."""
        parent = self.get(product["parent_id"]) if product["type"] == "variation" else None
        return str(product["sku"] or (parent["sku"] if parent else ""))

    def tax_class(self, product: Json) -> str:
        """Return the tax class that is in force."""
        if product["tax_class"] == "parent":
            parent = self.get(product["parent_id"])
            return str(parent["tax_class"]) if parent else ""
        return str(product["tax_class"])

    def show(self, product: Json, context: str = "view") -> Json:
        """Return a product as REST shows it; a variation that is asked for as a product too."""
        return product_shown(self, product, context)

    # Writing. -----------------------------------------------------------------------------------------------------

    def create(self, body: Mapping[str, Any]) -> Json:
        """Make a product.

        Raises:
            RestError: as the product words it.
        """
        schema.check_all(_CHECKS, body)
        product = blank(body.get("type", "simple"))
        self.take(product, {"name": "", **body})
        now = self.state.second()
        product |= {"id": self.state.number("post"), "created": now, "modified": now}
        product["slug"] = self.free_slug(slug_of(body.get("slug") or product["name"]))
        if not product["categories"] and product["type"] != "variation":
            product["categories"] = [15] if "15" in self.state.data.categories else []
        self.state.data.products[str(product["id"])] = product
        return product

    def update(self, product: Json, body: Mapping[str, Any]) -> None:
        """Change a product; its date_modified moves whether anything changes or not."""
        schema.check_all(_CHECKS, body)
        changed = dict(product)
        self.take(changed, body)
        if "type" in body and body["type"] != product["type"] and product["type"] == "variable":
            for child in self.children(product["id"]):
                del self.state.data.variations[str(child["id"])]
        product.update(changed)
        product["modified"] = self.state.second()

    def take(self, product: Json, body: Mapping[str, Any]) -> None:
        """Put what was sent into a product."""
        for name in (*_AS_SENT, *_SENT_TOO):
            if body.get(name) is not None:
                product[name] = str(body[name])
        for name in _FLAGS:
            if body.get(name) is not None:
                product[name] = schema.truth(body[name])
        if "type" in body:
            product["type"] = body["type"]
        if body.get("name") is not None:
            product["name"] = kses(body["name"]) or "Product"
        for name in ("description", "short_description"):
            if body.get(name) is not None:
                product[name] = kses(body[name])
        if body.get("sku") is not None:
            product["sku"] = self._free_sku(bare(body["sku"]), product)
        if body.get("menu_order") is not None:
            product["menu_order"] = int(body["menu_order"])
        if body.get("dimensions") is not None:
            product["dimensions"] = {**product["dimensions"], **body["dimensions"]}
        if body.get("weight") is not None:
            product["weight"] = price_text(body["weight"])
        self._take_prices(product, body)
        self._take_stock(product, body)
        self._take_terms(product, body)
        product["meta_data"] = self.state.merged_meta(product["meta_data"], body.get("meta_data"))

    def _take_prices(self, product: Json, body: Mapping[str, Any]) -> None:
        for name in ("regular_price", "sale_price"):
            if body.get(name) is not None:
                product[name] = price_text(body[name])
        if product["sale_price"] and amount(product["sale_price"]) >= amount(product["regular_price"]):
            product["sale_price"] = ""
        for name in SALE:
            if f"date_on_sale_{name}_gmt" in body:
                given = body[f"date_on_sale_{name}_gmt"]
                product[f"sale_{name}"] = _second(given) if given else None
            elif f"date_on_sale_{name}" in body:
                given = body[f"date_on_sale_{name}"]
                product[f"sale_{name}"] = self.state.gmt(given) if given else None

    def _take_stock(self, product: Json, body: Mapping[str, Any]) -> None:
        if product["type"] == "external":
            if schema.truth(body.get("manage_stock")):
                raise RestError("product_external_invalid_manage_stock", "External products cannot be stock managed.")
            return
        if body.get("manage_stock") is not None:
            product["manage_stock"] = schema.truth(body["manage_stock"])
        if not product["manage_stock"]:
            product["stock_quantity"] = None
            if body.get("stock_status") is not None:
                product["stock_status"] = body["stock_status"]
            return
        if body.get("stock_quantity") is not None:
            product["stock_quantity"] = int(float(body["stock_quantity"]))
        judge_stock(product)

    def _take_terms(self, product: Json, body: Mapping[str, Any]) -> None:
        known = self.state.data.categories
        if body.get("categories") is not None:
            product["categories"] = [int(one["id"]) for one in body["categories"] if str(one.get("id")) in known]
        if body.get("tags") is not None:
            product["tags"] = [self._tag(one) for one in body["tags"]]
        if body.get("images") is not None:
            product["images"] = [self._image_id(one) for one in body["images"]]
        if body.get("attributes") is not None:
            product["attributes"] = [self._attribute(one, place) for place, one in enumerate(body["attributes"])]
        for name in ("grouped_products", "upsell_ids", "cross_sell_ids", "default_attributes"):
            if body.get(name) is not None:
                product[name] = list(body[name])

    def _attribute(self, sent: Json, place: int) -> Json:
        known = self.state.data.attributes.get(str(sent.get("id") or 0))
        name = known["name"] if known else sent.get("name", "")
        options = [str(one) for one in sent.get("options", ())]
        return {
            "id": known["id"] if known else 0,
            "name": name,
            "slug": known["slug"] if known else name,
            "position": int(sent.get("position", 0 if not known else place)),
            "visible": schema.truth(sent.get("visible")),
            "variation": schema.truth(sent.get("variation")),
            "options": sorted(options) if known else options,
        }

    def _tag(self, sent: Json) -> int:
        for tag in self.state.data.tags.values():
            if tag["id"] == sent.get("id") or (sent.get("name") and folded(tag["name"]) == folded(sent["name"])):
                return int(tag["id"])
        name = str(sent.get("name", ""))
        made: Json = {"id": self.state.number("term"), "name": name, "slug": slug_of(name)}
        self.state.data.tags[str(made["id"])] = made
        return int(made["id"])

    def _image_id(self, sent: Json) -> int:
        posts = self.state.data.posts
        if sent.get("id"):
            if str(sent["id"]) not in posts:
                raise RestError("woocommerce_product_invalid_image_id", f"#{sent['id']} is an invalid image ID.")
            return int(sent["id"])
        return fetched(self.state, str(sent.get("src", "")), str(sent.get("name", "")), str(sent.get("alt", "")))

    def _free_sku(self, sku: str, product: Json) -> str:
        other = self.with_sku(sku) if sku else None
        if other is None or other["id"] == product["id"]:
            return sku
        if other["status"] == "trash":
            said = f"The product with SKU ({sku}) you are trying to insert is already present in the lookup table"
            raise RestError("woocommerce_rest_product_not_created", said)
        raise RestError(
            "product_invalid_sku", "Invalid or duplicated SKU.", resource_id=other["id"], unique_sku=self._unique(sku)
        )

    def _unique(self, sku: str) -> str:
        number = 1
        while self.with_sku(f"{sku}-{number}"):
            number += 1
        return f"{sku}-{number}"

    def free_slug(self, slug: str) -> str:
        """Return a slug that no product has."""
        taken = {one["slug"] for one in self.state.data.products.values()}
        if slug not in taken:
            return slug
        number = 2
        while f"{slug}-{number}" in taken:
            number += 1
        return f"{slug}-{number}"


def judge_stock(product: Json) -> None:
    """Set a managed product's stock status by its quantity, whatever status was sent."""
    if (product["stock_quantity"] or 0) > 0:
        product["stock_status"] = "instock"
    else:
        product["stock_status"] = "outofstock" if product["backorders"] == "no" else "onbackorder"


def blank(kind: str) -> Json:
    """Return a product of which nothing is said."""
    texts = dict.fromkeys(
        ("name", "slug", "description", "short_description", "sku", "regular_price", "sale_price", "external_url"), ""
    )
    more = dict.fromkeys(("button_text", "tax_class", "weight", "shipping_class", "purchase_note", "post_password"), "")
    lists: Json = {
        name: []
        for name in (
            "upsell_ids",
            "cross_sell_ids",
            "categories",
            "tags",
            "images",
            "attributes",
            "default_attributes",
            "grouped_products",
            "meta_data",
        )
    }
    return {
        **texts,
        **more,
        **lists,
        "id": 0,
        "type": kind,
        "status": "publish",
        "featured": False,
        "catalog_visibility": "visible",
        "sale_from": None,
        "sale_to": None,
        "total_sales": 0,
        "virtual": False,
        "downloadable": False,
        "tax_status": "taxable",
        "manage_stock": False,
        "stock_quantity": None,
        "stock_status": "instock",
        "backorders": "no",
        "sold_individually": False,
        "dimensions": {"length": "", "width": "", "height": ""},
        "reviews_allowed": True,
        "parent_id": 0,
        "menu_order": 0,
        "global_unique_id": "",
    }


def _second(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%S")
