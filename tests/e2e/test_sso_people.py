"""People as they come: in two groups, in none any more, with one address for two, with names WordPress refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agencystack.engine.context import Component, Context
from agencystack.engine.integration import Site
from agencystack.integrations import products
from agencystack.integrations.sso.door import Visitor
from agencystack.integrations.sso.logging_in import Arrival, Entrance
from agencystack.integrations.sso.probe import Probe
from agencystack.integrations.sso.wordpress import WordPressDoor, WordPressLogin
from agencystack.stack.paths import Home
from agencystack.stack.references import SecretResolver
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from tests.e2e.sso_lab import PASSWORD, REALM, SsoLab

pytestmark = pytest.mark.real
EVERYBODY = ("anna", "bert", "carl")


class WordPressGate:
    """WordPress's login with Keycloak behind it, for people of a test's own."""

    def __init__(self, lab: SsoLab) -> None:
        home = Home(lab.folder, lab.folder / "log", lab.folder / "sandbox/key")
        sealed = SealedStore(home.secrets_dir, home.key_file)
        self.context = Context(home, sealed, SecretResolver(sealed).resolve)
        stack = lab.stack
        components = stack.components("acme")
        site = Site(
            client="acme",
            domain="acme.example",
            application=Component(*components["wordpress"]),
            provider=Component(*components["keycloak"]),
            settings=stack.application("acme", "sso", "wordpress"),
            context=self.context,
            name="acme/sso/wordpress",
            groups=stack.clients["acme"].roles_in("wordpress"),
        )
        self.wordpress = products.wordpress(site.application, self.context)
        self.door = WordPressDoor(site, self.wordpress)
        self._entrance = Entrance(WordPressLogin().registration(site), self.door)

    def visit(self, username: str) -> tuple[Arrival, Visitor | None]:
        """Log somebody in with a new browser, and ask WordPress who that is."""
        person = Probe(username, "", "", Secret(PASSWORD))
        with self._entrance.browser() as browser:
            arrival = self._entrance.log_in(browser, person)
            return arrival, None if arrival.at_keycloak else self.door.visitor(browser, person)


@pytest.fixture
def gate(sso: SsoLab) -> Iterator[WordPressGate]:
    done = sso.sso("wordpress")
    assert done.statuses() == {"wordpress": "applied"}, done.out
    gate = WordPressGate(sso)
    yield gate
    gate.context.close()
    sso.remove_people()


def roles(visitor: Visitor | None) -> tuple[str, ...]:
    assert visitor is not None
    return visitor.roles


def test_who_is_in_two_groups_has_the_roles_of_both(sso: SsoLab, gate: WordPressGate) -> None:
    sso.person("anna", "/acme/staff", "/acme/customers")
    _, visitor = gate.visit("anna")
    assert roles(visitor) == ("editor", "subscriber")


def test_a_role_taken_in_keycloak_is_gone_at_the_next_login(sso: SsoLab, gate: WordPressGate) -> None:
    bert = sso.person("bert", "/acme/staff", "/acme/customers")
    assert roles(gate.visit("bert")[1]) == ("editor", "subscriber")
    sso.keycloak("DELETE", f"/{REALM}/users/{bert}/groups/{sso.group_id('/acme/staff')}")
    assert roles(gate.visit("bert")[1]) == ("subscriber",)
    sso.keycloak("DELETE", f"/{REALM}/users/{bert}/groups/{sso.group_id('/acme/customers')}")
    arrival, visitor = gate.visit("bert")
    assert visitor is None
    assert "no role on this site" in arrival.said


def test_an_address_nobody_verified_opens_nobodys_account(sso: SsoLab, gate: WordPressGate) -> None:
    admin = "admin@acme.example"
    sso.person("mallory", "/acme/staff", verified=False, email=admin)
    arrival, visitor = gate.visit("mallory")
    if visitor is not None:
        assert visitor.email != admin
        assert "administrator" not in visitor.roles
    else:
        assert arrival.said


def test_a_name_wordpress_refuses_is_let_in_under_one_it_takes(sso: SsoLab, gate: WordPressGate) -> None:
    sso.person("carl", "/acme/staff", username="carl+shop")
    _, visitor = gate.visit("carl+shop")
    assert visitor is not None
    assert visitor.email == "carl@acme.example"
    assert visitor.roles == ("editor",)


def test_a_group_somebody_renamed_is_drift_that_names_it(sso: SsoLab, gate: WordPressGate) -> None:
    group = sso.group_id("/acme/staff")
    sso.keycloak("PUT", f"/{REALM}/groups/{group}", {"name": "team"})
    planned = sso.sso("wordpress", command="plan")
    assert planned.code == 3
    assert "shared/keycloak: group /acme/staff" in planned.changed("wordpress")
    sso.keycloak("PUT", f"/{REALM}/groups/{group}", {"name": "staff"})
    assert sso.sso("wordpress", command="plan").json["changes"] == 0


def test_another_provider_somebody_set_up_is_left_until_it_may_be_replaced(sso: SsoLab, gate: WordPressGate) -> None:
    sso.sso("wordpress", command="undo")
    option = {"login": "connector", "issuer": "https://login.other.example", "client_id": "theirs"}
    assert gate.wordpress is not None
    with _their_settings(sso, gate, option):
        blocked = sso.sso("wordpress")
        assert blocked.statuses() == {"wordpress": "blocked"}
        assert "login.other.example" in blocked.reason("wordpress")


@contextmanager
def _their_settings(sso: SsoLab, gate: WordPressGate, option: dict[str, Any]) -> Iterator[None]:
    from agencystack.components.wordpress import SSO, Login, SsoSettings

    gate.wordpress.install_connector()
    gate.wordpress.forget()
    image = gate.wordpress.answer(SSO).logins[Login.CONNECTOR].image
    theirs = SsoSettings(
        issuer=option["issuer"],
        client_id=option["client_id"],
        client_secret=Secret("their-secret"),
        authorize_url=f"{option['issuer']}/auth",
        token_url=f"{option['issuer']}/token",
        jwks_url=f"{option['issuer']}/certs",
        roles=("editor",),
    )
    gate.wordpress.write_sso(theirs)
    try:
        yield
    finally:
        gate.wordpress.restore_sso(Login.CONNECTOR, image, applied=theirs, force=True)
        gate.wordpress.delete_plugin("agencystack-connector")
