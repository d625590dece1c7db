"""People log in to ERPNext through Keycloak; our app gives them their roles, without it `roles sync` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from urllib.parse import urljoin

from agencystack.components.browser import Browser, Page
from agencystack.components.erpnext import ErpNext
from agencystack.components.erpnext.login import CALLBACK, KEYCLOAK, SETTINGS
from agencystack.components.erpnext.roles import AUTOMATIC
from agencystack.engine.integration import Capability, Proof, Site, Support, integration
from agencystack.engine.resource import ABSENT, Action, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.sso.client import Registered
from agencystack.integrations.sso.door import ChecksTokens, Door, Visitor
from agencystack.integrations.sso.logging_in import Entrance, place_of
from agencystack.integrations.sso.probe import PREFIX, LeftUsers, Probe
from agencystack.integrations.sso.proofs import FORGED, LOGOUT, ROLES, STRANGER, proofs_of
from agencystack.integrations.sso.registration import LoginIntegration, Registration
from agencystack.integrations.sso.roster import Roster
from agencystack.integrations.sso.rosters import ErpNextRoster
from agencystack.stack.secrets import Secret

MOST_WORDS = 300
START = "/api/method/agencystack_connector.sso.login.start"
WITHOUT_APP = "only with our app agencystack_connector in ERPNext"


@integration("sso", "erpnext", provider="keycloak", version=1)
class ErpNextLogin(LoginIntegration):
    """Let ERPNext's people in through the Social Login Key ``keycloak``."""

    capabilities = (
        Capability("login through Keycloak", Support.SUPPORTED, proof=ROLES),
        Capability(
            "roles from groups at login",
            Support.PARTIAL,
            proof=ROLES,
            reason=WITHOUT_APP,
            alternative="`agencystack roles sync` makes the users and gives and takes their roles",
        ),
        Capability("a person without a group is refused", Support.SUPPORTED, proof=STRANGER),
        Capability(
            "state bound to the browser, PKCE, tokens checked",
            Support.PARTIAL,
            proof=FORGED,
            reason=f"{WITHOUT_APP}; ERPNext itself accepts a forged state and follows any address in it (measured)",
            alternative="install the app: docs/sso.md",
        ),
        Capability(
            "logout ends Keycloak's session", Support.PARTIAL, proof=LOGOUT, reason=WITHOUT_APP, alternative="the app"
        ),
    )

    def registration(self, site: Site) -> Registration:
        """Return ERPNext's client; only our app sends a code challenge, so Keycloak cannot insist on it."""
        url = site.application.settings.url.rstrip("/")
        home = Registered(f"ERPNext {site.domain}", url, (url + CALLBACK,), (f"{url}/login", url), pkce=False)
        return Registration(site, lambda: home)

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield Keycloak's side, the app's settings, the key that opens the door; last, what dead proofs left."""
        registration, erpnext = self.registration(site), products.erpnext(site.application, site.context)
        yield from registration.resources()
        app = connector_app(site)
        yield ConnectorApp(erpnext, registration, app)
        yield SocialLogin(erpnext, registration, app)
        yield left_users(erpnext)

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Walk in through the front door."""
        erpnext = products.erpnext(site.application, site.context)
        door = ErpNextDoor(site, erpnext, connector_app(site))
        return proofs_of(Entrance(self.registration(site), door), prove_admin=site.context.prove_admin)

    def roster(self, site: Site) -> Roster | None:
        """Return ERPNext's users where our app does not give them their roles."""
        erpnext = products.erpnext(site.application, site.context)
        if connector_app(site)():
            return None
        return ErpNextRoster(erpnext, self.registration(site).managed_roles)

    def component_version(self, site: Site) -> str | None:
        """Return the version of ERPNext."""
        erpnext = products.erpnext(site.application, site.context)
        return site.context.connection(site.application.ref, lambda: erpnext.versions().get("erpnext"), "version")


