"""What ``stack.yaml`` says: which products are installed for whom, and what each client wants of them."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from agencystack.stack.component import Component
from agencystack.stack.errors import ComponentRef, UsageError
from agencystack.stack.products import NO_COMPONENTS, Components
from agencystack.stack.references import SecretReference
from agencystack.stack.sharing import Sharing
from agencystack.stack.strict import StrictModel as _Model
from agencystack.stack.values import ClientId, Domain, Email, HostPort, Name, OneLine, Url

SHARED = "shared"
Type = Literal["email", "sso", "monitoring", "data-bridge"]


class ApplicationSettings(_Model):
    """What one integration of one application is told."""

    sender: Email | None = Field(default=None, description="Address its mail comes from.")
    sender_name: OneLine | None = Field(default=None, description="Name beside that address.")
    replace: bool = Field(default=False, description="A working configuration that is not ours may be replaced.")
    adopt: bool = Field(default=False, description="What a person made under our names may become ours.")
    settings: dict[str, JsonValue] = Field(default={}, description="What this integration alone reads; never a secret.")


Integrations = dict[Type, dict[Name, ApplicationSettings]]


Addresses = Annotated[tuple[Email, ...], Field(strict=False)]
Roles = Annotated[tuple[OneLine, ...], Field(strict=False, min_length=1)]


class Bridge(_Model):
    """The service that keeps products in step."""

    listen: HostPort = Field(default="127.0.0.1:8095", description="Where it takes the products' calls.")
    url: Url = Field(description="Its address as WordPress and ERPNext reach it; WordPress calls 80, 443, 8080 alone.")
    internal_url: Url | None = Field(
        default=None, description="Its address as Alloy and Uptime Kuma reach it; default: listen, on its machine."
    )
    database: SecretReference | None = Field(
        default=None, description="postgresql://USER:PASSWORD@HOST/NAME for several workers; default: SQLite."
    )


class Shared(_Model):
    """What all clients share."""

    components: Components = NO_COMPONENTS
    alerts_to: Addresses = Field(default=(), description="Who is told of trouble, where a client does not say.")


class Client(_Model):
    """One customer of the agency."""

    domain: Domain = Field(description="Its mail addresses end in it.")
    components: Components = NO_COMPONENTS
    alerts_to: Addresses = Field(default=(), description="Who is told of trouble; default: as for shared.")
    groups: dict[Name, dict[Name, Roles]] = Field(
        default={}, description="Who may do what: by group of people, the roles in each application."
    )
    integrations: Integrations = Field(default={})
    data_bridge: Sharing | None = Field(default=None, description="What WordPress and ERPNext share; default: nothing.")

    def roles_in(self, application: str) -> dict[str, tuple[str, ...]]:
        """Return the roles each group of people has in an application; groups that have none there are left out."""
        return {group: of[application] for group, of in self.groups.items() if application in of}


class Stack(_Model):
    """All of ``stack.yaml``."""

    version: Literal[1]
    shared: Shared = Shared()
    bridge: Bridge | None = Field(default=None)
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

    def alerts_to(self, client: str) -> tuple[str, ...]:
        """Return who is told of trouble: of a client as it says, else as for all; of what is ``shared`` as for all."""
        return (self.client(client).alerts_to if client != SHARED else ()) or self.shared.alerts_to

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
