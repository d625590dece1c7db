"""How Grafana logs people in through an OAuth provider of its own choosing (``generic_oauth``).

Source: Grafana's own code, ``pkg/services/ssosettings`` and ``pkg/login/social/connectors`` (as told in
``tests/contract/recordings/grafana``); not verified against the running product.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agencystack.stack.secrets import Secret

PROVIDER = "generic_oauth"
CALLBACK = f"/login/{PROVIDER}"
MASK = "*********"
"""What Grafana answers for a stored secret; sent back it keeps the stored one."""

ROLES = ("GrafanaAdmin", "Admin", "Editor", "Viewer")
"""Organisation roles, the one that may most first; ``GrafanaAdmin`` counts only where the settings allow it."""


def variable(setting: str) -> str:
    """Return the environment variable of a setting of ``[auth.generic_oauth]``.

    Grafana reads those of settings it knows, and none that is empty (``applyEnvVariableOverrides`` of
    ``pkg/setting/setting.go``).

    Args:
        setting: as :class:`OAuthSettings` names it.
    """
    return f"GF_AUTH_GENERIC_OAUTH_{setting.upper()}"


class OAuthSettings(BaseModel):
    """The provider ``generic_oauth`` of Grafana.

    What is None is not sent, so it comes from Grafana's configuration file or environment. Settings Grafana has and
    this class does not are kept and sent back.

    Attributes:
        client_secret: what is sent; without it the stored one stays.
        has_client_secret: whether one is stored, or set in Grafana's file or environment.
        auth_url: where browsers go; public.
        token_url, api_url: what Grafana itself calls; ``api_url`` is the userinfo endpoint.
        scopes: separated by spaces.
        login_attribute_path: JMESPath of the login; the e-mail address when empty.
        role_attribute_path: JMESPath of the role, asked of ID token, userinfo and (12.1 on) access token in turn.
        role_attribute_strict: refuse whoever has no role by it; off, they get the default role.
        allow_assign_grafana_admin: let the role ``GrafanaAdmin`` make server administrators.
        signout_redirect_url: where a browser goes after Grafana's own logout. Grafana adds ``id_token_hint`` only
            where its query has ``post_logout_redirect_uri``.
        validate_id_token, jwk_set_url: verify the ID token's signature; older versions (up to 11) never do.
        source: ``database`` where these were saved, ``system`` where they come from file and environment.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )

    enabled: bool = False
    name: str | None = None
    client_id: str = ""
    client_secret: Secret | None = Field(default=None, exclude=True)
    has_client_secret: bool = Field(default=False, exclude=True)
    auth_url: str = ""
    token_url: str = ""
    api_url: str | None = None
    scopes: str | None = None
    use_pkce: bool | None = None
    allow_sign_up: bool | None = None
    auto_login: bool | None = None
    login_attribute_path: str | None = None
    name_attribute_path: str | None = None
    role_attribute_path: str | None = None
    role_attribute_strict: bool | None = None
    skip_org_role_sync: bool | None = None
    allow_assign_grafana_admin: bool | None = None
    signout_redirect_url: str | None = None
    tls_client_ca: str | None = None
    validate_id_token: bool | None = None
    jwk_set_url: str | None = None
    source: Literal["database", "system"] = Field(default="system", exclude=True)

    @property
    def is_factory_default(self) -> bool:
        """Say whether nobody has configured the provider."""
        return not self.enabled and self.source == "system" and not self.token_url

    @classmethod
    def of(cls, answer: Any) -> OAuthSettings:
        """Read it from what the API answers.

        Raises:
            pydantic.ValidationError, KeyError, TypeError: it has another form.
        """
        given = dict(answer["settings"])
        masked = given.pop("clientSecret", "")
        return cls.model_validate({**given, "has_client_secret": bool(masked), "source": answer["source"]})

    def wire(self) -> dict[str, Any]:
        """Return what is sent to the API; holds the secret."""
        settings = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if self.client_secret:
            settings["clientSecret"] = self.client_secret.reveal()
        elif self.has_client_secret:
            # Left out, the stored one would be gone.
            settings["clientSecret"] = MASK
        return {"settings": settings}

    def environment(self) -> dict[str, str]:
        """Return the environment variables that say the same to a Grafana without this API; holds the secret.

        Only what this class names is said; variables win over Grafana's file, and saved settings over both.
        """
        settings = self.model_dump(mode="json", exclude_none=True, include=set(type(self).model_fields))
        said = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in settings.items()}
        if self.client_secret:
            said["client_secret"] = self.client_secret.reveal()
        return {variable(name): value for name, value in said.items()}


def ends_provider_session(version: str) -> bool:
    """Say whether a logout of Grafana ends the provider's session, with ``signout_redirect_url`` of the provider.

    Source: Grafana's CHANGELOG.md, 10.2.3 (#75269, the setting of each provider); ``id_token_hint`` came with 10.2.

    Args:
        version: as Grafana says it, such as ``9.5.2`` or ``12.0.0-pre``.
    """
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    return numbers >= (10, 2, 3)


def role_path(roles: Iterable[str], *, claim: str = "roles") -> str:
    """Return the JMESPath that gives a person the strongest of their roles, and none where they have none.

    With ``role_attribute_strict`` a person without any of them is refused, as is one without the claim.

    Args:
        roles: those that count, of :data:`ROLES`.
        claim: the array of role names in the token.

    Raises:
        ValueError: one of them is no role of Grafana.
    """
    wanted = set(roles)
    if unknown := wanted.difference(ROLES):
        raise ValueError(f"no role of Grafana: {', '.join(sorted(unknown))}")
    return " || ".join(f"contains({claim}[*], '{role}') && '{role}'" for role in ROLES if role in wanted)
