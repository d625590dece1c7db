"""How a product is joined to the data bridge, as its plugin or app tells; the same for every product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from agencystack.stack.secrets import Secret


class BridgeState(BaseModel):
    """What our plugin or app knows of the bridge.

    Attributes:
        pairing: the pairing it belongs to; empty when it was never joined.
        hook_url: where it calls when something changed.
        keys: ids of the keys it takes and signs with, newest first.
        entities: which way each shared entity goes.
        ca: certificates of the authority it trusts for ``hook_url``; empty for its own choice.
        meta: further meta keys it watches.
        well: the user its calls act as and its tables are there.
        instance: id it was given when it was installed.
        failed_hints: calls of its own to the bridge that failed since the last one that arrived.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    pairing: str = ""
    hook_url: str = ""
    keys: tuple[str, ...] = ()
    entities: Mapping[str, str] = {}
    ca: str = ""
    meta: tuple[str, ...] = ()
    well: bool = True
    instance: str = ""
    failed_hints: int = 0


@dataclass(frozen=True)
class BridgeKey:
    """A secret the bridge and a product share.

    Args:
        id: names it.
        secret: the secret.
    """

    id: str
    secret: Secret


@dataclass(frozen=True)
class BridgeSettings:
    """How a product shall be joined.

    Args:
        pairing: the pairing.
        hook_url: where it calls when something changed.
        keys: newest first; two while they are exchanged.
        entities: which way each shared entity goes.
        ca: certificates of a private authority of ``hook_url``; empty for none.
        meta: further meta keys that are shared.
    """

    pairing: str
    hook_url: str
    keys: tuple[BridgeKey, ...]
    entities: Mapping[str, str]
    ca: str = ""
    meta: tuple[str, ...] = ()

    def plain(self) -> dict[str, object]:
        """Return it as the plugin and the app take it; holds the secrets."""
        return {
            "pairing": self.pairing,
            "hook_url": self.hook_url,
            "keys": [{"id": key.id, "secret": key.secret.reveal()} for key in self.keys],
            "entities": dict(self.entities),
            "ca": self.ca,
            "meta": list(self.meta),
        }
