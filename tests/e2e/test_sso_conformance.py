"""The four built-in logins pass the suite every integration must pass, on the real Keycloak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agencystack.components.wordpress import OWNER, PLUGINS, SSO, Login
from agencystack.engine.context import Component, Context
from agencystack.engine.registry import load as load_integrations
from agencystack.integrations import products
from agencystack.integrations.sso.logging_in import Entrance
from agencystack.stack.errors import BadAnswer, ComponentRef
from agencystack.stack.paths import Home
from agencystack.stack.references import SecretResolver
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit
from agencystack.testing.conformance import ConformanceSuite
from tests.e2e.sso_lab import REALM, SsoLab

pytestmark = pytest.mark.real

ROLE = "Campaigns"
THEIRS = "named by a person"


def in_wordpress(lab: SsoLab) -> object:
    """What WordPress holds of logins: options byte for byte, plugins, whose they are, and its people."""
    context = Context(Home(lab.folder, lab.folder, lab.folder), lab.sealed, lambda _: Secret("unused"))
    wordpress = products.wordpress(Component(*lab.stack.components("acme")["wordpress"]), context)
    for question in (SSO, PLUGINS, OWNER):
        wordpress.ask(question)
    image = wordpress.answer(SSO).logins[Login.CONNECTOR].image.content.reveal()
    return image, str(wordpress.answer(PLUGINS)), dict(wordpress.answer(OWNER)), wordpress.sso_user("agencystack-probe")


def in_erpnext(lab: SsoLab) -> object:
    """Login keys, our app's settings, people."""
    keys = [row["name"] for row in lab.erpnext("GET", "resource/Social Login Key")["data"]]
    settings = lab.erpnext("GET", "resource/AgencyStack Settings/AgencyStack Settings")["data"]
    kept = {name: value for name, value in settings.items() if not name.startswith(("modified", "_"))}
    people = lab.erpnext("GET", 'resource/User?limit_page_length=0&filters=[["name","like","agencystack%"]]')["data"]
    return keys, kept, people


def in_listmonk(lab: SsoLab) -> object:
    """The settings of the provider, without the secret, which can never be emptied again; and the people."""
    settings = dict(lab.listmonk("GET", "settings")["data"]["security.oidc"])
    settings.pop("client_secret")
    return settings, [user["username"] for user in lab.listmonk("GET", "users")["data"]]


def in_grafana(lab: SsoLab) -> object:
    """The provider and the people."""
    url, password = f"http://localhost:{lab.ports['grafana']}", lab.credential("grafana/admin-password")
    with httpx.Client(base_url=url, auth=("admin", password)) as client:
        provider = client.get("/api/v1/sso-settings/generic_oauth").json()
        return {**provider, "id": ""}, client.get("/api/users/lookup?loginOrEmail=agencystack-probe").status_code


STATES: dict[str, Callable[[SsoLab], object]] = {
    "wordpress": in_wordpress,
    "erpnext": in_erpnext,
    "listmonk": in_listmonk,
    "grafana": in_grafana,
}


class LoginBench(Bench):
    """A built-in login on the sandbox; a person meddles in Keycloak.

    Args:
        lab: the sandbox.
        name: the application.
        folder: an empty folder.
    """

    def __init__(self, lab: SsoLab, name: str, folder: Path) -> None:
        found = load_integrations(Home(folder, folder, folder / "key")).get("sso", name)
        assert found is not None
        self.integration, self.stack = found.integration, lab.stack
        self._lab, self._name, self._client = lab, name, f"acme-{name}"
        self._resolver = SecretResolver(lab.sealed)
        self.secrets = [self.resolve(reference) for reference in self.stack.secret_references().values()]

    def resolve(self, reference: Any) -> Secret:
        return self._resolver.resolve(reference)

    def state(self) -> object:
        return realm_of(self._lab), STATES[self._name](self._lab)

    def calls(self) -> int:
        return 0 if self._name == "wordpress" else len(self._lab.calls(self._name))

    def edit(self) -> Edit:
        self._lab.change_client(self._client, name=THEIRS)
        return Edit(f"client {self._client}", "name", lambda: bool(self._lab.client_of(self._client)["name"] == THEIRS))

    def foreign(self) -> str:
        self._lab.keycloak("POST", "", {"realm": REALM, "enabled": True, "verifyEmail": True})
        self._lab.keycloak("POST", f"/{REALM}/clients", {"clientId": self._client})
        return f"client {self._client}"

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        if self._name != "wordpress":
            self._lab.fault(self._name, {"status": 503, "times": 0})
            try:
                yield
            finally:
                self._lab.forgive((self._name,))
            return
        folder = self._lab.folder / "sandbox/data/wordpress/acme/site"
        away = folder.rename(folder.with_name("away"))
        try:
            yield
        finally:
            away.rename(folder)

    @contextmanager
    def failing_proof(self) -> Iterator[None]:
        def nobody(*_: object) -> None:
            raise BadAnswer("lets nobody in", component=ComponentRef("acme", self._name))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Entrance, "log_in", nobody)
            yield


