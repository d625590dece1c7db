"""The judgement of what is found of an event, without any program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from agencystack.components.loki import NANO, Entry, Loki
from agencystack.integrations.monitoring import canary as module
from agencystack.integrations.monitoring.canary import Canary, CanaryIsFound, wrong_with
from agencystack.integrations.monitoring.php_failure import FatalIsOneEntry
from agencystack.stack.errors import ComponentRef, Unavailable

REF = ComponentRef("acme", "wordpress")
LABELS = {"client": "acme", "component": "wordpress", "stream": "access", "level": "warning"}
BEGAN = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=1)
FATAL = "PHP Fatal error:  Uncaught RuntimeException: x in y:1\nStack trace:\n#0 {main}\n  thrown in y on line 1"


def entry(off: timedelta = timedelta(), **labels: str) -> Entry:
    moment = int((BEGAN + off).timestamp()) * NANO
    return Entry(moment, "a line", {**LABELS, **labels}, {})


class Bird(Canary):
    """Notes what it sang."""

    sung: str

    def sing(self, nonce: str) -> Mapping[str, Any]:
        object.__setattr__(self, "sung", nonce)
        return {"event": nonce}


class Shelf:
    """A Loki that answers one thing after the other."""

    def __init__(self, *answers: list[Entry] | Unavailable) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def query_range(self, logql: str, start: datetime, end: datetime, limit: int) -> list[Entry]:
        self.asked.append(logql)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Unavailable):
            raise answer
        return answer


def proof(shelf: Shelf, bird: Canary | None, kind: type[CanaryIsFound] = CanaryIsFound) -> CanaryIsFound:
    return kind(REF, bird, cast(Loki, shelf), lambda: "Alloy sees no /x")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


def current(**changes: Any) -> Entry:
    return replace(entry(), nanoseconds=int(datetime.now(UTC).timestamp()) * NANO, **changes)


def test_it_waits_until_the_entry_is_there_and_shows_what_it_saw() -> None:
    shelf, bird = Shelf([], Unavailable("starting"), [current()]), Bird("access")
    evidence = proof(shelf, bird).run()
    assert evidence.ok
    assert evidence.seen["labels"] == LABELS
    assert shelf.asked == [f'{{client="acme", component="wordpress", stream="access"}} |= "{bird.sung}"'] * 3


def test_what_never_arrives_is_told_with_what_the_collector_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ARRIVAL_SECONDS", 0.0)
    evidence = proof(Shelf([]), Bird("access")).run()
    assert not evidence.ok
    assert evidence.reason == "not in Loki after 0 s; Alloy sees no /x"


def test_without_anything_to_know_again_it_is_not_proven() -> None:
    evidence = proof(Shelf([]), None).run()
    assert not evidence.ok
    assert "add the log of its requests" in evidence.reason


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (entry(level="loud"), "its level is loud"),
        (replace(entry(), metadata={"parsed": "false"}), "its form was not understood"),
        (entry(timedelta(hours=2)), "its time is +7199 s off"),
        (entry(timedelta(hours=-2)), "its time is -7200 s off"),
        (entry(), ""),
    ],
)
def test_what_is_wrong_is_named(found: Entry, says: str) -> None:
    assert says in "; ".join(wrong_with(found, BEGAN, ENDED))
    assert bool(says) == bool(wrong_with(found, BEGAN, ENDED))


def test_a_fatal_in_pieces_or_twice_or_unknown_is_named() -> None:
    whole = current(line=FATAL, metadata={"event": "php_fatal"})
    assert proof(Shelf([whole]), Bird("php"), FatalIsOneEntry).run().ok
    cut = replace(whole, line=FATAL.splitlines()[0])
    assert "its entry lacks Stack trace:, #0 , thrown in" in told([cut])
    assert "it stands in 2 entries" in told([whole, cut])
    assert "it is taken for nothing special instead of php_fatal" in told([replace(whole, metadata={})])


def told(entries: list[Entry]) -> str:
    evidence = proof(Shelf(entries), Bird("php"), FatalIsOneEntry).run()
    assert not evidence.ok
    return evidence.reason
