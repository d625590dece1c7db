"""Mailu's REST API: domains, mailboxes, application tokens and aliases, with its quirks taken out."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, TypedDict, TypeVar, Unpack
from urllib.parse import quote

import httpx
import idna
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from agencystack.components.http import HttpApi
from agencystack.stack.errors import (
    AgencyStackError,
    AuthenticationFailed,
    BadAnswer,
    ComponentRef,
    ConfigurationError,
    Refused,
)
from agencystack.stack.secrets import Secret, redact

API_PREFIX = "/api/v1"
# A shorter API_TOKEN is refused whatever is sent, and each try counts as a wrong token (facts/mailu.md "API").
SHORTEST_TOKEN = 4
WAIT_FOR_RATE_LIMIT = (
    "wrong tokens are counted per /24 network (AUTH_RATELIMIT_IP, 5 an hour by default), then Mailu refuses even the "
    "right one: wait an hour, or raise AUTH_RATELIMIT_IP in mailu.env and restart its admin container"
)
REMEDIES = {
    401: "put Mailu's API_TOKEN behind api_token in stack.yaml",
    403: "compare api_token in stack.yaml with API_TOKEN in mailu.env (4 characters or more); " + WAIT_FOR_RATE_LIMIT,
    429: WAIT_FOR_RATE_LIMIT,
}
ENABLE_API = "check api_url in stack.yaml, and that mailu.env has API=true (then restart front and admin)"
WHEN_ALL_FAIL = (
    "where every call ends like this, API_TOKEN is missing in mailu.env (4 characters or more; restart admin); "
    "else the log of the admin container has the reason"
)

WHEN_REFUSED = {
    "Duplicate domain name": (
        "where Mailu lists no domain of this name, it is an alternative name of another domain or a relayed domain: "
        "remove that in Mailu, or name another address in stack.yaml"
    ),
    "Too many users": "raise max_users of the domain in Mailu, or remove a mailbox that is no longer needed",
    "Too many aliases": "raise max_aliases of the domain in Mailu, or remove an alias that is no longer needed",
}
"""What to do about a refusal, by how Mailu's explanation begins."""


