"""People log in to WordPress through Keycloak, with the roles of their groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from urllib.parse import urljoin

from agencystack.components.browser import Browser, Page
from agencystack.components.wordpress import OWNER, PLUGINS, SITE, SSO, Carrier, Login, SsoImage, SsoSettings, WordPress
from agencystack.components.wordpress.sso import LoginState, SsoState
from agencystack.engine.integration import Blocked, Capability, Proof, Site, Support, integration
from agencystack.engine.resource import Action, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.sso.client import Registered
from agencystack.integrations.sso.door import ChecksTokens, Door, Visitor
from agencystack.integrations.sso.logging_in import Entrance, place_of
from agencystack.integrations.sso.probe import LeftUsers, Probe
from agencystack.integrations.sso.proofs import FORGED, LOGOUT, PASSWORD, ROLES, STRANGER, proofs_of
from agencystack.integrations.sso.registration import LoginIntegration, Registration
from agencystack.integrations.wordpress_plugin import WordPressPlugin
from agencystack.stack.secrets import Secret

AUTHORIZE = "/protocol/openid-connect/auth"


@integration("sso", "wordpress", provider="keycloak", version=1)
class WordPressLogin(LoginIntegration):
    """Let WordPress's people in through Keycloak, by our connector or by a plugin whose tokens it checks."""

    capabilities = (
        Capability("login through Keycloak", Support.SUPPORTED, proof=ROLES),
        Capability("roles from groups at login", Support.SUPPORTED, proof=ROLES),
        Capability("a person without a group is refused", Support.SUPPORTED, proof=STRANGER),
        Capability("ID tokens checked (OpenID Connect Core 3.1.3.7)", Support.SUPPORTED, proof=FORGED),
        Capability("logout ends Keycloak's session", Support.SUPPORTED, proof=LOGOUT),
        Capability("password login switched off after the proof (`enforce`)", Support.SUPPORTED, proof=PASSWORD),
    )

    def registration(self, site: Site) -> Registration:
        """Return WordPress's client; addresses are the site's own, miniOrange alone sends no code challenge."""
        wordpress = products.wordpress(site.application, site.context)
        login = Login(site.application.settings.login)
        wordpress.ask(SSO)

        def registered() -> Registered:
            state = wordpress.answer(SSO)
            return Registered(
                name=f"WordPress {site.domain}",
                home=site.application.settings.url.rstrip("/"),
                redirect_uris=(state.redirect_uris[login],),
                logout_uris=(state.logged_out_uri,),
                pkce=login is Login.CONNECTOR,
            )

        return Registration(site, registered)

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield Keycloak's side, the plugins, the settings, what dead proofs left; after the proof, what locks out."""
        registration, wordpress = self.registration(site), products.wordpress(site.application, site.context)
        login = Login(site.application.settings.login)
        yield from registration.resources()
        yield WordPressPlugin(wordpress, Carrier.CONNECTOR)
        if login is not Login.CONNECTOR:
            yield LoginPlugin(wordpress, login)
        yield LoginSettings(wordpress, login, registration, allow_admin=bool(site.setting("allow_admin", False)))
        yield PasswordLogin(wordpress, login, off=bool(site.setting("enforce", False)))
        yield left_users(wordpress)

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Walk in through the front door."""
        door = WordPressDoor(site, products.wordpress(site.application, site.context))
        return proofs_of(Entrance(self.registration(site), door), prove_admin=site.context.prove_admin)

    def missing(self, site: Site) -> Iterator[str]:
        """Yield how to get inside, which WordPress cannot be configured without."""
        yield from super().missing(site)
        yield from products.missing_keys(site.application, "exec")

    def component_version(self, site: Site) -> str | None:
        """Return the version of WordPress, from what was read anyway."""
        return products.wordpress(site.application, site.context).answer(SITE).wordpress

    def former(self, site: Site, key: str) -> Resource | None:
        """Return a plugin that another configuration once wanted, or a resource in Keycloak."""
        wordpress = products.wordpress(site.application, site.context)
        if key == f"plugin {Carrier.CONNECTOR.plugin}":
            return WordPressPlugin(wordpress, Carrier.CONNECTOR)
        for login in (Login.MINIORANGE, Login.OPENID_CONNECT_GENERIC):
            if key == f"login plugin {login.value}":
                return LoginPlugin(wordpress, login)
        return super().former(site, key)


class LoginPlugin(Resource):
    """The plugin that carries the login instead of our connector, which only checks its tokens then."""

    def __init__(self, wordpress: WordPress, login: Login) -> None:
        self.component, self.key = wordpress.where, f"login plugin {login.value}"
        self._wordpress, self._login = wordpress, login
        for question in (SITE, PLUGINS, SSO):
            wordpress.ask(question)

    def read(self) -> Reading:
        """Return whether it is there and active."""
        state = self._state()
        return Reading({"active": state.active} if state.installed else None)

    def wanted(self) -> Fields:
        """Want it active."""
        return {"active": True}

    def write(self, change: Change) -> None:
        """Install, activate, or (in an undo) deactivate it."""
        slug = self._state().slug
        if not change.target["active"]:
            self._wordpress.deactivate_plugin(slug)
        elif change.action is Action.CREATE:
            self._wordpress.install_plugin(slug)
        else:
            self._wordpress.activate_plugin(slug)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete the plugin we installed."""
        self._wordpress.delete_plugin(self._state().slug)
        return ""

    def _state(self) -> LoginState:
        return self._wordpress.answer(SSO).logins[self._login]


