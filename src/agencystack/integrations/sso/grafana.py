"""People log in to Grafana through Keycloak, with the organisation role of their groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from agencystack.components.browser import Browser, Page
from agencystack.components.grafana import ROLES as GRAFANA_ROLES
from agencystack.components.grafana import Grafana, OAuthSettings, role_path
from agencystack.engine.integration import Blocked, Capability, Proof, Site, Support, Unsupported, integration
from agencystack.engine.resource import Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.sso.client import Registered
from agencystack.integrations.sso.door import Door, Visitor
from agencystack.integrations.sso.logging_in import Entrance, place_of
from agencystack.integrations.sso.probe import PREFIX, Probe
from agencystack.integrations.sso.proofs import LOGOUT, ROLES, STRANGER, proofs_of
from agencystack.integrations.sso.registration import LoginIntegration, Registration
from agencystack.stack.secrets import Secret

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
            Support.UNSUPPORTED,
            reason="before 10.4 single sign-on is set by file or environment alone",
            alternative="set the GF_AUTH_GENERIC_OAUTH_* variables shown in docs/sso.md",
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
        """Yield Keycloak's side, then Grafana's."""
        registration, grafana = self.registration(site), products.grafana(site.application, site.context)
        yield from registration.resources()
        yield OAuth(grafana, registration)

    def missing(self, site: Site) -> Iterator[str]:
        """Yield the password of Grafana's administrator, beside what every login needs."""
        yield from super().missing(site)
        yield from products.missing_keys(site.application, "admin_password")

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Walk in through the front door."""
        door = GrafanaDoor(site, products.grafana(site.application, site.context))
        return proofs_of(Entrance(self.registration(site), door), prove_admin=site.context.prove_admin)

    def component_version(self, site: Site) -> str | None:
        """Return Grafana's version."""
        grafana = products.grafana(site.application, site.context)
        return site.context.connection(site.application.ref, grafana.version, "version")


class OAuth(Resource):
    """The provider ``generic_oauth``, in Grafana's SSO settings."""

    def __init__(self, grafana: Grafana, registration: Registration) -> None:
        self.component, self.key = grafana.where, "generic OAuth"
        self._grafana, self._registration = grafana, registration

    def read(self) -> Reading:
        """Return our fields of it; switched on for another client it is somebody's."""
        live = self._live()
        fields: dict[str, Value] = {name: getattr(live, name) for name in _FIELDS}
        fields["client_secret"] = Marker.UNREADABLE if live.has_client_secret else None
        foreign = None
        if live.enabled and live.client_id != self._registration.client_id:
            what = f"people log in through {live.auth_url} (client {live.client_id})"
            foreign = Foreign(what, Permission.REPLACE)
        return Reading(fields, {"source": live.source}, foreign)

    def wanted(self) -> Fields:
        """Want strict roles from our claim, and the password form left alone."""
        endpoints, home = self._registration.endpoints, self._registration.registered().home
        back = quote(f"{home}/login", safe="")
        return {
            "enabled": True,
            "name": "Keycloak",
            "client_id": self._registration.client_id,
            "auth_url": endpoints.authorization,
            "token_url": endpoints.token,
            "api_url": endpoints.userinfo,
            "scopes": "openid email profile",
            "use_pkce": True,
            "allow_sign_up": True,
            "login_attribute_path": "preferred_username",
            "role_attribute_path": self._role_path(),
            "role_attribute_strict": True,
            "skip_org_role_sync": False,
            "allow_assign_grafana_admin": "GrafanaAdmin" in self._registration.managed_roles,
            "signout_redirect_url": f"{endpoints.end_session}?post_logout_redirect_uri={back}",
            "client_secret": self._registration.secret,
        }

    def write(self, change: Change) -> None:
        """Save what differs; settings we do not know stay."""
        secret = change.target["client_secret"]
        changed = secret if "client_secret" in change.names and isinstance(secret, Secret) else None
        values = {name: change.target[name] for name in _FIELDS}
        self._grafana.save_oauth(self._live().model_copy(update={**values, "client_secret": changed}))

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Let file and environment decide again where they did before; else put the values back."""
        if before.extra.get("source") == "system":
            self._grafana.reset_oauth()
        else:
            self.write(change)

    def _live(self) -> OAuthSettings:
        live = self._grafana.oauth()
        if live is None:
            raise Unsupported(
                "has no interface for single sign-on settings (older than 10.4, or not configurable there)",
                component=self.component,
                remedy="upgrade it, or set its GF_AUTH_GENERIC_OAUTH_* variables (docs/sso.md)",
            )
        return live

    def _role_path(self) -> str:
        try:
            return role_path(self._registration.managed_roles)
        except ValueError as error:
            raise Blocked(
                str(error), component=self.component, remedy=f"its roles are {', '.join(GRAFANA_ROLES)}"
            ) from error


_FIELDS = (
    "enabled",
    "name",
    "client_id",
    "auth_url",
    "token_url",
    "api_url",
    "scopes",
    "use_pkce",
    "allow_sign_up",
    "login_attribute_path",
    "role_attribute_path",
    "role_attribute_strict",
    "skip_org_role_sync",
    "allow_assign_grafana_admin",
    "signout_redirect_url",
)


class GrafanaDoor(Door):
    """Grafana's login page, session and logout."""

    administrators = frozenset({"Admin", "GrafanaAdmin"})

    def __init__(self, site: Site, grafana: Grafana) -> None:
        self.place = place_of(site, "application")
        self._url = site.application.settings.url.rstrip("/")
        self._grafana = grafana

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
