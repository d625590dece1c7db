"""The integration for any OpenID Connect application, up to the edge of Keycloak."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agencystack.components.browser import Page
from agencystack.engine.integration import Evidence, Site
from agencystack.engine.planning import Status
from agencystack.engine.registry import Found, Registry
from agencystack.engine.session import Session, Wish
from agencystack.integrations.sso.oidc import OidcDoor, OidcLogin, RefusalProof
from agencystack.integrations.sso.probe import Probe
from agencystack.integrations.sso.proofs import ROLES, STRANGER, StrangerProof
from agencystack.integrations.sso.registration import Registration
from agencystack.stack.model import Stack
from agencystack.stack.secrets import Secret
from tests.engine.fakes import World, make_integration
from tests.serving import served

PROOF = {
    "start": "/login",
    "who": {"url": "/me", "name": "/user/name", "email": "/user/email", "roles": "/user/roles"},
    "logout": "https://elsewhere.example/out",
    "administrators": ["owner"],
}
BODY = {"id": "{client_id}", "secret": "{client_secret}", "endpoints": ["{authorization}", "{token}"]}
PERSON = Probe("agencystack-probe-1-x", "probe@acme.example", "id", Secret("the-password-of-the-probe"))


class Wiki(World):
    """A world with one described application."""

    url = "https://wiki.acme.example"
    oidc: dict[str, Any]
    exec: dict[str, Any] | None = None

    def stack(self) -> Stack:
        wiki = {"custom": True, "url": self.url, "credentials": {"api-token": "env:TOKEN"}, "oidc": self.oidc}
        client = {
            "domain": "acme.example",
            "components": {"wiki": {**wiki, **({"exec": self.exec} if self.exec else {})}},
            "groups": {"staff": {"wiki": ["editor"]}, "owners": {"wiki": ["owner"]}},
        }
        keycloak = {"url": "https://id.example/auth", "internal_url": "http://keycloak:8080/auth"}
        stack = {"version": 1, "shared": {"components": {"keycloak": keycloak}}, "clients": {"acme": client}}
        return Stack.model_validate_json(json.dumps(stack))

    def described(self, **way: Any) -> None:
        self.oidc = {"redirect_uris": [f"{self.url}/callback"], "proof": PROOF, **way}

    def site(self, session: Session) -> Site:
        session.registry = Registry([Found(OidcLogin(), Path(__file__))])
        [(_, site)] = session.select(Wish()).sites
        return site

    def only_settings(self) -> None:
        """Have the last resource of the integration alone: the others are Keycloak's."""
        made = make_integration(
            lambda site: [list(OidcLogin().resources(site))[-1]], application="wiki", type="sso", provider="keycloak"
        )
        self.add(made)


@pytest.fixture
def wiki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wiki:
    monkeypatch.setattr(Registration, "secret", property(lambda _self: Secret("made-by-keycloak")))
    return Wiki(tmp_path)


class TestByProgram:
    @pytest.fixture
    def place(self, wiki: Wiki) -> Iterator[Path]:
        # Not pytest's own folder: where root runs the tests, the application's user must be able to enter it.
        folder = Path(tempfile.mkdtemp(prefix="wiki-"))
        folder.chmod(0o777)
        program, undo = (folder / name for name in ("take", "undo"))
        program.write_text(f'#!/bin/sh\ncat > {folder}/settings.json\necho "$@" > {folder}/argv\nenv > {folder}/env\n')
        undo.write_text(f"#!/bin/sh\ncat > {folder}/undone.json\nrm {folder}/settings.json\n")
        for file in (program, undo):
            file.chmod(0o755)
        wiki.exec = {"local": True, **({"user": "nobody"} if os.geteuid() == 0 else {})}
        wiki.described(command={"argv": [str(program), "login"], "undo": [str(undo)]})
        wiki.only_settings()
        yield folder
        shutil.rmtree(folder)

    def test_all_words_arrive_on_standard_input_and_nowhere_else(self, wiki: Wiki, place: Path) -> None:
        [result] = wiki.integrate()
        assert result.status is Status.APPLIED, result.reason
        told = json.loads((place / "settings.json").read_text())
        assert told["client_secret"] == "made-by-keycloak"
        assert told["issuer"] == "https://id.example/auth/realms/agencystack"
        assert told["token"].startswith("http://keycloak:8080/auth/realms/")
        assert (place / "argv").read_text() == "login\n"
        assert "made-by-keycloak" not in (place / "env").read_text()
        assert [result.changes for result in wiki.integrate()] == [[]]

    def test_undo_runs_its_own_program_without_the_secret(self, wiki: Wiki, place: Path) -> None:
        wiki.integrate()
        wiki.undo()
        assert not (place / "settings.json").exists()
        assert json.loads((place / "undone.json").read_text())["client_id"] == "acme-wiki"
        assert "made-by-keycloak" not in (place / "undone.json").read_text()


