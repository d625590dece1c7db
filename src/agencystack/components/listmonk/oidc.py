"""The part of Listmonk's settings that decides who logs in through an OpenID provider.

Source: ``tests/contract/recordings/listmonk/oidc_settings.json``, ``oidc_login.json`` (Listmonk 6.2.0). Listmonk reads
no roles from a token and asks neither whether the e-mail address is verified nor whether its user is disabled.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agencystack.stack.secrets import Secret

KEY = "security.oidc"
CALLBACK = "/auth/oidc"


class OidcSettings(BaseModel):
    """How Listmonk logs people in through an OpenID provider.

    Fields Listmonk has and this class does not are kept and sent back.

    Attributes:
        provider_url: the issuer to the letter, with or without the slash at its end as the provider announces itself;
            Listmonk itself asks it for everything else, so it must reach this one public address.
        provider_name: on the button of the login page; the host name's last two parts when empty.
        client_secret: what is sent; without it Listmonk keeps the stored one, which therefore cannot be emptied.
        has_client_secret: whether one is stored.
        auto_create_users: make a user with the default role for every person the provider lets in. Off, a person
            without a user of that e-mail address is refused.
        default_user_role_id: id of a user role; one that is not there makes each first login fail.
        default_list_role_id: id of a list role.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, arbitrary_types_allowed=True)

    enabled: bool = False
    provider_url: str = ""
    provider_name: str = ""
    client_id: str = ""
    client_secret: Secret | None = Field(default=None, exclude=True)
    auto_create_users: bool = False
    default_user_role_id: int | None = None
    default_list_role_id: int | None = None
    has_client_secret: bool = Field(default=False, exclude=True)

    @property
    def is_factory_default(self) -> bool:
        """Say whether nobody has configured a provider."""
        return not self.enabled and not self.provider_url and not self.client_id

    @classmethod
    def of(cls, data: Any) -> OidcSettings:
        """Read it from all settings as Listmonk answers them.

        Raises:
            pydantic.ValidationError, KeyError, TypeError: they have another form.
        """
        row = data[KEY]
        return cls.model_validate({**row, "client_secret": None, "has_client_secret": bool(row.get("client_secret"))})

    def into(self, body: dict[str, Any]) -> None:
        """Put it into the settings that are sent; they hold the secret then."""
        secret = self.client_secret.reveal() if self.client_secret else ""
        body[KEY] = {**self.model_dump(mode="json"), "client_secret": secret}
