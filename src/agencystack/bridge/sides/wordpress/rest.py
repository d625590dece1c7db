"""WordPress's records by REST alone: what a site gives that has not our plugin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from agencystack.bridge.side import Page, Range, Summary
from agencystack.bridge.sides.wordpress.places import PLACES, Place, marked, token_of, variations_of
from agencystack.bridge.sides.wordpress.records import Kind, Native, Write, Written
from agencystack.bridge.sides.wordpress.rest_writes import RestWrites
from agencystack.bridge.tokens import token_time
from agencystack.components.woocommerce import RestApi
from agencystack.components.woocommerce.client import PER_PAGE
from agencystack.stack.errors import Unavailable

# A token is made before its write is sent; the site's clock is taken from its answers, to the second.
_MARGIN = timedelta(seconds=90)
# Records that are deleted while a list is walked move those behind them: each page begins a little before.
_OVERLAP = 10


class RestRecords:
    """The records of one WordPress, by ``wc/v3`` and ``wp/v2``.

    Args:
        api: its REST interface.
        parallel: how many batches are sent at a time; the product does most with two (facts/wordpress.md "Speed").
    """

    def __init__(self, api: RestApi, *, parallel: int = 1) -> None:
        self.api = api
        self._parents: dict[str, str] = {}
        self._writes = RestWrites(api, self.fetch, self.parent, parallel=parallel)

    # Reading. -----------------------------------------------------------------------------------------------------

    def fetch(self, kind: Kind, ids: Sequence[str], *, orders_since: str = "") -> Mapping[str, Native]:
        """Return records by id; only what WordPress itself says does not exist is left out."""
        wanted = list(dict.fromkeys(id_ for id_ in ids if id_.isdigit()))
        if kind is Kind.VARIATION:
            return self._variations(wanted)
        place = self._place(kind)
        found: dict[str, Native] = {}
        for params in filter(None, (place.params, place.binned)):
            missing = [id_ for id_ in wanted if id_ not in found]
            found.update(self._included(kind, place, params, missing))
        for id_ in wanted:
            if id_ not in found and (one := self._alone(kind, place, id_)) is not None:
                found[id_] = marked(kind, one)
        return found

    def search(self, kind: Kind, params: Mapping[str, str]) -> Sequence[Native]:
        """Return what a list answers; a variation is found in the list of products."""
        place = self._place(Kind.PRODUCT if kind is Kind.VARIATION else kind)
        found = [one for page in self.api.pages(place.route, {**place.params, **params}) for one in page.items]
        if kind is Kind.VARIATION:
            variations = [one for one in found if one.get("type") == "variation"]
            self._parents.update((str(one["id"]), str(one["parent_id"])) for one in variations)
            return list(self._variations([str(one["id"]) for one in variations]).values())
        if kind is Kind.PRODUCT:
            found = [one for one in found if one.get("type") != "variation"]
        return [marked(kind, one) for one in found]

    def find(self, kind: Kind, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by token, among the records that changed since the oldest token was made.

        Not by the time of creation: a post may be given one of long ago. Categories keep no token over REST: making
        one twice is refused by its name.
        """
        wanted, found = set(tokens), dict[str, str]()
        if not wanted or (kind is not Kind.VARIATION and not self._place(kind).meta):
            return found
        since = min(token_time(one) for one in wanted) + timedelta(seconds=self.api.ahead) - _MARGIN
        for native in self._since(kind, since):
            token, id_ = token_of(native), str(native["id"])
            if token in wanted:
                # WooCommerce's "duplicate" copies meta: the record that was first is the one we made.
                found[token] = min(id_, found.get(token, id_), key=int)
        return found

    def walk(self, kind: Kind, after: str, limit: int) -> Page:
        """Return the next ids, in their order; those in the bin are left out. A product's variations come together."""
        if kind is not Kind.VARIATION:
            return self._walked(self._place(kind), after, limit, {})
        products = self._walked(self._place(Kind.PRODUCT), after, 1, {"type": "variable"})
        ids: list[str] = []
        while products.ids:
            for product in products.ids:
                ids.extend(str(one["id"]) for one in self._variations_of(product))
            if len(ids) >= limit or not products.next:
                break
            products = self._walked(self._place(Kind.PRODUCT), products.next, 1, {"type": "variable"})
        return Page(tuple(ids), products.next)

    def summaries(self, kind: Kind, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        """Return nothing: only our plugin computes digests within the product."""
        return None

    def rows(self, kind: Kind, within: Range) -> Mapping[str, str]:
        """Return nothing, for the same reason."""
        return {}

    def write(self, writes: Sequence[Write]) -> Mapping[str, Written]:
        """Carry out writes, in batches where WooCommerce takes them."""
        return self._writes.carry_out(writes)

    def parent(self, variation: str) -> str | None:
        """Return the product of a variation; ``None`` where there is no such variation."""
        if variation not in self._parents:
            native = self.api.one(f"wc/v3/products/{variation}", {"_fields": "id,type,parent_id"})
            if native is None or native.get("type") != "variation":
                return None
            self._parents[variation] = str(native["parent_id"])
        return self._parents[variation]

    def variations_of(self, product: str) -> Sequence[str]:
        """Return the ids of a product's variations, but those in the bin."""
        return [str(one["id"]) for one in self._variations_of(product)]

    # How. ---------------------------------------------------------------------------------------------------------

    def _place(self, kind: Kind) -> Place:
        if kind is Kind.SUBMISSION:
            raise Unavailable(
                "keeps no form submissions without our plugin",
                component=self.api.where,
                remedy="install the plugin agencystack-connector, or share no submissions",
            )
        return PLACES[kind]

    def _included(self, kind: Kind, place: Place, params: Mapping[str, str], ids: Sequence[str]) -> dict[str, Native]:
        found: dict[str, Native] = {}
        for part in _parts(ids, PER_PAGE):
            listing = self.api.listing(place.route, {**params, "include": ",".join(part), "per_page": str(PER_PAGE)})
            found.update((str(one["id"]), marked(kind, one)) for one in listing.items if str(one["id"]) in part)
        return found

    def _alone(self, kind: Kind, place: Place, id_: str) -> Native | None:
        """Return what a list may hide: an order whose status belongs to a plugin that is off is still there by id."""
        if kind is Kind.REFUND:
            return None
        native = self.api.one(f"{place.route}/{id_}", place.one)
        return None if native is None or native.get("type") == "variation" else native

    def _variations(self, ids: Iterable[str]) -> dict[str, Native]:
        wanted: dict[str, list[str]] = {}
        for id_ in ids:
            if (parent := self.parent(id_)) is not None:
                wanted.setdefault(parent, []).append(id_)
        found: dict[str, Native] = {}
        for parent, children in wanted.items():
            for part in _parts(children, PER_PAGE):
                params = {"context": "edit", "include": ",".join(part), "per_page": str(PER_PAGE)}
                listing = self.api.listing(variations_of(parent), params)
                found.update((str(one["id"]), self._child(one, parent)) for one in listing.items)
            for id_ in children:
                if id_ not in found and (one := self._moved(id_, parent)) is not None:
                    found[id_] = one
        return found

    def _moved(self, id_: str, parent: str) -> Native | None:
        """Return a variation that its product's list does not show: it may be in the bin, or of another product."""
        del self._parents[id_]
        again = self.parent(id_)
        if again is None:
            return None
        one = self.api.one(f"{variations_of(again)}/{id_}", {"context": "edit"})
        return None if one is None else self._child(one, again)

    def _child(self, native: Native, parent: str) -> Native:
        self._parents[str(native["id"])] = parent
        return marked(Kind.VARIATION, {**native, "parent_id": int(parent)})

    def _variations_of(self, product: str) -> Iterator[Native]:
        for page in self.api.pages(variations_of(product), {"context": "edit", "orderby": "id", "order": "asc"}):
            yield from (self._child(one, product) for one in page.items)

    def _since(self, kind: Kind, since: datetime) -> Iterator[Native]:
        """Yield what changed since a time, newest first; of customers, whom no time can be asked of, all."""
        newest = {"orderby": "id", "order": "desc"}
        if kind is Kind.VARIATION:
            for product in self._since(Kind.PRODUCT, since):
                if product.get("type") == "variable":
                    yield from self._variations_of(str(product["id"]))
            return
        place = self._place(kind)
        if kind is not Kind.CUSTOMER:
            newest |= changed_after(kind, since)
        for page in self.api.pages(place.route, {**place.params, **newest}):
            for native in page.items:
                if kind is Kind.CUSTOMER and _made(native) < since:
                    return
                yield native

    def _walked(self, place: Place, after: str, limit: int, params: Mapping[str, str]) -> Page:
        offset, last = (int(part) for part in after.split(",")) if after else (0, 0)
        start, ids = max(0, offset - _OVERLAP), list[int]()
        while True:
            size = min(PER_PAGE, limit + offset - start)
            asked = {**place.params, **params, "orderby": "id", "order": "asc", "_fields": "id"}
            listing = self.api.listing(place.route, {**asked, "offset": str(start), "per_page": str(size)})
            ids = [int(one["id"]) for one in listing.items]
            if not start or (ids and ids[0] <= last):
                break
            start = max(0, start - PER_PAGE)
        fresh = tuple(str(id_) for id_ in ids if id_ > last)
        end = start + len(ids)
        return Page(fresh, f"{end},{max(last, ids[-1])}" if ids and end < listing.total else "")


def changed_after(kind: Kind, since: datetime) -> dict[str, str]:
    """Return the parameters that ask for what changed after a time, which WordPress takes for the site's own zone
    unless it is told otherwise (facts/wordpress.md "WooCommerce REST v3").
    """
    text = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if kind in {Kind.POST, Kind.PAGE}:
        return {"modified_after": f"{text}Z"}
    return {"modified_after": text, "dates_are_gmt": "true"}


def _made(native: Native) -> datetime:
    text = str(native.get("date_created_gmt") or "1970-01-01T00:00:00")
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _parts(ids: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(ids), size):
        yield tuple(ids[start : start + size])