class LoginSettings(Resource):
    """How the site's people log in, in the plugin that carries it and in our connector, which checks its tokens."""

    def __init__(self, wordpress: WordPress, login: Login, registration: Registration, *, allow_admin: bool) -> None:
        self.component, self.key = wordpress.where, "login settings"
        self._wordpress, self._login, self._registration = wordpress, login, registration
        self._allow_admin, self._owner = allow_admin, registration.site.name
        for question in (SSO, OWNER):
            wordpress.ask(question)

    def read(self) -> Reading:
        """Return the effective settings, and whose they are."""
        state = self._wordpress.answer(SSO)
        self._refuse_unknown_roles(state)
        self._refuse_second_way(state)
        live = state.logins[self._login]
        owner = self._wordpress.answer(OWNER).get("sso")
        fields = {"owner": owner, "wrong": live.wrong, **_fields(live.settings)}
        foreign = None if owner == self._owner else self._foreign(state, live)
        image = {"sso": live.image.content.reveal(), "login": self._login.value, "foreign": state.foreign}
        return Reading(fields, image, foreign)

    def wanted(self) -> Fields:
        """Want our realm, with the browser sent to public addresses and the site itself to internal ones."""
        endpoints = self._registration.endpoints
        return {
            "owner": self._owner,
            "wrong": (),
            "login": self._login.value,
            "issuer": endpoints.issuer,
            "client_id": self._registration.client_id,
            "scope": "openid profile email",
            "authorize_url": endpoints.authorization,
            "token_url": endpoints.token,
            "userinfo_url": endpoints.userinfo,
            "jwks_url": endpoints.jwks,
            "end_session_url": endpoints.end_session,
            "roles": self._registration.managed_roles,
            "allow_admin": self._allow_admin,
            "ca": self._registration.authority,
            "client_secret": self._registration.secret,
        }

    def write(self, change: Change) -> None:
        """Mark the settings as ours, then write them; a person's other settings in the same plugin stay."""
        live = self._wordpress.answer(SSO).logins[self._login].settings
        foreign = change.live.image.get("foreign")
        if foreign:
            self._wordpress.deactivate_plugin(str(foreign))
        self._wordpress.write_owner({"sso": self._owner})
        self._wordpress.write_sso(_settings(change.target, live))

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put the settings back byte for byte, except what a person changed since; then they are no longer ours."""
        live = self._wordpress.answer(SSO).logins[self._login].settings
        written = applied.extra.get("sso")
        self._wordpress.restore_sso(
            Login(before.extra.get("login", self._login.value)),
            SsoImage(content=Secret(before.extra["sso"])),
            applied=_settings(applied.fields or {}, live),
            applied_image=SsoImage(content=Secret(written)) if written else None,
        )
        foreign = before.extra.get("foreign")
        if foreign:
            self._wordpress.activate_plugin(str(foreign))
        owner = change.target.get("owner")
        self._wordpress.write_owner({"sso": str(owner) if owner else None})

    def _foreign(self, state: SsoState, live: LoginState) -> Foreign | None:
        """Say who lets people in, if somebody set that up."""
        if state.foreign:
            return Foreign(f"people log in through the plugin {state.foreign}", Permission.REPLACE)
        if live.active and live.configured:
            where = live.settings.issuer or live.settings.authorize_url
            return Foreign(f"people log in through {where}, set in {live.slug} by a person", Permission.REPLACE)
        return None

    def _refuse_second_way(self, state: SsoState) -> None:
        others = (state.logins[way] for way in state.logins if way not in {self._login, Login.CONNECTOR})
        other = next((one for one in others if one.active and one.configured), None)
        if other is not None:
            raise Blocked(
                f"people already log in through the plugin {other.slug}, whose tokens would stay unchecked",
                component=self.component,
                remedy="name that plugin as `login` of wordpress in stack.yaml, or deactivate it",
            )

    def _refuse_unknown_roles(self, state: SsoState) -> None:
        unknown = [role for role in self._registration.managed_roles if role not in state.roles]
        if unknown:
            raise Blocked(
                f"has no role {', '.join(unknown)}",
                component=self.component,
                remedy=f"write one of these in `groups` of stack.yaml: {', '.join(sorted(state.roles))}",
            )


class PasswordLogin(Resource):
    """Refuses passwords of people who may log in through Keycloak: written last, as it can lock people out.

    The way back in is ``wp-login.php?agencystack-password`` for administrators, and WP-CLI.
    """

    after_proof = True

    def __init__(self, wordpress: WordPress, login: Login, *, off: bool) -> None:
        self.component, self.key = wordpress.where, "password login"
        self._wordpress, self._login, self._off = wordpress, login, off
        wordpress.ask(SSO)

    def read(self) -> Reading:
        """Return whether passwords are refused."""
        return Reading({"refused": self._live().enforce})

    def wanted(self) -> Fields:
        """Want what stack.yaml says as ``settings: {enforce: true}``."""
        return {"refused": self._off}

    def write(self, change: Change) -> None:
        """Switch."""
        live = self._live()
        self._wordpress.write_sso(live.model_copy(update={"enforce": bool(change.target["refused"])}))

    def _live(self) -> SsoSettings:
        return self._wordpress.answer(SSO).logins[self._login].settings


def left_users(wordpress: WordPress) -> LeftUsers:
    """Return the users of proofs that died; they come with the answer that is read anyway."""
    wordpress.ask(SSO)
    forget = wordpress.forget_probe_user
    return LeftUsers(
        wordpress.where, lambda: {login: partial(forget, login) for login in wordpress.answer(SSO).probe_users}
    )


class WordPressDoor(Door, ChecksTokens):
    """WordPress's login page, session and logout."""

    administrators = frozenset({"administrator"})
    way_back = "wp-login.php?agencystack-password for administrators, or: wp user reset-password"

    def __init__(self, site: Site, wordpress: WordPress) -> None:
        self.place = place_of(site, "application")
        self._url = site.application.settings.url.rstrip("/")
        self._wordpress = wordpress
        self._login = Login(site.application.settings.login)

    def begin(self, browser: Browser) -> Page:
        """Go where the button on the login page leads; openid-connect-generic alone makes that address anew each time.

        miniOrange's button is a script (``tests/contract/wordpress_sso``), so there is no link to follow.
        """
        start = self._wordpress.answer(SSO).start_urls[self._login]
        if start is not None:
            return browser.open(start)
        page = browser.open(f"{self._url}/wp-login.php")
        link = next((link for link in page.contents.links if AUTHORIZE in link), None)
        return browser.open(urljoin(page.url, link)) if link else page

    def visitor(self, browser: Browser, probe: Probe) -> Visitor | None:
        """Return whom WordPress's REST interface says is logged in, in the browser's own session."""
        nonce = browser.ask(f"{self._url}/wp-admin/admin-ajax.php?action=rest-nonce")
        if nonce.status_code != 200 or not nonce.text.strip().isalnum() or nonce.text.strip() == "0":
            return None
        me = f"{self._url}/index.php?rest_route=/wp/v2/users/me&context=edit"
        answer = browser.ask(me, headers={"accept": "application/json", "x-wp-nonce": nonce.text.strip()})
        if answer.status_code != 200:
            return None
        data = answer.json()
        return Visitor(str(data["username"]), str(data["email"]), tuple(sorted(data["roles"])))

    def leave(self, browser: Browser) -> Page:
        """Ask to be logged out, and confirm it."""
        page = browser.open(f"{self._url}/wp-login.php?action=logout")
        link = next((link for link in page.contents.links if "action=logout" in link), None)
        return browser.open(urljoin(page.url, link)) if link else page

    def forget(self, probe: Probe) -> None:
        """Delete the user."""
        self._wordpress.forget_probe_user(probe.username)

    def expected(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return the roles by name."""
        return tuple(sorted(roles))

    def words(self, page: Page) -> str:
        """Return the message on WordPress's login page, or of its error page."""
        texts = page.contents.texts
        return next(filter(None, (texts.get(name, "") for name in ("login_error", "error-page"))), page.contents.title)

    def refusal(self, token: str) -> str:
        """Ask the connector what it thinks of a token."""
        verdict = self._wordpress.check_token(Secret(token))
        return "" if verdict.accepted else verdict.why


def _fields(settings: SsoSettings) -> dict[str, Value]:
    return {name: getattr(settings, name) for name in SsoSettings.model_fields if name not in {"enforce", "label"}}


def _settings(fields: Fields, live: SsoSettings) -> SsoSettings:
    """Return ``live`` with our fields; a secret that apply still has to make is left as it is."""
    known = {name: fields[name] for name in SsoSettings.model_fields if name in fields}
    if isinstance(known.get("client_secret"), Marker):
        del known["client_secret"]
    return live.model_copy(update={**known, "login": Login(str(known.get("login", live.login)))})
