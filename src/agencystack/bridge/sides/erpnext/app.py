"""ERPNext's documents through our app: many groups a request, each whole or not at all, and digests made in SQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from agencystack.bridge.side import Page, Range, Result, Summary
from agencystack.bridge.sides.erpnext.documents import Document, Group, Made, Saved, Step
from agencystack.bridge.sides.erpnext.exchange import Answer, Exchange, encoded
from agencystack.bridge.sides.erpnext.verdict import Verdict, verdict
from agencystack.bridge.signing import SigningKey
from agencystack.components.erpnext.refusals import plain
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import redact

ROUTE = "agencystack_connector.bridge"
# Two processes reach twice one (PERFORMANCE.md); the site's other workers stay with the people who work there.
PARALLEL = 2
MOST_GROUPS = 200
MOST_BYTES = 1_000_000
MOST_NAMES = 500
# gunicorn ends a request after 120 s: a batch of Sales Orders that reserve stock must be far from that.
SECONDS = 10.0
_FIRST_GUESS = 0.2
_FORBIDDEN = frozenset({401, 403})
_BROKE = 500
T = TypeVar("T")
S = TypeVar("S")


class AppCalls:
    """Signed calls of our app.

    Args:
        exchange: sends requests, without a user's key.
        key: the pairing's shared secret.
    """

    def __init__(self, exchange: Exchange, key: SigningKey) -> None:
        self.exchange = exchange
        self._key = key

    @property
    def where(self) -> ComponentRef:
        """Which ERPNext."""
        return self.exchange.where

    def send(self, call: str, body: Mapping[str, Any]) -> Answer:
        """Send one call once."""
        content, route = encoded(body), f"{ROUTE}.{call}"
        headers = self._key.headers(route, content)
        return self.exchange.send("POST", f"/api/method/{route}", content=content, headers=headers)

    def ask(self, call: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a call that may be repeated, again where its answer was lost, and return the answer.

        Raises:
            AuthenticationFailed: its signature is not taken, or the bridge may not do this here.
            Unavailable: no answer, or overloaded.
            BadAnswer: something else than the app answered; it may not be installed.
            Refused: it declined; the message holds its words.
        """
        answer = self.send(call, body)
        if not answer.status and answer.sent:
            answer = self.send(call, body)
        if answer.done and isinstance(answer.data, Mapping):
            return answer.data
        raise self._error(answer, call)

    def _error(self, answer: Answer, call: str) -> AuthenticationFailed | Unavailable | BadAnswer | Refused:
        code, says = refusal_of(answer)
        if answer.status in _FORBIDDEN and code:
            remedy = "check that both clocks are right; agencystack integrate data-bridge exchanges the keys"
            text = f"our app does not take the bridge's call {call}: {says} ({code})"
            return AuthenticationFailed(text, component=self.exchange.where, remedy=remedy)
        if answer.status in {404, 417} and "Failed to get method" in answer.refusal.text:
            return BadAnswer(
                f"has no call {call} of our app",
                component=self.exchange.where,
                remedy="run agencystack integrate data-bridge, which installs and updates the app",
            )
        error = self.exchange.error(answer, f"the bridge's call {call}")
        if isinstance(error, Refused) and answer.status >= _BROKE:
            # A call that only reads is never declined like this: something broke, and may be well again.
            return BadAnswer(error.message, component=error.component, remedy=error.remedy)
        return error


def refusal_of(answer: Answer) -> tuple[str, str]:
    """Return code and words of a refusal of our app; empty where it is none."""
    body = answer.body or {}
    code = str(body.get("code") or "")
    return (code, redact(str(body.get("message") or ""))[:500]) if code.startswith("agencystack_") else ("", "")


@dataclass
class _Pace:
    """How long a group takes, learnt from the batches before.

    Args:
        seconds: for one group.
    """

    seconds: float = _FIRST_GUESS

    def groups(self) -> int:
        """Return how many groups fit into one request."""
        return max(1, min(MOST_GROUPS, int(SECONDS / max(self.seconds, 0.001))))

    def learn(self, groups: int, seconds: float) -> None:
        """Take a batch's time into account; a slow one at once, a fast one by halves."""
        seen = seconds / groups
        self.seconds = seen if seen > self.seconds else (self.seconds + seen) / 2


