"""An application that is only described: programs get settings on standard input, calls in their body."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agencystack.components import described
from agencystack.components.described import Call, DescribedApplication
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.secrets import Secret
from tests.serving import free_port, served

WHERE = ComponentRef("acme", "wiki")


class Place:
    """Runs nothing, and remembers what it was to run."""

    description = "a machine"

    def __init__(self, finished: Finished = Finished(0, b"", b""), *, inside: bool = True) -> None:  # noqa: B008
        self.ran: list[tuple[bool, list[str], bytes]] = []
        self._finished, self._inside = finished, inside

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
        self.ran.append((self._inside, list(argv), stdin))
        return self._finished

    def host(self) -> Executor:
        outside = Place(self._finished, inside=False)
        outside.ran = self.ran
        return outside


def test_a_program_runs_inside_with_its_settings_on_standard_input() -> None:
    place = Place()
    DescribedApplication(WHERE, "https://wiki.example", place).run(["wiki", "login"], "settings")
    assert place.ran == [(True, ["wiki", "login"], b"settings")]


def test_a_program_that_fails_is_told_with_its_last_words() -> None:
    place = Place(Finished(3, b"", b"usage\nno such realm\n"))
    with pytest.raises(Refused, match="wiki ended with 3: no such realm"):
        DescribedApplication(WHERE, "https://wiki.example", place).run(["wiki"], "")


def test_without_a_place_there_is_nothing_to_run() -> None:
    with pytest.raises(ConfigurationError, match="does not say where they run"):
        DescribedApplication(WHERE, "https://wiki.example").run(["wiki"], "")


def test_a_call_carries_headers_and_body() -> None:
    seen: list[Any] = []

    async def take(request: Request) -> Response:
        seen.append((request.method, request.url.path, request.headers["x-key"], await request.json()))
        return PlainTextResponse("taken, and no JSON")

    with served(Starlette(routes=[Route("/api/login", take, methods=["PUT"])])) as url:
        call = Call("PUT", f"{url}/api/login", {"x-key": "k"}, {"secret": "s"})
        DescribedApplication(WHERE, url).call(Call.parse(call.sealed()))
    assert seen == [("PUT", "/api/login", "k", {"secret": "s"})]


def test_a_call_that_is_not_taken_says_so_without_its_secrets() -> None:
    async def echo(request: Request) -> Response:
        return PlainTextResponse(f"bad: {(await request.body()).decode()}", 422)

    hidden = Secret("a-secret-of-the-wiki")
    with served(Starlette(routes=[Route("/login", echo, methods=["POST"])])) as url:
        call = Call("POST", f"{url}/login", {}, {"secret": hidden.reveal()})
        with pytest.raises(Refused, match="answered 422 to POST /login: bad:") as refused:
            DescribedApplication(WHERE, url).call(call)
    assert hidden.reveal() not in str(refused.value)


def test_a_call_shows_its_secrets_to_nobody() -> None:
    call = Call("POST", "https://wiki.example/login", {"authorization": "Bearer key"}, {"secret": "s3cret"})
    assert "key" not in repr(call)
    assert "s3cret" not in repr(call)
    assert json.loads(call.sealed().reveal())["body"] == {"secret": "s3cret"}


def test_a_restart_runs_around_the_container_and_waits_for_an_answer() -> None:
    place = Place()

    async def starting(_: Request) -> Response:
        return PlainTextResponse("not found", 404)

    with served(Starlette(routes=[Route("/other", starting)])) as url:
        DescribedApplication(WHERE, url, place).restart(["systemctl", "restart", "wiki"])
    assert place.ran == [(False, ["systemctl", "restart", "wiki"], b"")]


def test_an_application_that_does_not_come_back_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "START_LIMIT", 0.3)
    application = DescribedApplication(WHERE, f"http://127.0.0.1:{free_port()}", Place())
    with pytest.raises(Unavailable, match=r"does not answer 0\.3 s after it was restarted"):
        application.restart(["true"])
    application.restart(["true"], wait=False)


def test_a_restart_that_fails_is_named() -> None:
    with pytest.raises(Unavailable, match="false ended with 1"):
        DescribedApplication(WHERE, "http://127.0.0.1:1", Place(Finished(1, b"", b""))).restart(["false"])
