"""What the Mailu stand-in keeps: domains, mailboxes, tokens and aliases, in one file that survives a restart."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import idna
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import AfterValidator, BaseModel, Field

DKIM_SELECTOR = "dkim"
DKIM_BITS = 2048
RECIPIENT_DELIMITER = "+"
# A sandbox's passwords guard nothing, and 100 clients' mailboxes are made in one run: a cheap hash.
HASH_COST = 2**8


def as_kept(texts: Iterable[str]) -> list[str]:
    """Return a list as Mailu's database keeps it (``contract/mailu/numbers_and_lists.json``)."""
    return sorted(set(texts))


def as_written(text: str) -> str:
    """Return a name or DNS record with letters of its own writing (``contract/mailu/international_names.json``)."""
    return re.sub(r"\bxn--[a-z0-9-]+", lambda label: idna.ulabel(label[0]), text)


KeptList = Annotated[list[str], AfterValidator(as_kept)]


class DomainRow(BaseModel):
    """A mail domain; ``dkim_key`` is its private key in PEM."""

    name: str
    comment: str = ""
    max_users: int = -1
    max_aliases: int = -1
    max_quota_bytes: int = 0
    signup_enabled: bool = False
    alternatives: list[str] = []
    managers: list[str] = []
    dkim_key: str | None = None


class UserRow(BaseModel):
    """A mailbox, with the defaults of ``contract/mailu/users.json`` "create minimal"."""

    email: str
    password: str
    comment: str = ""
    quota_bytes: int = 1_000_000_000
    quota_bytes_used: int = 0
    global_admin: bool = False
    enabled: bool = True
    change_pw_next_login: bool = False
    enable_imap: bool = True
    enable_pop: bool = True
    allow_spoofing: bool = False
    forward_enabled: bool = False
    forward_destination: KeptList = []
    forward_keep: bool = True
    reply_enabled: bool = False
    reply_subject: str | None = None
    reply_body: str | None = None
    reply_startdate: str = "1900-01-01"
    reply_enddate: str = "2999-12-31"
    displayed_name: str = ""
    spam_enabled: bool = True
    spam_mark_as_read: bool = True
    spam_threshold: int = 80


class TokenRow(BaseModel):
    """An application password; only its hash is kept."""

    id: int
    email: str
    hash: str
    comment: str = ""
    networks: KeptList = []
    created: str
    edited: str | None = None

    def opens_for(self, value: str, client_ip: str) -> bool:
        """Say whether ``value`` is this token and may be used from ``client_ip``."""
        if not hmac.compare_digest(self.hash, hash_token(value)):
            return False
        return not self.networks or any(_contains(network, client_ip) for network in self.networks)


class AliasRow(BaseModel):
    """Another address of some mailboxes."""

    email: str
    destination: KeptList = []
    comment: str = ""
    wildcard: bool = False


class RelayRow(BaseModel):
    """A domain whose mail is passed on."""

    name: str
    smtp: str = ""
    comment: str = ""


