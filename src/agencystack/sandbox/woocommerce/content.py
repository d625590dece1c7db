"""WordPress's own records: posts, pages, their categories, and the REST index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agencystack.sandbox.woocommerce import listing, schema
from agencystack.sandbox.woocommerce.order_states import STATUSES
from agencystack.sandbox.woocommerce.routes import Route
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.texts import folded, name_of_term, slug_of
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request, RestError

if TYPE_CHECKING:
    from agencystack.sandbox.woocommerce.shop import Shop

_STATUSES = ("publish", "future", "draft", "pending", "private")
# WooCommerce's own, which REST lists among those of any post.
_OF_ORDERS = tuple(f"wc-{status}" for status in (*STATUSES, "checkout-draft"))
_CHECKS: Mapping[str, schema.Check] = {
    "date": schema.moment,
    "date_gmt": schema.moment,
    "slug": schema.string,
    "status": schema.one_of(*_STATUSES, *_OF_ORDERS),
    "author": schema.integer,
    "featured_media": schema.integer,
    "comment_status": schema.one_of("open", "closed"),
    "parent": schema.integer,
    "menu_order": schema.integer,
}
_UNCATEGORISED = 1
_PLURAL = {"post": "posts", "page": "pages"}
NAMESPACES = ("oembed/1.0", "contact-form-7/v1", "wc/v3", "wc-analytics", "wc/store/v1", "wp/v2", "wp-site-health/v1")


class Content:
    """The posts and pages of a site.

    Args:
        state: its data.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, kind: str, id_: object) -> Json:
        """Return a post or page.

        Raises:
            RestError: there is none of that id and kind.
        """
        found = self._state.data.posts.get(str(id_))
        if found is None or found["type"] != kind:
            raise RestError("rest_post_invalid_id", "Invalid post ID.", 404)
        return found

    def create(self, kind: str, body: Mapping[str, Any]) -> Json:
        """Make a post or page; without a word about it, it is a draft."""
        schema.check_all(_CHECKS, body)
        now = self._state.second()
        post: Json = {
            "id": 0,
            "type": kind,
            "status": "draft",
            "title": "",
            "content": "",
            "excerpt": "",
            "slug": "",
            "author": 1,
            "featured_media": 0,
            "comment_status": "open" if kind == "post" else "closed",
            "parent": 0,
            "menu_order": 0,
            "categories": [_UNCATEGORISED] if kind == "post" else [],
            "tags": [],
            "footnotes": "",
            "date": now,
            "created": now,
            "modified": now,
            "meta_data": [],
        }
        if not any(_text(body, name) for name in ("title", "content", "excerpt")):
            raise RestError("empty_content", "Content, title, and excerpt are empty.", 400)
        self.take(post, body)
        post["id"] = self._state.number("post")
        self._state.data.posts[str(post["id"])] = post
        return post

    def update(self, post: Json, body: Mapping[str, Any]) -> None:
        """Change a post or page."""
        schema.check_all(_CHECKS, body)
        self.take(post, body)
        post["modified"] = self._state.second()

    def take(self, post: Json, body: Mapping[str, Any]) -> None:
        """Put what was sent into a post."""
        for name in ("title", "content", "excerpt"):
            if body.get(name) is not None:
                post[name] = _text(body, name)
        for name in ("author", "featured_media", "parent", "menu_order"):
            if body.get(name) is not None:
                post[name] = int(body[name])
        if body.get("author") is not None and str(body["author"]) not in self._state.data.users:
            raise RestError("rest_invalid_author", "Invalid author ID.", 400)
        for name in ("status", "comment_status"):
            if body.get(name) is not None:
                post[name] = body[name]
        if body.get("categories") is not None:
            known = self._state.data.post_categories
            post["categories"] = [int(one) for one in body["categories"] if str(one) in known]
        if body.get("date_gmt"):
            post["date"] = str(body["date_gmt"])[:19]
        elif body.get("date"):
            post["date"] = self._state.gmt(str(body["date"]))
        meta = body.get("meta")
        if isinstance(meta, dict) and "footnotes" in meta:
            post["footnotes"] = _footnotes(meta["footnotes"])
        if body.get("slug") is not None or (not post["slug"] and post["status"] == "publish"):
            post["slug"] = self._free_slug(slug_of(body.get("slug") or post["title"]), post)

    def show(self, post: Json, *, embed: bool = False) -> Json:
        """Return a post or page as REST shows it for editing."""
        state, kind = self._state, post["type"]
        collection = f"{state.url}/wp-json/wp/v2/{_PLURAL[kind]}"
        own: Json = {"sticky": False, "format": "standard", "categories": post["categories"], "tags": post["tags"]}
        if kind == "page":
            own = {"parent": post["parent"], "menu_order": post["menu_order"]}
        rendered = post["content"] + "\n" if post["content"] else ""
        shown = {
            "id": post["id"],
            "date": state.local(post["date"]),
            "date_gmt": post["date"],
            "guid": {"rendered": f"{state.url}/?p={post['id']}", "raw": f"{state.url}/?p={post['id']}"},
            "modified": state.local(post["modified"]),
            "modified_gmt": post["modified"],
            "password": "",
            "slug": post["slug"],
            "status": post["status"],
            "type": kind,
            "link": f"{state.url}/{post['slug']}/" if post["slug"] else f"{state.url}/?p={post['id']}",
            "title": {"raw": post["title"], "rendered": post["title"]},
            "content": {"raw": post["content"], "rendered": rendered, "protected": False, "block_version": 0},
            "excerpt": {"raw": post["excerpt"], "rendered": post["excerpt"], "protected": False},
            "author": post["author"],
            "featured_media": post["featured_media"],
            "comment_status": post["comment_status"],
            "ping_status": post["comment_status"],
            "template": "",
            "meta": {"footnotes": post["footnotes"]},
            **own,
            "permalink_template": f"{state.url}/%postname%/",
            "generated_slug": post["slug"] or slug_of(post["title"]),
            "_links": {"self": [{"href": f"{collection}/{post['id']}"}], "collection": [{"href": collection}]},
        }
        return {**shown, "_embedded": self._embedded(post)} if embed else shown

    def category(self, term: Json) -> Json:
        """Return a category of posts as REST shows it."""
        count = sum(1 for one in self._state.data.posts.values() if term["id"] in one.get("categories", ()))
        return {**term, "count": count, "description": "", "taxonomy": "category", "parent": 0, "meta": []}

    def add_category(self, body: Mapping[str, Any]) -> Json:
        """Make a category of posts."""
        name = name_of_term(str(body.get("name") or ""))
        for other in self._state.data.post_categories.values():
            if folded(other["name"]) == folded(name):
                said = "A term with the name provided already exists with this parent."
                raise RestError("term_exists", said, 400, term_id=other["id"])
        made = {"id": self._state.number("term"), "name": name, "slug": slug_of(name)}
        self._state.data.post_categories[str(made["id"])] = made
        return made

    def _embedded(self, post: Json) -> Json:
        author = self._state.data.users.get(str(post["author"]))
        terms = [self._state.data.post_categories[str(one)] for one in post["categories"]]
        media = self._state.data.posts.get(str(post["featured_media"]))
        embedded: Json = {"author": [{"id": post["author"], "name": author["login"]}] if author else []}
        if post["type"] == "post":
            embedded["wp:term"] = [[{**one, "taxonomy": "category"} for one in terms], []]
        if media:
            embedded["wp:featuredmedia"] = [{"id": media["id"], "source_url": media["src"], "alt_text": media["alt"]}]
        return embedded

    def _free_slug(self, slug: str, post: Json) -> str:
        taken = {
            one.get("slug") for one in self._state.data.posts.values() if one is not post and one["id"] != post["id"]
        }
        number, free = 2, slug
        while free and free in taken:
            free, number = f"{slug}-{number}", number + 1
        return free


