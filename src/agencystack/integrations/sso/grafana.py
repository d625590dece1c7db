"""People log in to Grafana through Keycloak, with the organisation role of their groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from agencystack.components.browser import Browser, Page
from agencystack.components.grafana import ROLES as GRAFANA_ROLES
from agencystack.components.grafana import Grafana, ends_provider_session
from agencystack.engine.integration import Capability, Proof, Site, Support, integration
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.sso.client import Registered
from agencystack.integrations.sso.door import Door, Visitor
from agencystack.integrations.sso.grafana_oauth import VARIABLES, OAuth, told_by_file, variables_in
from agencystack.integrations.sso.logging_in import Entrance, place_of
from agencystack.integrations.sso.probe import PREFIX, LeftUsers, Probe
from agencystack.integrations.sso.proofs import LOGOUT, ROLES, STRANGER, proofs_of
from agencystack.integrations.sso.registration import LoginIntegration, Registration
from agencystack.stack.products import Grafana as GrafanaSettings

UNVERIFIED = "written after Grafana's source and documentation, and not yet tried on the product"


@integration("sso", "grafana", provider="keycloak", version=1)
class GrafanaLogin(LoginIntegration):
    """Let Grafana's people in through generic OAuth; its own password login stays as the way back in."""

    capabilities = (
        Capability("login through Keycloak", Support.PARTIAL, proof=ROLES, reason=UNVERIFIED),
        Capability("organisation role from groups", Support.PARTIAL, proof=ROLES, reason=UNVERIFIED),
        Capability("a person without a group is refused", Support.PARTIAL, proof=STRANGER, reason=UNVERIFIED),
        Capability("logout ends Keycloak's session", Support.PARTIAL, proof=LOGOUT, reason=UNVERIFIED),
        Capability(
            "versions without the SSO settings API",
            Support.PARTIAL,
            proof=ROLES,
            reason=(
                "only with `env_file`: its environment file is changed, and Grafana restarted; before 10.2.3 a logout "
                "leaves Keycloak's session"
            ),
            alternative="write `env_file`, `restart` and `exec` of grafana in stack.yaml, or upgrade it",
        ),
    )

    def registration(self, site: Site) -> Registration:
        """Return Grafana's client."""
        grafana = products.grafana(site.application, site.context)

        def registered() -> Registered:
            url = grafana.root_url()
            return Registered(f"Grafana {site.domain}", url, (grafana.redirect_uri(),), (f"{url}/login",))

        return Registration(site, registered)

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield Keycloak's side, then Grafana's settings, variables in its file if one is named, dead proofs' users."""
        registration, grafana = self.registration(site), products.grafana(site.application, site.context)
        yield from registration.resources()
        yield OAuth(grafana, registration, told_by_file(site, grafana))
        path = products.settings_of(site.application, GrafanaSettings).env_file
        if path is not None:
            yield variables_in(path, site, grafana, registration)
        yield left_users(grafana)

    def former(self, site: Site, key: str) -> Resource | None:
        """Return the variables of a file that stack.yaml named once, or a resource in Keycloak."""
        if key.startswith(VARIABLES):
            grafana = products.grafana(site.application, site.context)
            return variables_in(key.removeprefix(VARIABLES), site, grafana, self.registration(site))
        return super().former(site, key)

    def missing(self, site: Site) -> Iterator[str]:
        """Yield the password of Grafana's administrator, beside what every login needs; what its file needs."""
        yield from super().missing(site)
        yield from products.missing_keys(site.application, "admin_password")
        if products.settings_of(site.application, GrafanaSettings).env_file is not None:
            yield from products.missing_keys(site.application, "exec", "restart")

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Walk in through the front door."""
        grafana = products.grafana(site.application, site.context)
        by_file = told_by_file(site, grafana)

        def ends_session() -> bool:
            return not by_file() or ends_provider_session(self.component_version(site) or "")

        door = GrafanaDoor(site, grafana, ends_session)
        return proofs_of(Entrance(self.registration(site), door), prove_admin=site.context.prove_admin)

    def component_version(self, site: Site) -> str | None:
        """Return Grafana's version."""
        grafana = products.grafana(site.application, site.context)
        return site.context.connection(site.application.ref, grafana.version, "version")


def left_users(grafana: Grafana) -> LeftUsers:
    """Return the users of proofs that died."""

    def find() -> dict[str, Callable[[], object]]:
        return {user.login: partial(grafana.delete_user, user) for user in grafana.users_with_prefix(PREFIX)}

    return LeftUsers(grafana.where, find)


class GrafanaDoor(Door):
    """Grafana's login page, session and logout."""

    administrators = frozenset({"Admin", "GrafanaAdmin"})

    def __init__(self, site: Site, grafana: Grafana, ends_session: Callable[[], bool]) -> None:
        self.place = place_of(site, "application")
        self._url = site.application.settings.url.rstrip("/")
        self._grafana, self._ends_session = grafana, ends_session

    def ends_keycloak_session(self) -> bool:
        """Say whether this version sends people to Keycloak's end of session."""
        return self._ends_session()

    def begin(self, browser: Browser) -> Page:
        """Go where the button of the login page leads; the page itself is drawn by scripts."""
        return browser.open(f"{self._url}/login/generic_oauth")

    def visitor(self, browser: Browser, probe: Probe) -> Visitor | None:
        """Return whom Grafana says is logged in, with the roles in its organisations."""
        json = {"accept": "application/json"}
        answer = browser.ask(f"{self._url}/api/user", headers=json)
        if answer.status_code != 200:
            return None
        user = answer.json()
        memberships = browser.ask(f"{self._url}/api/user/orgs", headers=json).json()
        roles = {str(row["role"]) for row in memberships} | ({"GrafanaAdmin"} if user.get("isGrafanaAdmin") else set())
        return Visitor(str(user["login"]), str(user["email"]), tuple(sorted(roles)))

    def leave(self, browser: Browser) -> Page:
        """Log out, through Keycloak's end of session."""
        return browser.open(f"{self._url}/logout")

    def forget(self, probe: Probe) -> None:
        """Delete the user."""
        user = self._grafana.user(probe.username)
        if user is not None and user.login.startswith(PREFIX):
            self._grafana.delete_user(user)

    def expected(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return the strongest: Grafana gives one role in an organisation, and a server administrator is Admin."""
        strongest = next(role for role in GRAFANA_ROLES if role in set(roles))
        return ("Admin", "GrafanaAdmin") if strongest == "GrafanaAdmin" else (strongest,)
