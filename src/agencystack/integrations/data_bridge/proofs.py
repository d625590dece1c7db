"""What shows that the bridge works: both sides answer it, and a record made on one side appears on the other."""

from __future__ import annotations

from agencystack.bridge.serving.place import Place
from agencystack.engine.integration import Evidence, Proof
from agencystack.stack.sharing import Sharing

SIGNED = "both sides answer"


class SidesAnswer(Proof):
    """Ask both sides what changed, as a worker does: signed, as the bridge's own user.

    Args:
        pairing: the pairing.
        place: where the bridge keeps what it knows.
    """

    name = SIGNED

    def __init__(self, pairing: str, place: Place) -> None:
        self._pairing, self._place = pairing, place

    def run(self) -> Evidence:
        """Ask for nothing, and see who answers."""
        from agencystack.bridge.serving.connecting import connected  # imported late, as the store is

        seen: dict[str, object] = {}
        with connected(self._place.keyring, self._pairing, Sharing()) as sides:
            for name, side in sides.items():
                identity = side.identity()
                seen[f"{name} answers as"] = identity.url
                seen[f"{name} plugin"] = identity.instance or "none: it is asked for changes"
        return Evidence(True, seen)