def content_routes(shop: Shop) -> list[Route]:
    """Return the addresses of WordPress's own records."""
    routes = [Route("", ("GET",), lambda request, body: _index(shop, request))]
    for kind, name in _PLURAL.items():
        routes.extend(_post_routes(shop, kind, f"/wp/v2/{name}"))
    return [*routes, *_category_routes(shop)]


def _index(shop: Shop, request: Request) -> Answer:
    namespaces = [*NAMESPACES, *(("agencystack/v1",) if shop.plugin else ())]
    url = shop.state.url
    said = {"name": "Sandbox shop", "description": "", "url": url, "home": url, "namespaces": namespaces}
    more = {"gmt_offset": 1, "timezone_string": str(shop.state.zone), "authentication": {}, "routes": {}}
    return Answer(200, listing.trimmed({**said, **more}, request.params))


def _post_routes(shop: Shop, kind: str, path: str) -> list[Route]:
    content = shop.content

    def shown(request: Request, post: Json) -> Json:
        return content.show(post, embed="_embed" in request.params)

    def lists(request: Request, body: Json) -> Answer:
        params = request.params
        wanted = {part.strip() for part in params.get("status", "publish").split(",")}
        if "any" in wanted:
            wanted |= set(_STATUSES)
        rows = [one for one in shop.state.data.posts.values() if one["type"] == kind and one["status"] in wanted]
        if "slug" in params:
            rows = [one for one in rows if one["slug"] in params["slug"].split(",")]
        if "search" in params:
            rows = [one for one in rows if folded(params["search"]) in folded(one["title"] + one["content"])]
        return shop.listed(request, rows, lambda one: shown(request, dict(one)), strict=True, seconds=0.0005)

    def create(request: Request, body: Json) -> Answer:
        made = content.create(kind, body)
        shop.events.mark(kind, made["id"])
        return Answer(201, shown(request, made), seconds=0.08)

    def update(request: Request, body: Json, id_: str) -> Answer:
        post = content.get(kind, id_)
        content.update(post, body)
        shop.events.mark(kind, post["id"])
        return Answer(200, shown(request, post), seconds=0.08)

    def remove(request: Request, body: Json, id_: str) -> Answer:
        post = content.get(kind, id_)
        shop.events.mark(kind, post["id"])
        if schema.truth(request.params.get("force", "false")):
            del shop.state.data.posts[id_]
            return Answer(200, {"deleted": True, "previous": content.show(post)})
        if post["status"] == "trash":
            raise RestError("rest_already_trashed", "The post has already been deleted.", 410)
        post |= {"status": "trash", "slug": f"{post['slug']}__trashed", "modified": shop.state.second()}
        return Answer(200, content.show(post))

    return [
        Route(path, ("GET",), lists),
        Route(path, ("POST",), create),
        Route(
            rf"{path}/(\d+)", ("GET",), lambda request, body, id_: Answer(200, shown(request, content.get(kind, id_)))
        ),
        Route(rf"{path}/(\d+)", ("PUT", "POST", "PATCH"), update),
        Route(rf"{path}/(\d+)", ("DELETE",), remove),
    ]


