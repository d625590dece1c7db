"""Writes by REST alone: batches, each write answered for itself, and nothing repeated that may have happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from typing import Any

from agencystack.bridge.side import Result
from agencystack.bridge.sides.wordpress.places import PLACES, marked, refunds_of, variations_of, with_token
from agencystack.bridge.sides.wordpress.records import Kind, Native, Write, Written
from agencystack.bridge.sides.wordpress.unchecked import may_be_batched
from agencystack.components.woocommerce import Answer, Lost, NotSent, RestApi
from agencystack.components.woocommerce.client import is_absent, is_too_large
from agencystack.stack.errors import AgencyStackError

Fetch = Callable[[Kind, Sequence[str]], Mapping[str, Native]]
Parent = Callable[[str], str | None]

BATCH = 100
"""WooCommerce answers 413 to more writes in a batch (contract/wordpress/wc-products-batch-101.json)."""
AT_ONCE = 2
"""Requests that write, whoever asks for them: two reach 45 products a second, one 25 (PERFORMANCE.md); PHP's other
processes stay with the visitors."""
_BODY = 900_000
"""Bytes of a batch: nginx's own limit is 1 MB. A single record that is larger is sent alone, and may be refused."""
_ERROR = 400


@dataclass(frozen=True)
class _Batch:
    """Writes that go in one request.

    Args:
        route: where to; the list of their kind.
        together: they go to its batch address; else there is one write.
        writes: in order.
    """

    route: str
    together: bool
    writes: tuple[Write, ...]


