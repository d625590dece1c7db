"""One Listmonk: read and change its mail and single sign-on settings, wait until it runs with them, send with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from agencystack.components.listmonk.api import RESTART_LIMIT, SETTINGS, ListmonkApi
from agencystack.components.listmonk.mail import MailSettings, Smtp
from agencystack.components.listmonk.oidc import CALLBACK, OidcSettings
from agencystack.components.listmonk.people import People
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError, Refused
from agencystack.stack.secrets import Secret

Part = TypeVar("Part")
# A server that stays silent keeps the test mail waiting longer than any client does (smtp_test.json).
TEST_MAIL_LIMIT = 30.0


class Listmonk:
    """One Listmonk.

    Args:
        where: the component, for error messages.
        api_url: as we reach it.
        api_user: name of an API user.
        api_token: its token.
        ca_file: certificate authority of ``api_url``; the system's when absent.

    Attributes:
        people: its users and roles.
    """

    def __init__(
        self, where: ComponentRef, api_url: str, api_user: str, api_token: Secret, *, ca_file: Path | None = None
    ) -> None:
        self.where = where
        self._api = ListmonkApi(where, api_url, api_user, api_token, ca_file=ca_file)
        self.people = People(self._api)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def version(self) -> str:
        """Return the version, such as ``6.2.0``.

        Raises:
            AuthenticationFailed, Unavailable, BadAnswer: as for every call.
        """
        return str(self._api.read("/api/config").get("version", "")).removeprefix("v")

    def settings(self) -> MailSettings:
        """Return the mail settings; read once, until :meth:`forget` or a change.

        Raises:
            AuthenticationFailed: the token is wrong, or its role lacks ``settings:get``.
            BadAnswer: they are not in the form this class knows.
        """
        return self._parsed(MailSettings.of, "mail", "SMTP")

    def forget(self) -> None:
        """Read the settings again at the next use."""
        self._api.forget()

    def save_mail_settings(self, wanted: MailSettings, *, timeout: float = RESTART_LIMIT) -> MailSettings:
        """Replace the mail settings, leave all others as they are, and wait until Listmonk runs with them.

        Args:
            wanted: sender and all SMTP servers in their order; one that is left out is removed. A server without
                ``uuid`` gets one from Listmonk; a ``uuid`` of our own choosing is kept and can mark a server as ours.
                No password keeps the stored one of that ``uuid``; the password of a new server must be given.
            timeout: seconds for the restart.

        Returns:
            What Listmonk holds after it.

        Raises:
            ConfigurationError: no server is enabled, or two have one ``uuid``.
            Refused: Listmonk declined the values, or runs a campaign and therefore keeps the old settings in use.
            Unavailable: it did not come back in time.
        """
        self._check(wanted)
        self._api.change_settings(wanted.into, timeout)
        return self.settings()

    def oidc_settings(self) -> OidcSettings:
        """Return the single sign-on settings; read once, until :meth:`forget` or a change.

        Raises:
            AuthenticationFailed: the token is wrong, or its role lacks ``settings:get``.
            BadAnswer: they are not in the form this class knows; versions before 4.0 have none.
        """
        return self._parsed(OidcSettings.of, "single sign-on", "Security")

    def save_oidc_settings(self, wanted: OidcSettings, *, timeout: float = RESTART_LIMIT) -> OidcSettings:
        """Replace the single sign-on settings, leave all others, and wait until Listmonk runs with them.

        Password login stays possible for users who have a password; in 6.2.0 the warning beside the switch says
        otherwise and is wrong (oidc_login.json). The provider is asked for the first time when somebody logs in.

        Args:
            wanted: all of them; no ``client_secret`` keeps the stored one.
            timeout: seconds for the restart.

        Returns:
            What Listmonk holds after it.

        Raises:
            ConfigurationError: users are to be made automatically, but with no role.
            Refused: Listmonk declined the values, or runs a campaign and therefore keeps the old settings in use.
            Unavailable: it did not come back in time.
        """
        if wanted.auto_create_users and not wanted.default_user_role_id:
            raise ConfigurationError("users that Listmonk makes itself need a default user role", component=self.where)
        self._api.change_settings(wanted.into, timeout)
        return self.oidc_settings()

    def root_url(self) -> str:
        """Return its public address as its own settings have it, without a slash at the end."""
        return self._parsed(lambda data: str(data["app.root_url"]), "general", "General").rstrip("/")

    def redirect_uri(self) -> str:
        """Return where it wants the provider to send people back to; made of :meth:`root_url`."""
        return self.root_url() + CALLBACK

    def needs_restart(self) -> bool:
        """Say whether saved settings are not in use yet because a campaign ran when they were saved."""
        return bool(self._api.read("/api/config").get("needs_restart"))

    def restart(self, *, timeout: float = RESTART_LIMIT) -> None:
        """Restart Listmonk and wait; a running campaign goes on after it.

        Raises:
            Unavailable: it did not come back in time.
        """
        self._api.restart(timeout)

    def send_test_mail(
        self, server: Smtp, to: str, *, subject: str = "", headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Send Listmonk's own test mail through ``server`` as it is given, saved or not.

        Args:
            server: with its password in clear; the stored one is never used (smtp_test.json).
            to: recipient; sender is the one in use now.
            subject: instead of Listmonk's "Test connection".
            headers: further ones.

        Raises:
            Refused: the mail could not be sent, with the reason of the mail server or the connection.
            Unavailable: the mail server keeps silent.
        """
        extra = dict(headers) | ({"Subject": subject} if subject else {})
        body = server.wire() | {"email": to, "email_headers": extra}
        self._api.call("POST", f"{SETTINGS}/smtp/test", body, timeout=TEST_MAIL_LIMIT)

    def send_saved(self, to: str, subject: str) -> None:
        """Queue a mail through the saved servers, as transactional mail leaves Listmonk; that it arrives proves them.

        Args:
            to: recipient; need not be a subscriber.
            subject: of the mail; its body is the first transactional template.

        Raises:
            Refused: there is no transactional template, or Listmonk declined.
            AuthenticationFailed: the role lacks ``tx:send`` or ``templates:get``.
        """
        templates = [row["id"] for row in self._api.data("GET", "/api/templates") if row.get("type") == "tx"]
        if not templates:
            raise Refused(
                "has no transactional template to send with",
                component=self.where,
                remedy="add one under Campaigns, Templates (a new Listmonk has a sample)",
            )
        mail = {
            "subscriber_mode": "external",
            "subscriber_emails": [to],
            "template_id": templates[0],
            "subject": subject,
            "content_type": "html",
        }
        self._api.data("POST", "/api/tx", mail)

    def _parsed(self, parse: Callable[[Any], Part], what: str, page: str) -> Part:
        try:
            return parse(self._api.settings())
        except (ValidationError, KeyError, TypeError, AttributeError) as error:
            reason = _first_mistake(error) if isinstance(error, ValidationError) else f"no {error}"
            raise BadAnswer(
                f"has {what} settings of an unknown form: {reason}",
                component=self.where,
                remedy=f"correct them under Settings, {page}; tested with Listmonk 6.2",
            ) from error

    def _check(self, wanted: MailSettings) -> None:
        named = [server.uuid for server in wanted.smtp if server.uuid]
        if not any(server.enabled for server in wanted.smtp):
            raise ConfigurationError("Listmonk needs one enabled SMTP server", component=self.where)
        if len(named) != len(set(named)):
            # It would copy one password to both (settings.json, "two blocks with one uuid").
            raise ConfigurationError("two SMTP servers have the same uuid", component=self.where)


def _first_mistake(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
