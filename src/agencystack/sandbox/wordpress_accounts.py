"""Which account of a stand-in WordPress a person gets: by our connector's rules, or by a plugin's own.

Behaviour: includes/class-oidc-accounts.php and class-oidc-guard.php; contract/wordpress/miniorange.json.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from agencystack.sandbox import wordpress_sso as sso
from agencystack.sandbox.wordpress_store import Store, User
from agencystack.sandbox.wordpress_tokens import Refused

LONGEST_NAME = 56
DEFAULT_ROLE = "subscriber"


def by_connector(store: Store, settings: Mapping[str, Any], claims: Mapping[str, Any], roles: Sequence[str]) -> User:
    """Return the person's account with these roles, made where there is none.

    Raises:
        Refused: it is somebody else's, or an administrator's.
    """
    email = verified_email(claims)
    user = _linked(store, claims) or (sso.find_user(store, email) if email else None)
    if user is None:
        user = _make(store, _free_name(store, claims), email, _names(claims))
    else:
        _must_be_open(user, settings, claims)
        user.email = email or user.email
    return _with_roles(store, user, settings, claims, roles)


def by_plugin(
    store: Store, way: str, settings: Mapping[str, Any], claims: Mapping[str, Any], roles: Sequence[str] | None
) -> User:
    """Return the account a login plugin chooses.

    Args:
        store: the site.
        way: which plugin.
        settings: of that way.
        claims: of the ID token.
        roles: what our connector found in the token it checked; None where it does not watch.

    Raises:
        Refused: by the connector, or by the plugin.
    """
    name, email = str(claims.get("preferred_username", "")), str(claims.get("email", ""))
    user = _linked(store, claims) if way == sso.GENERIC else None
    if user is None and way == sso.MINIORANGE:
        user = next((one for one in store.data.users if one.login == name), None)
    user = user or next((one for one in store.data.users if email and one.email.lower() == email.lower()), None)
    if roles is not None:
        _look_before(user, settings, claims)
    if user is None:
        user = _make(store, name if way == sso.MINIORANGE else _free_name(store, claims), email, name)
        user.roles = [DEFAULT_ROLE]
    elif way == sso.MINIORANGE:
        if "administrator" in user.roles and not settings["allow_admin"]:
            raise Refused("miniorange", "WPO005: Invalid Login attempt. Please login using email and password")
        user.email = email
    return user if roles is None else _with_roles(store, user, settings, claims, roles)


def withdraw(store: Store, settings: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Take the managed roles from somebody who has none any more, and end their sessions."""
    user = _linked(store, claims)
    if user is None:
        return
    _with_roles(store, user, settings, claims, ())
    for token in [token for token, session in store.data.sessions.items() if session.user == user.id]:
        del store.data.sessions[token]


def _look_before(user: User | None, settings: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    if user is not None:
        _must_be_open(user, settings, claims)
    elif not verified_email(claims):
        raise Refused("unverified", "the provider has not verified your e-mail address; do that first")


def verified_email(claims: Mapping[str, Any]) -> str:
    """Return the person's address, empty where the provider did not verify it."""
    return str(claims.get("email", "")) if claims.get("email_verified") is True else ""


def _subject(claims: Mapping[str, Any]) -> str:
    return f"{claims.get('iss')} {claims.get('sub')}"


def _linked(store: Store, claims: Mapping[str, Any]) -> User | None:
    return next((user for user in store.data.users if user.subject == _subject(claims)), None)


def _must_be_open(user: User, settings: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    owner = user.subject if user.subject.startswith(f"{claims['iss']} ") else ""
    if owner and owner != _subject(claims):
        raise Refused("taken", "the account with your e-mail address or name belongs to somebody else at the provider")
    if not owner and (not user.email or user.email.lower() != verified_email(claims).lower()):
        raise Refused("unverified", "the provider has not verified that the address of that account is yours")
    rules = "administrator" in user.roles and "administrator" not in settings["roles"]
    if rules and not settings["allow_admin"]:
        raise Refused("administrator", "administrators of this site log in with their password (allow_admin is off)")


def _with_roles(
    store: Store, user: User, settings: Mapping[str, Any], claims: Mapping[str, Any], roles: Sequence[str]
) -> User:
    made = not user.subject and user.made_by_sso
    kept = [] if made else [role for role in user.roles if role not in settings["roles"]]
    others = [one for one in store.data.users if one is not user and "administrator" in one.roles]
    if "administrator" in user.roles and not others:
        kept.append("administrator")
    user.roles = list(dict.fromkeys([*kept, *roles]))
    user.subject = _subject(claims)
    return user


def _make(store: Store, login: str, email: str, name: str) -> User:
    number = max((user.id for user in store.data.users), default=0) + 1
    user = User(id=number, login=login, email=email, name=name or login, made_by_sso=True)
    store.data.users.append(user)
    return user


def _names(claims: Mapping[str, Any]) -> str:
    return str(claims.get("name", ""))


def _free_name(store: Store, claims: Mapping[str, Any]) -> str:
    plain = unicodedata.normalize("NFKD", str(claims.get("preferred_username", ""))).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9 _.\-@]", "", plain).strip()[:LONGEST_NAME]
    name = name or "user" + hashlib.sha256(_subject(claims).encode()).hexdigest()[:10]
    taken, free, count = {user.login for user in store.data.users}, name, 1
    while free in taken:
        count += 1
        free = f"{name}{count}"
    return free
