"""What changed in a WordPress without our plugin: asked by time, with an overlap, and walked where no time helps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agencystack.bridge.side import Changes, Identity, Mark
from agencystack.bridge.sides.wordpress.places import PLACES, Place
from agencystack.bridge.sides.wordpress.records import Kind, Native
from agencystack.bridge.sides.wordpress.rest import RestRecords, changed_after

# A time is known to the second, and a request may end seconds after the time it stamped on its record.
OVERLAP = timedelta(seconds=10)
WALK = 3600.0
"""Seconds between full walks of what has no time of change: customers and categories."""
_PAGE = 100
_SHIFT = 10
# Kinds that a list can be asked for by time; variations come with their products.
_TIMED = (Kind.ORDER, Kind.PRODUCT, Kind.REFUND, Kind.POST, Kind.PAGE)
_WALKED = (Kind.CUSTOMER, Kind.CATEGORY)


@dataclass(frozen=True)
class _Stream:
    """How far one list was read.

    Args:
        since: changes after this time are asked for, UTC.
        skip: of those, how many were read already.
        told: of the last seconds, which records were told already, with their time of change.
    """

    since: str
    skip: int = 0
    told: Mapping[str, str] = field(default_factory=dict)


class PolledChanges:
    """Changes of a WordPress that keeps no outbox for us.

    A deletion beyond the bin is not seen here: reconciling finds it. A customer whose meta alone was written
    (``update_user_meta``) neither: WooCommerce does not note that.

    Args:
        records: its records.
        kinds: kinds that are shared.
        walk: seconds between full walks.
        clock: seconds since 1970, as we have it.
    """

    def __init__(
        self,
        records: RestRecords,
        kinds: Collection[Kind],
        *,
        walk: float = WALK,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._api = records.api
        self._kinds = frozenset(kinds)
        self._walk = walk
        self._clock = clock

    def identity(self) -> Identity:
        """Return the address the site gives itself."""
        index = self._api.get("", {"_fields": "home,url"})
        return Identity(str(index.get("home") or index.get("url") or ""))

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed since the cursor; nothing is to be acknowledged."""
        identity = self.identity()
        state: dict[str, Any] = json.loads(cursor) if cursor else {"begun": self._now(OVERLAP)}
        marks: dict[tuple[str, str], Mark] = {}
        more = False
        for name, kind, place, params in self._lists():
            found, stream, again = self._read(state, name, kind, place, params, limit)
            marks.update(((str(one.entity), one.record), one) for one in found)
            state[name], more = [stream.since, stream.skip, stream.told], more or again
        for kind in _WALKED:
            if kind in self._kinds:
                found, again = self._walked(state, kind)
                marks.update(((str(one.entity), one.record), one) for one in found)
                more = more or again
        return Changes(tuple(marks.values()), identity, json.dumps(state, separators=(",", ":")), more)

    # By time. -----------------------------------------------------------------------------------------------------

    def _lists(self) -> Iterator[tuple[str, Kind, Place, Mapping[str, str]]]:
        kinds = self._kinds | ({Kind.PRODUCT} if Kind.VARIATION in self._kinds else set())
        for kind in _TIMED:
            if kind in kinds:
                place = PLACES[kind]
                yield str(kind), kind, place, place.params
                if place.binned:
                    yield f"{kind}-bin", kind, place, place.binned

    def _read(
        self, state: Mapping[str, Any], name: str, kind: Kind, place: Place, params: Mapping[str, str], limit: int
    ) -> tuple[list[Mark], _Stream, bool]:
        stream = _Stream(*state.get(name, (state["begun"],)))
        begun = self._now()
        size = max(1, min(limit, _PAGE - _SHIFT)) + _SHIFT
        offset = max(0, stream.skip - _SHIFT)
        listing = self._api.listing(
            place.route,
            {
                **{key: value for key, value in params.items() if key != "_embed"},
                **changed_after(kind, datetime.fromisoformat(stream.since).replace(tzinfo=UTC)),
                "orderby": "modified" if kind is not Kind.REFUND else "date",
                "order": "asc",
                "offset": str(offset),
                "per_page": str(size),
                "_fields": "id,type,modified_gmt,date_modified_gmt,date_created_gmt",
            },
        )
        until = max(stream.since, (datetime.fromisoformat(begun) - OVERLAP).strftime(_FORMAT))
        # What may still be written under the same second is told twice: when it is seen, and when that is past.
        times = {str(one["id"]): _changed(one) for one in listing.items}
        news = [
            one for one in listing.items if stream.told.get(str(one["id"])) != _changed(one) or _changed(one) <= until
        ]
        marks = [mark for one in news for mark in self._marks(kind, one)]
        read = offset + len(listing.items)
        if read < listing.total and listing.items:
            return marks, self._further(stream, offset, listing.items), True
        return marks, _Stream(until, told={id_: at for id_, at in times.items() if at > until}), False

    def _further(self, stream: _Stream, offset: int, items: Sequence[Mapping[str, Any]]) -> _Stream:
        """Return where to read on: after the last whole second, and what of the next was read already."""
        last = str(items[-1].get("modified_gmt") or items[-1].get("date_modified_gmt") or "")
        if not last:
            return _Stream(stream.since, offset + len(items))
        before = (datetime.fromisoformat(last) - timedelta(seconds=1)).strftime(_FORMAT)
        if before <= stream.since:
            return _Stream(stream.since, offset + len(items))
        same = sum(1 for one in items if (one.get("modified_gmt") or one.get("date_modified_gmt")) == last)
        return _Stream(before, same)

    def _marks(self, kind: Kind, native: Mapping[str, Any]) -> Iterator[Mark]:
        id_ = str(native["id"])
        if kind in self._kinds:
            yield Mark("", str(kind), id_)
        if kind is Kind.PRODUCT and native.get("type") == "variable" and Kind.VARIATION in self._kinds:
            for variation in self._records.variations_of(id_):
                yield Mark("", str(Kind.VARIATION), variation)

    # By walking. --------------------------------------------------------------------------------------------------

    def _walked(self, state: dict[str, Any], kind: Kind) -> tuple[list[Mark], bool]:
        """Walk a part of a kind when its time has come; of customers those alone that changed since the last walk."""
        place, now = PLACES[kind], self._clock()
        at, page, since = state.get(str(kind), (0.0, 1, state["begun"]))
        if now < at:
            return [], False
        begun = self._now() if page == 1 else state[f"{kind}-begun"]
        listing = self._api.listing(
            place.route,
            {
                **place.params,
                "orderby": "id",
                "order": "asc",
                "page": str(page),
                "per_page": str(_PAGE),
                "_fields": "id,date_modified_gmt,date_created_gmt",
            },
        )
        marks = [Mark("", str(kind), str(one["id"])) for one in listing.items if _moved(one, since)]
        if page < listing.pages:
            state[str(kind)], state[f"{kind}-begun"] = (at, page + 1, since), begun
            return marks, True
        until = (datetime.fromisoformat(begun) - OVERLAP).strftime(_FORMAT)
        state[str(kind)] = (now + self._walk, 1, until)
        return marks, False

    def _now(self, before: timedelta = timedelta(0)) -> str:
        """Return the site's own time, or one before it."""
        return (datetime.fromtimestamp(self._clock() + self._api.ahead, UTC) - before).strftime(_FORMAT)


_FORMAT = "%Y-%m-%dT%H:%M:%S"


def _changed(native: Native) -> str:
    """Return when a record changed; a refund only tells when it was made."""
    times = (native.get(name) for name in ("modified_gmt", "date_modified_gmt", "date_created_gmt"))
    return next((str(one) for one in times if one), "")


def _moved(native: Mapping[str, Any], since: str) -> bool:
    """Tell whether a record changed since a time, or does not tell when it did."""
    changed = native.get("date_modified_gmt") or native.get("date_created_gmt")
    return not changed or str(changed) >= since
