"""People log in through Keycloak to any application that `oidc` of a component in stack.yaml describes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from agencystack.components.browser import Browser, Page
from agencystack.components.described import Call, DescribedApplication
from agencystack.components.hostfile import HostFile
from agencystack.engine.integration import Capability, Evidence, Proof, Site, Support, integration
from agencystack.engine.resource import Resource
from agencystack.engine.values import Marker, Value
from agencystack.integrations import products
from agencystack.integrations.restart import OwedRestart
from agencystack.integrations.sso import oidc_words
from agencystack.integrations.sso.client import Registered
from agencystack.integrations.sso.door import Door, Visitor
from agencystack.integrations.sso.logging_in import Entrance, place_of
from agencystack.integrations.sso.oidc_ways import EnvironmentSettings, FileSettings, GivenSettings, Told
from agencystack.integrations.sso.oidc_words import SECRET, Words
from agencystack.integrations.sso.probe import Probe
from agencystack.integrations.sso.proofs import LOGOUT, ROLES, STRANGER, StrangerProof, proofs_of
from agencystack.integrations.sso.registration import LoginIntegration, Registration
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.oidc_application import HttpCall, LoginProof, OidcApplication
from agencystack.stack.products import CustomComponent
from agencystack.stack.secrets import Secret

MOST_WORDS = 300


@integration("sso", "oidc", provider="keycloak", version=1)
class OidcLogin(LoginIntegration):
    """Let an application's people in, however that application is told so."""

    capabilities = (
        Capability("login through Keycloak", Support.SUPPORTED, proof=ROLES),
        Capability(
            "roles from groups at login",
            Support.PARTIAL,
            proof=ROLES,
            reason="the application itself must read the claim `roles`",
            alternative="leave `proof.who.roles` out for an application that has none",
        ),
        Capability(
            "a person without a group is refused",
            Support.PARTIAL,
            proof=STRANGER,
            reason="only the application can refuse somebody whom Keycloak knows",
            alternative="`refuses_strangers: false` for one that cannot; every plan says so then",
        ),
        Capability(
            "settings by environment file or file, by program or call",
            Support.PARTIAL,
            proof=ROLES,
            reason="what a program or a call was given is never shown again",
            alternative="it is compared by a salted hash, and the proof uses it; files are compared word by word",
        ),
        Capability("logout ends the session", Support.SUPPORTED, proof=LOGOUT),
        Capability(
            "ID tokens checked",
            Support.UNSUPPORTED,
            reason="there is no common way to show an application a token",
            alternative="use a certified library; a wrong issuer, audience or secret does fail the proofs",
        ),
        Capability(
            "what a probe user leaves in the application is removed",
            Support.UNSUPPORTED,
            reason="there is no common way to delete an account",
            alternative="delete accounts whose name begins with agencystack-probe-",
        ),
    )

    def serves(self, name: str, settings: Any) -> bool:
        """Serve every component that says how it lets people in."""
        return isinstance(settings, CustomComponent) and settings.oidc is not None

    def registration(self, site: Site) -> Registration:
        """Return the application's client, with the addresses stack.yaml says."""
        described = _described(site)

        def registered() -> Registered:
            return Registered(
                name=f"{site.application.ref.name} {site.domain}",
                home=site.application.settings.url.rstrip("/"),
                redirect_uris=described.redirect_uris,
                logout_uris=described.logout_uris,
                pkce=described.pkce,
            )

        return Registration(site, registered)

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield Keycloak's side, then the settings."""
        registration = self.registration(site)
        yield from registration.resources()
        yield _settings(site, registration)

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Walk in through the front door; that strangers stay out only where the application can do that."""
        told = _described(site).proof
        entrance = Entrance(self.registration(site), OidcDoor(site, told))
        for proof in proofs_of(entrance, prove_admin=site.context.prove_admin):
            if not isinstance(proof, StrangerProof):
                yield proof
            elif told.refuses_strangers:
                yield RefusalProof(entrance, told.refusal)

    def missing(self, site: Site) -> Iterator[str]:
        """Yield how commands run there, where any do."""
        yield from super().missing(site)
        if _described(site).needs_exec:
            yield from products.missing_keys(site.application, "exec")

    def warnings(self, site: Site) -> Iterator[str]:
        """Yield that strangers get in, where they do."""
        if not _described(site).proof.refuses_strangers:
            realm = self.registration(site).realm.name
            yield f"{site.application.ref.name} lets in everybody whom the realm {realm} knows, as stack.yaml says"


class RefusalProof(StrangerProof):
    """A stranger stays out, and is told so.

    Args:
        entrance: the application and Keycloak.
        text: what the person must read; anything will do where it is None.
    """

    def __init__(self, entrance: Entrance, text: str | None) -> None:
        super().__init__(entrance)
        self._text = text

    def run(self) -> Evidence:
        """Log in without a group, and read what the application says."""
        evidence = super().run()
        said = str(evidence.seen.get("answer", ""))
        if evidence.ok and self._text is not None and self._text.lower() not in said.lower():
            return Evidence(ok=False, seen=evidence.seen, reason=f"they are not told {self._text!r}, but: {said}")
        return evidence


class OidcDoor(Door):
    """The addresses a person would use."""

    def __init__(self, site: Site, told: LoginProof) -> None:
        self.place = place_of(site, "application")
        self._told, self._url = told, site.application.settings.url
        self.administrators = frozenset(told.administrators)

    def ends_keycloak_session(self) -> bool:
        """Say what stack.yaml says."""
        return self._told.logout_everywhere

    def begin(self, browser: Browser) -> Page:
        """Go to where the login starts."""
        return browser.open(_at(self._url, self._told.start))

    def visitor(self, browser: Browser, probe: Probe) -> Visitor | None:
        """Return whom the application says is logged in."""
        who = self._told.who
        answer = browser.ask(_at(self._url, who.url), headers={"accept": "application/json"})
        if answer.status_code != 200:
            return None
        try:
            data = answer.json()
        except ValueError:
            return None
        name = pointed(data, who.name)
        if name in (None, ""):
            return None
        roles = pointed(data, who.roles) if who.roles is not None else None
        return Visitor(str(name), str(pointed(data, who.email) or ""), _roles(roles))

    def leave(self, browser: Browser) -> Page:
        """Log out."""
        return browser.open(_at(self._url, self._told.logout))

    def forget(self, probe: Probe) -> None:
        """Leave what the application keeps: nothing is known of its accounts."""

    def expected(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return the roles by name; none where the application shows none."""
        return tuple(sorted(roles)) if self._told.who.roles is not None else ()

    def words(self, page: Page) -> str:
        """Return what a person reads."""
        return page.contents.text[:MOST_WORDS] or page.contents.title or page.text[:MOST_WORDS]


