"""Our app on the stand-in: what it decides is decided by the app's own code, only what is Frappe's is stood in for."""

from __future__ import annotations

import html
import importlib
import json
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from agencystack.sandbox.erpnext.accounts import STANDARD_USERS
from agencystack.sandbox.erpnext.browser import Answer, Visit, page, redirect
from agencystack.sandbox.erpnext.documents import Work
from agencystack.sandbox.erpnext.errors import not_whitelisted
from agencystack.sandbox.erpnext.social_login import KEYCLOAK, SocialLogin, addresses, allows_sign_up
from agencystack.sandbox.erpnext.store import Document

APP = "agencystack_connector"
START = f"{APP}.sso.login.start"
SETTINGS = "AgencyStack Settings"


def _app_folder() -> Path:
    package = Path(__file__).resolve().parents[2]
    shipped = package / "plugins"
    return (shipped if shipped.is_dir() else package.parents[1] / "plugins") / "erpnext" / APP


def part(name: str) -> Any:
    """Return a module of the app that needs no Frappe."""
    folder = str(_app_folder())
    if folder not in sys.path:
        sys.path.append(folder)
    if name.startswith("bridge.") and f"{APP}.bridge" not in sys.modules:
        # The package itself holds the methods a site calls, and needs Frappe; its parts do not.
        package = ModuleType(f"{APP}.bridge")
        package.__path__ = [str(Path(folder) / APP / "bridge")]
        sys.modules[f"{APP}.bridge"] = package
    return importlib.import_module(f"{APP}.{name}" if name else APP)


@dataclass(frozen=True)
class _Remembered:
    attempt: Any
    until: float