class TestByCall:
    @pytest.fixture
    def seen(self, wiki: Wiki) -> Iterator[list[tuple[str, str, Any]]]:
        calls: list[tuple[str, str, Any]] = []

        async def take(request: Request) -> Response:
            body = await request.json() if await request.body() else None
            calls.append((f"{request.method} {request.url.path}", request.headers.get("authorization", ""), body))
            return PlainTextResponse("taken")

        with served(Starlette(routes=[Route("/api/login", take, methods=["PUT", "DELETE"])])) as url:
            wiki.url = url
            call = {
                "method": "PUT",
                "url": "/api/login",
                "headers": {"authorization": "Bearer {credentials.api-token}"},
            }
            wiki.described(http={**call, "body": BODY, "undo": {**call, "method": "DELETE"}})
            wiki.only_settings()
            yield calls

    def test_the_body_is_filled_in_and_the_credential_is_the_components(
        self, wiki: Wiki, seen: list[tuple[str, str, Any]]
    ) -> None:
        [result] = wiki.integrate()
        assert result.status is Status.APPLIED, result.reason
        [(what, key, body)] = seen
        assert (what, key) == ("PUT /api/login", "Bearer not used here")
        assert (body["id"], body["secret"]) == ("acme-wiki", "made-by-keycloak")
        assert body["endpoints"][0] == "https://id.example/auth/realms/agencystack/protocol/openid-connect/auth"
        assert [result.changes for result in wiki.integrate()] == [[]]
        assert len(seen) == 1

    def test_undo_makes_its_own_call(self, wiki: Wiki, seen: list[tuple[str, str, Any]]) -> None:
        wiki.integrate()
        wiki.undo()
        assert seen[-1] == ("DELETE /api/login", "Bearer not used here", None)


def test_a_credential_nobody_gave_is_named(wiki: Wiki) -> None:
    wiki.described(http={"url": "/login", "headers": {"x-key": "{credentials.other}"}, "body": BODY})
    wiki.only_settings()
    [item] = wiki.plan().integrations
    assert "has no credential other" in item.reason


def test_what_commands_need_is_missing_where_nobody_says_how_they_run(wiki: Wiki) -> None:
    wiki.described(file={"path": "/srv/wiki.ini", "template": "{client_id}{client_secret}"})
    with wiki.session() as session:
        missing = list(OidcLogin().missing(wiki.site(session)))
    assert missing == ["shared.components.keycloak.admin_password", "clients.acme.components.wiki.exec"]


def test_an_application_that_lets_everybody_in_is_warned_of_and_not_claimed(wiki: Wiki) -> None:
    wiki.described(http={"url": "/login", "body": BODY})
    with wiki.session() as session:
        site = wiki.site(session)
        assert list(OidcLogin().warnings(site)) == []
        assert STRANGER in [proof.name for proof in OidcLogin().proofs(site)]
    wiki.described(http={"url": "/login", "body": BODY}, proof={**PROOF, "refuses_strangers": False})
    with wiki.session() as session:
        site = wiki.site(session)
        [warning] = OidcLogin().warnings(site)
        assert "lets in everybody whom the realm agencystack knows" in warning
        names = [proof.name for proof in OidcLogin().proofs(site)]
    assert ROLES in names
    assert STRANGER not in names


class Visit:
    """A browser that is answered one thing, and remembers where it was sent."""

    def __init__(self, status: int = 200, text: str = "") -> None:
        self.asked: list[str] = []
        self._status, self._text = status, text

    def ask(self, url: str, *, headers: Any = None) -> httpx.Response:
        self.asked.append(url)
        return httpx.Response(self._status, text=self._text)

    def open(self, url: str) -> Page:
        self.asked.append(url)
        return Page(url, self._status, self._text, ())


@pytest.fixture
def door(wiki: Wiki) -> Iterator[OidcDoor]:
    wiki.url = "https://wiki.acme.example/app/"
    wiki.described(http={"url": "/login", "body": BODY})
    with wiki.session() as session:
        site = wiki.site(session)
        yield OidcDoor(site, site.application.settings.oidc.proof)


def seen(door: OidcDoor, data: Any, status: int = 200) -> tuple[str, str, tuple[str, ...]] | None:
    text = data if isinstance(data, str) else json.dumps(data)
    visitor = door.visitor(Visit(status, text), PERSON)  # type: ignore[arg-type]
    return None if visitor is None else (visitor.name, visitor.email, visitor.roles)


def test_who_is_there_is_what_the_pointers_lead_to(door: OidcDoor) -> None:
    anna = {"name": "anna", "email": "anna@acme.example"}
    assert seen(door, {"user": {**anna, "roles": ["b", "a"]}}) == ("anna", "anna@acme.example", ("a", "b"))
    assert seen(door, {"user": {**anna, "roles": "a"}}) == ("anna", "anna@acme.example", ("a",))
    assert seen(door, {"user": anna}) == ("anna", "anna@acme.example", ())


@pytest.mark.parametrize(
    ("data", "status"),
    [({"user": None}, 200), ({"user": {"name": ""}}, 200), ("<html>log in", 200), ({"user": {"name": "anna"}}, 401)],
)
def test_nobody_is_there(door: OidcDoor, data: Any, status: int) -> None:
    assert seen(door, data, status) is None


def test_paths_stand_below_the_applications_own_and_whole_addresses_as_they_are(door: OidcDoor) -> None:
    visit = Visit()
    door.begin(visit)  # type: ignore[arg-type]
    door.leave(visit)  # type: ignore[arg-type]
    assert visit.asked == ["https://wiki.acme.example/app/login", "https://elsewhere.example/out"]
    assert door.administrators == {"owner"}


@pytest.mark.parametrize(
    ("text", "ok"), [(None, True), ("no role", True), ("No Role", True), ("you are not welcome", False)]
)
def test_a_refused_person_must_read_what_stack_yaml_says(
    monkeypatch: pytest.MonkeyPatch, text: str | None, ok: bool
) -> None:
    refused = Evidence(ok=True, seen={"answer": "Sorry: you have no role here."})
    monkeypatch.setattr(StrangerProof, "run", lambda _self: refused)
    evidence = RefusalProof(None, text).run()  # type: ignore[arg-type]
    assert evidence.ok is ok
    assert ok or "Sorry: you have no role here." in evidence.reason
