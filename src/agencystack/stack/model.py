"""What ``stack.yaml`` says: which products are installed for whom, and how each is reached."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from agencystack.stack.errors import ComponentRef, UsageError
from agencystack.stack.oidc_application import OidcApplication
from agencystack.stack.references import SecretReference
from agencystack.stack.strict import StrictModel as _Model
from agencystack.stack.values import (
    AbsolutePath,
    ClientId,
    ContainerName,
    Domain,
    Email,
    Host,
    Name,
    Network,
    OneLine,
    RealmName,
    SshHost,
    Url,
    UserName,
)

SHARED = "shared"
Type = Literal["email", "sso", "monitoring", "data-bridge"]
Port = Annotated[int, Field(ge=1, le=65535)]


_ELSEWHERE: dict[str, JsonValue] = {"anyOf": [{"required": ["docker"]}, {"required": ["ssh"]}]}


class Exec(_Model):
    """How commands run where the product lives: on which machine, and in which container of it."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["local"]}, _ELSEWHERE]})

    local: Literal[True] | None = Field(
        default=None, description="The product runs on this machine, outside of containers."
    )
    docker: ContainerName | None = Field(default=None, description="Container, on this machine or on the ssh host.")
    ssh: SshHost | None = Field(default=None, description="HOST or USER@HOST, as for the ssh command.")
    user: UserName | None = Field(default=None, description="Runs the product's code; never root.")
    path: AbsolutePath | None = Field(default=None, description="The product's folder there, such as /var/www/html.")
    url: Url | None = Field(default=None, description="Which site of a WordPress multisite is meant.")

    @model_validator(mode="after")
    def _one_way(self) -> Exec:
        if self.local and (self.docker or self.ssh):
            raise PydanticCustomError(
                "exec",
                "names two ways at once",
                {"write": "either local: true, or docker: CONTAINER, ssh: HOST or both of them"},
            )
        if not (self.local or self.docker or self.ssh):
            raise PydanticCustomError(
                "exec",
                "does not say where commands run",
                {"write": "local: true, docker: CONTAINER, ssh: HOST, or docker and ssh"},
            )
        return self


class Component(_Model):
    """One installed product; products without settings of their own are written like this."""

    url: Url = Field(description="Public address: browsers, links, issuer.")
    internal_url: Url | None = Field(default=None, description="As other components reach it; default: url.")
    api_url: Url | None = Field(default=None, description="As we reach it; default: url.")
    ca_file: AbsolutePath | None = Field(default=None, description="Certificates of a private authority, as PEM.")
    exec: Exec | None = Field(default=None, description="How commands run where it lives.")
    sends_from: tuple[Network, ...] = Field(default=(), strict=False, description="Networks its mail leaves from.")
    sandbox: bool = Field(default=False, description="Its data may be changed by proofs.")

    def reached_by_us(self) -> str:
        """Return the address we call."""
        return self.api_url or self.url

    def reached_by_components(self) -> str:
        """Return the address other components call."""
        return self.internal_url or self.url

    def secret_references(self) -> dict[str, SecretReference]:
        """Return every secret this component needs, by the key it stands under."""
        found = ((key, getattr(self, key)) for key in type(self).model_fields)
        return {key: value for key, value in found if isinstance(value, SecretReference)}


class Submission(_Model):
    """Where applications hand in mail; found by asking when not given."""

    host: Host | None = None
    port: Port | None = None
    security: Literal["tls", "starttls"] | None = None


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

    mailer: Literal["wp-mail-smtp", "connector"] = Field(default="wp-mail-smtp", description="What sends its mail.")
    login: Literal["connector", "miniorange", "openid-connect-generic"] = Field(
        default="connector", description="Plugin that lets people log in through Keycloak."
    )


class ERPNext(Component):
    """An ERPNext site."""

    api_key: SecretReference = Field(description="Key of a user with the role System Manager.")
    api_secret: SecretReference = Field(description="That user's secret.")


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


class Administered(Component):
    """A product that is configured as its administrator."""

    admin_user: OneLine | None = Field(default=None, description="Name of an administrator; default: admin.")
    admin_password: SecretReference | None = Field(default=None, description="That administrator's password.")


