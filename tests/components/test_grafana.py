"""Grafana's client where the stand-in never answers so: other credentials, hidden versions, unknown forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agencystack.components.grafana import ROLES, Grafana, OAuthSettings, ends_provider_session, role_path
from agencystack.stack.errors import BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret
from tests.serving import served

WHERE = ComponentRef("shared", "grafana")
TOKEN = "glsa_a-token-of-a-service-account"


@contextmanager
def answering(answers: dict[str, Any], status: int = 200) -> Iterator[tuple[Grafana, list[str]]]:
    """Give a client of something that answers these by path, and the credentials it was shown."""
    seen: list[str] = []

    async def answer(request: Request) -> Response:
        seen.append(request.headers.get("authorization", ""))
        return JSONResponse(answers[request.url.path], status_code=status)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT", "DELETE"])])
    with served(app) as url:
        client = Grafana(WHERE, url, token=Secret(TOKEN))
        yield client, seen
        client.close()


def test_a_token_is_shown_as_bearer() -> None:
    with answering({"/api/orgs": [{"id": 1, "name": "Main Org."}]}) as (client, seen):
        assert client.organisations()[0].name == "Main Org."
    assert seen == [f"Bearer {TOKEN}"]


def test_a_hidden_version_is_read_where_it_is_shown() -> None:
    answers = {
        "/api/health": {"database": "ok"},
        "/api/frontend/settings": {"buildInfo": {"version": "11.6.1"}},
    }
    with answering(answers) as (client, _):
        assert client.version() == "11.6.1"


def test_a_database_that_is_away_is_said() -> None:
    with (
        answering({"/api/health": {"database": "failing"}}, status=503) as (client, _),
        pytest.raises(Unavailable, match="503"),
    ):
        client.is_well()


@pytest.mark.parametrize(
    "answer",
    [
        {"settings": {"enabled": "perhaps"}, "source": "system"},
        {"settings": {}, "source": "elsewhere"},
        {"source": "system"},
        [],
    ],
)
def test_settings_of_an_unknown_form_are_named(answer: Any) -> None:
    with (
        answering({"/api/v1/sso-settings/generic_oauth": answer}) as (client, _),
        pytest.raises(BadAnswer, match="unknown form") as wrong,
    ):
        client.oauth()
    assert "api_url" in wrong.value.remedy


def test_a_refusal_never_holds_the_secret_that_was_sent() -> None:
    secret = Secret("the-secret-of-the-client")
    said = {"message": f"invalid: {secret.reveal()}"}
    wanted = OAuthSettings(client_id="acme-grafana", client_secret=secret)
    with (
        answering({"/api/v1/sso-settings/generic_oauth": said}, status=400) as (client, _),
        pytest.raises(Refused, match="400") as refused,
    ):
        client.save_oauth(wanted)
    assert secret.reveal() not in str(refused.value)
    assert secret.reveal() not in repr(wanted)


def test_unknown_settings_are_kept_and_the_mask_keeps_the_secret() -> None:
    answer = {"settings": {"clientId": "a", "clientSecret": "*********", "teamIds": "1"}, "source": "database"}
    settings = OAuthSettings.of(answer)
    assert settings.wire()["settings"] == {
        **answer["settings"],  # type: ignore[dict-item]
        "enabled": False,
        "authUrl": "",
        "tokenUrl": "",
    }
    without = OAuthSettings.of({"settings": {"clientId": "a", "clientSecret": ""}, "source": "system"})
    assert "clientSecret" not in without.wire()["settings"]


def test_the_strongest_role_is_asked_for_first() -> None:
    assert role_path(["Viewer", "Admin"]) == (
        "contains(roles[*], 'Admin') && 'Admin' || contains(roles[*], 'Viewer') && 'Viewer'"
    )
    assert role_path(ROLES, claim="groups").index("GrafanaAdmin") < role_path(ROLES, claim="groups").index("'Editor'")


@contextmanager
def answers_in_turn(*answers: Response) -> Iterator[Grafana]:
    """Give a client of something that answers these one after the other, and the last from then on."""
    left = list(answers)

    async def answer(_: Request) -> Response:
        return left.pop(0) if len(left) > 1 else left[0]

    with served(Starlette(routes=[Route("/{path:path}", answer)])) as url:
        client = Grafana(WHERE, url, token=Secret(TOKEN))
        yield client
        client.close()


@pytest.mark.parametrize(
    ("answer", "client_id"),
    [
        (RedirectResponse("https://id.example/auth?client_id=acme-grafana&state=x", 302), "acme-grafana"),
        (RedirectResponse("/login", 302), None),
        (JSONResponse({"message": "OAuth not enabled"}, 404), None),
    ],
)
def test_whom_people_are_sent_to_is_read_from_where_they_are_sent(answer: Response, client_id: str | None) -> None:
    with answers_in_turn(answer) as client:
        assert client.login_client() == client_id


def test_it_is_waited_for_until_its_database_answers() -> None:
    starting = (Response("404 page not found", 404), JSONResponse({"database": "failing"}, 503))
    with answers_in_turn(*starting, JSONResponse({"database": "ok"})) as client:
        client.wait_until_well(limit=10)
        assert client.is_well()


def test_waiting_ends() -> None:
    with (
        answers_in_turn(JSONResponse({"database": "failing"}, 503)) as client,
        pytest.raises(Unavailable, match="not well"),
    ):
        client.wait_until_well(limit=0.1)


@pytest.mark.parametrize(
    ("version", "ends"),
    [
        ("9.5.21", False),
        ("10.2.2", False),
        ("10.2.3", True),
        ("10.3.1+security-01", True),
        ("12.0.0-pre", True),
        ("", False),
    ],
)
def test_older_versions_end_their_own_session_alone(version: str, ends: bool) -> None:
    assert ends_provider_session(version) is ends
