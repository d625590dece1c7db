"""The SSO settings of one provider: what is saved over what file and environment say (``pkg/services/ssosettings``)."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agencystack.sandbox.grafana.answers import Declined

PROVIDER = "generic_oauth"
MASK = "*********"
SECRET = re.compile("secret|private|certificate|password|client_key")
# conf/defaults.ini, [auth.generic_oauth].
DEFAULTS: Mapping[str, Any] = {
    "name": "OAuth",
    "icon": "signin",
    "enabled": False,
    "allow_sign_up": True,
    "auto_login": False,
    "client_id": "some_id",
    "client_secret": "",
    "scopes": "user:email",
    "empty_scopes": False,
    "email_attribute_name": "email:primary",
    "email_attribute_path": "",
    "login_attribute_path": "",
    "name_attribute_path": "",
    "role_attribute_path": "",
    "role_attribute_strict": False,
    "groups_attribute_path": "",
    "id_token_attribute_name": "",
    "team_ids_attribute_path": "",
    "auth_url": "",
    "token_url": "",
    "api_url": "",
    "signout_redirect_url": "",
    "teams_url": "",
    "allowed_domains": "",
    "allowed_groups": "",
    "team_ids": "",
    "allowed_organizations": "",
    "tls_skip_verify_insecure": False,
    "tls_client_cert": "",
    "tls_client_key": "",
    "tls_client_ca": "",
    "use_pkce": False,
    "auth_style": "",
    "allow_assign_grafana_admin": False,
    "skip_org_role_sync": False,
    "use_refresh_token": False,
}


class SsoSettings:
    """The settings of ``generic_oauth``.

    Args:
        path: where saved ones are kept, with the secret in clear; the real one encrypts it with its own key.
        system: what file and environment say, over the defaults; names as in the file.
    """

    def __init__(self, path: Path, system: Mapping[str, Any] | None = None) -> None:
        self._path = path
        self._system = {**DEFAULTS, **(system or {})}
        self._saved: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None

    def in_use(self) -> dict[str, Any]:
        """Return what counts: saved settings, and for those not saved (or a saved empty URL) the system's."""
        if self._saved is None:
            return dict(self._system)
        merged = {**self._system, **self._saved["settings"]}
        empty = {name for name, value in merged.items() if name.endswith("_url") and value == ""}
        return merged | {name: self._system[name] for name in empty if name in self._system}

    def shown(self) -> dict[str, Any]:
        """Return them as the API shows them."""
        settings = {
            _camel(name): MASK if value and isinstance(value, str) and SECRET.search(name) else value
            for name, value in self.in_use().items()
        }
        source = "system" if self._saved is None else "database"
        return {
            "id": self._saved["id"] if self._saved else "",
            "provider": PROVIDER,
            "settings": settings,
            "source": source,
        }

    def save(self, body: Mapping[str, Any]) -> None:
        """Replace what is saved; a masked secret keeps the one in use."""
        given = body.get("settings")
        if not isinstance(given, dict) or body.get("source", "database") not in {"database", "system"}:
            raise Declined(400, "Failed to parse request body")
        settings = {_snake(name): value for name, value in given.items()}
        known = self.in_use()
        for name, value in settings.items():
            if SECRET.search(name) and value == MASK:
                settings[name] = known.get(name, "")
        _check(settings)
        self._saved = {"id": self._saved["id"] if self._saved else str(uuid.uuid4()), "settings": settings}
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._saved, file, indent=1)

    def remove(self) -> None:
        """Forget what is saved."""
        if self._saved is None:
            raise not_found()
        self._saved = None
        self._path.unlink()


def not_found() -> Declined:
    """Return what is said of a provider that is not there, not configurable, or has nothing saved to remove."""
    return Declined(404, "The provider was not found.", "sso.notFound")


def _check(settings: Mapping[str, Any]) -> None:
    if not settings.get("client_id"):
        raise _invalid("Client Id is required.")
    if settings.get("allow_assign_grafana_admin") and settings.get("skip_org_role_sync"):
        raise _invalid(
            "Allow assign Grafana Admin and Skip org role sync are both set thus Grafana Admin role will not be "
            "synced. Consider setting one or the other."
        )
    for name, title in {"auth_url": "Auth URL", "token_url": "Token URL"}.items():
        place = urlsplit(str(settings.get(name, "")))
        if not place.scheme.startswith("http") or not place.netloc:
            raise _invalid(f"{title} is an invalid URL.")
    if settings.get("allowed_groups") and not settings.get("groups_attribute_path"):
        raise _invalid("If Allowed groups is configured then Groups attribute path must be configured.")


def _invalid(message: str) -> Declined:
    return Declined(400, message, "sso.invalidOauthConfig")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
