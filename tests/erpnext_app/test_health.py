"""What the app finds of a site's health, how it judges that, and what it shows to whom."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.erpnext_app.frappe_double import FrappeDouble

NOW = datetime(2026, 11, 23, 12, 0, 0)
TOKEN = "a-token-of-many-characters"


class Response:
    """Werkzeug's, as far as the app uses it."""

    def __init__(self, content: str, *, status: int, mimetype: str, headers: dict[str, str]) -> None:
        self.said, self.status, self.mimetype, self.headers = json.loads(content), status, mimetype, headers


@dataclass
class Bench:
    """What Frappe, MariaDB and Redis answer; a function in place of an answer is called."""

    last: datetime | None = NOW - timedelta(minutes=4)
    inactive: bool = False
    workers: list[tuple[str, ...]] = field(default_factory=lambda: [("b:short", "b:default"), ("b:long",)])
    waiting: dict[str, list[float]] = field(default_factory=dict)
    late: int = 0
    given_up: int = 0
    errors: int = 0
    suspended: str = "0"
    headers: dict[str, str] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)

    def sql(self, query: str, values: dict[str, Any] | None = None) -> Any:
        self.questions.append(query)
        answers: dict[str, Callable[[], Any]] = {
            "select 1": lambda: 1,
            "Scheduled Job Type": lambda: self.last,
            "status = 'Error'": lambda: self.given_up,
            "status in": lambda: self.late,
            "Error Log": lambda: self.errors,
        }
        for words, answer in answers.items():
            if words == query or (words != "select 1" and words in query):
                if words in self.broken:
                    raise self.broken[words]
                return [[answer()]]
        raise AssertionError(query)

    def get_workers(self) -> list[Any]:
        if "redis" in self.broken:
            raise self.broken["redis"]
        return [SimpleNamespace(queue_names=lambda names=names: list(names)) for names in self.workers]

    def get_queue(self, name: str) -> Any:
        ages = self.waiting.get(name, [])
        moments = [datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=age) for age in ages]
        jobs = [SimpleNamespace(enqueued_at=moment) for moment in moments]
        return SimpleNamespace(
            count=len(jobs),
            get_jobs=lambda offset, length: jobs[offset : offset + length],
            failed_job_registry=SimpleNamespace(count=7),
        )


@pytest.fixture
def bench(frappe: FrappeDouble) -> Iterator[Bench]:
    made = Bench()
    core = frappe.module
    core.__dict__.update(
        get_installed_apps=lambda: ["frappe", "erpnext", "somebodys"],
        get_attr=lambda name: {"frappe.__version__": "15.44.2", "erpnext.__version__": "15.109.0"}[name],
        get_request_header=lambda name: made.headers.get(name),
    )
    core.db.sql = made.sql
    core.db.get_default = lambda name: {"suspend_email_queue": made.suspended}[name]
    core.utils.__dict__.update(now_datetime=lambda: NOW, cint=lambda text: int(text or 0))
    modules = {
        "frappe.utils.background_jobs": {
            "generate_qname": lambda name: f"b:{name}",
            "get_queue": made.get_queue,
            "get_queue_list": lambda: ["short", "default", "long"],
            "get_workers": made.get_workers,
        },
        "frappe.utils.scheduler": {"is_scheduler_inactive": lambda verbose: made.inactive},
        "werkzeug": {"__path__": []},
        "werkzeug.wrappers": {"Response": Response},
    }
    before = {name: sys.modules.get(name) for name in modules}
    for name, contents in modules.items():
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__dict__.update(contents)
    yield made
    for name, module in before.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module


def asked(frappe: FrappeDouble, bench: Bench, token: str = "", *, kept: str = "") -> Response:
    settings = frappe.documents["AgencyStack Settings"]["AgencyStack Settings"]
    settings.health_token_hash = sha256(kept.encode()).hexdigest() if kept else None
    bench.headers = {"X-AgencyStack-Token": token} if token else {}
    answer = import_module("agencystack_connector.health").check()
    assert isinstance(answer, Response)
    return answer


def found(frappe: FrappeDouble, bench: Bench) -> dict[str, Any]:
    """Return what is found anew, with all numbers."""
    frappe.cache.values.clear()
    said: dict[str, Any] = asked(frappe, bench, TOKEN, kept=TOKEN).said
    return said


def test_everybody_may_ask_and_only_by_reading(frappe: FrappeDouble, bench: Bench) -> None:
    check = import_module("agencystack_connector.health").check
    assert check.whitelisted == {"allow_guest": True, "methods": ["GET"]}


