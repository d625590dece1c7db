"""Images that WordPress fetches from an address: each time it is named they become another record."""

from __future__ import annotations

from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.wire import RestError


def fetched(state: State, src: str, name: str = "", alt: str = "") -> int:
    """Fetch an image: each time it is named by its address it becomes another record."""
    if not src.startswith(("http://", "https://")) or "@" in src.partition("//")[2].partition("/")[0]:
        said = f"Error getting remote image {src}. Error: A valid URL was not provided."
        raise RestError("woocommerce_product_image_upload_error", said)
    if not src.lower().partition("?")[0].endswith((".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif")):
        said = "Invalid image: Sorry, you are not allowed to upload this file type."
        raise RestError("woocommerce_product_image_upload_error", said)
    id_, now = state.number("post"), state.second()
    stem, _, ending = src.rpartition("/")[2].rpartition(".")
    taken = {one["src"] for one in state.data.posts.values() if one["type"] == "attachment"}
    folder = f"{state.url}/wp-content/uploads/{now[:4]}/{now[5:7]}"
    names = [
        f"{folder}/{stem}.{ending}",
        *(f"{folder}/{stem}-{count}.{ending}" for count in range(1, len(taken) + 2)),
    ]
    own = next(one for one in names if one not in taken)
    state.data.posts[str(id_)] = {
        "id": id_,
        "type": "attachment",
        "status": "inherit",
        "src": own,
        "name": name or stem,
        "alt": alt,
        "created": now,
        "modified": now,
        "meta_data": [],
    }
    return id_
