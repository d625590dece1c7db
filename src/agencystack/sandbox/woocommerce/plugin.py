"""Our plugin on the stand-in: the signed calls under ``agencystack/v1/bridge``, as the real plugin answers them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agencystack.sandbox.woocommerce.routes import Route
from agencystack.sandbox.woocommerce.stock import REDUCED, meta
from agencystack.sandbox.woocommerce.totals import LINE, of
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request, RestError

if TYPE_CHECKING:
    from agencystack.sandbox.woocommerce.shop import Shop

SPACE = "agencystack/v1/bridge"
TOKEN = "_agencystack_token"  # noqa: S105  # the name of a meta key
_MOST = 1000
_PLACES = {
    "product": "/wc/v3/products",
    "variation": "/wc/v3/products/{}/variations",
    "category": "/wc/v3/products/categories",
    "customer": "/wc/v3/customers",
    "order": "/wc/v3/orders",
    "refund": "/wc/v3/orders/{}/refunds",
    "post": "/wp/v2/posts",
    "page": "/wp/v2/pages",
    "post_category": "/wp/v2/categories",
}

# Seconds of one record saved by PHP itself: a creation, and a change of few fields (PERFORMANCE.md, "The limits").
_INSIDE = {"order": (0.06, 0.02), "": (0.0435, 0.0105)}

Checked = Callable[[Request, str], None]
"""Refuses a call whose signature is not what it must be; ``agencystack.bridge.signing`` is not for the sandbox."""


def inside(kind: str, action: str) -> float:
    """Return the seconds one write takes in a loop within one process of PHP."""
    create, change = _INSIDE.get(kind, _INSIDE[""])
    return create if action == "create" else change


class BridgePlugin:
    """The plugin of one shop.

    Args:
        shop: the shop.
        checked: checks the signature of a call of a route; nobody does when absent.
        instance: the id it was given when it was installed.
    """

    def __init__(self, shop: Shop, checked: Checked | None = None, instance: str = "stand-in") -> None:
        self._shop = shop
        self._checked = checked
        self.instance = instance
        self._calls: Mapping[str, Callable[[Json], Json]] = {
            "changes": self._changes,
            "records": self._records,
            "search": self._search,
            "find": self._find,
            "apply": self._apply,
            "walk": self._walk,
            "digest": self._digest,
            "rows": self._rows,
        }

    def routes(self) -> list[Route]:
        """Return its addresses."""
        return [Route(f"/{SPACE}/{call}", ("POST",), self._answerer(call)) for call in self._calls]

    def _answerer(self, call: str) -> Callable[[Request, Json], Answer]:
        def answer(request: Request, body: Json) -> Answer:
            if self._checked:
                self._checked(request, f"{SPACE}/{call}")
            self._shop.events.quiet = True
            said = self._calls[call](body)
            return Answer(200, said, seconds=0.06 + said.pop("_seconds", 0.0))

        return answer

    # Changes. -----------------------------------------------------------------------------------------------------

    def _changes(self, asked: Json) -> Json:
        marks = self._shop.state.data.marks
        done = {str(one) for one in asked.get("acknowledge", ())}
        marks[:] = [one for one in marks if one["mark"] not in done]
        limit = int(asked.get("limit", _MOST))
        given = marks[:limit]
        for one in given:
            one["given"] = True
        return {
            "url": self._shop.state.url,
            "instance": self.instance,
            "epoch": self._shop.state.data.numbers.get("mark", 0),
            "more": len(marks) > limit,
            "changes": [{name: one[name] for name in ("mark", "entity", "id")} for one in given],
        }

    # Reading. -----------------------------------------------------------------------------------------------------

    def _records(self, asked: Json) -> Json:
        kind, since = str(asked.get("kind")), asked.get("orders_since")
        found = {}
        for id_ in asked.get("ids", ())[:_MOST]:
            native = self._native(kind, str(id_), int(since) if since is not None else None)
            if native is not None:
                found[str(id_)] = native
        return {"records": found, "_seconds": 0.0035 * len(found)}

    def _search(self, asked: Json) -> Json:
        if "searches" in asked:
            found = [self._searched(str(asked.get("kind")), dict(one)) for one in asked["searches"]]
            return {"found": [one["records"] for one in found]}
        return self._searched(str(asked.get("kind")), dict(asked.get("params", {})))

    def _searched(self, kind: str, params: dict[str, Any]) -> Json:
        if kind == "submission":
            return {"records": [self._native(kind, id_) for id_ in self._table(kind)]}
        if kind not in _PLACES:
            raise RestError("agencystack_not_kept", "this site keeps no such records", 404)
        place = _PLACES["product" if kind == "variation" and "parent" not in params else kind]
        place = place.format(params.pop("parent", ""))
        answer = self._inner("GET", place, params={"context": "edit", "per_page": "100", "role": "all", **params})
        found = [self._native(kind, str(one["id"])) for one in answer.data]
        return {"records": [one for one in found if one is not None]}

    def _find(self, asked: Json) -> Json:
        wanted = {str(one) for one in asked.get("tokens", ())}
        found: dict[str, str] = {}
        for id_, record in sorted(self._table(str(asked.get("kind"))).items(), key=lambda one: int(one[0])):
            token = _token(record)
            if token in wanted:
                found.setdefault(token, id_)
        return {"found": found}

    def _walk(self, asked: Json) -> Json:
        after, limit = int(asked.get("after") or 0), int(asked.get("limit", _MOST))
        ids = sorted(int(id_) for id_ in self._table(str(asked.get("kind"))) if int(id_) > after)
        return {"ids": [str(id_) for id_ in ids[:limit]], "next": str(ids[limit - 1]) if len(ids) > limit else ""}

    def _digest(self, asked: Json) -> Json:
        return {"summaries": [self._summary(str(asked.get("kind")), one) for one in asked.get("ranges", ())]}

    def _rows(self, asked: Json) -> Json:
        return {"rows": self._digests(str(asked.get("kind")), asked.get("range", ["", ""]))}

    def _summary(self, kind: str, within: Sequence[str]) -> list[Any]:
        digests = self._digests(kind, within)
        mixed = 0
        for one in digests.values():
            mixed ^= int(one, 16)
        return [len(digests), f"{mixed:016x}"]

    def _digests(self, kind: str, within: Sequence[str]) -> dict[str, str]:
        start, end = (*within, "", "")[:2]
        return {
            id_: _row(record)
            for id_, record in self._table(kind).items()
            if (not start or id_.zfill(20) >= start) and (not end or id_.zfill(20) < end)
        }

    def _table(self, kind: str) -> Mapping[str, Json]:
        data = self._shop.state.data
        if kind in {"post", "page"}:
            return {id_: one for id_, one in data.posts.items() if one["type"] == kind}
        tables = {"product": data.products, "variation": data.variations, "category": data.categories}
        tables |= {"customer": data.users, "order": data.orders, "refund": data.refunds}
        tables |= {"submission": data.submissions, "post_category": data.post_categories}
        if kind not in tables:
            raise RestError("agencystack_not_kept", "this site keeps no such records", 404)
        return tables[kind]

    def _native(self, kind: str, id_: str, since: int | None = None) -> Json | None:
        record = self._table(kind).get(id_)
        if record is None:
            return None
        shows: Mapping[str, Callable[[Json], Json]] = {
            "product": lambda one: self._shop.products.show(one, "edit"),
            "variation": lambda one: self._shop.variations.show(one, "edit"),
            "category": self._shop.categories.show,
            "customer": self._shop.customers.show,
            "order": self._shop.orders.show,
            "refund": lambda one: self._shop.refunds.show(one, listed=True),
            "post": lambda one: self._shop.content.show(one, embed=True),
            "page": lambda one: self._shop.content.show(one, embed=True),
            "post_category": self._shop.content.category,
            "submission": dict,
        }
        digest = _row(record)
        ours: Json = {"version": digest, "row": digest, "created": record.get("created", ""), "half": False}
        ours["token"] = _token(record)
        if kind == "order":
            ours["half"] = record["unfinished"]
        if kind in {"product", "variation"} and since is not None:
            ours["held"] = self._held(id_, since)
        return {**shows[kind](record), "agencystack": ours}

    def _held(self, id_: str, since: int) -> dict[str, str]:
        held: dict[str, int] = {}
        untold = {one["id"] for one in self._shop.state.data.marks if one["entity"] == "order"}
        for order in self._shop.state.data.orders.values():
            for line in of(order, LINE) if order["id"] >= since or str(order["id"]) in untold else ():
                if str(line["variation_id"] or line["product_id"]) == id_ and (taken := meta(line, REDUCED)):
                    held[str(order["id"])] = held.get(str(order["id"]), 0) + int(taken)
        return {order: str(pieces) for order, pieces in held.items()}

    # Writing. -----------------------------------------------------------------------------------------------------

    def _apply(self, asked: Json) -> Json:
        writes = asked.get("writes", ())[:_MOST]
        seconds = sum(inside(str(one.get("kind")), str(one.get("action"))) for one in writes)
        return {"written": {one["token"]: self._written(one) for one in writes}, "_seconds": seconds}

    def _written(self, write: Json) -> Json:
        self._shop.events.quiet = not write.get("notify")
        kind, action, id_ = str(write["kind"]), write["action"], str(write.get("id") or "")
        try:
            if kind == "submission":
                return self._noted(write)
            if action == "create":
                return self._created(kind, write)
            record = self._table(kind).get(id_)
            if record is None:
                return _said("stale" if action == "update" else "done")
            if write.get("version") and write["version"] != _row(record):
                return {**_said("stale"), "native": self._native(kind, id_)}
            place = _PLACES[kind].format(record.get("parent_id", ""))
            if action == "update":
                self._inner("PUT", f"{place}/{id_}", body=write.get("values", {}))
            elif action == "delete" or record.get("status") != "trash":
                params = {"force": "true"} if action == "delete" else {}
                self._inner("DELETE", f"{place}/{id_}", params=params)
            return self._done(kind, id_)
        except RestError as error:
            data = error.data if isinstance(error.data, dict) else {}
            return {**_said("refused"), "code": error.code, "message": str(error), "data": data}

    def _noted(self, write: Json) -> Json:
        """Note what came of a submission; visitors alone make them."""
        record = self._table("submission").get(str(write.get("id") or ""))
        if write["action"] == "create":
            raise RestError("agencystack_read_only", "submissions are made by visitors", 403)
        if record is None:
            return _said("stale" if write["action"] == "update" else "done")
        if write["action"] == "delete":
            del self._shop.state.data.submissions[str(record["id"])]
        elif write["action"] == "trash":
            record["status"] = "trash"
        else:
            given = write.get("values", {})
            record |= {name: given[name] for name in ("status", "owner", "notes") if name in given}
        return self._done("submission", str(write["id"]))

    def _created(self, kind: str, write: Json) -> Json:
        token = write["token"]
        known = self._find({"kind": kind, "tokens": [token]})["found"]
        if token in known:
            return self._done(kind, known[token])
        values = dict(write.get("values", {}))
        if kind in _WITH_META:
            # The token is there as soon as the record is, as half of it may be all that is ever written.
            values["meta_data"] = [*values.get("meta_data", ()), {"key": _meta_key(kind), "value": token}]
        made = self._inner("POST", _PLACES[kind].format(write.get("parent") or ""), body=values).data
        id_ = str(made["id"])
        self._table(kind)[id_]["agencystack_token"] = token
        return self._done(kind, id_)

    def _done(self, kind: str, id_: str) -> Json:
        marks = self._shop.state.data.marks
        marks[:] = [one for one in marks if (one["entity"], one["id"]) != (kind, id_)]
        return {**_said("done"), "native": self._native(kind, id_)}

    def _inner(
        self, method: str, place: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask the shop's own REST, within this request."""
        return self._shop.dispatch(Request(method, f"/wp-json{place}", dict(params or {})), dict(body or {}))


_WITH_META = frozenset({"product", "variation", "customer", "order", "refund"})


def _meta_key(kind: str) -> str:
    return TOKEN.lstrip("_") if kind == "customer" else TOKEN


def _said(result: str) -> Json:
    return {"result": result, "native": None, "code": "", "message": "", "data": {}}


def _token(record: Mapping[str, Any]) -> str:
    for row in record.get("meta_data", ()):
        if row["key"] in {TOKEN, TOKEN.lstrip("_")}:
            return str(row["value"])
    return str(record.get("agencystack_token", ""))


def _row(record: Mapping[str, Any]) -> str:
    own = {name: value for name, value in record.items() if name != "agencystack_token"}
    return hashlib.md5(json.dumps(own, sort_keys=True).encode(), usedforsecurity=False).hexdigest()[:16]