class State(BaseModel):
    """Everything kept, in the order it was made."""

    domains: dict[str, DomainRow] = Field(default_factory=dict)
    users: dict[str, UserRow] = Field(default_factory=dict)
    tokens: dict[int, TokenRow] = Field(default_factory=dict)
    aliases: dict[str, AliasRow] = Field(default_factory=dict)
    relays: dict[str, RelayRow] = Field(default_factory=dict)

    def name_in_use(self, name: str) -> bool:
        """Say whether a domain, an alternative name or a relayed domain has this name."""
        lower = name.lower()
        return lower in self.domains or lower in self.relays or self.domain_of_alternative(lower) is not None

    def domain_of_alternative(self, name: str) -> DomainRow | None:
        """Return the domain that has ``name`` as another name."""
        return next((domain for domain in self.domains.values() if name.lower() in domain.alternatives), None)

    def users_of(self, domain: str) -> list[UserRow]:
        """Return the mailboxes of a domain."""
        return [user for user in self.users.values() if domain_of(user.email) == domain]

    def aliases_of(self, domain: str) -> list[AliasRow]:
        """Return the aliases of a domain."""
        return [alias for alias in self.aliases.values() if domain_of(alias.email) == domain]

    def delete_domain(self, name: str) -> None:
        """Delete a domain with its mailboxes, tokens and aliases (``contract/mailu/misc.json``)."""
        for user in self.users_of(name):
            self.delete_user(user.email)
        for alias in self.aliases_of(name):
            del self.aliases[alias.email]
        del self.domains[name]

    def delete_user(self, email: str) -> None:
        """Delete a mailbox with its tokens."""
        del self.users[email]
        self.tokens = {number: token for number, token in self.tokens.items() if token.email != email}
        for domain in self.domains.values():
            domain.managers = [manager for manager in domain.managers if manager != email]

    def add_token(self, email: str, comment: str, networks: list[str]) -> tuple[TokenRow, str]:
        """Make a token and return it with its value, which is 32 hexadecimal characters."""
        value = secrets.token_hex(16)
        row = TokenRow(
            id=max(self.tokens, default=0) + 1,  # SQLite gives the number of a deleted last row again
            email=email,
            hash=hash_token(value),
            comment=comment,
            networks=networks,
            created=today(),
        )
        self.tokens[row.id] = row
        return row, value

    def resolve(self, address: str) -> list[str] | None:
        """Return the mailboxes mail to ``address`` ends in; None for an unknown address of one of our domains.

        Raises:
            KeyError: the domain is not one of ours.
        """
        local, domain = self._ours(address)
        user = self.users.get(f"{local}@{domain}") or self.users.get(f"{without_tag(local)}@{domain}")
        if user is not None:
            forwarded = list(user.forward_destination) if user.forward_enabled else []
            return forwarded + ([user.email] if user.forward_keep or not forwarded else [])
        alias = self.alias_for(local, domain)
        return None if alias is None else list(alias.destination)

    def alias_for(self, local: str, domain: str) -> AliasRow | None:
        """Return the alias an address falls under: its own, that without its tag, then a wildcard's."""
        for name in (local, without_tag(local)):
            alias = self.aliases.get(f"{name}@{domain}")
            if alias is not None and not alias.wildcard:
                return alias
        address = f"{local}@{domain}"
        return next((row for row in self.aliases.values() if row.wildcard and _like(row.email, address)), None)

    def owners(self, sender: str) -> list[str]:
        """Return the mailboxes that may send as ``sender`` (Mailu's sender login map)."""
        try:
            local, domain = self._ours(sender)
        except KeyError:
            return []
        for name in (local, without_tag(local)):
            if f"{name}@{domain}" in self.users:
                return [f"{name}@{domain}"]
        alias = self.alias_for(local, domain)
        return [] if alias is None else list(alias.destination)

    def _ours(self, address: str) -> tuple[str, str]:
        local, _, domain = address.lower().rpartition("@")
        if domain not in self.domains:
            owner = self.domain_of_alternative(domain)
            if owner is None:
                raise KeyError(domain)
            domain = owner.name
        return local, domain


class StateFile:
    """The file that holds a :class:`State`; written whole and swapped in, so a kill leaves the old or the new one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> State | None:
        """Return what was kept, or None on the first start."""
        try:
            return State.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None

    def save(self, state: State) -> None:
        """Keep ``state``; readable by its owner alone, as DKIM keys are in it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(state.model_dump_json())
        draft.replace(self._path)


def today() -> str:
    """Return the date as Mailu writes it."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def domain_of(address: str) -> str:
    """Return the part after the @."""
    return address.rpartition("@")[2]


def without_tag(local: str) -> str:
    """Return the local part of an address without its ``+tag``."""
    return local.split(RECIPIENT_DELIMITER, 1)[0]


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Return what is kept of a password."""
    salt = salt or os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=HASH_COST, r=8, p=1, dklen=32)
    return f"$scrypt${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def password_matches(kept: str, password: str) -> bool:
    """Say whether ``password`` is the one ``kept`` was made of."""
    salt = base64.b64decode(kept.split("$")[2])
    return hmac.compare_digest(kept, hash_password(password, salt))


def hash_token(value: str) -> str:
    """Return what is kept of a token, which is random enough for a plain digest."""
    return hashlib.sha256(value.encode()).hexdigest()


def make_dkim_key() -> str:
    """Return a new private key in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=DKIM_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


@lru_cache(maxsize=1024)
def dkim_public(private_pem: str) -> str:
    """Return the public key as its DNS record has it."""
    key = serialization.load_pem_private_key(private_pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _contains(network: str, client_ip: str) -> bool:
    try:
        return ipaddress.ip_address(client_ip) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _like(pattern: str, text: str) -> bool:
    """Match SQL's LIKE, which a wildcard alias is: ``%`` any run of characters, ``_`` one."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(_like(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and _like(pattern[1:], text[1:])
