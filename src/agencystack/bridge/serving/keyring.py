"""How the bridge reaches its sides and is known there; sealed under a key of its own, so that a worker needs no other.

The web process and the workers run without the rights of the command line (DESIGN 11): they open this and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agencystack.bridge.record import SideName
from agencystack.bridge.signing import SigningKey
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret


@dataclass(frozen=True)
class Access:
    """How one side of a pairing is reached.

    Args:
        url: its address as the bridge reaches it.
        public_url: its address as people reach it, which tells a site from its clone.
        keys: secrets shared with its plugin or app, newest first; two while they are exchanged, none without plugin.
        user: who we are without plugin or app: user of an application password, or API key.
        password: the application password, or API secret.
        ca_file: certificate authority of ``url``; empty for the system's.
        host: name of the site, where ``url`` is an address and holds several.
        hooks: secrets of the product's own webhooks, where neither plugin nor app calls us.
    """

    url: str
    public_url: str
    keys: tuple[SigningKey, ...] = ()
    user: str = ""
    password: Secret | None = None
    ca_file: str = ""
    host: str = ""
    hooks: tuple[SigningKey, ...] = ()

    @property
    def has_plugin(self) -> bool:
        """Say whether our plugin or app is there."""
        return bool(self.keys)

    @property
    def ca_path(self) -> Path | None:
        """The authority as a path, None for the system's."""
        return Path(self.ca_file) if self.ca_file else None


class Keyring:
    """The accesses of all pairings.

    Args:
        folder: where the sealed files lie.
        key_file: the key they are sealed under.
    """

    def __init__(self, folder: Path, key_file: Path) -> None:
        # As root we write for the service that reads them.
        self._sealed = SealedStore(folder, key_file, owners=True)

    def get(self, pairing: str, side: SideName) -> Access | None:
        """Return how a side is reached, None where that was never set up.

        Raises:
            ConfigurationError: the key is missing or another one, or what was sealed is not ours.
        """
        sealed = self._sealed.get(_name(pairing, side))
        if sealed is None:
            return None
        try:
            return _access(json.loads(sealed.reveal()))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"how the bridge reaches {side} of {pairing} cannot be read",
                remedy="run `agencystack integrate data-bridge`, which writes it anew",
            ) from error

    def needed(self, pairing: str, side: SideName) -> Access:
        """Return how a side is reached.

        Raises:
            ConfigurationError: that was never set up.
        """
        access = self.get(pairing, side)
        if access is None:
            raise ConfigurationError(
                f"the bridge of {pairing} has no access to {side}", remedy="run `agencystack integrate data-bridge`"
            )
        return access

    @property
    def holds_any(self) -> bool:
        """Say whether any pairing was set up."""
        return bool(self._sealed.names())

    def put(self, pairing: str, side: SideName, access: Access) -> None:
        """Keep how a side is reached; on disk before this returns."""
        self._sealed.put(_name(pairing, side), Secret(json.dumps(_plain(access))))

    def delete(self, pairing: str, side: SideName) -> bool:
        """Forget a side; returns whether it was known."""
        return self._sealed.delete(_name(pairing, side))

    def hook_keys(self, pairing: str, side: SideName) -> Mapping[str, SigningKey]:
        """Return the keys a side may sign its calls to us with, by their id; none where it is not known."""
        access = self.get(pairing, side)
        return {key.id: key for key in (*access.keys, *access.hooks)} if access else {}


def _name(pairing: str, side: SideName) -> str:
    return f"{pairing}/{side}"


def _plain(access: Access) -> dict[str, Any]:
    return {
        "url": access.url,
        "public_url": access.public_url,
        "keys": [[key.id, key.secret.reveal()] for key in access.keys],
        "user": access.user,
        "password": access.password.reveal() if access.password else None,
        "ca_file": access.ca_file,
        "host": access.host,
        "hooks": [[key.id, key.secret.reveal()] for key in access.hooks],
    }


def _access(plain: dict[str, Any]) -> Access:
    return Access(
        url=str(plain["url"]),
        public_url=str(plain["public_url"]),
        keys=tuple(SigningKey(str(id_), Secret(str(secret))) for id_, secret in plain["keys"]),
        user=str(plain["user"]),
        password=Secret(str(plain["password"])) if plain["password"] else None,
        ca_file=str(plain["ca_file"]),
        host=str(plain["host"]),
        hooks=tuple(SigningKey(str(id_), Secret(str(secret))) for id_, secret in plain.get("hooks", [])),
    )