class AppDocuments:
    """Documents of one site that has our app.

    Args:
        calls: the app's.
        parallel: how many batches may be under way at a time; 1 does all in the caller's thread.
        clock: seconds, for how long a batch took.
    """

    def __init__(
        self, calls: AppCalls, *, parallel: int = PARALLEL, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls = calls
        self._pool = ThreadPoolExecutor(parallel, "erpnext-app") if parallel > 1 else None
        self._pace = _Pace()
        self._clock = clock
        self._lock = threading.Lock()
        self._writing = threading.BoundedSemaphore(PARALLEL)

    def close(self) -> None:
        """Let the workers go, and close the connections."""
        if self._pool:
            self._pool.shutdown()
        self._calls.exchange.close()

    def fetch(self, doctype: str, names: Sequence[str]) -> Mapping[str, Document]:
        """Return whole documents by name; what does not exist is left out. The app adds ``modified`` in UTC itself."""
        found: dict[str, Document] = {}
        for part in _parts(list(dict.fromkeys(names)), MOST_NAMES):
            answer = self._calls.ask("documents", {"doctype": doctype, "names": part})
            found |= answer["documents"]
        return found

    def select(
        self, doctype: str, filters: Sequence[Sequence[Any]], fields: Sequence[str], *, parent: str = ""
    ) -> Sequence[Document]:
        """Return all rows of a list."""
        asked: dict[str, Any] = {"doctype": doctype, "filters": list(filters), "fields": list(fields)}
        asked |= {"parent": parent} if parent else {}
        return list(self._calls.ask("select", asked)["rows"])

    def find(self, doctype: str, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return names by op token."""
        found: dict[str, str] = {}
        for part in _parts(tokens, MOST_NAMES):
            found |= self._calls.ask("find", {"doctype": doctype, "tokens": part})["found"]
        return found

    def save(self, groups: Sequence[Group]) -> Mapping[str, Saved]:
        """Carry out groups in batches, each whole or not at all."""
        saved: dict[str, Saved] = {one.token: Saved(one.token, Result.DONE) for one in groups if not one.steps}
        waiting = [(one, encoded(_wire(one))) for one in groups if one.steps]
        while waiting:
            # A few batches at a time, so that each of the next is as large as the last ones were fast.
            batches = []
            for _ in range(PARALLEL):
                batch, waiting = _batch(waiting, self._pace.groups())
                batches += [batch] if batch else []
            for part in self._each(self._saved, batches):
                saved |= part
        return saved

    def walk(self, doctype: str, filters: Sequence[Sequence[Any]], after: str, limit: int) -> Page:
        """Return the next names of all documents of a type, in order of creation."""
        asked = {"doctype": doctype, "filters": list(filters), "after": after, "limit": limit}
        answer = self._calls.ask("walk", asked)
        return Page(tuple(str(one) for one in answer["ids"]), str(answer.get("next") or ""))

    def summaries(
        self, doctype: str, ranges: Sequence[Range], *, filters: Sequence[Sequence[Any]] = ()
    ) -> Sequence[Summary] | None:
        """Return what each range holds."""
        asked = {"doctype": doctype, "ranges": [[one.start, one.end] for one in ranges], "filters": list(filters)}
        return [Summary(int(count), str(digest)) for count, digest in self._calls.ask("digest", asked)["summaries"]]

    def rows(self, doctype: str, within: Range, *, filters: Sequence[Sequence[Any]] = ()) -> Mapping[str, str]:
        """Return row digests by name."""
        asked = {"doctype": doctype, "range": [within.start, within.end], "filters": list(filters)}
        return {str(name): str(digest) for name, digest in self._calls.ask("rows", asked)["rows"].items()}

    def _each(self, do: Callable[[S], T], things: Sequence[S]) -> list[T]:
        return list(self._pool.map(do, things)) if self._pool and len(things) > 1 else [do(one) for one in things]

    def _saved(self, batch: Sequence[Group]) -> dict[str, Saved]:
        with self._writing:
            begun = self._clock()
            answer = self._calls.send("apply", {"groups": [_wire(one) for one in batch]})
            seconds = self._clock() - begun
        with self._lock:
            self._pace.learn(len(batch), seconds)
        told = answer.data.get("saved") if answer.done and isinstance(answer.data, Mapping) else None
        if isinstance(told, Mapping):
            return {one.token: _saved(one, told.get(one.token)) for one in batch}
        end = _ended(answer)
        return {
            one.token: Saved(one.token, end.result, kind=end.kind, message=end.message, step="apply", after=end.after)
            for one in batch
        }


def _batch(waiting: Sequence[tuple[Group, bytes]], most: int) -> tuple[list[Group], list[tuple[Group, bytes]]]:
    """Return as many groups as one request may hold, and the rest."""
    taken, size = 0, 0
    for _, body in waiting[:most]:
        if taken and size + len(body) > MOST_BYTES:
            break
        taken, size = taken + 1, size + len(body)
    return [group for group, _ in waiting[:taken]], list(waiting[taken:])


def _ended(answer: Answer) -> Verdict:
    """Return what became of a batch that was not answered group by group."""
    code, says = refusal_of(answer)
    if code == "agencystack_bad_call":
        return Verdict(Result.REFUSED, code, says)
    if code:
        # Nothing was done; what reads next says so to a person, and all of it can be done once that is mended.
        return Verdict(Result.LATER, code, says)
    if answer.done:
        return Verdict(Result.UNKNOWN, message="answered without saying what became of the batch")
    return verdict(answer)


def _saved(group: Group, told: Any) -> Saved:
    if not isinstance(told, Mapping):
        return Saved(group.token, Result.UNKNOWN, message="our app did not say what became of it")
    known = {str(one): one for one in Result}
    result, kind = known.get(str(told.get("result")), Result.UNKNOWN), str(told.get("kind") or "")
    message = redact(plain(str(told.get("message") or "")))[:500]
    if kind == "DoesNotExistError" and any(message == f"{one.doctype} {one.name} not found" for one in group.steps):
        # What was to be changed is gone: that is news, nothing a person has to mend.
        result = Result.STALE
    return Saved(
        group.token,
        result,
        name=str(told.get("name") or ""),
        kind=kind,
        message=message,
        step=str(told.get("step") or ""),
        after=float(told.get("after") or 0),
        modified=str(told.get("modified") or ""),
    )


def _wire(group: Group) -> dict[str, Any]:
    """Return a group as it travels; a step says only what it means."""
    said = {"token": group.token, "main": group.main, "steps": [_wire_step(step) for step in group.steps]}
    return {**said, "notify": True} if group.notify else said


def _wire_step(step: Step) -> dict[str, Any]:
    said = {
        "name": step.name,
        "values": step.values,
        "called": step.called,
        "modified": step.modified,
        "method": step.method,
        "source": step.source,
        "arguments": step.arguments,
    }
    return {"action": step.action, "doctype": step.doctype} | {key: _plain(one) for key, one in said.items() if one}


def _plain(value: Any) -> Any:
    match value:
        case Made():
            return {"$made": value.step}
        case Mapping():
            return {key: _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return value


def _parts(things: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(things), size):
        yield list(things[start : start + size])
