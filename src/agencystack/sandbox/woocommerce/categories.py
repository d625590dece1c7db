"""Product categories: names are escaped, a loop is dropped in silence, and none is ever put into the bin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.state import State, category
from agencystack.sandbox.woocommerce.texts import folded, kses, name_of_term, slug_of
from agencystack.sandbox.woocommerce.wire import Json, RestError

_CHECKS: Mapping[str, schema.Check] = {
    "name": schema.string,
    "slug": schema.string,
    "parent": schema.integer,
    "description": schema.string,
    "display": schema.one_of("default", "products", "subcategories", "both"),
    "menu_order": schema.integer,
}


class Categories:
    """The product categories of a shop.

    Args:
        state: the shop's data.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, id_: object, status: int = 404) -> Json:
        """Return a category.

        Raises:
            RestError: there is none of that id.
        """
        term = self._state.data.categories.get(str(id_))
        if term is None:
            raise RestError("woocommerce_rest_term_invalid", "Resource does not exist.", status)
        return term

    def create(self, body: Mapping[str, Any]) -> Json:
        """Make a category."""
        schema.check_all(_CHECKS, body)
        if body.get("name") is None:
            raise RestError("rest_missing_callback_param", "Missing parameter(s): name", params=["name"])
        if not body["name"]:
            raise RestError("empty_term_name", "A name is required for this term.")
        name, parent = name_of_term(body["name"]), self._parent(body)
        self._refuse_twice(name, parent)
        made = category(
            self._state.number("term"), name, self._free_slug(slug_of(body.get("slug") or body["name"])), parent
        )
        self._take(made, body)
        self._state.data.categories[str(made["id"])] = made
        return made

    def update(self, term: Json, body: Mapping[str, Any]) -> None:
        """Change a category."""
        schema.check_all(_CHECKS, body)
        name = name_of_term(body["name"]) if body.get("name") is not None else term["name"]
        parent = self._parent(body) if body.get("parent") is not None else term["parent"]
        if self._within(parent, term["id"]):
            parent = 0
        term |= {"name": name, "parent": parent}
        if body.get("slug"):
            term["slug"] = slug_of(body["slug"])
        self._take(term, body)

    def remove(self, term: Json) -> None:
        """Delete a category: products lose it, its children move up."""
        del self._state.data.categories[str(term["id"])]
        for other in self._state.data.categories.values():
            if other["parent"] == term["id"]:
                other["parent"] = term["parent"]
        for product in self._state.data.products.values():
            product["categories"] = [one for one in product["categories"] if one != term["id"]]

    def show(self, term: Json) -> Json:
        """Return a category as REST shows it."""
        collection = f"{self._state.url}/wp-json/wc/v3/products/categories"
        count = sum(
            1
            for one in self._state.data.products.values()
            if term["id"] in one["categories"] and one["status"] == "publish"
        )
        return {
            **term,
            "count": count,
            "_links": {"self": [{"href": f"{collection}/{term['id']}"}], "collection": [{"href": collection}]},
        }

    def _take(self, term: Json, body: Mapping[str, Any]) -> None:
        if body.get("description") is not None:
            term["description"] = kses(body["description"])
        if body.get("display"):
            term["display"] = body["display"]
        if body.get("menu_order") is not None:
            term["menu_order"] = int(body["menu_order"])

    def _parent(self, body: Mapping[str, Any]) -> int:
        parent = int(body.get("parent") or 0)
        if parent and str(parent) not in self._state.data.categories:
            raise RestError("missing_parent", "Parent term does not exist.")
        return parent

    def _refuse_twice(self, name: str, parent: int) -> None:
        """Refuse to make a second of a name and parent; renaming into one is not looked at."""
        for other in self._state.data.categories.values():
            if other["parent"] == parent and folded(other["name"]) == folded(name):
                said = "A term with the name provided already exists with this parent."
                raise RestError("term_exists", said, resource_id=other["id"])

    def _free_slug(self, slug: str) -> str:
        taken = {one["slug"] for one in self._state.data.categories.values()}
        number, free = 2, slug
        while free in taken:
            free, number = f"{slug}-{number}", number + 1
        return free

    def _within(self, id_: int, root: int) -> bool:
        seen: set[int] = set()
        while id_ and id_ not in seen:
            if id_ == root:
                return True
            seen.add(id_)
            id_ = int(self._state.data.categories[str(id_)]["parent"]) if str(id_) in self._state.data.categories else 0
        return False
