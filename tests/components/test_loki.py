"""The client of Loki, over what the real one answered and over answers no Loki gives."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agencystack.components.loki import Entry, Loki, Sample
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret
from tests.contract.loki_exchanges import recorded
from tests.serving import free_port, served

WHERE = ComponentRef("shared", "loki")
MOMENT = datetime(2026, 11, 23, 4, 5, 6, 789, tzinfo=UTC)
NANOSECONDS = 1795406706000789000
HOUR = MOMENT - timedelta(hours=1), MOMENT
Asgi = Callable[..., Awaitable[None]]


class Answering:
    """Gives one answer to everything and keeps what was asked."""

    def __init__(self, status: int, body: str, kind: str) -> None:
        self._status, self._body, self._kind = status, body.encode(), kind.encode()
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        self.asked.append({"path": scope["path"], "query": query, "headers": headers, "body": message.get("body", b"")})
        start = {"type": "http.response.start", "status": self._status, "headers": [(b"content-type", self._kind)]}
        await send(start)
        await send({"type": "http.response.body", "body": self._body})


@contextmanager
def answering(status: int, body: Any, **arguments: Any) -> Iterator[tuple[Loki, Answering]]:
    text = isinstance(body, str)
    app = Answering(status, body if text else json.dumps(body), "text/plain" if text else "application/json")
    with served(app) as url:
        client = Loki(WHERE, url, **arguments)
        yield client, app
        client.close()


@contextmanager
def answering_as(name: str) -> Iterator[tuple[Loki, Answering]]:
    """Answer as Loki did when that was recorded."""
    told = next(exchange["response"] for exchange in recorded() if exchange["name"] == name)
    text = json.dumps(told["json"]).replace("<now>", str(NANOSECONDS)) if "json" in told else told["text"]
    with answering(told["status"], json.loads(text) if "json" in told else text) as both:
        yield both


def test_ready_and_version() -> None:
    with answering_as("ready") as (loki, _):
        loki.ready()
    with answering_as("build") as (loki, _):
        assert loki.version() == "3.7.8"


def test_a_page_of_something_else_is_no_ready_loki() -> None:
    with answering(200, "<html>welcome</html>") as (loki, _), pytest.raises(BadAnswer, match="that it is ready"):
        loki.ready()


def test_entries_have_labels_and_metadata_apart() -> None:
    with answering_as("entries") as (loki, app):
        found = loki.query_range('{client="acme"}', *HOUR, limit=7)
    assert found[0] == Entry(
        NANOSECONDS,
        "an entry",
        {"client": "acme", "component": "wordpress", "service_name": "wordpress"},
        {"status": "200", "detected_level": "unknown"},
    )
    assert found[0].time == MOMENT
    assert app.asked[0]["headers"]["x-loki-response-encoding-flags"] == "categorize-labels"
    assert f"end={NANOSECONDS}" in app.asked[0]["query"]
    assert "limit=7" in app.asked[0]["query"]


@pytest.mark.parametrize("name", ["labels of nothing", "values of no label"])
def test_nothing_is_an_empty_list(name: str) -> None:
    with answering_as(name) as (loki, _):
        assert loki.labels(*HOUR) == []


def test_labels_series_and_numbers() -> None:
    with answering_as("labels") as (loki, _):
        assert loki.labels(*HOUR) == ["client", "component", "service_name"]
    with answering_as("series") as (loki, _):
        assert loki.series('{client="acme"}', *HOUR)[0]["component"] == "wordpress"
    with answering_as("a number") as (loki, _):
        assert loki.query("count", MOMENT) == [Sample({"client": "acme"}, 2.0)]


def test_push_groups_by_labels_and_keeps_nanoseconds() -> None:
    with answering_as("write") as (loki, app):
        loki.push(
            [
                Entry(NANOSECONDS + 1, "one", {"client": "acme"}, {"status": "200"}),
                Entry(NANOSECONDS + 2, "two", {"client": "other"}),
                Entry(NANOSECONDS + 3, "three", {"client": "acme"}),
            ]
        )
    assert json.loads(app.asked[0]["body"]) == {
        "streams": [
            {
                "stream": {"client": "acme"},
                "values": [[f"{NANOSECONDS + 1}", "one", {"status": "200"}], [f"{NANOSECONDS + 3}", "three", {}]],
            },
            {"stream": {"client": "other"}, "values": [[f"{NANOSECONDS + 2}", "two", {}]]},
        ]
    }


def test_a_refusal_carries_lokis_words_and_no_secret() -> None:
    secret = Secret("a-password-in-a-line")
    with answering_as("half a query") as (loki, _), pytest.raises(Refused, match=r"400.*unexpected \$end"):
        loki.query_range("{client=", *HOUR)
    with (
        answering(400, f"bad line: {secret.reveal()}") as (loki, _),
        pytest.raises(Refused, match="bad line") as caught,
    ):
        loki.push([Entry(NANOSECONDS, "x", {"a": "b"})])
    assert secret.reveal() not in str(caught.value)


def test_unreachable_forbidden_and_broken_are_different() -> None:
    gone = Loki(WHERE, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="cannot be reached"):
        gone.ready()
    starting = "Ingester not ready: waiting for 15s after being ready"
    with answering(503, starting) as (loki, _), pytest.raises(Unavailable, match="503"):
        loki.ready()
    with answering(401, "no org id") as (loki, _), pytest.raises(AuthenticationFailed, match="set tenant"):
        loki.labels(*HOUR)
    with answering(500, "empty ring") as (loki, _), pytest.raises(Unavailable, match=r"500.*empty ring"):
        loki.labels(*HOUR)


@pytest.mark.parametrize(
    "body",
    [
        "<html>login</html>",
        [],
        {"data": "text"},
        {"data": {"resultType": "streams"}},
        {"data": {"resultType": "streams", "result": [{"stream": {}, "values": [["soon", "line"]]}]}},
        {"data": {"resultType": "streams", "result": [{"values": []}]}},
        {"data": {"resultType": "streams", "result": [{"stream": {}, "values": [["1"]]}]}},
    ],
)
def test_an_answer_of_another_form_is_a_bad_answer(body: Any) -> None:
    with answering(200, body) as (loki, _), pytest.raises(BadAnswer):
        loki.query_range('{client="acme"}', *HOUR)


@pytest.mark.parametrize(
    "result", [[{"metric": {}}], [{"metric": {}, "value": [1, "many"]}], [{"value": [1, "2"]}], ["text"], "text"]
)
def test_numbers_of_another_form_are_a_bad_answer(result: Any) -> None:
    with answering(200, {"data": {"resultType": "vector", "result": result}}) as (loki, _), pytest.raises(BadAnswer):
        loki.query("count", MOMENT)


def test_tenant_and_password_go_in_headers() -> None:
    login = {"tenant": "agency", "user": "logs", "password": Secret("the-password-of-loki")}
    with answering(200, {"data": []}, **login) as (loki, app):
        loki.labels(*HOUR)
    headers = app.asked[0]["headers"]
    assert headers["x-scope-orgid"] == "agency"
    assert headers["authorization"].startswith("Basic ")