class Connector:
    """The app, installed.

    Args:
        logins: Frappe's own logins, which it uses as the app does.
    """

    def __init__(self, logins: SocialLogin) -> None:
        self._logins = logins
        self._attempts: dict[str, _Remembered] = {}
        self._behind: dict[str, str] = {}
        self._lock = threading.Lock()
        self._attempt, self._claims, self._token = (part(f"sso.{name}") for name in ("attempt", "claims", "token"))
        self._provider, self._redirects = part("sso.provider"), part("sso.redirects")
        self._refused: type[Exception] = part("sso.refusals").LoginRefused

    @property
    def version(self) -> str:
        """The app's version."""
        return str(part("").__version__)

    def enabled(self, work: Work) -> bool:
        """Say whether the app takes part in logins."""
        return bool(_settings(work)["sso_enabled"])

    def start(self, work: Work, visit: Visit) -> Answer:
        """Begin a login."""
        key = _key(work)
        if not self.enabled(work) or key is None:
            return self._page("off", "Single sign-on is switched off.", 403)
        started = self._attempt.begin(self._redirects.on_this_site(visit.params.get("redirect_to"), visit.host))
        with self._lock:
            kept = _Remembered(started.attempt, time.monotonic() + self._attempt.LIFETIME)
            self._attempts[self._attempt.digest(started.state)] = kept
        wanted = {"scope": "openid email profile", **json.loads(key.get("auth_url_data") or "{}")}
        ours = {"client_id": key["client_id"], "redirect_uri": visit.url(key["redirect_url"])}
        answer = redirect(self._attempt.authorize_url(addresses(key)["authorize"], started, {**wanted, **ours}))
        answer.cookies[self._attempt.cookie_name(started.state)] = started.cookie
        return answer

    def callback(self, work: Work, visit: Visit) -> Answer:
        """Take the identity provider's answer."""
        try:
            return self._log_in(work, visit)
        except self._refused as error:
            refused: Any = error
            work.forget()
            return self._page(refused.code, refused.says, refused.status)

    def state(self, work: Work) -> dict[str, Any]:
        """Return what the app says of itself."""
        _require_system_manager(work, f"{APP}.api.sso_state")
        settings = _settings(work)
        return {
            "version": self.version,
            "enabled": bool(settings["sso_enabled"]),
            **{name: settings.get(name) or "" for name in ("issuer", "jwks_url", "end_session_url", "roles_claim")},
            "managed_roles": _managed(settings),
            "key_enabled": _key(work) is not None,
            "default_role": _single(work, "Portal Settings").get("default_role") or "",
            "disable_signup": bool(_single(work, "Website Settings").get("disable_signup")),
        }

    def check_token(self, work: Work, token: str) -> dict[str, Any]:
        """Check a token as a login does, except for the nonce."""
        _require_system_manager(work, f"{APP}.api.check_token")
        try:
            self._checked(work, token, None)
        except self._refused as error:
            refused: Any = error
            return {"accepted": False, "reason": refused.code, "says": refused.says}
        return {"accepted": True, "reason": "", "says": ""}

    def _log_in(self, work: Work, visit: Visit) -> Answer:
        if _key(work) is None:
            raise self._refused("off", "Single sign-on is switched off.")
        attempt = self._taken(visit)
        said = visit.params.get("error_description") or visit.params.get("error")
        if said or not visit.params.get("code"):
            raise self._refused("cancelled", f"The identity provider ended the login: {said or 'no reason'}", 400)
        settings = _settings(work)
        if visit.params.get("iss", settings["issuer"]) != settings["issuer"]:
            raise self._refused("issuer", "The answer came from another identity provider.")
        user, tokens = self._user(work, visit, attempt)
        answer = self._logins.opened(work, visit, user, attempt.redirect_to)
        with self._lock:
            self._behind[answer.sid] = tokens.refresh_token
        answer.dropped.append(self._attempt.cookie_name(visit.params["state"]))
        return answer

    def _taken(self, visit: Visit) -> Any:
        state = visit.params.get("state") or ""
        with self._lock:
            kept = self._attempts.get(self._attempt.digest(state))
            cookie = visit.cookies.get(self._attempt.cookie_name(state), "")
            if kept is None or kept.until < time.monotonic() or not kept.attempt.is_of(cookie):
                says = "This login was not started in this browser, or took too long. Please start again."
                raise self._refused("state", says, 400)
            del self._attempts[self._attempt.digest(state)]
        return kept.attempt

    def end(self, work: Work, sid: str) -> None:
        """End the provider's session behind one of this site's, as the app does at every logout."""
        with self._lock:
            refresh_token = self._behind.pop(sid, "")
        if refresh_token and self.enabled(work) and _settings(work).get("end_session_url") and _key(work):
            self._its_provider(work).end_session(refresh_token)

    def _user(self, work: Work, visit: Visit, attempt: Any) -> tuple[Document, Any]:
        key = _key(work) or {}
        provider = self._its_provider(work)
        tokens = provider.tokens(visit.params["code"], attempt.verifier, visit.url(key["redirect_url"]))
        said = self._checked(work, tokens.id_token, attempt.nonce)
        userinfo = provider.userinfo(tokens.access_token)
        who = self._claims.person(said, userinfo)
        settings = _settings(work)
        roles = self._claims.granted_roles(userinfo, settings["roles_claim"], _managed(settings))
        return self._settled(work, who, roles, allows_sign_up(work, key)), tokens

    def _settled(self, work: Work, who: Any, roles: frozenset[str], may_create: bool) -> Document:
        """Return the person's user with exactly the managed roles it should have."""
        bound = [
            user
            for user in work.transaction.all("User")
            for row in user["social_logins"]
            if (row["provider"], row["userid"]) == (KEYCLOAK, who.subject)
        ]
        by_email = work.transaction.get("User", who.email) if who.email else None
        decision = self._claims.choose(
            who, self._account(bound[0] if bound else None), self._account(by_email), may_create=may_create
        )
        if decision.account is None:
            claims = {"given_name": who.first_name, "family_name": who.last_name}
            user = self._logins.made(work, claims, who.email)
        else:
            user = work.transaction.get("User", decision.account) or {}
        logins = [row for row in user["social_logins"] if row["provider"] != KEYCLOAK or not decision.bind]
        logins += [{"provider": KEYCLOAK, "userid": who.subject}] if decision.bind else []
        managed = set(_managed(_settings(work)))
        held = [row["role"] for row in user["roles"] if row["role"] not in managed or row["role"] in roles]
        saved = self._logins.saved(work, user, logins, [*held, *sorted(roles - set(held))])
        if {row["role"] for row in saved["roles"]} & managed != roles:
            raise self._refused("roles-not-kept", "Your roles could not be set: a role is disabled.")
        return saved

    def _account(self, user: Document | None) -> Any:
        if user is None:
            return None
        if user["name"] in STANDARD_USERS:
            raise self._refused("standard-user", "This user of the system does not log in by single sign-on.")
        bound = [row["userid"] for row in user["social_logins"] if row["provider"] == KEYCLOAK]
        return self._claims.Account(user["name"], bool(user["enabled"]), bound[0] if bound else "")

    def _checked(self, work: Work, token: str, nonce: str | None) -> Any:
        provider = self._its_provider(work)
        expected = self._token.Expected(_settings(work)["issuer"], provider.client_id, nonce)
        return self._token.check_id_token(token, provider.key_set(), expected)

    def _its_provider(self, work: Work) -> Any:
        key, settings = _key(work) or {}, _settings(work)
        where = addresses(key)
        return self._provider.Provider(
            token_url=where["token"],
            userinfo_url=where["userinfo"],
            jwks_url=settings.get("jwks_url") or "",
            end_session_url=settings.get("end_session_url") or "",
            client_id=key["client_id"],
            client_secret=work.transaction.password("Social Login Key", KEYCLOAK, "client_secret") or "",
        )

    @staticmethod
    def _page(code: str, says: str, status: int) -> Answer:
        return page("Login refused", f'<p data-refusal="{code}">{html.escape(says)}</p>', status)


def _settings(work: Work) -> Document:
    return {"sso_enabled": 0, **_single(work, SETTINGS)}


def _single(work: Work, doctype: str) -> Document:
    return work.transaction.get(doctype, doctype) or {}


def _managed(settings: Document) -> list[str]:
    return str(settings.get("managed_roles") or "").splitlines()


def _key(work: Work) -> Document | None:
    key = work.transaction.get("Social Login Key", KEYCLOAK)
    return key if key and key["enable_social_login"] else None


def _require_system_manager(work: Work, method: str) -> None:
    if "System Manager" not in work.roles():
        raise not_whitelisted(method)
