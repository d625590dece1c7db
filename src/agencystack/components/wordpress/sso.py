"""What a WordPress knows about single sign-on, as AgencyStack reads and writes it.

Sources: contract/wordpress/miniorange.json; OpenID_Connect_Generic_Option_Settings of openid-connect-generic 3.10.3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator

from agencystack.components.wordpress.models import Model, Source
from agencystack.stack.secrets import Secret


class Login(StrEnum):
    """Who carries the login at the provider: our connector, or a plugin whose tokens our connector checks."""

    CONNECTOR = "connector"
    MINIORANGE = "miniorange"
    OPENID_CONNECT_GENERIC = "openid-connect-generic"


class SsoSettings(Model):
    """How people log in at the provider.

    Args:
        login: who carries it.
        issuer: the provider's own name for itself, as in its tokens; compared letter by letter.
        client_id: the site's client at the provider.
        client_secret: its secret; empty where there is none or it cannot be decrypted.
        scope: what is asked for, separated by spaces.
        authorize_url: where browsers are sent.
        token_url: where the site exchanges a code; its answer is what the connector checks.
        userinfo_url: asked by openid-connect-generic; miniOrange only stores it.
        jwks_url: the provider's public keys, as the site reaches them.
        end_session_url: where browsers are sent to end the provider's session.
        roles: WordPress roles that are given and taken away; all others stay as they are.
        allow_admin: let administrators in although ``administrator`` is not among ``roles``.
        enforce: refuse passwords of people with a managed role and of whoever may write.
        label: text of the connector's button.
        ca: PEM of a private authority of the provider's; only the connector's calls and those it guards use it.
    """

    login: Login = Login.CONNECTOR
    issuer: str = ""
    client_id: str = ""
    client_secret: Secret = Field(default_factory=lambda: Secret(""))
    scope: str = "openid profile email"
    authorize_url: str = ""
    token_url: str = ""
    userinfo_url: str = ""
    jwks_url: str = ""
    end_session_url: str = ""
    roles: tuple[str, ...] = ()
    allow_admin: bool = False
    enforce: bool = False
    label: str = ""
    ca: str = ""

    @field_validator("client_secret", mode="before")
    @classmethod
    def _hide(cls, value: object) -> object:
        return Secret(value) if isinstance(value, str) else value

    def fields(self) -> dict[str, Any]:
        """Return every field by name as PHP takes it, the secret readable: for standard input only."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return given | {
            "login": self.login.value,
            "client_secret": self.client_secret.reveal(),
            "roles": list(self.roles),
        }


class SsoImage(Model):
    """All that an undo puts back, byte for byte: the rows of the plugin's option and of the connector's.

    Args:
        content: JSON; holds the secret as it is stored.
    """

    content: Secret

    def data(self) -> dict[str, Any]:
        """Return the image as PHP takes it: for standard input only."""
        data: dict[str, Any] = json.loads(self.content.reveal())
        return data

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> SsoImage:
        """Make an image from PHP's answer."""
        return cls(content=Secret(json.dumps(data, sort_keys=True)))


class LoginState(Model):
    """One way of logging in as it is.

    Args:
        slug: folder of its plugin, or the name wordpress.org has for it.
        installed: whether its plugin is there.
        active: whether it is switched on; else ``settings`` has no effect.
        version: of the plugin.
        configured: whether it names a client at some provider.
        settings: effective values, constants before option; what the plugin does not hold is the connector's.
        sources: where each value comes from, by field.
        wrong: keys of the plugin that do not hold what the login needs, and fields (``connector.token_url``) in which
            plugin and connector disagree; a write corrects them.
        image: for an undo.
    """

    slug: str
    installed: bool
    active: bool
    version: str | None
    configured: bool
    settings: SsoSettings
    sources: Mapping[str, Source]
    wrong: tuple[str, ...]
    image: SsoImage

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> LoginState:
        """Make the state from PHP's answer."""
        settings = SsoSettings.model_validate(data["fields"])
        return cls.model_validate({**data, "settings": settings, "image": SsoImage.of(data["image"])})


class SsoState(Model):
    """How the site's people log in at a provider.

    Args:
        logins: each way as it is.
        foreign: slug of another active plugin that logs people in elsewhere.
        roles: name of each role WordPress knows, by slug.
        redirect_uris: where the provider sends people back to, by way; exactly so it must be registered.
        start_urls: where a login begins, by way; None where only the link on the login page begins one. miniOrange's
            button is a script, without a link.
        logged_out_uri: where it sends them after a logout; the same for every way.
        probe_users: logins of all probe users, those of the other sites of a network too; they belong to no site alone.
    """

    logins: Mapping[Login, LoginState]
    foreign: str | None
    roles: Mapping[str, str]
    redirect_uris: Mapping[Login, str]
    start_urls: Mapping[Login, str | None]
    logged_out_uri: str
    probe_users: tuple[str, ...]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> SsoState:
        """Make the state from PHP's answer."""
        return cls(
            logins={Login(way): LoginState.of(state) for way, state in data["ways"].items()},
            foreign=data["foreign"],
            roles=dict(data["roles"]),
            redirect_uris={Login(way): uri for way, uri in data["redirect_uris"].items()},
            start_urls={Login(way): url for way, url in data["start_urls"].items()},
            logged_out_uri=data["logged_out_uri"],
            probe_users=tuple(data["probe_users"]),
        )


class SsoUser(Model):
    """A user of the site.

    Args:
        id: in WordPress.
        login: user name.
        email: address; empty where the provider had not verified one.
        name: as others see it.
        roles: slugs.
        made_by_sso: whether single sign-on made the account.
        linked: whether it belongs to somebody at the provider.
        sessions: how many browsers are logged in.
    """

    id: int
    login: str
    email: str
    name: str
    roles: tuple[str, ...]
    made_by_sso: bool
    linked: bool
    sessions: int


class TokenVerdict(Model):
    """What the site thinks of an ID token.

    Args:
        accepted: whether a login with it would go on.
        code: ``signature``, ``algorithm``, ``key``, ``keys`` (cannot be read), ``issuer``, ``audience``, ``party``,
            ``subject``, ``expired``, ``future``, ``time``, ``nonce``, ``form``, ``roles`` (none),
            ``unknown_role``; empty where accepted.
        why: for a person.
        roles: what the person would get.
    """

    accepted: bool
    code: str
    why: str
    roles: tuple[str, ...]
