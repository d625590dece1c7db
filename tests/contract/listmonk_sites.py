"""A Listmonk that knows an OpenID provider, for the tests of its logins and of its people."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from ruamel.yaml import YAML

from agencystack.components.listmonk import Listmonk, OidcSettings, Role
from agencystack.sandbox.listmonk import ApiUser, ListmonkStandIn
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import Stack
from agencystack.stack.references import SecretResolver
from agencystack.stack.secrets import Secret
from tests.oidc_provider import OidcProvider
from tests.serving import free_port, served

RECORDINGS = Path(__file__).parent / "recordings" / "listmonk"
WHERE = ComponentRef("acme", "listmonk")
USER, TOKEN, PASSWORD = "agencystack", "recorded-token-in-tests", "a-password-of-the-admin"
CLIENT, SECRET = "acme-listmonk", "the-second-secret"
PERSON = {"sub": "f2b1", "email": "Mara@Acme.Example", "email_verified": True, "name": "Mara Editor"}


def recorded(name: str) -> list[dict[str, Any]]:
    exchanges: list[dict[str, Any]] = json.loads((RECORDINGS / f"{name}.json").read_text())["exchanges"]
    return exchanges


API_USERS = {
    USER: ApiUser(TOKEN),
    "reader": ApiUser(TOKEN, frozenset({"settings:get"})),
    "outsider": ApiUser(TOKEN, frozenset({"lists:get_all"}), role="lists"),
}


@dataclass
class Site:
    """A Listmonk that knows the provider, and the provider."""

    url: str
    auth: tuple[str, str]
    client: Listmonk
    provider: OidcProvider
    password: str | None
    real: bool = False

    def switch_on(self, **changes: Any) -> None:
        wanted = OidcSettings(
            enabled=True,
            provider_url=self.provider.issuer,
            provider_name="Keycloak",
            client_id=CLIENT,
            client_secret=Secret(SECRET),
        )
        self.client.save_oidc_settings(wanted.model_copy(update=changes))

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10)

    @property
    def role(self) -> Role:
        return self.client.people.roles()[-1]

    def make_mara(self) -> int:
        made = self.client.people.create(username="mara", email="mara@acme.example", name="Mara", role=self.role)
        return made.id


@contextmanager
def served_provider() -> Iterator[OidcProvider]:
    """Serve a provider that knows Listmonk."""
    provider = OidcProvider({CLIENT: SECRET})
    with served(provider.app) as url:
        provider.issuer = url
        yield provider


@contextmanager
def listmonk_site(kind: str, state: Path, provider: OidcProvider) -> Iterator[Site]:
    """Give the stand-in, or the real one ``AGENCYSTACK_TEST_STACK`` names; what a test leaves in it is taken away."""
    provider.clients, provider.id_token, provider.forge = {CLIENT: SECRET}, {}, False
    with contextlib.ExitStack() as stack:
        made = _real(provider) if kind == "real" else _stand_in(stack, state, provider)
        stack.callback(made.client.close)
        before = made.client.oidc_settings()
        yield made
        for user in made.client.people.users():
            if (user.email or "").endswith("@acme.example") and not user.is_break_glass:
                made.client.people.delete(user)
        if made.real:
            made.client.save_oidc_settings(before)


def _stand_in(stack: contextlib.ExitStack, tmp_path: Path, provider: OidcProvider) -> Site:
    url = f"http://127.0.0.1:{free_port()}"
    app = ListmonkStandIn(tmp_path, API_USERS, admin_password=PASSWORD, url=url, restart_after=0.02, gap=0.01)
    reached = stack.enter_context(served(app))
    client = Listmonk(WHERE, reached, USER, Secret(TOKEN))
    return Site(reached, (USER, TOKEN), client, provider, PASSWORD)


def _real(provider: OidcProvider) -> Site:
    path = os.environ.get("AGENCYSTACK_TEST_STACK")
    if not path:
        pytest.skip("AGENCYSTACK_TEST_STACK names no Listmonk")
    stack = Stack.model_validate(YAML(typ="safe").load(Path(path).read_text()))
    for ref, component in stack.all_components().items():
        url = component.reached_by_us()
        if ref.name == "listmonk" and not component.sandbox and urlsplit(url).hostname in {"127.0.0.1", "localhost"}:
            token = SecretResolver(_NoSealed()).resolve(component.secret_references()["api_token"])
            client = Listmonk(ref, url, component.api_user, token, ca_file=component.ca_file)
            return Site(url, (component.api_user, token.reveal()), client, provider, None, real=True)
    pytest.skip("AGENCYSTACK_TEST_STACK names no real Listmonk that reaches a provider on this machine")


class _NoSealed:
    def get(self, name: str) -> Secret | None:
        return None


def nonce_of(browser: httpx.Client) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', browser.get("/admin/login").text)
    assert found
    return found[1]


def begin(browser: httpx.Client, where: str = "/admin/lists") -> httpx.Response:
    return browser.post("/auth/oidc", data={"nonce": nonce_of(browser), "next": where})


def come_back(
    browser: httpx.Client, start: httpx.Response, add: dict[str, str] | None = None, drop: str = ""
) -> httpx.Response:
    """Let the provider answer, and follow it to Listmonk, with what is changed on the way."""
    target = urlsplit(httpx.get(start.headers["location"]).headers["location"])
    query = dict(parse_qsl(target.query)) | (add or {})
    query.pop(drop, None)
    return browser.get(f"/auth/oidc?{urlencode(query)}")
