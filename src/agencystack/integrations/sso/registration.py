"""An application's registration in Keycloak: where it stands, what it is called, and the resources that make it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from agencystack.components.keycloak import Keycloak, Realm
from agencystack.engine.integration import Integration, Manual, Site
from agencystack.engine.resource import Resource
from agencystack.engine.values import Marker
from agencystack.integrations import products
from agencystack.integrations.keycloak_realm import LoginRealm
from agencystack.integrations.sso.client import ClientSecret, LoginClient, Registered
from agencystack.integrations.sso.groups import PeopleGroup
from agencystack.integrations.sso.probe import Leftovers
from agencystack.integrations.sso.roles import ClientRoles
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.model import place
from agencystack.stack.products import Keycloak as KeycloakSettings
from agencystack.stack.secrets import Secret

if TYPE_CHECKING:
    from agencystack.integrations.sso.roster import Roster


@dataclass(frozen=True)
class Endpoints:
    """Where a realm is asked what; OpenID Connect Discovery's names.

    Args:
        issuer: who its tokens say made them; public.
        authorization: where browsers are sent to log in; public.
        end_session: where browsers are sent to log out; public.
        token: where the application trades a code for tokens; as components reach Keycloak.
        userinfo: where the application asks who that is; as components reach Keycloak.
        jwks: the keys of the realm; as components reach Keycloak.
    """

    issuer: str
    authorization: str
    end_session: str
    token: str
    userinfo: str
    jwks: str

    @classmethod
    def of(cls, public: str, internal: str, realm: str) -> Endpoints:
        """Return the endpoints of ``realm`` at the public and the internal address of a Keycloak."""
        issuer = f"{public.rstrip('/')}/realms/{quote(realm)}"
        seen = f"{issuer}/protocol/openid-connect"
        inside = f"{internal.rstrip('/')}/realms/{quote(realm)}/protocol/openid-connect"
        return cls(
            issuer=issuer,
            authorization=f"{seen}/auth",
            end_session=f"{seen}/logout",
            token=f"{inside}/token",
            userinfo=f"{inside}/userinfo",
            jwks=f"{inside}/certs",
        )


class Registration:
    """One application of one client in Keycloak.

    Args:
        site: the application.
        registered: tells what Keycloak must know of it; may ask the application.
    """

    def __init__(self, site: Site, registered: Callable[[], Registered]) -> None:
        if site.provider is None:
            raise ConfigurationError("has no Keycloak to log in through", component=site.application.ref)
        self.site = site
        self.settings = products.settings_of(site.provider, KeycloakSettings)
        self.keycloak: Keycloak = products.keycloak(site.provider, site.context)
        self.realm: Realm = self.keycloak.realm(self.settings.realm.replace("{client}", site.client))
        self.client_id = f"{site.client}-{site.application.ref.name}"
        self.registered = registered
        self._secret = ClientSecret(site.sealed("client-secret"))

    @property
    def endpoints(self) -> Endpoints:
        """Where the application and its browsers find the realm."""
        return Endpoints.of(self.settings.url, self.settings.reached_by_components(), self.realm.name)

    @property
    def authority(self) -> str:
        """The PEM of the authority of Keycloak's certificate, for applications that do not know it; mostly empty."""
        file = products.ca_file(self.settings)
        return products.pem(file) if file else ""

    @property
    def roles_by_group(self) -> dict[str, tuple[str, ...]]:
        """The application's roles by the path of the group in Keycloak."""
        return {self.group_path(group): roles for group, roles in self.site.groups.items()}

    @property
    def managed_roles(self) -> tuple[str, ...]:
        """Every role some group has, sorted: what a login gives and takes away."""
        return tuple(sorted({role for roles in self.site.groups.values() for role in roles}))

    def group_path(self, group: str) -> str:
        """Return the path of a client's group; clients that share a realm never share a group."""
        return f"/{self.site.client}/{group}"

    def resources(self) -> Iterator[Resource]:
        """Yield what has to be in Keycloak before the application is told.

        Raises:
            Manual: nobody said who may do what there, so nobody could log in.
        """
        if not self.site.groups:
            name, client = self.site.application.ref.name, self.site.client
            raise Manual(
                f"no group of {client} has a role in {name}, so nobody could log in to it",
                component=self.site.application.ref,
                remedy=f"write in stack.yaml: clients.{client}.groups.GROUP.{name}: [ROLE] (docs/sso.md)",
            )
        yield LoginRealm(self.realm)
        yield PeopleGroup(self.realm, f"/{self.site.client}")
        for path in self.roles_by_group:
            yield PeopleGroup(self.realm, path)
        yield LoginClient(self.realm, self.client_id, self.site.name, self.registered, self._secret)
        yield ClientRoles(self.realm, self.client_id, self.managed_roles, self.roles_by_group)
        yield Leftovers(self.realm)

    def former(self, key: str) -> Resource | None:
        """Return the resource in Keycloak that once had ``key``."""
        kind, _, name = key.partition(" ")
        if kind == "group":
            return PeopleGroup(self.realm, name)
        if kind == "realm":
            return LoginRealm(self.keycloak.realm(name))
        if kind == "client":
            return LoginClient(self.realm, name, self.site.name, self.registered, self._secret)
        if key.startswith("expired probe users of realm "):
            return Leftovers(self.keycloak.realm(key.removeprefix("expired probe users of realm ")))
        if key.startswith("roles of "):
            return ClientRoles(self.realm, key.removeprefix("roles of "), self.managed_roles, self.roles_by_group)
        return None

    @property
    def secret(self) -> Secret | Marker:
        """The client's secret as Keycloak has it; made by apply where the client is not there yet."""
        client = self.realm.client(self.client_id)
        if client is None or client.secret is None or self._secret.wanted is Marker.PENDING:
            return Marker.PENDING
        return client.secret

    def rotate(self) -> Callable[[], None] | None:
        """Have Keycloak make a new secret at the next apply; return what goes back to the present one."""
        present = self._live_secret()
        if present is None:
            return None
        self._secret.wish_for_another(present)

        def back() -> None:
            self.realm.forget()
            if self._live_secret() == present:
                self._secret.done()  # already taken back
            else:
                self._secret.wish_for(present)

        return back

    def _live_secret(self) -> Secret | None:
        client = self.realm.client(self.client_id)
        return None if client is None else client.secret


class LoginIntegration(Integration):
    """What the login integrations of all applications share: they stand on a :class:`Registration`."""

    all_or_nothing = True

    @abstractmethod
    def registration(self, site: Site) -> Registration:
        """Return the application's registration."""

    def missing(self, site: Site) -> Iterator[str]:
        """Yield the credential of Keycloak's administrator, in either of its forms."""
        if site.provider is not None:
            settings = products.settings_of(site.provider, KeycloakSettings)
            if settings.admin_password is None and settings.admin_client_secret is None:
                yield f"{place(site.provider.ref)}.admin_password"

    def former(self, site: Site, key: str) -> Resource | None:
        """Return a resource in Keycloak that another configuration once wanted."""
        return self.registration(site).former(key)

    def roster(self, site: Site) -> Roster | None:
        """Return the application's people for `agencystack roles sync`; None where the login itself gives the roles."""
        return None

    def rotate(self, site: Site) -> Callable[[], None] | None:
        """Ask for a new client secret."""
        return self.registration(site).rotate()
