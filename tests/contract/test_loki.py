"""Loki's interface as it was recorded, asked of the real one again; and our client against it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agencystack.components.loki import Entry, Loki
from agencystack.sandbox.go_service import GoService
from agencystack.stack.errors import BadAnswer, Refused
from tests.contract.loki_exchanges import NANO, ask, recorded
from tests.logs.collectors import WHERE, running_loki

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoService]:
    with running_loki(tmp_path_factory.mktemp("loki")) as running:
        yield running


@pytest.fixture
def client(service: GoService) -> Iterator[Loki]:
    client = Loki(WHERE, service.url)
    yield client
    client.close()


def test_it_still_answers_as_recorded(service: GoService) -> None:
    now = time.time_ns() // NANO * NANO
    for exchange in recorded():
        assert ask(service.url, exchange["request"], now) == exchange["response"], exchange["name"]


def around(moment: datetime) -> tuple[datetime, datetime]:
    return moment - timedelta(minutes=5), moment + timedelta(minutes=5)


def entries(owner: str, *lines: str, **metadata: str) -> list[Entry]:
    began = time.time_ns()
    return [Entry(began + number, line, {"client": owner}, metadata) for number, line in enumerate(lines)]


def test_what_is_pushed_is_found_at_once_in_its_order(client: Loki) -> None:
    client.ready()
    pushed = entries("pushed", "first", "second", "thïrd\n\twith a trace", status="200")
    client.push(pushed)
    now = datetime.now(UTC)
    found = client.query_range('{client="pushed"}', *around(now))
    assert [(entry.nanoseconds, entry.line) for entry in found] == [(entry.nanoseconds, entry.line) for entry in pushed]
    assert {entry.labels["client"] for entry in found} == {"pushed"}
    assert {entry.metadata["status"] for entry in found} == {"200"}
    assert [entry.line for entry in client.query_range('{client="pushed"}', *around(now), 2)] == ["first", "second"]
    assert [entry.line for entry in client.query_range('{client="pushed"} | status="404"', *around(now))] == []
    counted = client.query('sum by (client) (count_over_time({client="pushed"}[5m]))', now + timedelta(seconds=2))
    assert [(sample.labels, sample.value) for sample in counted] == [({"client": "pushed"}, 3.0)]


def test_labels_values_and_series_are_those_of_the_time(client: Loki) -> None:
    client.push(entries("listed", "text"))
    now, long_ago = datetime.now(UTC), datetime.now(UTC) - timedelta(days=3)
    assert "client" in client.labels(*around(now))
    assert "listed" in client.label_values("client", *around(now))
    assert [labels["client"] for labels in client.series('{client="listed"}', *around(now))] == ["listed"]
    assert client.labels(*around(long_ago)) == []
    assert client.series('{client="listed"}', *around(long_ago)) == []


@pytest.mark.parametrize(
    ("age", "line", "reason"),
    [
        (timedelta(days=8), "old", "timestamp too old"),
        (-timedelta(hours=1), "ahead", "timestamp too new"),
        (timedelta(), "x" * 300_000, "max entry size '262144' bytes exceeded"),
    ],
)
def test_an_entry_it_does_not_take_is_refused_in_its_words(
    client: Loki, age: timedelta, line: str, reason: str
) -> None:
    moment = time.time_ns() - int(age.total_seconds()) * NANO
    with pytest.raises(Refused, match=reason):
        client.push([Entry(moment, line, {"client": "refused"})])


@pytest.mark.parametrize("logql", ["{client=", "{}", '{client="acme"} | nosuch'])
def test_a_query_it_does_not_understand_is_refused_in_its_words(client: Loki, logql: str) -> None:
    with pytest.raises(Refused, match="parse error"):
        client.query_range(logql, *around(datetime.now(UTC)))


def test_numbers_are_not_taken_for_entries_nor_entries_for_numbers(client: Loki) -> None:
    now: Any = datetime.now(UTC)
    with pytest.raises(BadAnswer, match="matrix instead of entries"):
        client.query_range('count_over_time({client="acme"}[5m])', *around(now))
    with pytest.raises(Refused, match="log queries are not supported as an instant query type"):
        client.query('{client="acme"}', now)
