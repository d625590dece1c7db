"""How people log in to ERPNext: the Social Login Key, the settings around it, and our connector app where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agencystack.components.erpnext.models import Check, Text
from agencystack.components.erpnext.refusals import Refusal
from agencystack.components.erpnext.site import FrappeSite, Values, resource
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError
from agencystack.stack.secrets import Secret

KEY = "Social Login Key"
# Frappe joins api_endpoint to base_url, and calls login_via_keycloak, for a key of exactly this name
# (frappe/utils/oauth.py of 15.44). Frappe makes the name of provider_name.
KEYCLOAK = "keycloak"
PROVIDER_NAME = "Keycloak"
CALLBACK = "/api/method/frappe.integrations.oauth2_logins.login_via_keycloak/keycloak"
CONNECTOR = "agencystack_connector"
SETTINGS = "AgencyStack Settings"

_SSO_STATE = f"{CONNECTOR}.api.sso_state"
_CHECK_TOKEN = f"{CONNECTOR}.api.check_token"
_MASK = frozenset("*")


class SocialLoginKey(BaseModel):
    """A Social Login Key, without its secret: ERPNext shows only that there is one. Fields are named as in ERPNext."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    owner: Text = ""
    modified: str = ""
    social_login_provider: Text = ""
    provider_name: Text = ""
    enable_social_login: Check = False
    client_id: Text = ""
    client_secret_is_set: Annotated[bool, BeforeValidator(bool)] = Field(default=False, alias="client_secret")
    icon: Text = ""
    custom_base_url: Check = False
    base_url: Text = ""
    authorize_url: Text = ""
    access_token_url: Text = ""
    redirect_url: Text = ""
    api_endpoint: Text = ""
    api_endpoint_args: Text = ""
    auth_url_data: Text = ""
    user_id_property: Text = ""
    sign_ups: Text = ""


class LoginSettings(BaseModel):
    """What decides beside the keys who may log in and how.

    ``default_role`` and ``disable_signup`` are ``None`` where the user of our key may not read them: a System Manager
    may not, they are the Website Manager's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    disable_user_pass_login: bool
    enable_two_factor_auth: bool
    disable_signup: bool | None
    default_role: str | None


def _lines(value: object) -> object:
    return tuple(line.strip() for line in value.splitlines() if line.strip()) if isinstance(value, str) else value


class ConnectorSettings(BaseModel):
    """The single document our app takes its settings from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sso_enabled: Check = False
    issuer: Text = ""
    jwks_url: Text = ""
    end_session_url: Text = ""
    roles_claim: Text = ""
    managed_roles: Annotated[tuple[str, ...], BeforeValidator(_lines)] = ()
    health_token_hash: Text = ""
    modified: str = ""


