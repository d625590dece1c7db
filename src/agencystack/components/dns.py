"""The DNS records a mail server expects, compared with those that are live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

State = Literal["ok", "differs", "missing", "unknown"]
Kind = Literal["MX", "SPF", "DKIM", "DMARC", "TXT", "other"]
# One name's answer; a whole comparison of four records ends within half a minute without any DNS.
LIFETIME = 6.0


class NoAnswer(Exception):
    """Nothing can be said: no resolver, or none that answered in time."""


class Resolver(Protocol):
    """Looks names up."""

    def lookup(self, name: str, kind: str) -> list[str]:
        """Return the values of a name's records of one type; an empty list where there are none.

        Raises:
            NoAnswer: it cannot be told.
        """


@dataclass(frozen=True)
class Expected:
    """A record as the mail server wants it."""

    kind: Kind
    name: str
    type: str
    value: str


@dataclass(frozen=True)
class Compared:
    """What is expected and what is live.

    Args:
        kind: what the record is for.
        name: the name it stands at.
        expected: its value.
        live: the values found there that are of this kind.
        state: ``unknown`` where DNS could not be asked, which is no failure.
        reason: why it is unknown.
    """

    kind: Kind
    name: str
    expected: str
    live: tuple[str, ...]
    state: State
    reason: str = ""


class SystemResolver:
    """Asks the resolvers of this machine, or those given.

    Args:
        nameservers: addresses to ask instead of those in ``/etc/resolv.conf``.
        port: they answer on.
        lifetime: seconds for one name.
    """

    def __init__(self, nameservers: Iterable[str] = (), *, port: int = 53, lifetime: float = LIFETIME) -> None:
        self._lifetime = lifetime
        self._resolver: dns.resolver.Resolver | None = None
        given = list(nameservers)
        try:
            self._resolver = dns.resolver.Resolver(configure=not given)
        except (dns.resolver.NoResolverConfiguration, OSError):
            return  # this machine has none: every look-up then says so
        self._resolver.port = port
        if given:
            self._resolver.nameservers = given

    def lookup(self, name: str, kind: str) -> list[str]:
        """Return the values of a name's records of one type."""
        if self._resolver is None:
            raise NoAnswer("this machine has no DNS resolver")
        try:
            answer = self._resolver.resolve(name, kind, lifetime=self._lifetime, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error
        return [record.to_text() for record in answer]


def compare_dns(expected: Iterable[str], resolver: Resolver) -> tuple[Compared, ...]:
    """Compare records with live DNS.

    MX counts as equal when the expected host is among the live ones, whatever its preference; TXT records are joined
    from their pieces and compared without regard to spaces, and only with records of the same purpose.

    Args:
        expected: zone file lines, as ``Domain.expected_dns`` of Mailu has them.
        resolver: looks names up.
    """
    return tuple(_compared(parse_record(line), resolver) for line in expected)


def parse_record(line: str) -> Expected:
    """Read a zone file line such as ``acme.test. 600 IN MX 10 mail.acme.test.``.

    Raises:
        ValueError: it is not name, time to live, ``IN``, type and value.
    """
    parts = line.split(None, 4)
    if len(parts) != 5 or not parts[1].isdecimal() or parts[2] != "IN":
        raise ValueError(f"{line!r} is no zone file line")
    name, _, _, type_, value = parts
    value = _joined(value) if type_ == "TXT" else value
    return Expected(_kind(name, type_, value), name.rstrip("."), type_, value)


def _kind(name: str, type_: str, value: str) -> Kind:
    if type_ == "MX":
        return "MX"
    if type_ != "TXT":
        return "other"
    if "._domainkey." in name:
        return "DKIM"
    version = value.replace(" ", "").lower()
    return "SPF" if version.startswith("v=spf1") else "DMARC" if version.startswith("v=dmarc1") else "TXT"


def _compared(record: Expected, resolver: Resolver) -> Compared:
    try:
        found = resolver.lookup(record.name, record.type)
    except NoAnswer as error:
        return Compared(record.kind, record.name, record.value, (), "unknown", str(error))
    live = tuple(_joined(value) if record.type == "TXT" else value for value in found)
    live = tuple(value for value in live if _same_purpose(record, value))
    return Compared(record.kind, record.name, record.value, live, _state(record, live))


def _same_purpose(record: Expected, value: str) -> bool:
    """Leave other texts out, which a domain's own name usually has many of."""
    return record.kind not in {"SPF", "DMARC"} or _kind(record.name, "TXT", value) == record.kind


def _state(record: Expected, live: tuple[str, ...]) -> State:
    if not live:
        return "missing"
    wanted = _normal(record.kind, record.value)
    matches = [value for value in live if _normal(record.kind, value) == wanted]
    # Two SPF or two DMARC records count as none (RFC 7208 4.5, RFC 7489 6.6.3), even if one of them is right.
    alone = len(live) == 1 or record.kind not in {"SPF", "DMARC"}
    return "ok" if matches and alone else "differs"


def _normal(kind: Kind, value: str) -> str:
    if kind == "MX":
        return value.split()[-1].rstrip(".").lower()
    if kind == "SPF":
        return " ".join(value.lower().split())
    if kind in {"DKIM", "DMARC"}:
        # Tags may stand with or without spaces and with a last semicolon; the key's case matters.
        return ";".join("".join(tag.split()) for tag in value.split(";") if tag.strip())
    return value.rstrip(".")


def _joined(value: str) -> str:
    """Join the quoted pieces of a TXT record; none is longer than 255 characters, a DKIM key is."""
    pieces: list[str] = []
    rest = value.strip()
    while rest.startswith('"'):
        end = 1
        while end < len(rest) and rest[end] != '"':
            end += 2 if rest[end] == "\\" else 1
        pieces.append(rest[1:end].replace('\\"', '"').replace("\\\\", "\\").replace("\\;", ";"))
        rest = rest[end + 1 :].strip()
    return "".join(pieces) if pieces else rest