def connector_app(site: Site) -> Callable[[], bool]:
    """Return what says whether the site has our app; ERPNext is asked once a run."""
    erpnext = products.erpnext(site.application, site.context)

    def ask() -> bool:
        version = site.context.connection(site.application.ref, erpnext.login.connector_version, "connector app")
        return version is not None

    return ask


class ConnectorApp(Resource):
    """The settings of our app, where the site has it; where it has not, the plan says what is missing then."""

    def __init__(self, erpnext: ErpNext, registration: Registration, has_app: Callable[[], bool]) -> None:
        self.component, self.key = erpnext.where, SETTINGS
        self._erpnext, self._registration, self._has_app = erpnext, registration, has_app

    def read(self) -> Reading:
        """Return the settings, none where there is no app."""
        if not self._has_app():
            return Reading(
                {},
                warnings=(
                    f"{self.component}: without our app agencystack_connector ERPNext does not check the state of a "
                    "login (a forged one is accepted, and its address followed), matches people by e-mail alone, and "
                    "gives no roles: run `agencystack roles sync` after changes in Keycloak (docs/sso.md)",
                ),
            )
        live = self._erpnext.login.connector_settings()
        return Reading({name: getattr(live, name) for name in _APP})

    def wanted(self) -> Fields:
        """Want the app to check tokens of our realm and to manage the roles of stack.yaml."""
        if not self._has_app():
            return {}
        endpoints = self._registration.endpoints
        return {
            "sso_enabled": True,
            "issuer": endpoints.issuer,
            "jwks_url": endpoints.jwks,
            "end_session_url": endpoints.token.removesuffix("/token") + "/logout",
            "roles_claim": "roles",
            "managed_roles": self._registration.managed_roles,
        }

    def write(self, change: Change) -> None:
        """Set what differs."""
        self._erpnext.login.update_connector({field.name: field.after for field in change.fields})


_APP = ("sso_enabled", "issuer", "jwks_url", "end_session_url", "roles_claim", "managed_roles")


class SocialLogin(Resource):
    """The Social Login Key. Frappe knows Keycloak by this one name, so there cannot be a second beside a person's."""

    def __init__(self, erpnext: ErpNext, registration: Registration, has_app: Callable[[], bool]) -> None:
        self.component, self.key = erpnext.where, "Social Login Key keycloak"
        self._erpnext, self._registration, self._has_app = erpnext, registration, has_app

    def read(self) -> Reading:
        """Return the key; with another client than ours it is a person's."""
        live = self._erpnext.login.key(KEYCLOAK)
        if live is None:
            return ABSENT
        fields: dict[str, Value] = {name: getattr(live, name) for name in self._plain()}
        fields["client_secret"] = Marker.UNREADABLE if live.client_secret_is_set else None
        foreign = None
        if live.client_id != self._registration.client_id:
            what = f"the Social Login Key keycloak leads to {live.base_url} (client {live.client_id}) and is not ours"
            foreign = Foreign(what, Permission.REPLACE)
        return Reading(fields, foreign=foreign)

    def wanted(self) -> Fields:
        """Want our client, the browser sent to the public address and ERPNext itself to the internal one."""
        return {**self._plain(), "client_secret": self._registration.secret}

    def write(self, change: Change) -> None:
        """Make it, or set what differs."""
        names = set(change.target) if change.action is Action.CREATE else change.names
        values = {name: change.target[name] for name in self._plain() if name in names}
        secret = change.target.get("client_secret") if "client_secret" in names else None
        known = secret if isinstance(secret, Secret) else None
        if change.live.absent:
            self._erpnext.login.insert_key(values, client_secret=known or Secret(""))
        else:
            self._erpnext.login.update_key(values, client_secret=known)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it."""
        self._erpnext.login.delete_key(KEYCLOAK)
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put back a person's key; its secret was never shown to us, so it is switched off until they enter it."""
        if "client_secret" not in change.names:
            self.write(change)
            return
        values = {field.name: field.after for field in change.fields if field.name != "client_secret"}
        self._erpnext.login.update_key({**values, "enable_social_login": False})

    def _plain(self) -> Fields:
        endpoints = self._registration.endpoints
        inside = endpoints.userinfo.removesuffix("/protocol/openid-connect/userinfo")
        return {
            "enable_social_login": True,
            "client_id": self._registration.client_id,
            # Without a base for them Frappe takes these addresses whole, so they may differ; it joins the one of
            # api_endpoint to base_url in any case (frappe/utils/oauth.py).
            "custom_base_url": False,
            "base_url": inside,
            "authorize_url": endpoints.authorization,
            "access_token_url": endpoints.token,
            "api_endpoint": "/protocol/openid-connect/userinfo",
            "redirect_url": CALLBACK,
            # Bindings made without our app fit it then, and outlive a renamed user.
            "user_id_property": "sub",
            "auth_url_data": '{"response_type": "code", "scope": "openid email profile"}',
            # Our app makes users of those alone whose groups give them a role; ERPNext itself would of everybody.
            "sign_ups": "Allow" if self._has_app() else "Deny",
        }


