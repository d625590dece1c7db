"""The values a resource is compared by, and how they are shown, hashed and stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias

from agencystack.stack.secrets import MASK, Secret, redact


class Marker(Enum):
    """Two values that are not data."""

    UNREADABLE = "unreadable"
    """The product holds a secret here and does not show it; compared by the hash of what we last wrote."""
    PENDING = "made by apply"
    """The value is generated while applying, by a resource that comes earlier."""


Plain: TypeAlias = str | int | float | bool | tuple[str, ...]
Value: TypeAlias = Plain | Secret | Marker | None
Fields: TypeAlias = Mapping[str, Value]
Fingerprinter: TypeAlias = Callable[[Secret], str]


def shown(value: Value) -> object:
    """Return what a plan, a log or JSON may show of ``value``: of a secret that it is there, of long text a hash."""
    if isinstance(value, Secret):
        return MASK if value.reveal() else None
    if isinstance(value, Marker):
        return MASK if value is Marker.UNREADABLE else value.value
    if isinstance(value, str) and "\n" in value:
        return f"{len(value)} characters, sha256 {hashlib.sha256(value.encode()).hexdigest()[:12]}"
    return list(value) if isinstance(value, tuple) else value


def masked(data: object) -> Any:
    """Return JSON-able ``data`` in which no secret this process knows can be read, at any depth.

    Whoever writes what an integration, a product or an error said passes it through here: text is masked before it is
    put into JSON, as quoting a text twice would hide a secret from the redactor.
    """
    if isinstance(data, Secret):
        return MASK
    if isinstance(data, str):
        return redact(data)
    if isinstance(data, Mapping):
        return {redact(str(name)): masked(value) for name, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [masked(value) for value in data]
    return data if data is None or isinstance(data, bool | int | float) else redact(repr(data))


def fingerprint(fields: Fields, of_secret: Fingerprinter) -> str:
    """Return a hash of ``fields`` in which a secret takes part by its salted hash only."""
    plain = {name: f"secret:{of_secret(v)}" if isinstance(v, Secret) else shown(v) for name, v in fields.items()}
    return digest(plain)


def digest(data: object) -> str:
    """Return a short stable hash of JSON-able ``data``."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def to_stored(fields: Fields) -> dict[str, Any]:
    """Return ``fields`` as JSON with secrets in clear: only for what is sealed before it reaches a disk."""
    stored: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Secret):
            stored[name] = {"secret": value.reveal()}
        elif isinstance(value, Marker):
            stored[name] = {"marker": value.name}
        elif isinstance(value, tuple):
            stored[name] = {"list": list(value)}
        else:
            stored[name] = {"value": value}
    return stored


def from_stored(stored: Mapping[str, Any]) -> dict[str, Value]:
    """Return the fields that :func:`to_stored` was given."""
    fields: dict[str, Value] = {}
    for name, entry in stored.items():
        if "secret" in entry:
            fields[name] = Secret(entry["secret"])
        elif "marker" in entry:
            fields[name] = Marker[entry["marker"]]
        elif "list" in entry:
            fields[name] = tuple(entry["list"])
        else:
            fields[name] = entry["value"]
    return fields


def equal(one: Value, other: Value) -> bool:
    """Say whether two values are one. Python takes True for 1; a product that answers 1 has not said that it is on."""
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def same(wanted: Value, live: Value, applied_hash: str | None, of_secret: Fingerprinter) -> bool:
    """Say whether ``live`` already is ``wanted``.

    Args:
        wanted: what we want.
        live: what the product shows.
        applied_hash: salted hash of the secret we last wrote here, for one that cannot be read back.
        of_secret: how such hashes are made.
    """
    if isinstance(wanted, Secret) and live is Marker.UNREADABLE:
        return applied_hash is not None and applied_hash == of_secret(wanted)
    if wanted is Marker.PENDING:
        return False
    return equal(wanted, live)
