"""The installed products ``stack.yaml`` knows, and what each needs beside the common keys."""

from __future__ import annotations

from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from agencystack.stack.component import Administered, Component
from agencystack.stack.oidc_application import OidcApplication
from agencystack.stack.references import SecretReference
from agencystack.stack.strict import StrictModel as _Model
from agencystack.stack.values import AbsolutePath, ClientId, Host, Name, OneLine, RealmName

Port = Annotated[int, Field(ge=1, le=65535)]


class Submission(_Model):
    """Where applications hand in mail; found by asking when not given."""

    host: Host | None = None
    port: Port | None = None
    security: Literal["tls", "starttls"] | None = None
    starttls_port: Port | None = Field(
        default=None, description="For products that speak TLS from the first byte on port 465 alone, such as Grafana."
    )


class Imap(_Model):
    """Where mail is read back."""

    host: Host | None = None
    port: Port | None = None


class Mailu(Component):
    """The mail server; its REST API needs ``API=true`` and a token (``facts/mailu.md``)."""

    api_token: SecretReference = Field(description="API_TOKEN of mailu.env.")
    hostname: Host | None = Field(default=None, description="Name on its certificate; default: the host of url.")
    submission: Submission = Submission()
    imap: Imap = Imap()

    def tls_name(self) -> str:
        """Return the host name its certificate must carry."""
        return self.hostname or urlsplit(self.url).hostname or ""


class WordPress(Component):
    """A WordPress site."""

    model_config = ConfigDict(
        json_schema_extra={"dependentRequired": {"api_user": ["api_password"], "api_password": ["api_user"]}}
    )

    mailer: Literal["wp-mail-smtp", "connector"] = Field(default="wp-mail-smtp", description="What sends its mail.")
    login: Literal["connector", "miniorange", "openid-connect-generic"] = Field(
        default="connector", description="Plugin that lets people log in through Keycloak."
    )
    api_user: OneLine | None = Field(
        default=None,
        description="Who the data bridge is where our plugin cannot be: login name, or WooCommerce's consumer key.",
    )
    api_password: SecretReference | None = Field(
        default=None, description="That user's application password, or the consumer key's secret."
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> WordPress:
        if (self.api_user is None) != (self.api_password is None):
            raise PydanticCustomError(
                "api_user",
                "names half of a login for its REST interface",
                {"write": "both api_user and api_password, or neither"},
            )
        return self


class ERPNext(Component):
    """An ERPNext site."""

    api_key: SecretReference = Field(description="Key of a user with the role System Manager.")
    api_secret: SecretReference = Field(description="That user's secret.")
    site: Host | None = Field(default=None, description="Name of the site within its bench, for exec.")
    restart: tuple[str, ...] | None = Field(
        default=None, strict=False, min_length=1, description="Program and arguments that restart its web and workers."
    )


class Listmonk(Component):
    """A Listmonk server."""

    api_user: OneLine = Field(description="Name of an API user.")
    api_token: SecretReference = Field(description="That user's token.")


class Chatwoot(Component):
    """A Chatwoot server, configured by its environment file."""

    env_file: AbsolutePath | None = Field(default=None, description="Its .env, on the machine that exec reaches.")
    restart: tuple[str, ...] | None = Field(
        default=None, strict=False, min_length=1, description="Program and arguments that restart it, on that machine."
    )


class Grafana(Administered):
    """A Grafana; its mail, and before 10.4 how people log in, are set by its environment file."""

    env_file: AbsolutePath | None = Field(
        default=None, description="Its environment file, on the machine that exec reaches."
    )
    mail_of: ClientId | None = Field(
        default=None, description="Client whose mailbox a Grafana that several clients share sends with."
    )
    restart: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        min_length=1,
        description="Program and arguments that start it anew with that file, on that machine.",
    )