def left_users(erpnext: ErpNext) -> LeftUsers:
    """Return the users of proofs that died, whom ERPNext knows by their address."""
    users = erpnext.users
    return LeftUsers(erpnext.where, lambda: {email: partial(users.remove, email) for email in users.names(PREFIX)})


class ErpNextDoor(Door, ChecksTokens):
    """ERPNext's login page, session and logout; with our app it makes users, sets roles and ends Keycloak's session."""

    administrators = frozenset({"System Manager", "Administrator"})
    way_back = "its own password login, which is not touched; or: bench set-admin-password"

    def __init__(self, site: Site, erpnext: ErpNext, has_app: Callable[[], bool]) -> None:
        self._has_app = has_app
        self.place = place_of(site, "application")
        self._url = site.application.settings.url.rstrip("/")
        self._erpnext = erpnext

    def begin(self, browser: Browser) -> Page:
        """Press the button on the login page."""
        page = browser.open(f"{self._url}/login")
        marks = (START, "/protocol/openid-connect/auth")
        link = next((link for link in page.contents.links if any(mark in link for mark in marks)), None)
        return browser.open(urljoin(page.url, link)) if link else page

    def ends_keycloak_session(self) -> bool:
        """Say whether our app is there, which does that."""
        return self._has_app()

    def admit(self, probe: Probe, roles: tuple[str, ...]) -> None:
        """Make the user with their roles, where the login does not."""
        if not self._has_app():
            self._erpnext.users.create(probe.email, "AgencyStack", last_name="Probe", roles=roles)

    def visitor(self, browser: Browser, probe: Probe) -> Visitor | None:
        """Return whom ERPNext says is logged in."""
        url = f"{self._url}/api/method/frappe.auth.get_logged_user"
        answer = browser.ask(url, headers={"accept": "application/json"})
        name = str(answer.json().get("message", "")) if answer.status_code == 200 else ""
        user = self._erpnext.users.user(name) if name not in {"", "Guest"} else None
        if user is None:
            return None
        return Visitor(user.name, user.email or user.name, tuple(sorted(set(user.roles) - AUTOMATIC)))

    def leave(self, browser: Browser) -> Page:
        """Log out as its menu does."""
        return browser.open(f"{self._url}/?cmd=web_logout")

    def forget(self, probe: Probe) -> None:
        """Delete the user and the contact ERPNext made for it."""
        self._erpnext.users.remove(probe.email)

    def expected(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return the roles by name."""
        return tuple(sorted(roles))

    def words(self, page: Page) -> str:
        """Return what a page of ERPNext says, which has no place of its own for messages."""
        return page.contents.text[:MOST_WORDS]

    def refusal(self, token: str) -> str:
        """Ask our app what it thinks of a token; ERPNext itself takes none from anybody."""
        if not self._has_app():
            return "takes no token: ERPNext itself asks Keycloak who somebody is"
        checked = self._erpnext.login.check_token(Secret(token))
        return "" if checked.accepted else checked.reason
