"""Where REST has each kind of record, and what our bridge reads off a record that REST alone shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from agencystack.bridge.sides.wordpress.records import TOKEN_META, Kind, Native

_EDIT = {"context": "edit"}
_EMBED = {"_embed": "author,wp:term,wp:featuredmedia"}
_POSTS = {**_EDIT, **_EMBED, "status": "publish,future,draft,pending,private,trash"}


@dataclass(frozen=True)
class Place:
    """Where a kind of record is.

    Args:
        route: its list.
        params: how every record is listed, whatever its state; what is in WooCommerce's bin is listed apart.
        one: how one of it is read or written, so that it is shown alike.
        batch: whether its list takes batches.
        binned: how those in the bin are listed, where the list leaves them out.
        meta: whether REST stores meta we send, so that a creation can carry its token.
    """

    route: str
    params: Mapping[str, str] = field(default_factory=lambda: dict(_EDIT))
    one: Mapping[str, str] = field(default_factory=lambda: dict(_EDIT))
    batch: bool = True
    binned: Mapping[str, str] | None = None
    meta: bool = True


PLACES: Mapping[Kind, Place] = {
    Kind.PRODUCT: Place("wc/v3/products", {**_EDIT, "status": "any"}, binned={**_EDIT, "status": "trash"}),
    Kind.CATEGORY: Place("wc/v3/products/categories", meta=False),
    Kind.CUSTOMER: Place("wc/v3/customers", {**_EDIT, "role": "all"}),
    Kind.ORDER: Place("wc/v3/orders", {**_EDIT, "status": "any"}, binned={**_EDIT, "status": "trash"}),
    Kind.REFUND: Place("wc/v3/refunds", batch=False),
    Kind.POST: Place("wp/v2/posts", _POSTS, {**_EDIT, **_EMBED}, batch=False),
    Kind.PAGE: Place("wp/v2/pages", _POSTS, {**_EDIT, **_EMBED}, batch=False),
    Kind.POST_CATEGORY: Place("wp/v2/categories", batch=False, meta=False),
}
"""Variations are below their product, and refunds are made below their order; submissions need our plugin."""

# WooCommerce neither keeps nor shows a user's meta whose key begins with an underscore, over REST.
_OPEN_META = "agencystack_token"
# What changes without anybody changing the record, or says the same in another way.
_NOT_ITS_OWN = frozenset(
    {
        "_embedded",
        "_links",
        "agencystack",
        "average_rating",
        "class_list",
        "date_modified",
        "date_modified_gmt",
        "generated_slug",
        "modified",
        "modified_gmt",
        "permalink_template",
        "price_html",
        "rating_count",
        "related_ids",
        "total_sales",
    }
)


def variations_of(product: str) -> str:
    """Return the list of a product's variations."""
    return f"wc/v3/products/{product}/variations"


def refunds_of(order: str) -> str:
    """Return the list of an order's refunds."""
    return f"wc/v3/orders/{order}/refunds"


def marked(kind: Kind, native: Native) -> Native:
    """Return a record with what our plugin would have said of it, as far as REST tells."""
    ours = {"version": version(native), "row": "", "half": kind is Kind.ORDER and half_written(native)}
    return {**native, "agencystack": {**ours, "token": token_of(native)}}


def version(native: Native) -> str:
    """Return a digest of a record's own values; date_modified is no part: WooCommerce does not always move it."""
    own = {name: value for name, value in native.items() if name not in _NOT_ITS_OWN}
    if "meta_data" in own:
        own["meta_data"] = [one for one in own["meta_data"] if not str(one.get("key")).startswith("_wp_")]
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:32]


def token_of(native: Native) -> str:
    """Return the op token of the creation that made a record; empty for anybody else's."""
    for meta in native.get("meta_data", ()):
        if meta.get("key") in {TOKEN_META, _OPEN_META}:
            return str(meta.get("value") or "")
    return _token_in_footnotes(native)


def with_token(kind: Kind, values: Native, token: str) -> Native:
    """Return the body of a creation with its token.

    A post's meta is closed to REST, but for the footnotes of the block editor: a footnote that no block shows is where
    the token is kept until somebody edits the post; only an answer that was lost is looked up by it.
    """
    if kind in {Kind.POST, Kind.PAGE}:
        mark = json.dumps([{"id": f"agencystack-{token}", "content": ""}])
        return {**values, "meta": {**values.get("meta", {}), "footnotes": mark}}
    if not PLACES.get(kind, Place("")).meta:
        return values
    key = _OPEN_META if kind is Kind.CUSTOMER else TOKEN_META
    return {**values, "meta_data": [*values.get("meta_data", ()), {"key": key, "value": token}]}


def half_written(order: Native) -> bool:
    """Tell whether an order is still being saved: WooCommerce writes it without a transaction, its total last.

    Source: facts/woocommerce-in-depth.md section 5, contract/wordpress/wc-half-order-visible.json, wc-kill9.json.
    """
    lines = [line for name in ("line_items", "shipping_lines", "fee_lines") for line in order.get(name, ())]
    if _number(order.get("total")):
        return False
    return not lines or sum(_number(line.get("total")) for line in lines) != 0


def _token_in_footnotes(native: Native) -> str:
    meta = native.get("meta")
    notes = meta.get("footnotes") if isinstance(meta, dict) else None
    try:
        for note in json.loads(notes or "[]"):
            if str(note.get("id", "")).startswith("agencystack-"):
                return str(note["id"]).removeprefix("agencystack-")
    except (ValueError, AttributeError, TypeError):
        return ""
    return ""


def _number(text: object) -> Decimal:
    try:
        return Decimal(str(text or 0))
    except InvalidOperation:
        return Decimal(0)