def _category_routes(shop: Shop) -> list[Route]:
    def lists(request: Request, body: Json) -> Answer:
        rows = list(shop.state.data.post_categories.values())
        if "search" in request.params:
            rows = [one for one in rows if folded(request.params["search"]) in folded(one["name"])]
        if "slug" in request.params:
            rows = [one for one in rows if one["slug"] == request.params["slug"]]
        how: Json = {"by_time": False, "default": "name", "strict": True}
        return shop.listed(request, rows, lambda one: shop.content.category(dict(one)), **how)

    def create(request: Request, body: Json) -> Answer:
        return Answer(201, shop.content.category(shop.content.add_category(body)))

    return [Route("/wp/v2/categories", ("GET",), lists), Route("/wp/v2/categories", ("POST",), create)]


def _text(body: Mapping[str, Any], name: str) -> str:
    given = body.get(name)
    return str(given.get("raw", "")) if isinstance(given, dict) else str(given or "")


def _footnotes(text: object) -> str:
    """Return footnotes as they are kept: what is no list of ids and contents is dropped."""
    try:
        notes = json.loads(str(text or "[]"))
        kept = [{"id": str(one["id"]), "content": str(one["content"])} for one in notes]
    except (ValueError, TypeError, KeyError):
        return ""
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False) if kept else ""
