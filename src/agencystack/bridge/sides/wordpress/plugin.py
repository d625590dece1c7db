"""WordPress's records through our plugin: many in one signed call, each write on its condition and at most once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

from agencystack.bridge.side import Page, Range, Result, Summary
from agencystack.bridge.sides.wordpress.calls import PluginCalls
from agencystack.bridge.sides.wordpress.records import Kind, Native, Write, Written
from agencystack.components.woocommerce import Lost, NotSent
from agencystack.components.woocommerce.client import is_too_large
from agencystack.stack.errors import AgencyStackError

READ = 100
"""Records of one answer: about 0.3 MB, and half a second in the product."""
_TOKENS = 500
_RANGES = 500
_SECONDS = 5.0
"""What a call of writes should take: servers end requests after 30 or 60 s, the plugin puts off the rest after 20."""
_LEAST, _FIRST, _MOST = 5, 25, 250
AT_ONCE = 2
"""Calls that write, whoever asks for them: PHP's other processes stay with the visitors."""
_BODY = 900_000
_ERROR = 400
# The plugin answers "later" to an error within another plugin; whether the row was written then nobody knows.
_BROKEN = "agencystack_broken"


class PluginRecords:
    """The records of one WordPress, through the plugin ``agencystack-connector``.

    Args:
        calls: its signed calls.
        parallel: how many calls of writes are sent at a time.
        clock: seconds, for the size of a call.
    """

    def __init__(self, calls: PluginCalls, *, parallel: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._parallel = parallel
        self._clock = clock
        self._size = _FIRST
        self._writing = BoundedSemaphore(AT_ONCE)

    def fetch(self, kind: Kind, ids: Sequence[str], *, orders_since: str = "") -> Mapping[str, Native]:
        """Return records by id; what does not exist is left out."""
        found: dict[str, Native] = {}
        numbers = [id_ for id_ in dict.fromkeys(ids) if id_.isdigit()]
        for part in _parts(numbers, READ):
            asked: dict[str, Any] = {"kind": kind, "ids": [int(id_) for id_ in part]}
            if orders_since.isdigit():
                asked["orders_since"] = int(orders_since)
            found.update(_by_text(self._calls.ask("records", asked).get("records")))
        return found

    def search(self, kind: Kind, params: Mapping[str, str]) -> Sequence[Native]:
        """Return the records a list answers."""
        records = self._calls.ask("search", {"kind": kind, "params": dict(params)}).get("records") or ()
        if kind is Kind.PRODUCT:
            return [one for one in records if one.get("type") != "variation"]
        return list(records)

    def search_many(self, kind: Kind, searches: Sequence[Mapping[str, str]]) -> Sequence[Sequence[Native]]:
        """Return the answer to each of many searches for a few records."""
        found: list[Sequence[Native]] = []
        for part in _parts(list(searches), READ):
            asked = {"kind": kind, "searches": [dict(one) for one in part]}
            found += self._calls.ask("search", asked).get("found") or [()] * len(part)
        return found

    def find(self, kind: Kind, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by op token."""
        found: dict[str, str] = {}
        for part in _parts(list(tokens), _TOKENS):
            said = self._calls.ask("find", {"kind": kind, "tokens": list(part)}).get("found") or {}
            found.update((token, str(id_)) for token, id_ in dict(said).items())
        return found

    def walk(self, kind: Kind, after: str, limit: int) -> Page:
        """Return the next ids."""
        said = self._calls.ask("walk", {"kind": kind, "after": after, "limit": limit})
        return Page(tuple(str(id_) for id_ in said.get("ids", ())), str(said.get("next", "")))

    def summaries(self, kind: Kind, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        """Return what each range of ids holds, computed in SQL."""
        found: list[Summary] = []
        for part in _parts(list(ranges), _RANGES):
            asked = {"kind": kind, "ranges": [[one.start, one.end] for one in part]}
            for count, digest in self._calls.ask("digest", asked).get("summaries", ()):
                found.append(Summary(int(count), str(digest)))
        return found

    def rows(self, kind: Kind, within: Range) -> Mapping[str, str]:
        """Return row digests by id."""
        said = self._calls.ask("rows", {"kind": kind, "range": [within.start, within.end]}).get("rows") or {}
        return {str(id_): str(digest) for id_, digest in dict(said).items()}

    # Writing. -----------------------------------------------------------------------------------------------------

    def write(self, writes: Sequence[Write]) -> Mapping[str, Written]:
        """Carry out writes; answers each by its token.

        Raises:
            AuthenticationFailed, BadAnswer: nothing of it was written.
        """
        parts = list(_calls_of(writes, self._size))
        if self._parallel > 1 and len(parts) > 1:
            with ThreadPoolExecutor(self._parallel) as pool:
                answers = list(pool.map(self._guarded, parts))
        else:
            answers = [self._guarded(part) for part in parts]
        done: dict[str, Written] = {}
        for part, answer in zip(parts, answers, strict=True):
            if isinstance(answer, AgencyStackError):
                if all(isinstance(one, AgencyStackError) for one in answers):
                    raise answer
                answer = {one.token: Written(one.token, Result.LATER, message=str(answer)) for one in part}
            done.update(answer)
        return done

    def _guarded(self, writes: Sequence[Write]) -> dict[str, Written] | AgencyStackError:
        try:
            with self._writing:
                return self._applied(writes)
        except AgencyStackError as error:
            return error

    def _applied(self, writes: Sequence[Write]) -> dict[str, Written]:
        begun = self._clock()
        try:
            answer = self._calls.send("apply", {"writes": [_sent(one) for one in writes]})
        except NotSent as error:
            return {
                one.token: Written(one.token, Result.LATER, message=str(error), after=error.after) for one in writes
            }
        except Lost as error:
            self._size = max(_LEAST, self._size // 2)
            return {one.token: Written(one.token, Result.UNKNOWN, message=str(error)) for one in writes}
        self._adapt(len(writes), self._clock() - begun)
        said = answer.data if isinstance(answer.data, dict) else {}
        if is_too_large(answer) and len(writes) > 1:
            self._size = max(_LEAST, len(writes) // 2)
            return {one.token: Written(one.token, Result.LATER, message=str(said)) for one in writes}
        if answer.status >= _ERROR:
            return {one.token: _refused(one, said) for one in writes}
        written = said.get("written")
        answers = written if isinstance(written, dict) else {}
        return {one.token: _written(one, answers.get(one.token)) for one in writes}

    def _adapt(self, count: int, seconds: float) -> None:
        """Size the next calls so that they take as long as one should, growing by half at most."""
        wanted = int(count * _SECONDS / max(seconds, 0.01))
        self._size = max(_LEAST, min(_MOST, wanted, max(count, self._size) * 3 // 2))


def _sent(write: Write) -> Mapping[str, Any]:
    return {
        "token": write.token,
        "kind": write.kind,
        "action": write.action,
        "id": write.id,
        "parent": write.parent,
        "values": write.values,
        "version": write.version,
        "notify": write.notify,
    }


def _written(write: Write, said: object) -> Written:
    if not isinstance(said, dict):
        return Written(write.token, Result.UNKNOWN, message="the plugin did not answer this write")
    try:
        result = Result(str(said.get("result")))
    except ValueError:
        return Written(write.token, Result.UNKNOWN, message=f"the plugin answered {said.get('result')!r}")
    if said.get("code") == _BROKEN:
        result = Result.UNKNOWN
    native, data = said.get("native"), said.get("data")
    return Written(
        write.token,
        result,
        native if isinstance(native, dict) else None,
        code=str(said.get("code") or ""),
        message=str(said.get("message") or ""),
        data=data if isinstance(data, dict) else {},
        after=float(said.get("after") or 0),
    )


def _refused(write: Write, said: Mapping[str, Any]) -> Written:
    code, message = str(said.get("code", "")), str(said.get("message", ""))
    return Written(write.token, Result.REFUSED, code=code, message=message)


def _calls_of(writes: Sequence[Write], size: int) -> Iterator[list[Write]]:
    part: list[Write] = []
    weight = 0
    for write in writes:
        heavy = 2000 + sum(4 * len(value) for value in write.values.values() if isinstance(value, str))
        if part and (len(part) >= size or weight + heavy > _BODY):
            yield part
            part, weight = [], 0
        part.append(write)
        weight += heavy
    if part:
        yield part


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _by_text(records: object) -> dict[str, Native]:
    """Return records by id; PHP says an empty object as an empty list where nobody told it otherwise."""
    return {str(id_): native for id_, native in records.items()} if isinstance(records, dict) else {}
