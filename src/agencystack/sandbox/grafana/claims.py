"""What Grafana makes of what the provider says of a person (``pkg/login/social/connectors/generic_oauth.go``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jmespath  # type: ignore[import-untyped]
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from agencystack.sandbox.relying_party import Trouble, signed_claims, unverified, userinfo

SERVER_ADMIN = "grafanaadmin"
ORGANISATION_ROLES = {"None", "Viewer", "Editor", "Admin"}
NO_ROLE = "IdP did not return a role attribute, please contact your administrator"
NO_EMAIL = "Provider didn't return an email address"
INTERNAL = "Internal server error"


class Refused(Exception):
    """A person who is not let in, with what the login page says."""


async def person_of(settings: Mapping[str, Any], tokens: Mapping[str, Any], ca_file: Path | None) -> dict[str, Any]:
    """Return the columns of the user that ID token, userinfo and access token tell of, asked in that order.

    Raises:
        Refused: the person has no role and must have one, no e-mail address, or comes with a forged token.
    """
    sources = [
        await _from_id_token(settings, tokens, ca_file),
        await _from_userinfo(settings, tokens, ca_file),
        _payload(tokens.get("access_token")),
    ]
    said = [source for source in sources if source]
    email = _first(said, "email", settings.get("email_attribute_path"))
    role, is_admin = _role(settings, said)
    if settings["role_attribute_strict"] and not role and not settings["skip_org_role_sync"]:
        raise Refused(NO_ROLE)
    if not email:
        # It asks <api_url>/emails then, which is GitHub's way and no OpenID provider's.
        raise Refused(INTERNAL if settings["api_url"] else NO_EMAIL)
    synced = not settings["skip_org_role_sync"]
    return {
        "auth_id": _first(said, "sub", None),
        "email": email,
        "name": _first(said, "name", settings.get("name_attribute_path"), path_wins=True),
        "login": _login(said, settings) or email,
        "role": (role or "Viewer") if synced else None,
        "is_admin": is_admin if synced and settings["allow_assign_grafana_admin"] else None,
    }


async def _from_id_token(
    settings: Mapping[str, Any], tokens: Mapping[str, Any], ca_file: Path | None
) -> dict[str, Any] | None:
    token = tokens.get(settings.get("id_token_attribute_name") or "id_token")
    if not token:
        return None
    if settings.get("validate_id_token") and settings.get("jwk_set_url"):
        try:
            # The signature alone: neither issuer nor audience nor time.
            return await signed_claims(token, settings["jwk_set_url"], ca_file)
        except Trouble as trouble:
            raise Refused(INTERNAL) from trouble
    return _payload(token)


async def _from_userinfo(
    settings: Mapping[str, Any], tokens: Mapping[str, Any], ca_file: Path | None
) -> dict[str, Any] | None:
    if not settings["api_url"]:
        return None
    try:
        return await userinfo(settings["api_url"], str(tokens.get("access_token")), ca_file)
    except Trouble:
        return None


def _payload(token: Any) -> dict[str, Any] | None:
    try:
        return unverified(str(token))
    except Trouble:
        return None


def _role(settings: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    for source in said:
        found = _search(settings["role_attribute_path"], source)
        if found.lower() == SERVER_ADMIN:
            return "Admin", True
        if found.title() in ORGANISATION_ROLES:
            return found.title(), False
    return "", False


def _login(said: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    for source in said:
        login = source.get("login") or _search(settings["login_attribute_path"], source) or source.get("username")
        if login:
            return str(login)
    return ""


def _first(said: Sequence[Mapping[str, Any]], claim: str, path: Any, *, path_wins: bool = False) -> str:
    for source in said:
        found = _search(path or "", source)
        given = str(source.get(claim) or "")
        value = (found or given) if path_wins else (given or found)
        if value:
            return value
    return ""


def _search(path: str, source: Mapping[str, Any]) -> str:
    """Return the text a JMESPath finds; none where it finds another kind or cannot be evaluated."""
    if not path:
        return ""
    try:
        found = jmespath.search(path, source)
    except JMESPathError:
        return ""
    return found if isinstance(found, str) else ""
