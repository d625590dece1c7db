"""One Mailu, as this program knows it: lists read once, writes that say what they touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack
from urllib.parse import quote

from agencystack.components.mailu.models import (
    Alias,
    AliasFields,
    Domain,
    DomainFields,
    Token,
    User,
    UserFields,
    UserSettings,
)
from agencystack.components.mailu.transport import Calls, OneRead
from agencystack.stack.errors import AgencyStackError, BadAnswer, ComponentRef, Refused
from agencystack.stack.secrets import Secret


class Mailu:
    """One Mailu installation, reached through its REST API.

    Lists are read once and kept, so that a hundred clients cost four reads; writes forget what they touch, and
    :meth:`forget` all. May be used by several threads. Every method raises, besides what it names:
    ``AuthenticationFailed`` (after which this object sends nothing any more: each further try would count against
    Mailu's rate limit), ``Unavailable`` (also 429), ``Refused`` with Mailu's words, ``BadAnswer`` (no API there).

    Args:
        where: the component, for error messages.
        api_url: as we reach it, without ``/api/v1``.
        token: Mailu's ``API_TOKEN``.
        ca_file: certificate authority to trust instead of the system's.

    Raises:
        ConfigurationError: the token is so short that Mailu refuses it always.

    Source: ``facts/mailu.md`` "API", ``contract/mailu/``.
    """

    def __init__(self, where: ComponentRef, api_url: str, token: Secret, *, ca_file: Path | None = None) -> None:
        self.where = where
        self._calls = Calls(where, api_url, token, ca_file=ca_file)
        self._domains = OneRead(lambda: self._calls.list("/domain", Domain))
        self._users = OneRead(lambda: self._calls.list("/user", User))
        self._tokens = OneRead(lambda: self._calls.list("/token", Token))
        self._aliases = OneRead(lambda: self._calls.list("/alias", Alias))

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()

    def forget(self) -> None:
        """Read everything anew when next asked."""
        for kept in (self._domains, self._users, self._tokens, self._aliases):
            kept.forget()

    def version(self) -> str | None:
        """Return Mailu's version: always None, as no call of its API tells it (contract/mailu/swagger.json)."""
        return None

    # -- domains

    def domains(self) -> tuple[Domain, ...]:
        """Return every mail domain."""
        return self._domains.get()

    def domain(self, name: str) -> Domain | None:
        """Return a domain, or None where Mailu does not have it."""
        return next((domain for domain in self.domains() if domain.name == name.lower()), None)

    def create_domain(self, name: str, comment: str = "") -> None:
        """Create a domain; ``Refused`` where it, or an alternative name of another, exists."""
        self._calls.write("POST", "/domain", {"name": name.lower(), "comment": comment}, self._domains)

    def update_domain(self, name: str, **fields: Unpack[DomainFields]) -> None:
        """Set fields of a domain; ``Refused`` where it does not exist (Mailu itself would answer 500)."""
        if self._fresh_domain(name) is None:
            raise self._absent(f"the domain {name}")
        self._calls.write("PATCH", f"/domain/{_quoted(name)}", dict(fields), self._domains)

    def make_dkim(self, name: str) -> None:
        """Make the DKIM key of a domain that has none.

        Raises:
            Refused: the domain does not exist, or has a key: Mailu would silently replace it, and mail would fail
                DKIM until the new key is in DNS (contract/mailu/domains.json "generate DKIM again").
        """
        domain = self._fresh_domain(name)
        if domain is None:
            raise self._absent(f"the domain {name}")
        if domain.has_dkim:
            raise Refused(
                f"the domain {name} already has a DKIM key, which a new one would replace",
                component=self.where,
                remedy="keep the key; to rotate it, do so in Mailu's web interface and publish the new record",
            )
        self._calls.write("POST", f"/domain/{_quoted(name)}/dkim", None, self._domains)

    def _fresh_domain(self, name: str) -> Domain | None:
        data = self._calls.find(f"/domain/{_quoted(name)}")
        return None if data is None else self._calls.model(Domain, data)

    # -- mailboxes

    def users(self) -> tuple[User, ...]:
        """Return every mailbox."""
        return self._users.get()

    def user(self, address: str) -> User | None:
        """Return a mailbox, or None where Mailu does not have it."""
        return next((user for user in self.users() if user.email == address.lower()), None)

    def create_user(self, address: str, password: Secret, comment: str = "", **settings: Unpack[UserSettings]) -> None:
        """Create a mailbox.

        Args:
            address: full address, in a domain Mailu has.
            password: Mailu takes any, an empty one too; give a generated one.
            comment: shown in Mailu's user list.
            settings: anything else to set.

        Raises:
            Refused: the address exists, the domain does not, or it has all the users it may have.
        """
        body = {"email": address.lower(), "raw_password": password.reveal(), "comment": comment, **settings}
        self._calls.write("POST", "/user", body, self._users)

    def update_user(self, address: str, **fields: Unpack[UserFields]) -> None:
        """Set fields of a mailbox; ``Refused`` where it does not exist."""
        self._calls.write("PATCH", f"/user/{_quoted(address)}", _user_body(fields), self._users)

    def delete_user(self, address: str) -> bool:
        """Delete a mailbox (its mail stays on Mailu's disk) and return whether there was one."""
        return self._calls.delete(f"/user/{_quoted(address)}", self._users, self._tokens, self._aliases)

    # -- application tokens

    def tokens(self, address: str | None = None) -> tuple[Token, ...]:
        """Return every application token, or those of one mailbox."""
        tokens = self._tokens.get()
        return tokens if address is None else tuple(token for token in tokens if token.email == address.lower())

    def create_token(self, address: str, comment: str, networks: Sequence[str] = ()) -> tuple[int, Secret]:
        """Create an application token and return its number and value; Mailu never tells the value again.

        Args:
            address: the mailbox it logs in to, by SMTP and IMAP.
            comment: shown in Mailu's token list.
            networks: addresses or networks it may be used from; from anywhere when empty.
        """
        body = {"email": address.lower(), "comment": comment, "AuthorizedIP": list(networks)}
        data = self._calls.write("POST", "/token", body, self._tokens)
        value = data.get("token") if isinstance(data, dict) else None
        if not isinstance(value, str) or not value:
            raise BadAnswer(f"created a token for {address} without telling its value", component=self.where)
        return self._calls.model(Token, data).id, Secret(value)

    def update_token(self, token_id: int, *, comment: str, networks: Sequence[str]) -> None:
        """Set comment and networks of a token; ``Refused`` where it does not exist."""
        body = {"comment": comment, "AuthorizedIP": list(networks)}
        self._calls.write("PATCH", f"/token/{token_id}", body, self._tokens)

    def delete_token(self, token_id: int) -> bool:
        """Delete an application token and return whether there was one."""
        return self._calls.delete(f"/token/{token_id}", self._tokens)

    # -- aliases

    def aliases(self) -> tuple[Alias, ...]:
        """Return every alias."""
        return self._aliases.get()

    def alias(self, address: str) -> Alias | None:
        """Return an alias, or None where Mailu does not have it."""
        return next((alias for alias in self.aliases() if alias.email == address.lower()), None)

    def create_alias(
        self, address: str, destination: Sequence[str], comment: str = "", *, wildcard: bool = False
    ) -> None:
        """Create an alias.

        Args:
            address: the other address; Mailu accepts one a mailbox already has, look first.
            destination: mailboxes of this Mailu; it refuses addresses elsewhere.
            comment: shown in Mailu's alias list.
            wildcard: the address is an SQL LIKE pattern.
        """
        body = {
            "email": address.lower(),
            "destination": list(destination),
            "comment": comment,
            "wildcard": wildcard,
        }
        self._calls.write("POST", "/alias", body, self._aliases)

    def update_alias(self, address: str, **fields: Unpack[AliasFields]) -> None:
        """Set fields of an alias; ``Refused`` where it does not exist."""
        body: dict[str, object] = dict(fields)
        if "destination" in fields:
            body["destination"] = list(fields["destination"])
        self._calls.write("PATCH", f"/alias/{_quoted(address)}", body, self._aliases)

    def delete_alias(self, address: str) -> bool:
        """Delete an alias and return whether there was one."""
        return self._calls.delete(f"/alias/{_quoted(address)}", self._aliases)

    def _absent(self, what: str) -> AgencyStackError:
        return Refused(f"does not have {what}", component=self.where, remedy="create it first")


def _quoted(name: str) -> str:
    return quote(name.lower(), safe="@")


def _user_body(fields: UserFields) -> dict[str, object]:
    body: dict[str, object] = {name: value for name, value in fields.items() if name != "password"}
    if "password" in fields:
        body["raw_password"] = fields["password"].reveal()
    return body
