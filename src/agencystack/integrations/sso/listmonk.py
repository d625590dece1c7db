"""People log in to Listmonk through Keycloak; who they are and what they may do there, `roles sync` tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from agencystack.components.browser import Browser, Page
from agencystack.components.listmonk import Listmonk
from agencystack.engine.integration import Blocked, Capability, Proof, Site, Support, integration
from agencystack.engine.resource import Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.sso.client import Registered
from agencystack.integrations.sso.door import Door, Visitor
from agencystack.integrations.sso.logging_in import Entrance, place_of
from agencystack.integrations.sso.probe import PREFIX, LeftUsers, Probe
from agencystack.integrations.sso.proofs import LOGOUT, ROLES, STRANGER, proofs_of
from agencystack.integrations.sso.registration import LoginIntegration, Registration
from agencystack.integrations.sso.roster import Roster
from agencystack.integrations.sso.rosters import ListmonkRoster
from agencystack.stack.secrets import Secret

BUTTON = "Keycloak"
MOST_WORDS = 300
LOGIN = "/admin/login"
START = "/auth/oidc"
SUPER_ADMIN = "Super Admin"


@integration("sso", "listmonk", provider="keycloak", version=1)
class ListmonkLogin(LoginIntegration):
    """Let Listmonk's users in through Keycloak; its own password login stays as the way back in."""

    capabilities = (
        Capability("login through Keycloak", Support.SUPPORTED, proof=ROLES),
        Capability(
            "roles from groups",
            Support.PARTIAL,
            proof=STRANGER,
            reason="Listmonk reads no role from a token",
            alternative="`agencystack roles sync` makes its users and sets their role from the groups in Keycloak",
        ),
        Capability("password login stays as the way back in", Support.SUPPORTED, proof=ROLES),
        Capability(
            "logout ends Keycloak's session",
            Support.PARTIAL,
            proof=LOGOUT,
            reason="Listmonk ends only its own session",
            alternative="a short SSO session in Keycloak (Realm settings, Sessions)",
        ),
        Capability(
            "Keycloak has an internal address for it",
            Support.UNSUPPORTED,
            reason="Listmonk asks the issuer's address for everything",
            alternative="let the container reach Keycloak's public address",
        ),
    )

    def registration(self, site: Site) -> Registration:
        """Return Listmonk's client; it sends no code challenge."""
        listmonk = products.listmonk(site.application, site.context)

        def registered() -> Registered:
            return Registered(f"Listmonk {site.domain}", listmonk.root_url(), (listmonk.redirect_uri(),), pkce=False)

        return Registration(site, registered)

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield Keycloak's side, then Listmonk's; last, what proofs that died left."""
        registration, listmonk = self.registration(site), products.listmonk(site.application, site.context)
        yield from registration.resources()
        yield LoginSettings(listmonk, registration)
        yield left_users(listmonk)

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Walk in through the front door."""
        door = ListmonkDoor(site, products.listmonk(site.application, site.context))
        return proofs_of(Entrance(self.registration(site), door), prove_admin=site.context.prove_admin)

    def roster(self, site: Site) -> Roster:
        """Return Listmonk's users."""
        return ListmonkRoster(products.listmonk(site.application, site.context), self.registration(site).managed_roles)

    def component_version(self, site: Site) -> str | None:
        """Return Listmonk's version."""
        listmonk = products.listmonk(site.application, site.context)
        return site.context.connection(site.application.ref, listmonk.version, "version")


