"""What Mailu's API answers and takes: domains, mailboxes, application tokens, aliases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, TypedDict

import idna
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agencystack.stack.secrets import Secret


class Answer(BaseModel):
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


class Domain(Answer):
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


class User(Answer):
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


class Token(Answer):
    """An application password of a mailbox; its value is only known to who created it.

    ``id`` is a number in some answers and text in others (facts/mailu.md "Tokens").
    """

    id: int
    email: Address
    comment: str = ""
    networks: tuple[str, ...] = Field(default=(), validation_alias="AuthorizedIP")


class Alias(Answer):
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
