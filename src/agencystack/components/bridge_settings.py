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
        instance: id it was given when it was installed.
        epoch: the highest number it ever gave to a change.
        user: who signed calls act as.
        backlog: changes the bridge has not acknowledged.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    pairing: str = ""
    hook_url: str = ""
    keys: tuple[str, ...] = ()
    entities: Mapping[str, str] = {}
    instance: str = ""
    epoch: int = 0
    user: str = ""
    backlog: int = 0


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
    """

    pairing: str
    hook_url: str
    keys: tuple[BridgeKey, ...]
    entities: Mapping[str, str]

    def plain(self) -> dict[str, object]:
        """Return it as the plugin and the app take it; holds the secrets."""
        return {
            "pairing": self.pairing,
            "hook_url": self.hook_url,
            "keys": [{"id": key.id, "secret": key.secret.reveal()} for key in self.keys],
            "entities": dict(self.entities),
        }
