"""How a product is shown, for reading and for editing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agencystack.sandbox.woocommerce.money import amount
from agencystack.sandbox.woocommerce.texts import autop
from agencystack.sandbox.woocommerce.wire import Json

if TYPE_CHECKING:
    from agencystack.sandbox.woocommerce.products import Products

SALE = ("from", "to")


def product_shown(products: Products, product: Json, context: str = "view") -> Json:
    """Return a product as REST shows it; a variation that is asked for as a product too."""
    state = products.state
    price, link = products.price(product), f"{state.url}/product/{product['slug']}/"
    stock = products.stock_of(product)
    variation, edit = product["type"] == "variation", context == "edit"
    shown: Json = {
        "id": product["id"],
        "name": product["name"],
        "slug": product["slug"],
        "permalink": link,
        **state.both("created", product["created"]),
        **state.both("modified", product["modified"]),
        "type": product["type"],
        "status": product["status"],
        "featured": product["featured"],
        "catalog_visibility": product["catalog_visibility"],
        "description": product["description"] if edit else autop(product["description"]),
        "short_description": product["short_description"] if edit else autop(product["short_description"]),
        "sku": products.sku(product),
        "price": price,
        "regular_price": "" if product["type"] == "variable" else product["regular_price"],
        "sale_price": "" if product["type"] == "variable" else product["sale_price"],
        **_sale_dates(products, product),
        "on_sale": products.on_sale(product),
        "purchasable": bool(price) and product["type"] in {"simple", "variable", "variation"},
        "total_sales": product["total_sales"],
        "virtual": product["virtual"],
        "downloadable": product["downloadable"],
        "downloads": [],
        "download_limit": -1,
        "download_expiry": -1,
        "external_url": product["external_url"],
        "button_text": product["button_text"],
        "tax_status": product["tax_status"],
        "tax_class": product["tax_class"] if edit else products.tax_class(product),
        **_stock_shown(product, stock),
        **({"stock_quantity": product["stock_quantity"]} if edit else {}),
        "low_stock_amount": None,
        "sold_individually": product["sold_individually"],
        "weight": product["weight"],
        "dimensions": dict(product["dimensions"]),
        "shipping_required": not product["virtual"],
        "shipping_taxable": not product["virtual"] and product["tax_status"] == "taxable",
        "shipping_class": product["shipping_class"],
        "shipping_class_id": 0,
        "reviews_allowed": product["reviews_allowed"] and not variation,
        "average_rating": "0" if edit else "0.00",
        "rating_count": 0,
        "upsell_ids": list(product["upsell_ids"]),
        "cross_sell_ids": list(product["cross_sell_ids"]),
        "parent_id": product["parent_id"],
        "purchase_note": product["purchase_note"],
        "categories": [_term(products.state.data.categories, id_) for id_ in product["categories"]],
        "brands": [],
        "tags": [_term(products.state.data.tags, id_) for id_ in product["tags"]],
        "images": [_image(products, id_) for id_ in product["images"]],
        "attributes": [dict(one) for one in product["attributes"]],
        "default_attributes": list(product["default_attributes"]),
        "variations": [one["id"] for one in products.children(product["id"])] if not variation else [],
        "grouped_products": list(product["grouped_products"]),
        "menu_order": product["menu_order"],
        "price_html": _price_html(price, state.setting("currency")),
        "related_ids": [],
        "meta_data": [dict(one) for one in product["meta_data"]],
        "stock_status": product["stock_status"] if stock is None else stock["stock_status"],
        "has_options": product["type"] == "variable",
        "post_password": product["post_password"],
        "global_unique_id": product["global_unique_id"],
    }
    if edit and not variation:
        shown |= {"permalink_template": f"{state.url}/product/%pagename%/", "generated_slug": product["slug"]}
    return {**shown, "_links": _links(f"{state.url}/wp-json/wc/v3/products", product["id"])}


def _sale_dates(products: Products, product: Json) -> Json:
    """Return the times of a sale as REST shows them."""
    shown: Json = {}
    for name in SALE:
        gmt = product[f"sale_{name}"]
        shown |= {f"date_on_sale_{name}": products.state.local(gmt), f"date_on_sale_{name}_gmt": gmt}
    return shown


def _stock_shown(product: Json, stock: Json | None) -> Json:
    """Return the stock as REST shows it."""
    quantity = stock["stock_quantity"] if stock else None
    short = stock is not None and (quantity or 0) <= 0
    return {
        "manage_stock": product["manage_stock"] if stock is product or stock is None else "parent",
        "stock_quantity": quantity,
        "backorders": product["backorders"],
        "backorders_allowed": product["backorders"] != "no",
        "backordered": product["stock_status"] == "onbackorder" or (short and product["backorders"] != "no"),
    }


def _term(table: Mapping[str, Json], id_: int) -> Json:
    term = table[str(id_)]
    return {"id": id_, "name": term["name"], "slug": term["slug"]}


def _image(products: Products, id_: int) -> Json:
    one = products.state.data.posts[str(id_)]
    return {
        "id": id_,
        **products.state.both("created", one["created"]),
        **products.state.both("modified", one["modified"]),
        "src": one["src"],
        "name": one["name"],
        "alt": one["alt"],
        "srcset": "",
        "sizes": "(max-width: 8px) 100vw, 8px",
        "thumbnail": one["src"],
    }


def _price_html(price: str, currency: str) -> str:
    if not price:
        return ""
    symbol = "".join(f"&#{ord(letter)};" for letter in currency)
    return (
        '<span class="woocommerce-Price-amount amount"><bdi><span class="woocommerce-Price-currencySymbol">'
        f"{symbol}</span>{amount(price):.2f}</bdi></span>"
    )


def _links(collection: str, id_: int) -> Json:
    allow = {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}
    return {"self": [{"href": f"{collection}/{id_}", "targetHints": allow}], "collection": [{"href": collection}]}
