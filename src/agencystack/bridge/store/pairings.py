"""The pairing: which installations belong together, whether the bridge works on them, and what is shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection, bindparam, select, update

from agencystack.bridge.record import SideName
from agencystack.bridge.side import Identity
from agencystack.bridge.store.sql import insert
from agencystack.bridge.store.tables import pairing as table


class PairingState(StrEnum):
    """Whether the bridge works."""

    ACTIVE = "active"
    PAUSED = "paused"
    PREVIEW = "preview"
    """Nothing is written yet: a person looks at what would be."""


@dataclass(frozen=True)
class Pairing:
    """One WordPress with one ERPNext.

    Args:
        id: its id.
        state: whether the bridge works.
        reason: why it does not.
        identities: which installation answered on each side; one that never did is left out.
        sharing: what is shared, as JSON; empty while only ``stack.yaml`` says it.
        revision: of the sharing; a save that was made upon another one is refused.
    """

    id: str
    state: PairingState = PairingState.ACTIVE
    reason: str = ""
    identities: dict[SideName, Identity] = field(default_factory=dict)
    sharing: str = ""
    revision: int = 0


# Asked at every step: built once, since that costs more than asking.
_OWN = select(table).where(table.c.id == bindparam("b_id"))


class Pairings:
    """The row of one pairing."""

    def __init__(self, connection: Connection, pairing: str) -> None:
        self._connection = connection
        self._pairing = pairing

    def get(self) -> Pairing:
        """Return the pairing; one that is not stored yet is active."""
        row = self._connection.execute(_OWN, {"b_id": self._pairing}).one_or_none()
        if row is None:
            return Pairing(self._pairing)
        known = {
            SideName.WORDPRESS: Identity(row.wordpress_url, row.wordpress_instance, row.wordpress_epoch),
            SideName.ERPNEXT: Identity(row.erpnext_url, row.erpnext_instance, row.erpnext_epoch),
        }
        identities = {side: one for side, one in known.items() if one.url}
        return Pairing(self._pairing, PairingState(row.state), row.reason, identities, row.sharing, row.revision)

    def create(self, now: int, state: PairingState = PairingState.ACTIVE) -> None:
        """Make the row where there is none."""
        row = {
            "id": self._pairing,
            "state": str(state),
            "reason": "",
            "wordpress_url": "",
            "wordpress_instance": "",
            "erpnext_url": "",
            "erpnext_instance": "",
            "sharing": "",
            "revision": 0,
            "changed": now,
        }
        self._connection.execute(insert(self._connection, table).values(row).on_conflict_do_nothing())

    def set_state(self, state: PairingState, reason: str, now: int) -> None:
        """Note whether the bridge works, and why not."""
        self._update(now, state=str(state), reason=reason)

    def pause(self, reason: str, now: int) -> None:
        """Stop working, and say why."""
        self.set_state(PairingState.PAUSED, reason, now)

    def resume(self, now: int) -> None:
        """Go on."""
        self.set_state(PairingState.ACTIVE, "", now)

    def set_identity(self, side: SideName, identity: Identity, now: int) -> None:
        """Note which installation answers on a side."""
        self._update(
            now,
            **{f"{side}_url": identity.url, f"{side}_instance": identity.instance, f"{side}_epoch": identity.epoch},
        )

    def save_sharing(self, sharing: str, revision: int, now: int) -> bool:
        """Store what is shared, and tell whether the revision it was made upon still was the newest."""
        done = self._connection.execute(
            update(table)
            .where(table.c.id == self._pairing, table.c.revision == revision)
            .values(sharing=sharing, revision=revision + 1, changed=now)
        )
        return done.rowcount == 1

    def _update(self, now: int, **values: object) -> None:
        self._connection.execute(update(table).where(table.c.id == self._pairing).values(**values, changed=now))