class Keycloak(Administered):
    """The identity provider; reached as an administrator, or as a service account by its client's secret."""

    realm: RealmName = Field(
        default="agencystack", description="Realm people log in to; {client} in it makes one realm a client."
    )
    mail_of: ClientId | None = Field(
        default=None, description="Client whose mailbox a realm that several clients share sends with."
    )
    admin_realm: OneLine = Field(default="master", description="Realm the administrator belongs to.")
    admin_client: OneLine = Field(default="admin-cli", description="Client that administrator uses.")
    admin_client_secret: SecretReference | None = Field(
        default=None, description="Secret of a service account, instead of a password."
    )


class Loki(Component):
    """The log store."""

    tenant: OneLine | None = Field(default=None, description="Tenant to write to and read from, where it has several.")
    user: OneLine | None = Field(default=None, description="Name for basic authentication, where a proxy asks for it.")
    password: SecretReference | None = Field(default=None, description="Password for basic authentication.")


class Alloy(Component):
    """The log and metrics collector."""

    config: AbsolutePath | None = Field(
        default=None, description="Folder of *.alloy files it is started with, on the machine that exec reaches."
    )


class Promtail(Component):
    """The collector before Alloy; its maker ended it on 2 March 2026."""

    config: AbsolutePath | None = Field(default=None, description="Its YAML file, on the machine that exec reaches.")
    restart: tuple[OneLine, ...] | None = Field(
        default=None, strict=False, min_length=1, description="Program and arguments that restart it, on that machine."
    )


class Prometheus(Component):
    """The metrics store; must accept remote writes (``--web.enable-remote-write-receiver``)."""

    user: OneLine | None = Field(default=None, description="Name for basic authentication, where a proxy asks for it.")
    password: SecretReference | None = Field(default=None, description="Password for basic authentication.")


class UptimeKuma(Administered):
    """The outside view: checks, and a status page for customers."""


class CustomComponent(Component):
    """A product of one's own, for a drop-in integration or one that serves every product of a kind."""

    custom: Literal[True] = Field(description="Says that the name is meant, and no typing error.")
    settings: dict[str, JsonValue] = Field(
        default={}, description="What the drop-in integration reads; never a secret."
    )
    credentials: dict[str, SecretReference] = Field(default={}, description="Secrets the drop-in integration needs.")
    oidc: OidcApplication | None = Field(default=None, description="It lets people in by OpenID Connect.")

    def secret_references(self) -> dict[str, SecretReference]:
        """Return every secret this component needs, by the key it stands under."""
        return {f"credentials.{name}": reference for name, reference in self.credentials.items()}


class Components(_Model):
    """The installed products by name; a name of one's own needs ``custom: true``."""

    model_config = ConfigDict(
        extra="allow", frozen=True, json_schema_extra={"propertyNames": {"pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"}}
    )
    __pydantic_extra__: dict[Name, CustomComponent]

    mailu: Mailu | None = None
    wordpress: WordPress | None = None
    erpnext: ERPNext | None = None
    listmonk: Listmonk | None = None
    chatwoot: Chatwoot | None = None
    keycloak: Keycloak | None = None
    grafana: Grafana | None = None
    loki: Loki | None = None
    alloy: Alloy | None = None
    promtail: Promtail | None = None
    prometheus: Prometheus | None = None
    uptime_kuma: UptimeKuma | None = Field(default=None, alias="uptime-kuma")

    def by_name(self) -> dict[str, Component]:
        """Return what is installed, under the names used in ``stack.yaml``."""
        known = {field.alias or name: getattr(self, name) for name, field in type(self).model_fields.items()}
        return {name: value for name, value in known.items() if value is not None} | self.__pydantic_extra__


NO_COMPONENTS = Components.model_validate({})
KNOWN_COMPONENTS = tuple(field.alias or name for name, field in Components.model_fields.items())


# What agencies install once for all clients, where nothing says otherwise.
USUALLY_SHARED = ("mailu", "keycloak", "grafana", "loki", "alloy", "promtail", "prometheus", "uptime-kuma")


def required_credentials(component: str) -> list[str]:
    """Return the secrets that a known component cannot be reached without."""
    [field] = [field for name, field in Components.model_fields.items() if component in (name, field.alias)]
    product: type[Component] = get_args(field.annotation)[0]
    return [key for key, of in product.model_fields.items() if of.is_required() and of.annotation is SecretReference]
