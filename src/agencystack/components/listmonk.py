"""Listmonk's settings: read, change only the mail part, wait until it runs with it, send with it.

Source: ``tests/contract/recordings/listmonk`` (Listmonk 6.2.0). Four traits shape this module. It stores a mask that is
sent back as the password itself. It replaces all settings with what is sent. It restarts half a second after it said
yes. And it accepts values it then cannot start with.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agencystack.components.http import DEFAULT_TIMEOUT, HttpApi
from agencystack.stack.errors import (
    AuthenticationFailed,
    BadAnswer,
    ComponentRef,
    ConfigurationError,
    Refused,
    Unavailable,
)
from agencystack.stack.secrets import Secret

SETTINGS = "/api/settings"
MASK = "•"
# It restarts 0.5 s after the answer and was back 0.1 s later, 1.1 s when mail was on its way (restart.json); it gives
# itself 3 s to close. A slow host gets the rest.
RESTART_LIMIT = 30.0
RESTART_GAP = 2.0
POLL = 0.1
# A server that stays silent keeps the test mail waiting longer than any client does (smtp_test.json).
TEST_MAIL_LIMIT = 30.0
PERMISSIONS = "give the role of the API user settings:get and settings:manage (Users, User roles)"
# Go's time.ParseDuration; with anything else Listmonk does not start again (restart.json).
DURATION = r"^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$"


class Smtp(BaseModel):
    """One SMTP server of Listmonk.

    Fields Listmonk has and this class does not are kept and sent back. ``password`` is what is sent: without it the
    stored one, which Listmonk finds by ``uuid``. Values Listmonk would accept and then not start with are refused here.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, arbitrary_types_allowed=True)

    uuid: str = ""
    name: str = ""
    enabled: bool = True
    host: str
    port: int
    auth_protocol: Literal["none", "plain", "login", "cram", ""] = "plain"
    username: str = ""
    password: Secret | None = Field(default=None, exclude=True)
    tls_type: Literal["none", "STARTTLS", "TLS"] = "TLS"
    tls_skip_verify: bool = False
    hello_hostname: str = ""
    from_addresses: tuple[str, ...] = ()
    email_headers: tuple[dict[str, str], ...] = ()
    max_conns: int = Field(default=10, ge=1)
    max_msg_retries: int = 2
    msg_retry_delay: str = Field(default="10ms", pattern=DURATION)
    idle_timeout: str = Field(default="15s", pattern=DURATION)
    wait_timeout: str = Field(default="5s", pattern=DURATION)
    has_password: bool = Field(default=False, exclude=True)

    @property
    def is_factory_default(self) -> bool:
        """Say whether it is one of the two examples a new Listmonk has (settings.json)."""
        return (self.host, self.username) in {
            ("smtp.yoursite.com", "username"),
            ("smtp.gmail.com", "username@gmail.com"),
        }

    def wire(self) -> dict[str, Any]:
        """Return it as Listmonk wants it; holds the password."""
        return {**self.model_dump(mode="json"), "password": self.password.reveal() if self.password else ""}


class MailSettings(BaseModel):
    """The part of Listmonk's settings that decides how mail leaves it."""

    model_config = ConfigDict(frozen=True)

    from_email: str
    smtp: tuple[Smtp, ...]


