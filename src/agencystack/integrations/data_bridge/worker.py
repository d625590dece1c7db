"""Somebody must do the bridge's work: a worker that lives, as a service of systemd where there is one."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agencystack.bridge.place import Place
from agencystack.engine.integration import Manual
from agencystack.engine.resource import Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import SHARED

KEY = "worker"
HEARD = 30.0
"""Seconds within which a living worker is heard of."""


class LivingWorker(Resource):
    """At least one worker of this installation's bridge that lives.

    Args:
        place: where the bridge keeps what it knows.
        listen: where it is to take the products' calls, for the words to a person.
    """

    stays = "it serves the other clients, too; stop it with: systemctl disable --now agencystack-bridge"

    def __init__(self, place: Place, listen: str) -> None:
        self.component, self.key = ComponentRef(SHARED, "bridge"), KEY
        self._place, self._listen = place, listen

    def read(self) -> Reading:
        """Return whether a worker was heard of."""
        return Reading({"heard": bool(living(self._place))})

    def wanted(self) -> Fields:
        """Want one."""
        return {"heard": True}

    def write(self, change: Change) -> None:
        """Have a person start it, where we cannot."""
        raise Manual(
            "no worker of the bridge was heard of: nothing is kept in step",
            component=self.component,
            remedy="start one and keep it running: agencystack serve (docs/data-bridge.md has the systemd unit), "
            "then run agencystack integrate data-bridge again",
        )

    def remove(self, live: Reading, before: Image) -> str:
        """Leave it."""
        return self.stays


def living(place: Place) -> Sequence[str]:
    """Return the workers that live."""
    if not place.exists:
        return ()
    from agencystack.bridge.store.shifts import Shifts  # imported late, as the store is

    with place.opened() as store:
        return Shifts(store, lambda: round(time.time() * 1000)).living(HEARD)
