"""What every proof of the bridge does: work beside the workers until something is seen, and delete what was made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agencystack.bridge.serving.place import Place
from agencystack.engine.integration import Evidence

if TYPE_CHECKING:
    from agencystack.bridge.bridge import Bridge

PATIENCE = 30.0
"""Seconds for one way: a worker that is busy elsewhere may have the record in hand."""
PAUSE = 0.2


class NotSeen(Exception):
    """What was to be seen was not; the text says what."""


class Trip:
    """One record of one entity, made in WordPress, on its way to ERPNext and back.

    Args:
        bridge: the pairing's.
        entity: of what.
    """

    def __init__(self, bridge: Bridge, entity: str) -> None:
        from agencystack.bridge.record import SideName

        self.bridge, self.entity = bridge, entity
        self.here, self.there = SideName.WORDPRESS, SideName.ERPNEXT
        # Any: proofs reach through a form to its product, which the protocol of forms does not show.
        self.shop: Any = bridge.context.form(self.here, entity)
        self.erp: Any = bridge.context.form(self.there, entity)

    def linked(self, id_: str) -> str:
        """Return the record's name in ERPNext, empty while it has none."""
        links = self.bridge.history(self.here, id_).links
        return next((link.on(self.there) for link in links if link.entity == self.entity), "")

    def wait(self, seen: Callable[[], Any], otherwise: Callable[[], str]) -> Any:
        """Work until something is seen, and return it.

        Args:
            seen: looks; what it returns counts when it is true.
            otherwise: says what was not seen.

        Raises:
            NotSeen: it never was.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.bridge.run(max_steps=5)
            if found := seen():
                return found
            time.sleep(PAUSE)
        raise NotSeen(otherwise())

    def why(self, id_: str) -> str:
        """Say why a record is not on the other side."""
        story = self.bridge.history(self.here, id_)
        words = [f"{letter.message} ({letter.remedy})" for letter in story.letters]
        words += [f"it waits: {hint.reason}" for hint in story.hints]
        return "; ".join(words) or "nobody looked at it: is the pairing paused? see agencystack bridge status"

    def delete(self, form: Any, id_: str) -> str:
        """Delete one half; return why it is still there, empty where it is gone."""
        from agencystack.bridge.entity import Deletion
        from agencystack.bridge.side import Action, Operation, Result

        token = self.token()
        gone = Operation(token, self.entity, Action.RETIRE, id_, how=Deletion.DELETE)
        outcome = form.apply([gone])[token]
        return "" if outcome.result is Result.DONE else f"{id_}: {outcome.message}"

    def judged(self, seen: Mapping[str, Any], missed: str, left: str, removed: str) -> Evidence:
        """Say what a trip has shown; what could not be removed is named whatever else went wrong.

        Args:
            seen: on the way.
            missed: what was not seen, empty where all was.
            left: what is still there, and why; empty where nothing is.
            removed: what is gone again.
        """
        if left:
            left = f"could not be removed again: {left}; delete it by hand"
            return Evidence(False, seen, "; ".join(filter(None, [missed, left])))
        return Evidence(not missed, {**seen, "removed": removed}, missed)

    def token(self) -> str:
        """Return a new op token."""
        from agencystack.bridge.tokens import new_token

        return new_token(datetime.now(UTC))


@contextmanager
def opened(place: Place, pairing: str) -> Iterator[Bridge]:
    """Open the bridge of a pairing, as a worker does."""
    # Imported late: what opens the store takes half a second, and most commands need none of it.
    from agencystack.bridge.serving.desk import Desk
    from agencystack.bridge.serving.service import milliseconds
    from agencystack.bridge.store.shifts import Shifts

    with place.opened() as store:
        desk = Desk(store, place.keyring, Shifts(store, milliseconds), f"proof-{time.time_ns()}")
        try:
            yield desk.bridge(pairing)
        finally:
            desk.close()