class TokenCheck(BaseModel):
    """What our app says of an ID token: whether it would let its bearer in, and why not: a code, and in words."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    accepted: bool
    reason: str = ""
    says: str = ""


class ErpNextLogin:
    """Login settings of one site.

    Args:
        site: the site; its key must be a System Manager's.
    """

    def __init__(self, site: FrappeSite) -> None:
        self._site = site

    def keys(self) -> tuple[SocialLoginKey, ...]:
        """Return all Social Login Keys by name. Raises as :meth:`FrappeSite.document`."""
        names = [str(row["name"]) for row in self._site.documents(KEY, order_by="name asc")]
        # Only a single document is known to mask the secret.
        found = (self.key(name) for name in names)
        return tuple(key for key in found if key is not None)

    def key(self, name: str = KEYCLOAK) -> SocialLoginKey | None:
        """Return a Social Login Key, or ``None``. Raises as :meth:`FrappeSite.document`."""
        found = self._site.document(KEY, name)
        return None if found is None else self._site.model(SocialLoginKey, found)

    def insert_key(self, values: Values, *, client_secret: Secret) -> SocialLoginKey:
        """Create the Social Login Key ``keycloak``; one that exists is never overwritten by this.

        Args:
            values: fields of :class:`SocialLoginKey`.
            client_secret: of the client at the identity provider.

        Raises:
            Refused: there is one already (kind ``DuplicateEntryError``), a field is missing that an enabled key needs
                (kinds ``BaseUrlNotSetError``, ``ClientIDNotSetError`` and the like), or a value was not kept.
            ComponentError: as :meth:`FrappeSite.document`.
        """
        born = {"social_login_provider": PROVIDER_NAME, "provider_name": PROVIDER_NAME}
        return self._save("POST", KEYCLOAK, {**values, **born}, client_secret)

    def update_key(
        self, values: Values, *, client_secret: Secret | None = None, modified: str = "", name: str = KEYCLOAK
    ) -> SocialLoginKey:
        """Change fields of a Social Login Key; without ``client_secret`` the stored one stays.

        Args:
            values: only the fields to change.
            client_secret: a new secret.
            modified: ``modified`` as it was read; refused (``TimestampMismatchError``) when it was changed since.
            name: the key; provider and provider name of an existing one cannot be changed.

        Raises:
            Refused: as :meth:`insert_key`, or there is none.
            ComponentError: as :meth:`FrappeSite.document`.
        """
        return self._save("PUT", name, values, client_secret, modified=modified)

    def delete_key(self, name: str = KEYCLOAK) -> bool:
        """Delete a Social Login Key; ``False`` where it was absent already. Raises as :meth:`FrappeSite.document`."""
        return self._site.delete(KEY, name)

    def _save(
        self, verb: str, name: str, values: Values, client_secret: Secret | None, *, modified: str = ""
    ) -> SocialLoginKey:
        doing = f'save {KEY} "{name}"'
        path = resource(KEY) if verb == "POST" else resource(KEY, name)
        body = {field: int(value) if isinstance(value, bool) else value for field, value in values.items()}
        if client_secret is not None:
            body["client_secret"] = _not_a_mask(self._site.where, client_secret)
        if modified:
            body["modified"] = modified
        answer, data = self._site.send(verb, path, body=body)
        if not answer.is_success:
            raise Refusal.from_body(answer.status_code, data).error(self._site.where, doing)
        saved = self._site.model(SocialLoginKey, self._site.stored(data))
        self._site.check_kept(doing, SocialLoginKey, values, saved, data)
        return saved

    def settings(self) -> LoginSettings:
        """Return the settings beside the keys. Raises as :meth:`FrappeSite.document`."""
        system = self._site.document("System Settings", "System Settings")
        if system is None:
            raise self._site.bad_shape("no System Settings")
        website = self._site.single("Website Settings")
        portal = self._site.single("Portal Settings")
        return LoginSettings(
            disable_user_pass_login=bool(system.get("disable_user_pass_login")),
            enable_two_factor_auth=bool(system.get("enable_two_factor_auth")),
            disable_signup=None if website is None else bool(website.get("disable_signup")),
            default_role=None if portal is None else str(portal.get("default_role") or ""),
        )

    def connector_version(self) -> str | None:
        """Return the version of our app, or ``None`` where the site does not have it."""
        return self._site.versions().get(CONNECTOR)

    def connector_settings(self) -> ConnectorSettings:
        """Return our app's settings; refused (``DoesNotExistError``) where the site does not have the app."""
        found = self._site.document(SETTINGS, SETTINGS)
        if found is None:
            raise self._site.bad_shape(f"no {SETTINGS}")
        return self._site.model(ConnectorSettings, found)

    def update_connector(self, values: Values) -> ConnectorSettings:
        """Change our app's settings and return them as stored.

        Args:
            values: fields of :class:`ConnectorSettings`; ``managed_roles`` is a sequence of role names.

        Raises:
            Refused: a role does not exist, or SSO is switched on without issuer or key address.
            ComponentError: as :meth:`FrappeSite.document`.
        """
        body = {field: _as_field(value) for field, value in values.items()}
        return self._site.model(ConnectorSettings, self._site.update(SETTINGS, SETTINGS, body))

    def sso_state(self) -> dict[str, Any]:
        """Return what our app says of itself: version, settings, and settings of the site a System Manager cannot read.

        Raises:
            ComponentError: as :meth:`FrappeSite.document`; without the app it is ``Refused``.
        """
        found = self._site.call(_SSO_STATE)
        if not isinstance(found, dict):
            raise self._site.bad_shape("the state of our app")
        return found

    def check_token(self, token: Secret) -> TokenCheck:
        """Let our app check an ID token as it does at login (OpenID Connect Core 3.1.3.7), without a nonce.

        Raises:
            ComponentError: as :meth:`sso_state`.
        """
        found = self._site.call(_CHECK_TOKEN, {"token": token.reveal()})
        if not isinstance(found, Mapping):
            raise BadAnswer("answered no result of a token check", component=self._site.where)
        return self._site.model(TokenCheck, found)


def _as_field(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return "\n".join(str(one) for one in value) if isinstance(value, (list, tuple)) else value


def _not_a_mask(where: ComponentRef, secret: Secret) -> str:
    """Return the secret in clear; ERPNext keeps the old one when it is sent its own mask, and says nothing."""
    clear = secret.reveal()
    if not clear or set(clear) <= _MASK:
        raise ConfigurationError(
            "the client secret for ERPNext is empty or only the mask that ERPNext shows in its place",
            component=where,
            remedy="read the secret from the identity provider, never from ERPNext",
        )
    return clear
