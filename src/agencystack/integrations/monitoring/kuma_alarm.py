"""Who is told when a check fails: a client's notification on the monitors of one application, shared ones too."""

from __future__ import annotations

from collections.abc import Iterable

from agencystack.components.uptime_kuma import Monitor, UptimeKuma
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations.kuma_notification import ClientNotification
from agencystack.integrations.monitoring.kuma_monitors import marked


class KumaAlarm(Resource):
    """The notification on these monitors; the notifications people chose for them stay beside it.

    Args:
        kuma: where they are.
        notification: the client's.
        application: whose monitors they are.
        marks: of the monitors.
    """

    def __init__(
        self, kuma: UptimeKuma, notification: ClientNotification, application: str, marks: Iterable[str]
    ) -> None:
        self.component, self.key = kuma.where, f"{notification.key} on {application}"
        self._kuma, self._notification, self._marks = kuma, notification, tuple(sorted(marks))

    def read(self) -> Reading:
        """Return the monitors it is on."""
        id_ = self._id()
        on = tuple(mark for mark, row in self._rows().items() if id_ in row.notifications)
        return Reading({"on": on}) if on else ABSENT

    def wanted(self) -> Fields:
        """Want it on all of them."""
        return {"on": self._marks}

    def write(self, change: Change) -> None:
        """Put it on those it shall be on, and take it off the others."""
        wanted = change.target["on"]
        self._set(wanted if isinstance(wanted, tuple) else ())

    def remove(self, live: Reading, before: Image) -> str:
        """Take it off."""
        self._set(())
        return ""

    def _set(self, marks: tuple[str, ...]) -> None:
        id_ = self._id()
        if id_ is None:
            return
        for mark, row in self._rows().items():
            told = {*row.notifications, id_} if mark in marks else {*row.notifications} - {id_}
            if told != {*row.notifications}:
                self._kuma.change_monitor(row.id, {"notificationIDList": {str(one): True for one in sorted(told)}})

    def _id(self) -> int | None:
        saved = self._notification.saved()
        return saved.id if saved else None

    def _rows(self) -> dict[str, Monitor]:
        """Return the monitors that are there, by mark."""
        rows = self._kuma.monitors()
        return {mark: ours[0] for mark in self._marks if (ours := marked(rows, mark))}
