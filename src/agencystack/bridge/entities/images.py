"""Images by address: WooCommerce fetches one into its own library and gives it another address.

The address it was fetched from is kept with the product (meta), so that both sides name the image alike, and the same
image is not fetched again: every PUT with a ``src`` makes a new file (contract/wordpress/wc-prod-image-same-src-again).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from agencystack.bridge import normal

SOURCE_META = "_agencystack_image_source"
REFUSED_IMAGE = frozenset(
    {
        "woocommerce_product_image_upload_error",
        "woocommerce_variation_image_upload_error",
        "woocommerce_rest_invalid_image_id",
        "woocommerce_product_invalid_image_id",
        "woocommerce_variation_invalid_image_id",
    }
)
"""What WooCommerce answers to a whole record for the sake of its image."""

_COPY = re.compile(r"(-\d+|-scaled|-rotated|-e\d+)+$")
_PRIVATE = "/private/"


def shop_image(images: Sequence[Mapping[str, Any]], meta: Mapping[str, Any]) -> str | None:
    """Return the canonical image of a product: where it was fetched from, else its own address.

    Args:
        images: as REST shows them.
        meta: the record's meta by key.
    """
    if not images or not images[0]:
        return None
    own, source = normal.line(images[0].get("src")), normal.line(meta.get(SOURCE_META))
    return source if source and own and _stem(source) == _stem(own) else own


def image_of(value: Any, site: str) -> str | None:
    """Return the canonical image of a document of ERPNext: a whole address, if anybody may fetch it.

    Args:
        value: its ``image``: an address, or a path such as ``/files/a.png``.
        site: ERPNext's address.
    """
    said = normal.line(value)
    if said is None or said.startswith(_PRIVATE):
        return None
    whole = urljoin(f"{site.rstrip('/')}/", said) if site else said
    return whole if urlsplit(whole).scheme in {"http", "https"} else None


def new_images(url: Any, there: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the list REST is sent: the new first image by its address, the others by their id."""
    kept = [{"id": one["id"]} for one in there[1:] if one.get("id")]
    return [{"src": url}, *kept] if url else kept


def _stem(url: str) -> str:
    stem = PurePosixPath(unquote(urlsplit(url).path)).stem
    return _COPY.sub("", re.sub(r"[^a-z0-9]+", "-", stem.casefold()).strip("-"))
