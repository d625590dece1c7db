"""What Keycloak says of its things, as models: the fields we read, and the whole of it where a write sends it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agencystack.stack.secrets import Secret

# Fields of a representation that hold secrets; they leave it before it is kept.
SECRET_FIELDS = ("secret", "registrationAccessToken")


class _Representation(BaseModel):
    """A JSON object of the Admin REST API; fields we do not name are left out."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )


class RealmSettings(_Representation):
    """Settings of one realm.

    Args:
        smtp: mail server of the realm as Keycloak stores it; a stored password reads as ``**********``.
        attributes: attributes of the realm.
        browser_flow: alias of the flow that a login in a browser follows.
        ssl_required: ``all``, ``external`` (all but private addresses) or ``none``.
    """

    realm: str
    enabled: bool = True
    verify_email: bool = False
    registration_allowed: bool = False
    duplicate_emails_allowed: bool = False
    login_with_email_allowed: bool = True
    edit_username_allowed: bool = False
    reset_password_allowed: bool = False
    ssl_required: str = "external"
    brute_force_protected: bool = False
    smtp: dict[str, str] = Field(default_factory=dict, alias="smtpServer")
    attributes: dict[str, str | None] = Field(default_factory=dict)
    browser_flow: str = "browser"


class Mapper(_Representation):
    """A protocol mapper: what puts one claim into the tokens of a client."""

    id: str = ""
    name: str
    protocol_mapper: str
    protocol: str = "openid-connect"
    config: dict[str, str | None] = Field(default_factory=dict)


class Client(_Representation):
    """One client of a realm: an application that logs people in.

    Args:
        id: Keycloak's own id, which its addresses use.
        client_id: the name the application gives.
        secret: its secret; ``None`` for public clients.
        raw: the whole representation without secrets, for writing it back with changes.
    """

    id: str
    client_id: str
    name: str = ""
    description: str = ""
    enabled: bool = True
    protocol: str = "openid-connect"
    redirect_uris: tuple[str, ...] = ()
    web_origins: tuple[str, ...] = ()
    root_url: str = ""
    base_url: str = ""
    admin_url: str = ""
    attributes: dict[str, str | None] = Field(default_factory=dict)
    standard_flow_enabled: bool = True
    implicit_flow_enabled: bool = False
    direct_access_grants_enabled: bool = False
    service_accounts_enabled: bool = False
    full_scope_allowed: bool = True
    public_client: bool = False
    bearer_only: bool = False
    frontchannel_logout: bool = False
    protocol_mappers: tuple[Mapper, ...] = ()
    default_client_scopes: tuple[str, ...] = ()
    optional_client_scopes: tuple[str, ...] = ()
    secret: Secret | None = Field(default=None, repr=False)
    raw: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, representation: Mapping[str, Any]) -> Self:
        """Return the client a representation describes; its secrets go into ``secret`` and nowhere else."""
        secret = representation.get("secret")
        raw = {name: value for name, value in representation.items() if name not in SECRET_FIELDS}
        values = {name: value for name, value in raw.items() if value is not None}
        return cls.model_validate({**values, "secret": Secret(secret) if secret else None, "raw": raw})

    def mapper(self, name: str) -> Mapper | None:
        """Return its protocol mapper of that name, or ``None``."""
        return next((mapper for mapper in self.protocol_mappers if mapper.name == name), None)


class Role(_Representation):
    """A role of a client."""

    id: str
    name: str
    description: str = ""
    composite: bool = False


class Group(_Representation):
    """A group and the client roles its members have through it.

    Args:
        path: names from the top, such as ``/acme/staff``.
        client_roles: role names by client id (the name, not Keycloak's own id); roles of groups above are not in it.
    """

    id: str
    name: str
    path: str
    client_roles: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class User(_Representation):
    """A person or a probe."""

    id: str
    username: str
    email: str = ""
    email_verified: bool = False
    enabled: bool = True
    first_name: str = ""
    last_name: str = ""
