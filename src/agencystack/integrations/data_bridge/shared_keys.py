"""The keys the bridge and one product sign their calls with: one, and beside it the one before while they change."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable

from agencystack.bridge.signing import SigningKey
from agencystack.components.bridge_settings import BridgeKey
from agencystack.engine.integration import SealedValue
from agencystack.stack.secrets import Secret, generate


class SharedKeys:
    """The keys of one product.

    Args:
        sealed: where they are kept.
    """

    def __init__(self, sealed: SealedValue) -> None:
        self._sealed = sealed

    def kept(self) -> tuple[BridgeKey, ...]:
        """Return the keys, newest first; none before the first was made, or when the sealed store was lost."""
        value = self._sealed.get()
        if value is None:
            return ()
        return tuple(BridgeKey(str(id_), Secret(str(secret))) for id_, secret in json.loads(value.reveal()))

    def ids(self) -> tuple[str, ...]:
        """Return the keys' ids, newest first."""
        return tuple(key.id for key in self.kept())

    def ensure(self) -> tuple[BridgeKey, ...]:
        """Return the keys, the first made where there is none; sealed before anybody else knows it."""
        if not (kept := self.kept()):
            self._keep(kept := (_new_key(),))
        return kept

    def signing(self) -> tuple[SigningKey, ...]:
        """Return them as calls are signed with."""
        return tuple(SigningKey(key.id, key.secret) for key in self.kept())

    def exchange(self) -> Callable[[], None] | None:
        """Put a new key before the present one; return what takes that back, or None where there is none yet."""
        if not (present := self.kept()):
            return None
        self._keep((_new_key(), present[0]))
        return lambda: self._keep((present[0],))

    def settle(self) -> None:
        """Forget all but the newest."""
        self._keep(self.kept()[:1])

    def forget(self) -> None:
        """Forget them all."""
        self._sealed.delete()

    def _keep(self, keys: tuple[BridgeKey, ...]) -> None:
        self._sealed.put(Secret(json.dumps([[key.id, key.secret.reveal()] for key in keys])))


def _new_key() -> BridgeKey:
    return BridgeKey(secrets.token_hex(4), generate())
