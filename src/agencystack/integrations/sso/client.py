"""The client of an application in Keycloak: its addresses, its claims, its secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.alias_generators import to_camel

from agencystack.components.keycloak import Client, Realm
from agencystack.engine.integration import SealedValue
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations.keycloak_realm import OWNER
from agencystack.stack.secrets import Secret

PKCE = "pkce.code.challenge.method"
LOGOUT = "post.logout.redirect.uris"
SEPARATOR = "##"
"""Between several addresses in one attribute of Keycloak."""

SCOPES = ("basic", "email", "profile")
"""Client scopes an application needs. From Keycloak 25 on ``sub`` is in ``basic``; before there is no such scope."""


@dataclass(frozen=True)
class Registered:
    """What Keycloak must know of an application.

    Args:
        name: for people, on the page where they log in.
        home: its public address.
        redirect_uris: where it may send people back to after a login; exact, no wildcards.
        logout_uris: where it may send people to after a logout; exact.
        pkce: it sends a code challenge (RFC 7636), and Keycloak insists on it.
    """

    name: str
    home: str
    redirect_uris: tuple[str, ...]
    logout_uris: tuple[str, ...] = ()
    pkce: bool = True


class ClientSecret:
    """What is wished of a client's secret: usually nothing, as Keycloak makes and keeps it."""

    def __init__(self, sealed: SealedValue) -> None:
        self._sealed = sealed

    @property
    def wanted(self) -> Secret | Marker | None:
        """A new one, a certain one, or None: whatever it is."""
        data = self._data()
        if "back to" in data:
            return Secret(data["back to"])
        return Marker.PENDING if data.get("rotate") else None

    def wish_for_another(self, present: Secret) -> None:
        """Wish for a new one instead of ``present``."""
        self._put({"rotate": True, "present": present.reveal()})

    def wish_for(self, former: Secret) -> None:
        """Wish for one that was there before."""
        self._put({"back to": former.reveal()})

    def done(self) -> None:
        """Forget the wish: it is fulfilled."""
        self._sealed.delete()

    def _data(self) -> dict[str, Any]:
        stored = self._sealed.get()
        return {} if stored is None else dict(json.loads(stored.reveal()))

    def _put(self, data: Mapping[str, Any]) -> None:
        self._sealed.put(Secret(json.dumps(dict(data))))


