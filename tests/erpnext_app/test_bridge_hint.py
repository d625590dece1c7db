"""When the app tells the bridge to look again: at once, seldom, once more for what came in between; nobody waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tests.erpnext_app.bridge_double import BridgeDouble, Callbacks, installed

HOOK, SECRET = "https://bridge.example/hooks/lab/erpnext", "s" * 64


class Cache:
    """Redis: keys that live for some seconds of a clock that a test moves."""

    def __init__(self) -> None:
        self.now, self.values, self.ends = 0.0, dict[str, Any](), dict[str, float]()

    def make_key(self, key: str) -> str:
        return f"site|{key}"

    def set(self, key: str, value: Any, nx: bool, ex: int) -> bool | None:
        if self.exists(key):
            return None
        self.values[key], self.ends[key] = value, self.now + ex
        return True

    def exists(self, key: str) -> int:
        return int(key in self.values and self.ends.get(key, self.now + 1) > self.now)

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def incr(self, key: str) -> None:
        self.values[key] = self.values.get(key, 0) + 1

    def delete(self, key: str) -> None:
        self.values.pop(key, None)

    def pttl(self, key: str) -> int:
        return int((self.ends[key] - self.now) * 1000) if self.exists(key) else -2


class Told:
    """The site, what it asked to be done later, and what the bridge heard."""

    def __init__(self, site: BridgeDouble) -> None:
        self.site, self.cache, self.jobs, self.after_response = site, Cache(), list[Any](), Callbacks()
        self.heard: list[dict[str, Any]] = []
        self.answer: Exception | int = 204
        site.module.__dict__.update(
            cache=self.cache,
            enqueue=lambda method, queue: self.jobs.append(method),
            local=SimpleNamespace(request=SimpleNamespace(after_response=self.after_response)),
        )
        self.hint = site.load("hint")

    def post(self, url: str, **sent: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.heard.append({"url": url, **sent})
        answer = requests.Response()
        answer.status_code = self.answer
        return answer

    def change(self) -> None:
        self.hint.after_commit()
        self.site.db.commit()
        self.after_response.run()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    settings = {
        "load": lambda: SimpleNamespace(hook_url=HOOK, pairing="lab"),
        "keys": lambda: {"new": SECRET, "old": "o" * 64},
    }
    with installed(
        agencystack_connector__bridge__settings=settings, agencystack_connector__bridge__numbers={"epoch": lambda: 7}
    ) as site:
        import sys

        for name in ("settings", "numbers"):
            setattr(
                sys.modules["agencystack_connector.bridge"], name, sys.modules[f"agencystack_connector.bridge.{name}"]
            )
        made = Told(site)
        monkeypatch.setattr(made.hint.requests, "post", made.post)
        monkeypatch.setattr(
            made.hint.time, "sleep", lambda seconds: setattr(made.cache, "now", made.cache.now + seconds)
        )
        yield made


def test_a_change_is_told_after_the_answer_signed_with_the_newest_key(told: Told) -> None:
    told.change()
    [heard] = told.heard
    assert (heard["url"], json.loads(heard["data"])) == (HOOK, {"epoch": 7})
    signing = told.site.load("signing")
    names = {name: heard["headers"][name] for name in (signing.KEY, signing.TIME, signing.NONCE, signing.SIGNATURE)}
    signing.check({"new": SECRET}, "hooks/lab/erpnext", heard["data"], names.__getitem__, lambda _: True)
    assert heard["timeout"] == 2


def test_many_changes_are_told_once_and_once_more_for_the_last(told: Told) -> None:
    for _ in range(10):
        told.change()
    assert (len(told.heard), len(told.jobs)) == (1, 1)
    told.jobs.pop()()
    assert len(told.heard) == 2
    assert told.cache.now == pytest.approx(1)
    told.change()
    assert len(told.jobs) == 1, "what changes after the last hint is told by another"


def test_one_transaction_is_told_of_once_and_none_that_is_rolled_back(told: Told) -> None:
    told.hint.after_commit()
    told.hint.after_commit()
    told.site.db.rollback()
    told.after_response.run()
    assert not told.heard
    told.change()
    assert len(told.heard) == 1


@pytest.mark.parametrize("answer", [requests.ConnectionError("no"), requests.Timeout("late"), 500])
def test_a_bridge_that_is_away_costs_one_try_in_half_a_minute(told: Told, answer: Exception | int) -> None:
    told.answer = answer
    for _ in range(3):
        told.change()
        told.cache.now += 5
    assert told.hint.failed() == 1
    told.cache.now += 30
    told.answer = 204
    told.change()
    assert told.hint.failed() == 0


def test_a_job_tells_by_a_job(told: Told) -> None:
    told.site.module.local.request = None  # type: ignore[attr-defined]
    told.change()
    assert told.jobs == [told.hint.send]