def realm_of(lab: SsoLab) -> object:
    """Return what Keycloak holds: nothing, or clients, their roles, and groups."""
    if all(realm["realm"] != REALM for realm in lab.keycloak("GET", "")):
        return None
    clients = {
        client["clientId"]: (client.get("name", ""), sorted(map(str, client["redirectUris"])))
        for client in lab.keycloak("GET", f"/{REALM}/clients")
    }
    return clients, sorted(group["path"] for group in lab.keycloak("GET", f"/{REALM}/groups"))


class TestConformance(ConformanceSuite):
    """Every test of the suite, for each of the four."""

    @pytest.fixture(params=STATES)
    def bench(self, request: pytest.FixtureRequest, sso: SsoLab, tmp_path: Path) -> Iterator[Bench]:
        for name in ("wordpress", "erpnext", "listmonk", "grafana"):
            sso.sso(name, command="undo")
        if ROLE not in {role["name"] for role in sso.listmonk("GET", "roles/users")["data"]}:
            sso.listmonk("POST", "roles/users", {"name": ROLE, "permissions": ["campaigns:get"]})
        sso.edit(lambda stack: stack["clients"]["acme"]["groups"]["staff"].update(listmonk=[ROLE]))
        yield LoginBench(sso, request.param, tmp_path)
        sso.edit(lambda stack: stack["clients"]["acme"]["groups"]["staff"].pop("listmonk"))
        clean_up(sso, request.param)


def clean_up(lab: SsoLab, name: str) -> None:
    """Take away what a test of the suite left on purpose; its records are gone with its folder."""
    if any(realm["realm"] == REALM for realm in lab.keycloak("GET", "")):
        lab.keycloak("DELETE", f"/{REALM}")
    reset = {
        "erpnext": _reset_erpnext,
        "listmonk": _reset_listmonk,
        "grafana": _reset_grafana,
        "wordpress": _reset_wordpress,
    }
    reset[name](lab)


def _reset_erpnext(lab: SsoLab) -> None:
    for row in lab.erpnext("GET", "resource/Social Login Key")["data"]:
        lab.erpnext("DELETE", f"resource/Social Login Key/{row['name']}")
    empty = {"sso_enabled": 0, "issuer": "", "jwks_url": "", "end_session_url": "", "managed_roles": ""}
    lab.erpnext("PUT", "resource/AgencyStack Settings/AgencyStack Settings", **empty)


def _reset_listmonk(lab: SsoLab) -> None:
    settings = lab.listmonk("GET", "settings")["data"]
    settings["security.oidc"].update(enabled=False, provider_url="", provider_name="", client_id="")
    lab.listmonk("PUT", "settings", settings)


def _reset_grafana(lab: SsoLab) -> None:
    url, password = f"http://localhost:{lab.ports['grafana']}", lab.credential("grafana/admin-password")
    httpx.delete(f"{url}/api/v1/sso-settings/generic_oauth", auth=("admin", password))


def _reset_wordpress(lab: SsoLab) -> None:
    context = Context(Home(lab.folder, lab.folder, lab.folder), lab.sealed, lambda _: Secret("unused"))
    wordpress = products.wordpress(Component(*lab.stack.components("acme")["wordpress"]), context)
    wordpress.ask(PLUGINS)
    if wordpress.answer(PLUGINS).get("agencystack-connector") is not None:
        wordpress.delete_plugin("agencystack-connector")
    wordpress.write_owner({"sso": None})