def pointed(data: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) leads to, None where it leads nowhere."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name.isdecimal() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data


def _roles(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(sorted(str(role) for role in value)) if isinstance(value, list) else ()


def _settings(site: Site, registration: Registration) -> Resource:
    """Return the settings, in the way the application takes them."""
    described, where = _described(site), site.application.ref
    client = _client(site)
    argv = described.restart

    def restart(wait: bool) -> None:
        client.restart(argv or (), wait=wait)

    told = Told(
        registration.client_id,
        lambda: _words(registration, described),
        OwedRestart(site.sealed("restart-due"), restart if argv else None),
    )
    if described.env_file is not None:
        return EnvironmentSettings(_file(site, described.env_file.path), described.env_file.variables, told)
    if described.file is not None:
        return FileSettings(_file(site, described.file.path), described.file.template, told)
    memory = site.sealed("settings-given")
    if described.command is not None:
        program, undo = described.command.argv, described.command.undo
        named = json.dumps({"client_id": registration.client_id, "issuer": registration.endpoints.issuer})
        return GivenSettings(
            where,
            f"login settings by {program[0]}",
            told,
            wanted=oidc_words.as_json,
            give=lambda settings: client.run(program, settings.reveal()),
            take_back=(lambda: client.run(undo, named)) if undo else None,
            memory=memory,
        )
    call = described.http
    if call is None:
        raise ConfigurationError("is not told its settings in any way", component=where)
    back = call.undo
    return GivenSettings(
        where,
        f"login settings by {call.method} {call.url}",
        told,
        wanted=lambda words: _pending(words) or _call(site, call, words).sealed(),
        give=lambda settings: client.call(Call.parse(settings)),
        take_back=(lambda: client.call(_call(site, back, {**told.words(), SECRET: ""}))) if back else None,
        memory=memory,
    )


def _words(registration: Registration, described: OidcApplication) -> Words:
    endpoints = registration.endpoints
    return {
        "issuer": endpoints.issuer,
        "authorization": endpoints.authorization,
        "token": endpoints.token,
        "userinfo": endpoints.userinfo,
        "jwks": endpoints.jwks,
        "end_session": endpoints.end_session,
        "client_id": registration.client_id,
        "client_secret": registration.secret,
        "redirect_uri": described.redirect_uris[0],
        "logout_uri": described.logout_uris[0] if described.logout_uris else "",
        "scopes": " ".join(described.scopes),
    }


def _pending(words: Words) -> Value:
    return Marker.PENDING if words[SECRET] is Marker.PENDING else None


def _call(site: Site, call: HttpCall, words: Words) -> Call:
    """Return a call with its words and credentials filled in."""

    def fill(value: Any) -> Any:
        return oidc_words.filled_json(value, words, lambda name: _credential(site, name))

    url = _at(site.application.settings.reached_by_us(), call.url)
    return Call(call.method, url, fill(call.headers), fill(call.body))


def _credential(site: Site, name: str) -> Secret:
    component = site.application
    reference = component.settings.credentials.get(name)
    if reference is None:
        raise ConfigurationError(
            f"has no credential {name}",
            component=component.ref,
            remedy=f"write credentials: {{{name}: secret:NAME}} beside oidc in stack.yaml",
        )
    return site.context.resolve(reference)


def _file(site: Site, path: str) -> HostFile:
    return HostFile(site.application.ref, products.executor(site.application).host(), path)


def _client(site: Site) -> DescribedApplication:
    settings = site.application.settings
    executor = products.executor(site.application) if settings.exec is not None else None
    return DescribedApplication(
        site.application.ref, settings.reached_by_us(), executor, ca_file=products.ca_file(settings)
    )


def _described(site: Site) -> OidcApplication:
    described = products.settings_of(site.application, CustomComponent).oidc
    if described is None:
        raise ConfigurationError("does not say how people log in to it", component=site.application.ref)
    return described


def _at(base: str, target: str) -> str:
    """Return an address of the application: a path stands below its own."""
    return base.rstrip("/") + target if target.startswith("/") else target
