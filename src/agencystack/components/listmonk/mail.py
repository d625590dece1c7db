"""The part of Listmonk's settings that decides how mail leaves it.

Source: ``tests/contract/recordings/listmonk/settings.json``, ``restart.json`` (Listmonk 6.2.0).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agencystack.stack.secrets import Secret

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

    @classmethod
    def of(cls, data: Any) -> MailSettings:
        """Read it from all settings as Listmonk answers them.

        Raises:
            pydantic.ValidationError, KeyError, TypeError, AttributeError: they have another form.
        """
        return cls(from_email=data["app.from_email"], smtp=tuple(_server(row) for row in data["smtp"]))

    def into(self, body: dict[str, Any]) -> None:
        """Put it into the settings that are sent; they hold passwords then."""
        body["app.from_email"] = self.from_email
        body["smtp"] = [server.wire() for server in self.smtp]


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