class LoginClient(Resource):
    """The client. What a person set on it beside our fields stays."""

    def __init__(
        self, realm: Realm, client_id: str, owner: str, registered: Callable[[], Registered], secret: ClientSecret
    ) -> None:
        self.component, self.key = realm.where, f"client {client_id}"
        self._realm, self._id, self._owner = realm, client_id, owner
        self._registered, self._secret = registered, secret

    def read(self) -> Reading:
        """Return our fields of it; one without our mark belongs to a person."""
        client = self._realm.client(self._id)
        if client is None:
            return ABSENT
        foreign = None
        if client.attributes.get(OWNER) != self._owner:
            what = f"the client {self._id} exists in the realm {self._realm.name} and is not ours"
            foreign = Foreign(what, Permission.ADOPT)
        return Reading(self._fields(client), foreign=foreign)

    def wanted(self) -> Fields:
        """Want a confidential client for the authorization code flow alone, with the claims the application needs."""
        registered = self._registered()
        client = self._realm.client(self._id)
        return {
            "owner": self._owner,
            "name": registered.name,
            "enabled": True,
            "protocol": "openid-connect",
            "base_url": registered.home,
            "redirect_uris": tuple(sorted(registered.redirect_uris)),
            "logout_uris": tuple(sorted(registered.logout_uris)),
            "pkce": "S256" if registered.pkce else "",
            "public_client": False,
            "standard_flow_enabled": True,
            "implicit_flow_enabled": False,
            "direct_access_grants_enabled": False,
            "service_accounts_enabled": False,
            "full_scope_allowed": False,
            "scopes": tuple(scope for scope in SCOPES if scope in self._realm.client_scopes()),
            **{f"claim {name}": _text(config) for name, (_, config) in self._claims().items()},
            "secret": self._wanted_secret(client),
        }

    def write(self, change: Change) -> None:
        """Make the client, or set what differs."""
        names = change.names
        if change.live.absent:
            self._realm.create_client(self._id, self._representation(change.target, change.names))
        elif names & _REPRESENTED:
            self._realm.update_client(self._id, self._representation(change.target, names))
        for name in (name for name in names if name.startswith("claim ")):
            self._write_claim(name.removeprefix("claim "), change.target[name])
        if "scopes" in names:
            self._write_scopes(change.target["scopes"])
        if "secret" in names and not change.live.absent:
            self._write_secret(change.target["secret"])

    def remove(self, live: Reading, before: Image) -> str:
        """Delete the client we made; its roles and mappings go with it."""
        self._realm.delete_client(self._id)
        self._secret.done()
        return ""

    def _fields(self, client: Client) -> dict[str, Value]:
        plain: dict[str, Value] = {name: getattr(client, name) for name in _PLAIN}
        return {
            **plain,
            "owner": client.attributes.get(OWNER),
            "redirect_uris": tuple(sorted(client.redirect_uris)),
            "logout_uris": tuple(sorted(filter(None, (client.attributes.get(LOGOUT) or "").split(SEPARATOR)))),
            "pkce": client.attributes.get(PKCE) or "",
            "scopes": tuple(scope for scope in SCOPES if scope in client.default_client_scopes),
            **{f"claim {name}": self._live_claim(client, name) for name in self._claims()},
            "secret": client.secret,
        }

    def _wanted_secret(self, client: Client | None) -> Value:
        wish = self._secret.wanted
        if wish is not None:
            return wish
        return Marker.PENDING if client is None or client.secret is None else client.secret

    def _write_secret(self, target: Value) -> None:
        if isinstance(target, Secret):
            self._realm.update_client(self._id, {"secret": target.reveal()})
        else:
            self._realm.new_client_secret(self._id)
        self._secret.done()

    def _representation(self, target: Fields, names: frozenset[str]) -> dict[str, Any]:
        """Return those of our fields that stand in the client itself, as Keycloak names them."""
        values: dict[str, Any] = {to_camel(name): target[name] for name in _PLAIN if name in names}
        if "redirect_uris" in names:
            values["redirectUris"] = _texts(target["redirect_uris"])
        attributes = {
            OWNER: target.get("owner"),
            PKCE: target.get("pkce"),
            LOGOUT: SEPARATOR.join(_texts(target.get("logout_uris"))),
        }
        fields = {OWNER: "owner", PKCE: "pkce", LOGOUT: "logout_uris"}
        changed = {name: value for name, value in attributes.items() if fields[name] in names}
        return {**values, "attributes": changed} if changed else values

    def _write_claim(self, name: str, target: Value) -> None:
        """Make a mapper, set ours right, or take it away; one of another kind under its name makes room."""
        kind, _ = self._claims()[name]
        client = self._realm.client(self._id)
        live = client.mapper(name) if client else None
        if live is not None and (target is None or live.protocol_mapper != kind):
            self._realm.delete_mapper(self._id, name)
            live = None
        if not isinstance(target, str):
            return
        values = {"protocolMapper": kind, "config": json.loads(target)}
        if live is None:
            self._realm.create_mapper(self._id, name, values)
        else:
            self._realm.update_mapper(self._id, name, values)

    def _write_scopes(self, target: Value) -> None:
        client = self._realm.client(self._id)
        live = client.default_client_scopes if client else ()
        wanted = _texts(target)
        for scope in SCOPES:
            if scope in wanted and scope not in live:
                self._realm.add_client_scope(self._id, scope)
            elif scope not in wanted and scope in live:
                self._realm.remove_client_scope(self._id, scope)

    def _live_claim(self, client: Client, name: str) -> Value:
        mapper = client.mapper(name)
        kind, config = self._claims()[name]
        if mapper is None or mapper.protocol_mapper != kind:
            return None
        # What Keycloak adds of its own accord is not compared.
        return _text({key: mapper.config.get(key) for key in config})

    def _claims(self) -> dict[str, tuple[str, dict[str, str]]]:
        """Return the mappers an application needs: kind and configuration by name."""
        everywhere = {"id.token.claim": "true", "access.token.claim": "true", "userinfo.token.claim": "true"}
        roles = {
            **everywhere,
            "claim.name": "roles",
            "jsonType.label": "String",
            "multivalued": "true",
            "usermodel.clientRoleMapping.clientId": self._id,
        }
        groups = {**everywhere, "claim.name": "groups", "full.path": "true"}
        return {
            "roles": ("oidc-usermodel-client-role-mapper", roles),
            "groups": ("oidc-group-membership-mapper", groups),
        }


def _text(config: Mapping[str, str | None]) -> str:
    return json.dumps(dict(config), sort_keys=True)


def _texts(value: Value) -> list[str]:
    return [str(item) for item in value] if isinstance(value, tuple) else []


_PLAIN = (
    "name",
    "enabled",
    "protocol",
    "base_url",
    "public_client",
    "standard_flow_enabled",
    "implicit_flow_enabled",
    "direct_access_grants_enabled",
    "service_accounts_enabled",
    "full_scope_allowed",
)
_REPRESENTED = frozenset({*_PLAIN, "redirect_uris", "owner", "pkce", "logout_uris"})
