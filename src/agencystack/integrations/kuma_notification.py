"""A client's notification in Uptime Kuma: monitoring puts it on monitors, e-mail fills in how it is sent.

Both integrations want it, so that it is there whichever is applied first; what each adds is a resource of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agencystack.components.uptime_kuma import Notification, UptimeKuma
from agencystack.engine.integration import Site
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields

MARK = "agencystack"
"""A key of our own in a notification's configuration, which Uptime Kuma keeps as it is given it."""

KEY = "notification "
"""How the key begins; the name follows."""


class ClientNotification(Resource):
    """The notification itself, of type smtp; until e-mail is integrated it has no server, and sends nothing.

    Args:
        kuma: where it is.
        client: whose.
    """

    def __init__(self, kuma: UptimeKuma, client: str) -> None:
        self.name = f"AgencyStack {client}"
        self.component, self.key = kuma.where, KEY + self.name
        self._kuma, self._client = kuma, client

    def read(self) -> Reading:
        """Return whether it is marked as ours; one of its name that is not is a person's."""
        found = self.saved()
        if found is None:
            return ABSENT
        if found.config.get(MARK) == self._client:
            return Reading({"marked": True})
        what = f"there is a notification {self.name} that is not ours"
        return Reading({"marked": False}, foreign=Foreign(what, Permission.ADOPT))

    def wanted(self) -> Fields:
        """Want it, marked."""
        return {"marked": True}

    def write(self, change: Change) -> None:
        """Make it, or put the mark on it or take it off."""
        found = self.saved()
        new = {"name": self.name, "type": "smtp", "isDefault": False, "applyExisting": False}
        kept: dict[str, Any] = {name: value for name, value in (found.config if found else new).items() if name != MARK}
        mark = {MARK: self._client} if change.target["marked"] else {}
        self._kuma.save_notification({**kept, **mark}, found.id if found else None)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it, from the monitors too."""
        found = self.saved()
        if found is not None:
            self._kuma.delete_notification(found.id)
        return ""

    def saved(self) -> Notification | None:
        """Return the notification of our name, ours first."""
        named = [one for one in self._kuma.notifications() if one.name == self.name]
        ours = [one for one in named if one.config.get(MARK) == self._client]
        return next(iter(ours or named), None)


def notifications_of(site: Site, kuma: UptimeKuma) -> Iterator[ClientNotification]:
    """Yield the notification of a site's client where there is somebody to tell, and a mail server to do it."""
    if site.alerts_to and site.companion("mailu"):
        yield ClientNotification(kuma, site.client)