class Listmonk:
    """One Listmonk.

    Args:
        where: the component, for error messages.
        api_url: as we reach it.
        api_user: name of an API user.
        api_token: its token.
        ca_file: certificate authority of ``api_url``; the system's when absent.
    """

    def __init__(
        self, where: ComponentRef, api_url: str, api_user: str, api_token: Secret, *, ca_file: Path | None = None
    ) -> None:
        self.where = where
        # Not the header of its own ("token user:token"): HTTP Basic is older, so every version takes it (auth.json).
        self._api = HttpApi(where, api_url, auth=(api_user, api_token.reveal()), ca_file=ca_file)
        self._known: dict[str, Any] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def version(self) -> str:
        """Return the version, such as ``6.2.0``.

        Raises:
            AuthenticationFailed, Unavailable, BadAnswer: as for every call.
        """
        return str(self._read("/api/config").get("version", "")).removeprefix("v")

    def settings(self) -> MailSettings:
        """Return the mail settings; read once, until :meth:`forget` or a change.

        Raises:
            AuthenticationFailed: the token is wrong, or its role lacks ``settings:get``.
            BadAnswer: they are not in the form this class knows.
        """
        if self._known is None:
            self._known = self._read(SETTINGS)
        return self._mail_settings(self._known)

    def forget(self) -> None:
        """Read the settings again at the next use."""
        self._known = None

    def save_mail_settings(self, wanted: MailSettings, *, timeout: float = RESTART_LIMIT) -> MailSettings:
        """Replace the mail settings, leave all others as they are, and wait until Listmonk runs with them.

        The settings are read anew, because everything sent replaces what is stored. Masked secrets are sent empty,
        which keeps them.

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
        body = _unmasked(self._data("GET", SETTINGS))
        body["app.from_email"] = wanted.from_email
        body["smtp"] = [server.wire() for server in wanted.smtp]
        started = self._started()
        self.forget()
        answer = self._data("PUT", SETTINGS, body)
        if isinstance(answer, dict) and answer.get("needs_restart"):
            raise self._needs_restart()
        self._await_restart(started, timeout)
        return self.settings()

    def needs_restart(self) -> bool:
        """Say whether saved settings are not in use yet because a campaign ran when they were saved."""
        return bool(self._read("/api/config").get("needs_restart"))

    def restart(self, *, timeout: float = RESTART_LIMIT) -> None:
        """Restart Listmonk and wait; a running campaign goes on after it.

        Raises:
            Unavailable: it did not come back in time.
        """
        started = self._started()
        self._data("POST", "/api/admin/reload", {})
        self.forget()
        self._await_restart(started, timeout)

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
        self._call("POST", f"{SETTINGS}/smtp/test", body, timeout=TEST_MAIL_LIMIT)

    def send_saved(self, to: str, subject: str) -> None:
        """Queue a mail through the saved servers, as transactional mail leaves Listmonk; that it arrives proves them.

        Args:
            to: recipient; need not be a subscriber.
            subject: of the mail; its body is the first transactional template.

        Raises:
            Refused: there is no transactional template, or Listmonk declined.
            AuthenticationFailed: the role lacks ``tx:send`` or ``templates:get``.
        """
        templates = [row["id"] for row in self._data("GET", "/api/templates") if row.get("type") == "tx"]
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
        self._data("POST", "/api/tx", mail)

    def _read(self, path: str) -> Any:
        """Read, and wait out the moment in which it restarts because somebody just saved settings (restart.json)."""
        end = time.monotonic() + RESTART_GAP
        while True:
            try:
                return self._data("GET", path)
            except Unavailable as error:
                if isinstance(error.__cause__, httpx.TimeoutException) or time.monotonic() > end:
                    raise
            time.sleep(POLL)

    def _data(self, method: str, path: str, body: object = None) -> Any:
        answer = self._call(method, path, body)
        if not isinstance(answer, dict) or "data" not in answer:
            raise BadAnswer(f"answered {method} {path} without data", component=self.where, remedy=_CHECK_URL)
        return answer["data"]

    def _call(self, method: str, path: str, body: object = None, *, timeout: float = DEFAULT_TIMEOUT) -> Any:
        try:
            return self._api.call(method, path, body=body, timeout=timeout)
        except AuthenticationFailed as error:
            raise self._explained(error) from error

    def _explained(self, error: AuthenticationFailed) -> AuthenticationFailed:
        denied = "permission denied" in error.message
        remedy = PERMISSIONS if denied else "check api_user and api_token in stack.yaml against Users in Listmonk"
        return AuthenticationFailed(error.message, component=self.where, remedy=remedy)

    def _mail_settings(self, data: Any) -> MailSettings:
        try:
            servers = tuple(_server(row) for row in data["smtp"])
            return MailSettings(from_email=data["app.from_email"], smtp=servers)
        except (ValidationError, KeyError, TypeError, AttributeError) as error:
            reason = _first_mistake(error) if isinstance(error, ValidationError) else f"no {error}"
            raise BadAnswer(
                f"has mail settings of an unknown form: {reason}",
                component=self.where,
                remedy="correct them under Settings, SMTP; tested with Listmonk 6.2",
            ) from error

    def _check(self, wanted: MailSettings) -> None:
        named = [server.uuid for server in wanted.smtp if server.uuid]
        if not any(server.enabled for server in wanted.smtp):
            raise ConfigurationError("Listmonk needs one enabled SMTP server", component=self.where)
        if len(named) != len(set(named)):
            # It would copy one password to both (settings.json, "two blocks with one uuid").
            raise ConfigurationError("two SMTP servers have the same uuid", component=self.where)

    def _needs_restart(self) -> Refused:
        return Refused(
            "saved the settings, but a campaign is running, so the old ones stay in use",
            component=self.where,
            remedy="wait until the campaign is done or pause it, then restart Listmonk (Settings shows the button)",
        )

    def _started(self) -> str:
        """Return what tells one run of the program from the next: a line of its log from the start, with the time."""
        starts = [str(line) for line in self._data("GET", "/api/logs") if "reading config" in line]
        return starts[-1] if starts else ""

    def _await_restart(self, before: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            time.sleep(POLL)
            if self._or_none(self._started) not in (None, before):
                return
        raise Unavailable(
            f"did not come back within {timeout:g} s of the restart that new settings cause",
            component=self.where,
            remedy="its log says why it does not start",
        )

    @staticmethod
    def _or_none(ask: Callable[[], str]) -> str | None:
        try:
            return ask()
        except (Unavailable, BadAnswer):
            return None


_CHECK_URL = "check that api_url in stack.yaml leads to Listmonk"


def _server(row: dict[str, Any]) -> Smtp:
    masked = str(row.get("password") or "")
    headers = row.get("email_headers") or ()
    return Smtp.model_validate(
        {
            **row,
            "password": None,
            "has_password": bool(masked),
            "email_headers": headers,
            "from_addresses": row.get("from_addresses") or (),
        }
    )


def _unmasked(value: Any) -> Any:
    """Return settings with every masked secret empty, wherever it is: a mask that is sent becomes the secret."""
    if isinstance(value, dict):
        return {key: _unmasked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmasked(item) for item in value]
    return "" if isinstance(value, str) and re.fullmatch(f"{MASK}+", value) else value


def _first_mistake(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