class _Answer(BaseModel):
    """A part of an answer; values of refused input never show in an error, as they may be password hashes."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


_FOREIGN_LABEL = re.compile(r"[\w-]*[^\x00-\x7f][\w-]*")


def to_ascii(text: str) -> str:
    """Return a domain name, or a DNS record, with every label as DNS has it (``xn--``).

    Mailu takes ``xn--mller-kva.example`` and answers ``müller.example`` (contract/mailu/international_names.json).
    """
    return _FOREIGN_LABEL.sub(lambda label: _alabel(label[0]), text)


def _alabel(label: str) -> str:
    try:
        return idna.alabel(label).decode()
    except idna.IDNAError:
        return label


def _address_to_ascii(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return local + at + to_ascii(domain)


Name = Annotated[str, AfterValidator(to_ascii)]
Address = Annotated[str, AfterValidator(_address_to_ascii)]


class Domain(_Answer):
    """A mail domain and the DNS records Mailu expects for it, as zone file lines.

    The records of DKIM and DMARC are absent until the domain has a DKIM key.
    """

    name: Name
    comment: str = ""
    max_users: int = -1
    max_aliases: int = -1
    max_quota_bytes: int = 0
    signup_enabled: bool = False
    alternatives: tuple[Name, ...] = ()
    dns_mx: Name | None = None
    dns_spf: Name | None = None
    dns_dkim: Name | None = None
    dns_dmarc: Name | None = None
    dns_dmarc_report: Name | None = None
    dns_autoconfig: tuple[Name, ...] = ()
    dns_tlsa: tuple[Name, ...] = ()

    @property
    def has_dkim(self) -> bool:
        """Say whether a DKIM key exists."""
        return self.dns_dkim is not None

    @property
    def expected_dns(self) -> tuple[str, ...]:
        """Return the records deliverability rests on (MX, SPF, DKIM, DMARC), those that exist."""
        return tuple(record for record in (self.dns_mx, self.dns_spf, self.dns_dkim, self.dns_dmarc) if record)


class User(_Answer):
    """A mailbox. Mailu answers its password hash too, which never gets in here."""

    email: Address
    comment: str = ""
    displayed_name: str = ""
    enabled: bool = True
    enable_imap: bool = True
    enable_pop: bool = True
    allow_spoofing: bool = False
    global_admin: bool = False
    change_pw_next_login: bool = False
    forward_enabled: bool = False
    forward_destination: tuple[Address, ...] = ()
    forward_keep: bool = True
    quota_bytes: int = 0
    quota_bytes_used: int = 0
    spam_enabled: bool = True


class Token(_Answer):
    """An application password of a mailbox; its value is only known to who created it.

    ``id`` is a number in some answers and text in others (facts/mailu.md "Tokens").
    """

    id: int
    email: Address
    comment: str = ""
    networks: tuple[str, ...] = Field(default=(), validation_alias="AuthorizedIP")


class Alias(_Answer):
    """Another address of one or more mailboxes; who it points to may send as it."""

    email: Address
    destination: tuple[Address, ...] = ()
    comment: str = ""
    wildcard: bool = False


class UserSettings(TypedDict, total=False):
    """What else may be set when a mailbox is made."""

    displayed_name: str
    enabled: bool
    enable_imap: bool
    enable_pop: bool
    allow_spoofing: bool
    change_pw_next_login: bool
    quota_bytes: int
    spam_enabled: bool


class UserFields(UserSettings, total=False):
    """What may be set on a mailbox later."""

    password: Secret
    comment: str


class DomainFields(TypedDict, total=False):
    """What may be set on a domain."""

    comment: str
    max_users: int
    max_aliases: int
    max_quota_bytes: int


class AliasFields(TypedDict, total=False):
    """What may be set on an alias."""

    destination: Sequence[str]
    comment: str
    wildcard: bool


Model = TypeVar("Model", bound=_Answer)


class _OneRead(Generic[Model]):
    """A list of the product's objects, read when first asked for and kept until a write touches it.

    Readers wait for the one that reads; forgetting waits for a read that began before the write.
    """

    def __init__(self, read: Callable[[], tuple[Model, ...]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._kept: tuple[Model, ...] | None = None

    def get(self) -> tuple[Model, ...]:
        with self._lock:
            if self._kept is None:
                self._kept = self._read()
            return self._kept

    def forget(self) -> None:
        with self._lock:
            self._kept = None


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
        if len(token.reveal()) < SHORTEST_TOKEN:
            raise ConfigurationError(
                f"its api_token has less than {SHORTEST_TOKEN} characters, which Mailu always refuses",
                component=where,
                remedy="set a longer API_TOKEN in mailu.env, restart its admin container, and use that",
            )
        self.where = where
        base = api_url.rstrip("/").removesuffix(API_PREFIX)
        self._http = HttpApi(
            where,
            base + API_PREFIX,
            headers={"Authorization": f"Bearer {token.reveal()}"},
            ca_file=ca_file,
            remedies=REMEDIES,
        )
        self._domains = _OneRead(lambda: self._list("/domain", Domain))
        self._users = _OneRead(lambda: self._list("/user", User))
        self._tokens = _OneRead(lambda: self._list("/token", Token))
        self._aliases = _OneRead(lambda: self._list("/alias", Alias))
        self._first_call = threading.Lock()
        self._token_accepted = False
        self._token_refused: AuthenticationFailed | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

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
        self._write("POST", "/domain", {"name": name.lower(), "comment": comment}, self._domains)

    def update_domain(self, name: str, **fields: Unpack[DomainFields]) -> None:
        """Set fields of a domain; ``Refused`` where it does not exist (Mailu itself would answer 500)."""
        if self._fresh_domain(name) is None:
            raise self._absent(f"the domain {name}")
        self._write("PATCH", f"/domain/{_quoted(name)}", dict(fields), self._domains)

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
        self._write("POST", f"/domain/{_quoted(name)}/dkim", None, self._domains)

    def _fresh_domain(self, name: str) -> Domain | None:
        data = self._find(f"/domain/{_quoted(name)}")
        return None if data is None else self._model(Domain, data)

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
        self._write("POST", "/user", body, self._users)

    def update_user(self, address: str, **fields: Unpack[UserFields]) -> None:
        """Set fields of a mailbox; ``Refused`` where it does not exist."""
        self._write("PATCH", f"/user/{_quoted(address)}", _user_body(fields), self._users)

    def delete_user(self, address: str) -> bool:
        """Delete a mailbox (its mail stays on Mailu's disk) and return whether there was one."""
        return self._delete(f"/user/{_quoted(address)}", self._users, self._tokens, self._aliases)

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
        data = self._write("POST", "/token", body, self._tokens)
        value = data.get("token") if isinstance(data, dict) else None
        if not isinstance(value, str) or not value:
            raise BadAnswer(f"created a token for {address} without telling its value", component=self.where)
        return self._model(Token, data).id, Secret(value)

    def update_token(self, token_id: int, *, comment: str, networks: Sequence[str]) -> None:
        """Set comment and networks of a token; ``Refused`` where it does not exist."""
        body = {"comment": comment, "AuthorizedIP": list(networks)}
        self._write("PATCH", f"/token/{token_id}", body, self._tokens)

    def delete_token(self, token_id: int) -> bool:
        """Delete an application token and return whether there was one."""
        return self._delete(f"/token/{token_id}", self._tokens)

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
        self._write("POST", "/alias", body, self._aliases)

    def update_alias(self, address: str, **fields: Unpack[AliasFields]) -> None:
        """Set fields of an alias; ``Refused`` where it does not exist."""
        body: dict[str, object] = dict(fields)
        if "destination" in fields:
            body["destination"] = list(fields["destination"])
        self._write("PATCH", f"/alias/{_quoted(address)}", body, self._aliases)

    def delete_alias(self, address: str) -> bool:
        """Delete an alias and return whether there was one."""
        return self._delete(f"/alias/{_quoted(address)}", self._aliases)

    # -- calls

    def _list(self, path: str, kind: type[Model]) -> tuple[Model, ...]:
        data = self._find(path)
        if not isinstance(data, list):
            raise BadAnswer(f"answered GET {path} without a list", component=self.where, remedy=ENABLE_API)
        return tuple(self._model(kind, entry) for entry in data)

    def _find(self, path: str) -> Any | None:
        """GET; None where Mailu says in its own words (JSON) that there is no such thing."""
        answer = self._send("GET", path)
        data = self._json(answer)
        if _status(answer, data) == httpx.codes.NOT_FOUND:
            return None
        return self._accepted(answer, data)

    def _write(self, method: str, path: str, body: object, *touched: _OneRead[Any]) -> Any:
        # Never repeated: where the answer got lost, the write may have been done.
        try:
            answer = self._send(method, path, body)
            return self._accepted(answer, self._json(answer))
        finally:
            for kept in touched:
                kept.forget()

    def _delete(self, path: str, *touched: _OneRead[Any]) -> bool:
        try:
            answer = self._send("DELETE", path)
            data = self._json(answer)
            if _status(answer, data) == httpx.codes.NOT_FOUND:
                return False
            self._accepted(answer, data)
            return True
        finally:
            for kept in touched:
                kept.forget()

    def _send(self, method: str, path: str, body: object = None) -> httpx.Response:
        if self._token_accepted:
            return self._send_with_token(method, path, body)
        # Until one call has shown that the token is right, calls go one by one: a wrong token is then sent once,
        # not once by each thread, which would lock our whole network out.
        with self._first_call:
            return self._send_with_token(method, path, body)

    def _send_with_token(self, method: str, path: str, body: object) -> httpx.Response:
        if self._token_refused is not None:
            known = self._token_refused
            raise AuthenticationFailed(known.message, component=known.component, remedy=known.remedy)
        try:
            answer = self._http.send(method, path, body=body)
        except AuthenticationFailed as error:
            self._token_refused = error
            raise
        self._token_accepted = self._token_accepted or answer.is_success
        return answer

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise BadAnswer(
                f"answered {answer.status_code} with {answer.headers.get('content-type', 'no content type')} instead "
                f"of JSON to {answer.request.method} {answer.request.url.path}",
                component=self.where,
                remedy=WHEN_ALL_FAIL if answer.is_server_error else ENABLE_API,
            ) from None

    def _accepted(self, answer: httpx.Response, data: Any) -> Any:
        status = _status(answer, data)
        if status < httpx.codes.BAD_REQUEST:
            return data
        what = f"answered {status} to {answer.request.method} {answer.request.url.path}: {redact(_words(data))}"
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise BadAnswer(what, component=self.where, remedy=WHEN_ALL_FAIL)
        raise Refused(what, component=self.where, remedy=_remedy(_words(data)))

    def _model(self, kind: type[Model], data: Any) -> Model:
        try:
            return kind.model_validate(data)
        except ValidationError as error:
            places = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False))
            raise BadAnswer(
                f"described a {kind.__name__.lower()} in a form we do not know: {places or 'not an object'}",
                component=self.where,
                remedy="this Mailu may be newer than those we know (2024.06); report the version",
            ) from None

    def _absent(self, what: str) -> AgencyStackError:
        return Refused(f"does not have {what}", component=self.where, remedy="create it first")


def _remedy(words: str) -> str:
    return next((remedy for beginning, remedy in WHEN_REFUSED.items() if words.startswith(beginning)), "")


def _quoted(name: str) -> str:
    return quote(name.lower(), safe="@")


def _user_body(fields: UserFields) -> dict[str, object]:
    body: dict[str, object] = {name: value for name, value in fields.items() if name != "password"}
    if "password" in fields:
        body["raw_password"] = fields["password"].reveal()
    return body


def _status(answer: httpx.Response, data: Any) -> int:
    """Return what Mailu means: an invalid name is answered with HTTP 200 and ``{"code": 400}``."""
    said = data.get("code") if isinstance(data, dict) else None
    return said if isinstance(said, int) and answer.is_success else answer.status_code


def _words(data: Any) -> str:
    """Return Mailu's explanation, of an answer that may hold anything, so never the answer itself."""
    if not isinstance(data, dict):
        return "no explanation"
    errors = data.get("errors")
    details = "; ".join(f"{field}: {text}" for field, text in errors.items()) if isinstance(errors, dict) else ""
    return ": ".join(part for part in (str(data.get("message", "")), details) if part)[:500] or "no explanation"