class Grafana(Administered):
    """A Grafana; one without the SSO settings interface is told how people log in by its environment file."""

    env_file: AbsolutePath | None = Field(
        default=None, description="Its environment file, on the machine that exec reaches; for versions before 10.4."
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
    loki: Component | None = None
    alloy: Component | None = None
    uptime_kuma: Administered | None = Field(default=None, alias="uptime-kuma")

    def by_name(self) -> dict[str, Component]:
        """Return what is installed, under the names used in ``stack.yaml``."""
        known = {field.alias or name: getattr(self, name) for name, field in type(self).model_fields.items()}
        return {name: value for name, value in known.items() if value is not None} | self.__pydantic_extra__


_NO_COMPONENTS = Components.model_validate({})
KNOWN_COMPONENTS = tuple(field.alias or name for name, field in Components.model_fields.items())


# What agencies install once for all clients, where nothing says otherwise.
USUALLY_SHARED = ("mailu", "keycloak", "grafana", "loki", "alloy", "uptime-kuma")


def required_credentials(component: str) -> list[str]:
    """Return the secrets that a known component cannot be reached without."""
    [field] = [field for name, field in Components.model_fields.items() if component in (name, field.alias)]
    product: type[Component] = get_args(field.annotation)[0]
    return [key for key, of in product.model_fields.items() if of.is_required() and of.annotation is SecretReference]


class ApplicationSettings(_Model):
    """What one integration of one application is told."""

    sender: Email | None = Field(default=None, description="Address its mail comes from.")
    sender_name: OneLine | None = Field(default=None, description="Name beside that address.")
    replace: bool = Field(default=False, description="A working configuration that is not ours may be replaced.")
    adopt: bool = Field(default=False, description="What a person made under our names may become ours.")
    settings: dict[str, JsonValue] = Field(default={}, description="What this integration alone reads; never a secret.")


Integrations = dict[Type, dict[Name, ApplicationSettings]]


Roles = Annotated[tuple[OneLine, ...], Field(strict=False, min_length=1)]


class Shared(_Model):
    """What all clients share."""

    components: Components = _NO_COMPONENTS


class Client(_Model):
    """One customer of the agency."""

    domain: Domain = Field(description="Its mail addresses end in it.")
    components: Components = _NO_COMPONENTS
    groups: dict[Name, dict[Name, Roles]] = Field(
        default={}, description="Who may do what: by group of people, the roles in each application."
    )
    integrations: Integrations = Field(default={})

    def roles_in(self, application: str) -> dict[str, tuple[str, ...]]:
        """Return the roles each group of people has in an application; groups that have none there are left out."""
        return {group: of[application] for group, of in self.groups.items() if application in of}


class Stack(_Model):
    """All of ``stack.yaml``."""

    version: Literal[1]
    shared: Shared = Shared()
    clients: dict[ClientId, Client] = Field(default={})

    def component(self, client: str, name: str) -> tuple[ComponentRef, Component] | None:
        """Return the component that serves a client: its own, else the shared one of that name, else ``None``."""
        return self.components(client).get(name)

    def components(self, client: str) -> dict[str, tuple[ComponentRef, Component]]:
        """Return all components that serve a client, shared ones included; ``shared`` names those alone."""
        found = {name: (ComponentRef(SHARED, name), value) for name, value in self.shared.components.by_name().items()}
        if client != SHARED:
            own = self.client(client).components.by_name()
            found |= {name: (ComponentRef(client, name), value) for name, value in own.items()}
        return found

    def client(self, client: str) -> Client:
        """Return a client by its id.

        Raises:
            UsageError: there is none of that id; names the one that was probably meant.
        """
        if client not in self.clients:
            raise UsageError(f"there is no client {client} in stack.yaml", remedy=_instead(client, list(self.clients)))
        return self.clients[client]

    def required_component(self, client: str, name: str) -> tuple[ComponentRef, Component]:
        """Return what :meth:`component` does.

        Raises:
            UsageError: there is no such client, or nothing of that name serves it.
        """
        self.client(client)
        found = self.component(client, name)
        if found is None:
            raise UsageError(
                f"{client} has no component {name}, of its own or shared",
                remedy=_instead(name, list(self.components(client))),
            )
        return found

    def application(self, client: str, type_: str, name: str) -> ApplicationSettings:
        """Return what an integration of a client is told; the defaults where ``stack.yaml`` says nothing."""
        of_type: dict[str, ApplicationSettings] = dict(self.client(client).integrations).get(type_, {})  # type: ignore[call-overload]
        return of_type.get(name, ApplicationSettings())

    def secret_references(self, refs: list[ComponentRef] | None = None) -> dict[str, SecretReference]:
        """Return the secrets that components need, by their path in ``stack.yaml``.

        Args:
            refs: the components that matter; all when not given.
        """
        return {
            f"{place(ref)}.{key}": reference
            for ref, component in self.all_components().items()
            if refs is None or ref in refs
            for key, reference in component.secret_references().items()
        }

    def all_components(self) -> dict[ComponentRef, Component]:
        """Return every component once."""
        groups = {SHARED: self.shared.components} | {client: value.components for client, value in self.clients.items()}
        return {
            ComponentRef(client, name): value
            for client, group in groups.items()
            for name, value in group.by_name().items()
        }


def _instead(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}"


def place(ref: ComponentRef) -> str:
    """Return where a component stands in ``stack.yaml``."""
    return f"shared.components.{ref.name}" if ref.client == SHARED else f"clients.{ref.client}.components.{ref.name}"
