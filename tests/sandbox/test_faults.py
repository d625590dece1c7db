"""Each kind of fault does what its name says, once, and nothing else."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from agencystack.sandbox.faults import AsgiApp, Message, Receive, Scope, Send
from agencystack.sandbox.http_host import HttpHost
from agencystack.sandbox.ports import ensure_ports


class Notebook:
    """A product with one write: POST adds a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            message: Message = await receive()
            self.lines.append(message["body"].decode())
        body = b'{"message": "done"}'
        headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Running:
    """Some stand-ins served in a thread."""

    def __init__(self, apps: dict[int, AsgiApp]) -> None:
        self.host = HttpHost(apps)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.host.serve()))
        self.thread.start()

    def stop(self) -> None:
        self.host.stop()
        self.thread.join(10)


@pytest.fixture
def notebook(tmp_path) -> Iterator[tuple[Notebook, httpx.Client]]:
    port = ensure_ports(tmp_path / "ports.json", ["notebook"])["notebook"]
    app = Notebook()
    running = Running({port: app})
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
        yield app, client
    running.stop()
    assert not running.thread.is_alive()


def ask_for(client: httpx.Client, **fault: object) -> None:
    assert client.post("/__sandbox__/faults", json=[fault]).status_code == 200


def test_latency_holds_the_answer_back_and_does_the_work(notebook):
    app, client = notebook
    ask_for(client, latency=1.0)
    before = time.monotonic()
    assert client.post("/", content="a").status_code == 200
    assert time.monotonic() - before >= 1.0
    before = time.monotonic()
    client.post("/", content="b")
    assert time.monotonic() - before < 0.9
    assert app.lines == ["a", "b"]


def test_status_answers_without_the_work_and_says_when_to_return(notebook):
    app, client = notebook
    ask_for(client, status=429, times=2)
    answer = client.post("/", content="a")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert client.post("/", content="a").status_code == 429
    assert client.post("/", content="a").status_code == 200
    assert app.lines == ["a"]


def test_after_write_does_the_work_and_answers_500(notebook):
    app, client = notebook
    ask_for(client, after_write=True)
    assert client.post("/", content="a").status_code == 500
    assert app.lines == ["a"]


@pytest.mark.parametrize(("when", "written"), [("before", []), ("after", ["a"])])
def test_drop_ends_the_connection_without_an_answer(notebook, when, written):
    app, client = notebook
    ask_for(client, drop=when)
    with pytest.raises(httpx.TransportError):
        client.post("/", content="a")
    assert app.lines == written
    assert client.get("/__sandbox__/calls").json()["calls"] == [{"method": "POST", "path": "/", "status": 0}]


def test_html_answers_a_page_as_a_proxy_does(notebook):
    app, client = notebook
    ask_for(client, html=True)
    answer = client.post("/", content="a")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert app.lines == []


def test_hang_never_answers_and_does_not_keep_the_process(notebook):
    app, client = notebook
    ask_for(client, hang=True)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/", content="a", timeout=0.3)
    assert app.lines == []


def test_a_rule_is_for_its_method_and_path_and_lasts_until_removed(notebook):
    _, client = notebook
    ask_for(client, method="POST", path="^/api/", status=503, times=0)
    assert client.get("/api/x").status_code == 200
    assert client.post("/other").status_code == 200
    assert [client.post("/api/x").status_code for _ in range(3)] == [503, 503, 503]
    assert client.get("/__sandbox__/faults").json()["faults"][0]["left"] == 0
    client.delete("/__sandbox__/faults")
    assert client.post("/api/x").status_code == 200


@pytest.mark.parametrize(
    "rule",
    [
        {"path": "/"},
        {"latency": 1, "html": True},
        {"status": 200},
        {"path": "(", "html": True},
        {"html": True, "every": 3},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_and_changes_nothing(notebook, rule):
    _, client = notebook
    answer = client.post("/__sandbox__/faults", json=[rule])
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert client.get("/__sandbox__/faults").json() == {"faults": []}


def test_calls_are_counted_without_queries_and_can_be_forgotten(notebook):
    _, client = notebook
    client.get("/a?token=hidden")
    client.post("/b", content="hidden")
    calls = client.get("/__sandbox__/calls")
    assert calls.json() == {
        "count": 2,
        "calls": [{"method": "GET", "path": "/a", "status": 200}, {"method": "POST", "path": "/b", "status": 200}],
    }
    client.delete("/__sandbox__/calls")
    assert client.get("/__sandbox__/calls").json()["count"] == 0


def test_stand_ins_are_told_apart_by_port(tmp_path):
    ports = ensure_ports(tmp_path / "ports.json", ["one", "two"])
    apps = {name: Notebook() for name in ports}
    running = Running({ports[name]: app for name, app in apps.items()})
    try:
        httpx.post(f"http://127.0.0.1:{ports['one']}/__sandbox__/faults", json=[{"status": 500, "times": 0}])
        assert httpx.post(f"http://127.0.0.1:{ports['one']}/", content="1").status_code == 500
        assert httpx.post(f"http://127.0.0.1:{ports['two']}/", content="2").status_code == 200
    finally:
        running.stop()
    assert apps["one"].lines == []
    assert apps["two"].lines == ["2"]