def test_a_site_that_is_well(frappe: FrappeDouble, bench: Bench) -> None:
    answer = asked(frappe, bench)
    checks = dict.fromkeys(("database", "scheduler", "workers", "queues", "email", "errors"), "ok")
    assert answer.said == {"from": "agencystack-connector", "status": "ok", "checks": checks}
    assert (answer.status, answer.mimetype, answer.headers) == (200, "application/json", {"Cache-Control": "no-store"})


@pytest.mark.parametrize(("given", "kept"), [("", TOKEN), ("another", TOKEN), (TOKEN, ""), ("", ""), ("ü", TOKEN)])
def test_without_the_token_there_are_no_numbers(frappe: FrappeDouble, bench: Bench, given: str, kept: str) -> None:
    assert asked(frappe, bench, given, kept=kept).said.keys() == {"from", "status", "checks"}


def test_with_the_token_there_are(frappe: FrappeDouble, bench: Bench) -> None:
    detail = asked(frappe, bench, TOKEN, kept=TOKEN).said["detail"]
    assert detail["software"] == {"frappe": "15.44.2", "erpnext": "15.109.0", "connector": "0.3.0"}
    assert detail["scheduler"] == {"enabled": True, "since_last_seconds": 240}
    assert detail["workers"] == {"queues": {"short": 1, "default": 1, "long": 1}}
    assert detail["queues"]["queues"]["long"] == {"waiting": 0, "oldest_seconds": 0, "failed": 7}
    assert detail["email"] == {"late": 0, "errors_of_a_day": 0, "suspended": False}
    assert detail["errors"] == {"of_an_hour": 0}


def test_asking_often_looks_once(frappe: FrappeDouble, bench: Bench) -> None:
    for _ in range(5):
        asked(frappe, bench)
    assert bench.questions.count("select 1") == 1
    assert frappe.cache.lifetimes["agencystack_health"] == 10


TROUBLE: list[tuple[dict[str, Any], str, str]] = [
    ({"inactive": True}, "scheduler", "switched off or paused"),
    ({"last": None}, "scheduler", "on and does nothing"),
    ({"last": NOW - timedelta(minutes=31)}, "scheduler", "on and does nothing"),
    ({"workers": [("b:short",), ("other-bench:default",)]}, "workers", "no worker takes from default, long"),
    ({"waiting": {"long": [1801.0, 5.0]}}, "queues", "more than half an hour in long"),
    ({"late": 3}, "email", "3 mails wait for more than ten minutes, 0 were given up"),
    ({"given_up": 2}, "email", "2 were given up"),
    ({"suspended": "1"}, "email", "suspended"),
    ({"errors": 101}, "errors", "101 entries"),
    ({"broken": {"Error Log": KeyError("x")}}, "errors", "cannot be looked at: KeyError"),
    ({"broken": {"redis": ConnectionError("x")}}, "workers", "cannot be looked at: ConnectionError"),
    ({"broken": {"redis": ConnectionError("x")}}, "queues", "cannot be looked at: ConnectionError"),
]


@pytest.mark.parametrize(("world", "check", "reason"), TROUBLE)
def test_what_is_wrong_is_named(
    frappe: FrappeDouble, bench: Bench, world: dict[str, Any], check: str, reason: str
) -> None:
    for name, value in world.items():
        setattr(bench, name, value)
    said = found(frappe, bench)
    assert (said["status"], said["checks"][check]) == ("degraded", "degraded")
    assert reason in said["detail"][check]["reason"]
    assert said["checks"]["database"] == "ok"
    assert asked(frappe, bench).status == 200


def test_work_that_waits_a_little_is_no_trouble(frappe: FrappeDouble, bench: Bench) -> None:
    bench.waiting = {"default": [60.0, 5.0]}
    said = found(frappe, bench)
    assert said["status"] == "ok"
    assert said["detail"]["queues"]["queues"]["default"]["waiting"] == 2
    assert 60 <= said["detail"]["queues"]["queues"]["default"]["oldest_seconds"] < 70


def test_without_a_database_the_site_is_down(frappe: FrappeDouble, bench: Bench) -> None:
    bench.broken = {"select 1": ConnectionError("gone")}
    answer = asked(frappe, bench)
    assert (answer.status, answer.said["status"], answer.said["checks"]["database"]) == (503, "down", "down")


def test_a_slow_database_is_named(frappe: FrappeDouble, bench: Bench) -> None:
    say = import_module("agencystack_connector.health_report")
    assert say.database(1000.0).word == "ok"
    assert say.database(1000.1).word == "degraded"


@pytest.mark.parametrize(("text", "can_be"), [("0" * 64, True), ("0" * 63, False), ("G" * 64, False), (TOKEN, False)])
def test_a_hash_is_told_from_a_token(frappe: FrappeDouble, text: str, *, can_be: bool) -> None:
    assert import_module("agencystack_connector.health_report").is_hash(text) is can_be