class RestWrites:
    """Carries out writes for :class:`RestRecords`.

    Args:
        api: the REST interface.
        fetch: reads records, for writes that depend on what the record is.
        parent: tells a variation's product.
        parallel: how many requests are sent at a time.
    """

    def __init__(self, api: RestApi, fetch: Fetch, parent: Parent, *, parallel: int = 1) -> None:
        self._api = api
        self._fetch = fetch
        self._parent = parent
        self._parallel = parallel
        # A record that PHP dies of takes the writes beside it along: what was lost is tried in ever smaller company.
        self._size = BATCH
        self._writing = BoundedSemaphore(AT_ONCE)

    def carry_out(self, writes: Sequence[Write]) -> Mapping[str, Written]:
        """Carry out writes; answers each by its token.

        Raises:
            AuthenticationFailed, BadAnswer, Unavailable: nothing of it was written.
        """
        done: dict[str, Written] = {}
        batches = list(self._batches(writes, done))
        if self._parallel > 1 and len(batches) > 1:
            with ThreadPoolExecutor(self._parallel) as pool:
                answers = list(pool.map(self._guarded, batches))
        else:
            answers = [self._guarded(batch) for batch in batches]
        failed = [answer for answer in answers if isinstance(answer, AgencyStackError)]
        if failed and not done and len(failed) == len(answers):
            raise failed[0]
        for batch, answer in zip(batches, answers, strict=True):
            if isinstance(answer, AgencyStackError):
                answer = {one.token: Written(one.token, Result.LATER, message=str(answer)) for one in batch.writes}
            done.update(answer)
        return {one.token: done[one.token] for one in writes}

    # Batches. -----------------------------------------------------------------------------------------------------

    def _batches(self, writes: Sequence[Write], done: dict[str, Written]) -> Iterator[_Batch]:
        groups: dict[tuple[str, bool], list[Write]] = {}
        for write in writes:
            route = self._route(write)
            if route is None:
                done[write.token] = self._without_place(write)
                continue
            together = write.action in {"create", "update"} and _takes_batches(write.kind) and may_be_batched(write)
            groups.setdefault((route, together), []).append(write)
        for (route, together), members in groups.items():
            for part in _parts(members, self._size if together else 1):
                yield _Batch(route, together, part)

    def _route(self, write: Write) -> str | None:
        if write.kind is Kind.VARIATION:
            product = write.parent or self._parent(write.id)
            return variations_of(product) if product else None
        if write.kind is Kind.REFUND:
            return refunds_of(write.parent) if write.parent else None
        return PLACES[write.kind].route if write.kind in PLACES else None

    def _without_place(self, write: Write) -> Written:
        if write.kind is Kind.VARIATION:
            return Written(write.token, Result.STALE, message="there is no such variation any more")
        message = f"a {write.kind} cannot be written without our plugin, or without the record it belongs to"
        return Written(write.token, Result.REFUSED, code="agencystack_needs_plugin", message=message)

    def _guarded(self, batch: _Batch) -> dict[str, Written] | AgencyStackError:
        try:
            return self._carried_out(batch)
        except AgencyStackError as error:
            return error

    def _carried_out(self, batch: _Batch) -> dict[str, Written]:
        done = self._stale(batch)
        left = [one for one in batch.writes if one.token not in done]
        if left:
            done.update(self._sent(replace(batch, writes=tuple(left))))
        return done

    def _stale(self, batch: _Batch) -> dict[str, Written]:
        """Return what must not be written any more.

        REST cannot write on a condition: the record is read and compared just before, which leaves a moment.
        """
        bound = [one for one in batch.writes if one.version and one.id]
        if not bound:
            return {}
        now = self._fetch(bound[0].kind, [one.id for one in bound])
        stale: dict[str, Written] = {}
        for write in bound:
            native = now.get(write.id)
            if native is None or native["agencystack"]["version"] != write.version:
                stale[write.token] = Written(write.token, Result.STALE, native)
        return stale

    def _sent(self, batch: _Batch) -> dict[str, Written]:
        try:
            with self._writing:
                done = self._together(batch) if batch.together else self._alone(batch)
        except NotSent as error:
            return {one.token: _unsaid(one, Result.LATER, error, error.after) for one in batch.writes}
        except Lost as error:
            if (orphans := self._orphans(batch)) is not None:
                return orphans
            self._size = max(1, self._size // 2)
            return {one.token: _unsaid(one, Result.UNKNOWN, error) for one in batch.writes}
        self._size = min(BATCH, self._size * 2)
        return done

    def _orphans(self, batch: _Batch) -> dict[str, Written] | None:
        """Return what becomes of variations whose product is gone: PHP dies of them, each time they are sent.

        Source: tests/contract/recordings/woocommerce/variations.json, "on no product".
        """
        if batch.writes[0].kind is not Kind.VARIATION:
            return None
        try:
            if self._api.one(batch.route.removesuffix("/variations"), {"_fields": "id"}) is not None:
                return None
        except AgencyStackError:
            return None
        return {one.token: _orphan(one) for one in batch.writes}

    def _together(self, batch: _Batch) -> dict[str, Written]:
        creates = [one for one in batch.writes if one.action == "create"]
        updates = [one for one in batch.writes if one.action == "update"]
        body: dict[str, list[Native]] = {}
        if creates:
            body["create"] = [with_token(one.kind, one.values, one.token) for one in creates]
        if updates:
            body["update"] = [{**one.values, "id": int(one.id)} for one in updates]
        sent = _encoded(body)
        answer = self._api.write("POST", f"{batch.route}/batch", sent)
        if is_too_large(answer) and len(batch.writes) > 1:
            self._size = max(1, len(batch.writes) // 2)
            return {one.token: Written(one.token, Result.LATER, message=str(answer.data)) for one in batch.writes}
        if answer.status >= _ERROR:
            return {one.token: self._written(one, answer.data) for one in batch.writes}
        said = answer.data if isinstance(answer.data, dict) else {}
        if not said and len(sent) > _BODY:
            return {one.token: self._written(one, _TOO_LARGE) for one in batch.writes}
        done: dict[str, Written] = {}
        for name, members in (("create", creates), ("update", updates)):
            answers = said.get(name, [])
            for index, write in enumerate(members):
                if index < len(answers):
                    done[write.token] = self._written(write, answers[index])
                else:
                    done[write.token] = Written(write.token, Result.UNKNOWN, message="the batch answered fewer records")
        return done

    def _alone(self, batch: _Batch) -> dict[str, Written]:
        (write,) = batch.writes
        if write.action == "create":
            values = _encoded(with_token(write.kind, write.values, write.token))
            answer = self._api.write("POST", batch.route, values, params=_shown(write.kind))
        elif write.action == "update":
            answer = self._api.write(
                "PUT", f"{batch.route}/{write.id}", _encoded(write.values), params=_shown(write.kind)
            )
        else:
            answer = self._removed(batch.route, write)
        return {write.token: self._written(write, answer.data, answer.status)}

    def _removed(self, route: str, write: Write) -> Answer:
        params = {"force": "true"} if write.action == "delete" else {}
        return self._api.write("DELETE", f"{route}/{write.id}", params=params)

    # Answers. -----------------------------------------------------------------------------------------------------

    def _written(self, write: Write, said: Any, status: int = 0) -> Written:
        error = said.get("error") if isinstance(said, dict) else None
        if error is None and isinstance(said, dict) and (status >= _ERROR or ("code" in said and "id" not in said)):
            error = said
        if error is None:
            return Written(write.token, Result.DONE, self._native(write, said))
        refused = _refused(write, error)
        return self._ours_already(write, refused) or refused

    def _native(self, write: Write, said: Any) -> Native | None:
        if not isinstance(said, dict) or "id" not in said or write.action == "delete":
            return None
        if write.action == "trash":
            # The answer shows the record as it was before (contract/wordpress/wc-order-delete-trash.json).
            return self._fetch(write.kind, [write.id]).get(write.id)
        if write.kind is Kind.VARIATION and write.parent:
            said = {**said, "parent_id": int(write.parent)}
        if write.kind is Kind.REFUND:
            said = {**said, "parent_id": int(write.parent)}
        return marked(write.kind, said)

    def _ours_already(self, write: Write, refused: Written) -> Written | None:
        """Return the record that stands in the way of a creation, where it is what this very creation once made."""
        other = refused.data.get("resource_id") if write.action == "create" else None
        if not other or write.kind is Kind.CATEGORY:
            return None
        native = self._fetch(write.kind, [str(other)]).get(str(other))
        if native is None or native["agencystack"]["token"] != write.token:
            return None
        return Written(write.token, Result.DONE, native)


def _shown(kind: Kind) -> Mapping[str, str]:
    """Return how the answer to a write shows a record: as reading it does."""
    return PLACES[kind].one if kind in {Kind.POST, Kind.PAGE} else {}


def _takes_batches(kind: Kind) -> bool:
    return kind is Kind.VARIATION or PLACES[kind].batch


_IN_THE_BIN = frozenset({"woocommerce_rest_already_trashed", "rest_already_trashed"})
_TOO_LARGE = {
    "code": "request_too_large",
    "message": "WordPress saw an empty request: it is larger than post_max_size in php.ini",
}


def _refused(write: Write, error: Mapping[str, Any]) -> Written:
    code, data = str(error.get("code", "")), error.get("data")
    written = Written(
        write.token,
        Result.REFUSED,
        code=code,
        message=str(error.get("message", "")),
        data=data if isinstance(data, dict) else {"status": data},
    )
    if write.id and (is_absent(error) or code in _IN_THE_BIN):
        return replace(written, result=Result.STALE if write.action == "update" else Result.DONE)
    return written


def _orphan(write: Write) -> Written:
    if write.action != "create":
        return Written(write.token, Result.STALE)
    message = f"the product {write.parent} it belongs to does not exist"
    return Written(write.token, Result.REFUSED, code="woocommerce_rest_product_invalid_id", message=message)


def _unsaid(write: Write, result: Result, error: Exception, after: float = 0.0) -> Written:
    return Written(write.token, result, message=str(error), after=after)


def _encoded(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _parts(writes: Sequence[Write], size: int) -> Iterator[tuple[Write, ...]]:
    part: list[Write] = []
    weight = 0
    for write in writes:
        heavy = _weight(write)
        if part and (len(part) >= size or weight + heavy > _BODY):
            yield tuple(part)
            part, weight = [], 0
        part.append(write)
        weight += heavy
    if part:
        yield tuple(part)


def _weight(write: Write) -> int:
    """Return about how many bytes a write takes; texts alone can be large."""
    return 2000 + sum(4 * len(value) for value in write.values.values() if isinstance(value, str))
