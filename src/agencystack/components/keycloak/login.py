"""Who we are at Keycloak."""

from __future__ import annotations

from dataclasses import dataclass, field

from agencystack.stack.secrets import Secret


@dataclass(frozen=True)
class AdminLogin:
    """An account that may manage realms.

    Args:
        realm: the realm the account is in; ``master`` reaches all others.
        user: its user name; unused without a password.
        password: its password.
        client_id: the client the login goes through.
        client_secret: secret of that client; without a password it is the client's service account that logs in.
    """

    realm: str = "master"
    user: str = "admin"
    password: Secret | None = field(default=None, repr=False)
    client_id: str = "admin-cli"
    client_secret: Secret | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The account, for messages."""
        return f"user {self.user}" if self.password else f"the service account of {self.client_id}"
