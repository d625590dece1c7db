"""Every pairing of one installation: its bridge, made when it is needed, and the calls its products make."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from agencystack.bridge.bridge import Bridge
from agencystack.bridge.record import SideName
from agencystack.bridge.rules import shared
from agencystack.bridge.serving.connecting import Connection, connect, kept
from agencystack.bridge.serving.hooks import Hint
from agencystack.bridge.serving.keyring import Keyring
from agencystack.bridge.signing import WINDOW, SigningKey
from agencystack.bridge.store import Store
from agencystack.bridge.store.pairings import Pairing
from agencystack.bridge.store.shifts import Shifts
from agencystack.bridge.store.sql import millis
from agencystack.bridge.work.context import utc_now
from agencystack.bridge.work.gathering import Gathered
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.sharing import Sharing

BATCH = 100
"""Records of one batch: WooCommerce takes no more in one request."""


class Desk:
    """The bridges of one store, and what their products tell them.

    Args:
        store: where everything is kept.
        keyring: how the sides are reached.
        shifts: who works on what.
        worker: name of this process.
    """

    def __init__(self, store: Store, keyring: Keyring, shifts: Shifts, worker: str) -> None:
        self._store, self._keyring, self._shifts, self._worker = store, keyring, shifts, worker
        self._made: dict[str, tuple[object, Connection, Bridge]] = {}
        # By pairing: to connect may take as long as a side lets us wait, and must hold up no other.
        self._making: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._working: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._stopping = threading.Event()
        self._remember: Gathered[str, bool] = Gathered(lambda nonces: shifts.first_times(nonces, 2 * WINDOW))
        self._note_call: Gathered[str, int] = Gathered(shifts.call)
        self.wake: Callable[[], None] = lambda: None

    def pairings(self) -> Sequence[str]:
        """Return the pairings that are at work."""
        return self._shifts.pairings()

    def bridge(self, pairing: str) -> Bridge:
        """Return the bridge of a pairing; made anew when what it shares or how its sides are reached has changed.

        Raises:
            ConfigurationError: it was never set up, or cannot be read.
        """
        with self._store.reading(pairing) as reading:
            known = reading.pairings.get()
        accesses = {side: self._keyring.needed(pairing, side) for side in SideName}
        with self._making[pairing]:
            state = (known.sharing, known.revision, accesses)
            if pairing in self._made and self._made[pairing][0] == state:
                return self._made[pairing][2]
            if pairing in self._made:
                self._made.pop(pairing)[1].close()
            sharing = _sharing(known)
            connection = connect(pairing, accesses, sharing, store=self._store)
            bridge = Bridge(self._store, pairing, connection.sides, kept(accesses), sharing, worker=self._worker)
            self._made[pairing] = (state, connection, bridge)
            return bridge

    def stop(self) -> None:
        """Begin no further batch."""
        self._stopping.set()

    def close(self) -> None:
        """Close every connection; nothing is done any more."""
        while self._made:
            self._made.popitem()[1][1].close()

    # What workers do. ---------------------------------------------------------------------------------------------

    def poll(self, pairing: str) -> int:
        """Ask both sides what changed, and return how many hints are new."""
        return self.bridge(pairing).poll()

    def due(self, pairing: str) -> bool:
        """Say whether something is to be done now."""
        due = self.bridge(pairing).next_due()
        return due is not None and due <= utc_now()

    def drain(self, pairing: str) -> bool:
        """Work off one batch of what is due; say whether more is, and is to be done now."""
        # One name works once at a time: leases tell workers apart by it, and what a dead one left may come to us, too.
        with self._working[pairing]:
            if self._stopping.is_set():
                return False
            progress = self.bridge(pairing).step(BATCH)
        return progress.looked_at > 0 and not self._stopping.is_set() and self.due(pairing)

    def reconcile(self, pairing: str) -> None:
        """Compare both sides with what they were last seen to hold, and mend what differs."""
        bridge = self.bridge(pairing)
        for entity in bridge.context.entities:
            bridge.reconcile(entity, repair=True)

    def prune(self, pairing: str) -> None:
        """Forget what happened long ago."""
        self.bridge(pairing).prune()

    # What products tell. ------------------------------------------------------------------------------------------

    def keys(self, pairing: str, side: SideName) -> Mapping[str, SigningKey]:
        """Return the keys a side of a pairing signs with."""
        return self._keyring.hook_keys(pairing, side)

    def first_time(self, nonce: str) -> bool:
        """Remember a nonce for as long as a signed call is good, and tell whether it was new."""
        return self._remember(nonce)

    def hint(self, pairing: str, side: SideName, hints: Iterable[Hint]) -> None:
        """Note hints down, and have the pairing looked at; neither side is asked anything here."""
        if named := [hint for hint in hints if hint.entity]:
            self._note_down(pairing, side, named)
        self._note_call(pairing)
        self.wake()

    def _note_down(self, pairing: str, side: SideName, hints: Sequence[Hint]) -> None:
        accesses = {name: self._keyring.needed(pairing, name) for name in SideName}
        with self._store.writing(pairing) as writing:
            entities = shared(kept(accesses), _sharing(writing.pairings.get()))
            records = [(hint.entity, hint.record) for hint in hints if hint.entity in entities]
            writing.inbox.add(side, records, "webhook", millis(utc_now()))


def _sharing(pairing: Pairing) -> Sharing:
    try:
        return Sharing.model_validate_json(pairing.sharing or "{}")
    except ValueError as error:
        raise ConfigurationError(
            f"what {pairing.id} shares cannot be read",
            remedy="run `agencystack integrate data-bridge`, which writes it anew from stack.yaml",
        ) from error
