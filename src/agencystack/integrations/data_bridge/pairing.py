"""The pairing itself: what the bridge's workers know of the two sides, and what is shared between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.keyring import Access
from agencystack.bridge.serving.place import Place
from agencystack.bridge.signing import SigningKey
from agencystack.components.bridge_settings import BridgeKey
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value, digest
from agencystack.integrations.data_bridge.watching import opened
from agencystack.stack.errors import ComponentRef
from agencystack.stack.files import private_folder
from agencystack.stack.secrets import Secret
from agencystack.stack.sharing import Sharing

if TYPE_CHECKING:
    from agencystack.bridge.store.pairings import Pairing as Known

KEY = "pairing"
UNDONE = "the data bridge was undone"
CEILING = "stack.yaml"
"""The cursor that remembers what ``stack.yaml`` said when its sharing was taken over."""


@dataclass(frozen=True)
class Wanted:
    """What a pairing shall be.

    Args:
        accesses: how each side is reached; called when it is written, as keys may be made in the same run.
        sharing: what is shared.
        signing: tells the sides whose plugin or app signs; their keys are made by the run that joins them.
        hooking: the sides whose own webhooks call where nothing signs.
    """

    accesses: Callable[[], Mapping[SideName, Access]]
    sharing: Sharing
    signing: Callable[[], frozenset[SideName]]
    hooking: frozenset[SideName] = frozenset(SideName)


class Pairing(Resource):
    """One WordPress with one ERPNext, as the workers know them.

    Args:
        client: whose; also the pairing's id.
        place: where the bridge keeps what it knows.
        wanted: what it shall be.
        purged: says whether all that is known is forgotten right after it is removed.
    """

    def __init__(self, client: str, place: Place, wanted: Wanted, purged: Callable[[], bool]) -> None:
        self.component, self.key = ComponentRef(client, "bridge"), KEY
        self._client, self._place, self._wanted, self._purged = client, place, wanted, purged

    def read(self) -> Reading:
        """Return what the workers know."""
        keyring = self._place.keyring
        accesses = {side: access for side in SideName if (access := keyring.get(self._client, side))}
        if not self._place.exists or not accesses:
            return ABSENT
        with self._place.opened() as store, store.reading(self._client) as reading:
            ceiling, at_work = reading.cursors.get(CEILING), reading.pairings.get().reason != UNDONE
        return Reading({**_shown(accesses), "sharing": ceiling, "at work": at_work})

    def wanted(self) -> Fields:
        """Want the sides as they are reached now, and what stack.yaml shares."""
        fields, signing = _shown(self._wanted.accesses()), self._wanted.signing()
        for side in signing:
            fields[f"{side}_keys"] = fields[f"{side}_keys"] or Marker.PENDING
        for side in set(SideName) - signing:
            fields[f"{side}_credential"] = fields[f"{side}_credential"] or Marker.PENDING
        for side in self._wanted.hooking - signing:
            fields[f"{side}_hooks"] = fields[f"{side}_hooks"] or Marker.PENDING
        return {**fields, "sharing": self._ceiling(), "at work": True}

    def write(self, change: Change) -> None:
        """Tell the workers; from then on they are at work."""
        private_folder(self._place.home.bridge_dir)
        for side, access in self._wanted.accesses().items():
            self._place.keyring.put(self._client, side, access)
        now = _now()
        with self._place.opened() as store, store.writing(self._client) as writing:
            writing.pairings.create(now)
            known = writing.pairings.get()
            if "sharing" in change.names or change.live.absent:
                writing.pairings.save_sharing(self._wanted.sharing.model_dump_json(), known.revision, now)
                writing.cursors.save(CEILING, self._ceiling())
        if known.reason == UNDONE:
            self._join_again(known)

    def _join_again(self, known: Known) -> None:
        """Go on after an undo, by what is linked since then: plugin and app are new, and told nobody what changed.

        A site at another address is noticed as ever; it may be a copy.
        """
        from agencystack.bridge.side import Identity
        from agencystack.bridge.work.polling import stream  # imported late, as the store is

        with self._place.opened() as store, store.writing(self._client) as writing:
            for side, identity in known.identities.items():
                writing.pairings.set_identity(side, Identity(identity.url, "", None), _now())
            for side in SideName:
                writing.marks.remove(side, writing.marks.stored(side))
                writing.cursors.save(stream(side), "")
        with opened(self._place, self._client) as bridge:
            for entity in bridge.context.entities:
                bridge.reconcile(entity, repair=True)
        with self._place.opened() as store, store.writing(self._client) as writing:
            writing.pairings.resume(_now())

    def remove(self, live: Reading, before: Image) -> str:
        """Stop and disconnect; what is linked stays known, so that joining again doubles nothing."""
        with self._place.opened() as store, store.writing(self._client) as writing:
            writing.pairings.pause(UNDONE, _now())
        for side in SideName:
            self._place.keyring.delete(self._client, side)
        if self._purged():
            return ""
        return "links stay, so that joining again doubles nothing; `agencystack undo data-bridge --purge` forgets them"

    def _ceiling(self) -> str:
        return digest(self._wanted.sharing.model_dump(mode="json"))


def _now() -> int:
    return round(time.time() * 1000)


class WorkersKeys:
    """The keys shared with one side, as the workers know them.

    Args:
        client: the pairing.
        side: the side.
        place: where the bridge keeps what it knows.
    """

    def __init__(self, client: str, side: SideName, place: Place) -> None:
        self._client, self._side, self._place = client, side, place

    def known(self) -> tuple[BridgeKey, ...]:
        """Return them, newest first; none while the pairing is not set up."""
        access = self._place.keyring.get(self._client, self._side)
        return tuple(BridgeKey(key.id, key.secret) for key in access.keys) if access else ()

    def take_credential(self, user: str, password: Secret) -> None:
        """Know who the workers are to a side without plugin or app."""
        access = self._place.keyring.get(self._client, self._side)
        if access is not None:
            self._place.keyring.put(self._client, self._side, replace(access, user=user, password=password))

    def take(self, keys: Sequence[BridgeKey]) -> None:
        """Know these keys and no other."""
        access = self._place.keyring.get(self._client, self._side)
        if access is not None and access.keys:
            signing = tuple(SigningKey(key.id, key.secret) for key in keys)
            self._place.keyring.put(self._client, self._side, replace(access, keys=signing))


def _shown(accesses: Mapping[SideName, Access]) -> dict[str, Value]:
    shown: dict[str, Value] = {}
    for side, access in accesses.items():
        shown[f"{side}_url"] = access.url
        shown[f"{side}_public_url"] = access.public_url
        # An API key is half of a credential: both halves are shown to nobody.
        shown[f"{side}_credential"] = Secret(f"{access.user}:{access.password.reveal()}") if access.password else None
        shown[f"{side}_keys"] = tuple(key.id for key in access.keys)
        shown[f"{side}_hooks"] = access.hooks[0].secret if access.hooks else None
    return shown