class LoginSettings(Resource):
    """Listmonk's OpenID provider. Whoever has no user there is refused: a role they should have is not known to it."""

    def __init__(self, listmonk: Listmonk, registration: Registration) -> None:
        self.component, self.key = listmonk.where, "login settings"
        self._listmonk, self._registration = listmonk, registration

    def read(self) -> Reading:
        """Return the settings; another provider that is switched on is somebody's."""
        self._require_break_glass()
        live = self._listmonk.oidc_settings()
        fields: dict[str, Value] = {name: getattr(live, name) for name in _FIELDS}
        fields["client_secret"] = Marker.UNREADABLE if live.has_client_secret else None
        foreign = None
        if live.enabled and live.client_id != self._registration.client_id:
            what = f"people log in through {live.provider_url} (client {live.client_id})"
            foreign = Foreign(what, Permission.REPLACE)
        return Reading(fields, foreign=foreign)

    def wanted(self) -> Fields:
        """Want our realm, and nobody made by the login alone."""
        return {
            "enabled": True,
            "provider_url": self._registration.endpoints.issuer,
            "provider_name": BUTTON,
            "client_id": self._registration.client_id,
            "auto_create_users": False,
            "client_secret": self._registration.secret,
        }

    def write(self, change: Change) -> None:
        """Write what differs; Listmonk restarts."""
        secret = change.target["client_secret"]
        values = {name: change.target[name] for name in _FIELDS}
        changed = secret if "client_secret" in change.names and isinstance(secret, Secret) else None
        live = self._listmonk.oidc_settings()
        self._listmonk.save_oidc_settings(live.model_copy(update={**values, "client_secret": changed}))

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put back what was there. The secret of before was never shown to us; Listmonk keeps the one it has."""
        self.write(change)

    def _require_break_glass(self) -> None:
        """Refuse where nobody could get in any more if Keycloak failed."""
        if not any(user.is_break_glass for user in self._listmonk.people.users()):
            raise Blocked(
                "no enabled super admin has a password, so nobody could get in if Keycloak fails",
                component=self.component,
                remedy="give one of its super admins a password (Listmonk, Users), then run again",
            )


_FIELDS = ("enabled", "provider_url", "provider_name", "client_id", "auto_create_users")


def left_users(listmonk: Listmonk) -> LeftUsers:
    """Return the users of proofs that died; Listmonk knows probe users by their address."""
    people = listmonk.people
    return LeftUsers(listmonk.where, lambda: {user.username: partial(people.delete, user) for user in people.users()})


class ListmonkDoor(Door):
    """Listmonk's login page, session and logout."""

    administrators = frozenset({SUPER_ADMIN})
    way_back = "the password of a super admin, which is not touched; without one this integration is blocked"

    def __init__(self, site: Site, listmonk: Listmonk) -> None:
        self.place = place_of(site, "application")
        self._url = site.application.settings.url.rstrip("/")
        self._listmonk = listmonk

    def ends_keycloak_session(self) -> bool:
        """Say no: Listmonk ends its own session alone."""
        return False

    def begin(self, browser: Browser) -> Page:
        """Press the provider's button on the login page."""
        page = browser.open(self._url + LOGIN)
        form = next((form for form in page.contents.forms if form.action.endswith(START)), None)
        return browser.submit(page, form, {}) if form is not None else page

    def admit(self, probe: Probe, roles: tuple[str, ...]) -> None:
        """Make the user with their role: Listmonk gives one person one role."""
        role = self._listmonk.people.role(roles[0])
        self._listmonk.people.create(username=probe.email, email=probe.email, name=probe.username, role=role)

    def visitor(self, browser: Browser, probe: Probe) -> Visitor | None:
        """Return whom Listmonk says is logged in."""
        answer = browser.ask(f"{self._url}/api/profile", headers={"accept": "application/json"})
        if answer.status_code != 200:
            return None
        data = answer.json()["data"]
        return Visitor(str(data["username"]), str(data["email"] or ""), (str(data["user_role"]["name"]),))

    def leave(self, browser: Browser) -> Page:
        """Log out."""
        return browser.post(f"{self._url}/api/logout", {})

    def forget(self, probe: Probe) -> None:
        """Delete the user."""
        user = self._listmonk.people.by_email(probe.email)
        if user is not None and user.username.startswith(PREFIX):
            self._listmonk.people.delete(user)

    def expected(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return the one role Listmonk gives: the first by name."""
        return (sorted(roles)[0],)

    def words(self, page: Page) -> str:
        """Return what Listmonk's login page says; its message has no place of its own there."""
        return page.contents.text[:MOST_WORDS]
