"""How an ERPNext is joined to the data bridge: through our app, and what the bridge needs to know of its books."""

from __future__ import annotations

from agencystack.components.bridge_settings import BridgeSettings, BridgeState
from agencystack.components.erpnext.site import FrappeSite

SINCE = (0, 3, 0)
"""The version of our app that knows the bridge."""

_METHODS = "agencystack_connector.bridge"
_TAKEN = ("pairing", "hook_url", "keys", "entities")


class ErpNextBridge:
    """The bridge's settings in one ERPNext.

    Args:
        site: its client, with the key of a System Manager.
    """

    def __init__(self, site: FrappeSite) -> None:
        self._site = site

    def state(self) -> BridgeState:
        """Return how our app is joined.

        Raises:
            Refused: the site does not have the app.
        """
        told = self._site.call(f"{_METHODS}.state")
        if not isinstance(told, dict):
            raise self._site.bad_shape("how our app is joined to the bridge")
        return self._site.model(BridgeState, told)

    def configure(self, settings: BridgeSettings) -> None:
        """Join our app; it makes the bridge's user, its role and the fields it needs.

        Raises:
            Refused: the app said why not.
        """
        plain = settings.plain()
        self._site.call(f"{_METHODS}.configure", {name: plain[name] for name in _TAKEN})

    def clear(self, *, purge: bool = False) -> None:
        """Part it again; what it noted down is dropped.

        Args:
            purge: the contents of its custom fields, too; else they are there again when it is joined again.
        """
        self._site.call(f"{_METHODS}.clear", {"purge": int(purge)})


def knows_bridge(version: str | None) -> bool:
    """Say whether our app of that version knows the bridge; ``None`` is no app."""
    if version is None:
        return False
    numbers = version.split(".")
    return all(part.isdigit() for part in numbers) and tuple(map(int, numbers)) >= SINCE
