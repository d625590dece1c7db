"""One Uptime Kuma 2: its monitors, groups, tags, heartbeats, notifications and keys; status pages are ``pages.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from agencystack.components.http import HttpApi
from agencystack.components.uptime_kuma.connection import LIMIT, Connection
from agencystack.components.uptime_kuma.models import ApiKey, Heartbeat, Monitor, Notification, Status, Tag
from agencystack.components.uptime_kuma.pages import StatusPages
from agencystack.components.uptime_kuma.session import Memory
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef
from agencystack.stack.secrets import Secret

Part = TypeVar("Part")

NEW_MONITOR: Mapping[str, Any] = {
    # Without the first two the server answers with an exception or an error of its database
    # (recordings/uptime-kuma/add_minimal_trials.json); the others are what its own form sends, so that a person can
    # edit and save the monitor there.
    "accepted_statuscodes": ["200-299"],
    "conditions": [],
    "notificationIDList": {},
    "interval": 60,
    "retryInterval": 60,
    "resendInterval": 0,
    "maxretries": 0,
    "timeout": 48,
    "maxredirects": 10,
    "method": "GET",
    "dns_resolve_type": "A",
    "dns_resolve_server": "1.1.1.1",
    "kafkaProducerBrokers": [],
    "kafkaProducerSaslOptions": {"mechanism": "None"},
    "rabbitmqNodes": [],
    "expiryNotification": False,
    "active": True,
}


class UptimeKuma:
    """One Uptime Kuma 2.

    Args:
        where: the component, for error messages.
        api_url: as we reach it.
        user: name of its user.
        password: of that user.
        ca_file: certificate authority of ``api_url``; the system's when absent.
        limit: seconds for one answer.
        memory: keeps the token of its login over runs; a login by that is not counted.

    Every call raises ``Unavailable``, ``AuthenticationFailed``, ``Refused`` or ``BadAnswer``; nothing is known then.
    """

    def __init__(
        self,
        where: ComponentRef,
        api_url: str,
        *,
        user: str,
        password: Secret,
        ca_file: Path | None = None,
        limit: float = LIMIT,
        memory: Memory | None = None,
    ) -> None:
        self.where = where
        self._connection = Connection(where, api_url, user, password, ca_file=ca_file, limit=limit, memory=memory)
        self._http = HttpApi(where, api_url, ca_file=ca_file)
        self.pages = StatusPages(self._connection, self._http)
        self._ca_file = ca_file
        self._stale = False

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
        self._http.close()

    def forget(self) -> None:
        """Ask for the monitors anew at the next question: not every change by others is pushed."""
        self._stale = True

    def version(self) -> str:
        """Return the version, such as ``2.5.3``."""
        return str(self._connection.ask("info", lambda library: library.version))

    def monitors(self) -> tuple[Monitor, ...]:
        """Return all monitors and groups, by id: from the list the server pushes and keeps up to date."""
        if self._stale:
            # The list arrives before the acknowledgement.
            self._connection.call("getMonitorList")
            self._stale = False
        found = self._connection.ask("monitorList", lambda library: library.get_monitors())
        return tuple(sorted((self._parsed(Monitor.model_validate, row) for row in found), key=lambda row: row.id))

    def add_monitor(self, settings: Mapping[str, Any]) -> int:
        """Add a monitor and return its id; nothing is checked by the server, so names may be doubled.

        Args:
            settings: in the server's own names; the rest is as its form has it.
        """
        answer = self._connection.call("add", {**NEW_MONITOR, **settings})
        return self._parsed(lambda said: int(said["monitorID"]), answer)

    def change_monitor(self, monitor_id: int, changes: Mapping[str, Any]) -> None:
        """Change some settings of a monitor; it is checked again at once.

        The whole object is sent, as the server takes no part of one; all but ``changes`` is as it was.

        Raises:
            Refused: there is no such monitor.
        """
        answer = self._connection.call("getMonitor", monitor_id)
        whole = self._parsed(lambda said: dict(said["monitor"]), answer)
        self._connection.call("editMonitor", {**whole, **changes})

    def delete_monitor(self, monitor_id: int) -> None:
        """Delete a monitor; what a group holds is moved out of it, and nothing happens where it is gone."""
        self._connection.call("deleteMonitor", monitor_id)
        # The push follows the acknowledgement (server/server.js), so the list at hand still has it.
        self.forget()

    def set_active(self, monitor_id: int, *, active: bool) -> None:
        """Let a monitor check, at once and then at its interval, or pause it."""
        self._connection.call("resumeMonitor" if active else "pauseMonitor", monitor_id)

    def check_now(self, monitor_id: int) -> None:
        """Have a running monitor check now; the heartbeat can be waited for with :meth:`heartbeat`."""
        self._connection.beats.forget(monitor_id)
        self._connection.call("resumeMonitor", monitor_id)

    def last_heartbeat(self, monitor_id: int, hours: int = 24) -> Heartbeat | None:
        """Return the newest stored heartbeat, None where there is none in so many hours."""
        answer = self._connection.call("getMonitorBeats", monitor_id, hours)
        rows = self._parsed(lambda said: list(said["data"]), answer)
        if not rows:
            return None
        return self._parsed(Heartbeat.model_validate, {**rows[-1], "monitorID": monitor_id})

    def heartbeat(self, monitor_id: int, status: Status, limit: float) -> Heartbeat | None:
        """Wait until a monitor is seen in ``status``; return that heartbeat, else the newest, None for none.

        Args:
            monitor_id: of the monitor.
            status: what is waited for.
            limit: seconds.
        """
        return self._connection.beats.wait(monitor_id, lambda beat: beat.status is status, limit)

    def settled(self, monitor_id: int, limit: float) -> Heartbeat | None:
        """Wait until a monitor has an answer that is no retry; return its newest heartbeat, None for none.

        Args:
            monitor_id: of the monitor.
            limit: seconds.
        """
        return self._connection.beats.wait(monitor_id, lambda beat: beat.status is not Status.PENDING, limit)

    def push(self, token: str, message: str) -> None:
        """Report to a push monitor that its job went well.

        Raises:
            Refused: there is no such monitor, or it is paused.
        """
        # Known as a secret from here: it stands in the address, which errors name.
        self._http.call("GET", f"/api/push/{Secret(token).reveal()}", params={"status": "up", "msg": message})

    def tags(self) -> tuple[Tag, ...]:
        """Return all tags, by id."""
        answer = self._connection.call("getTags")
        rows = self._parsed(lambda said: [Tag.model_validate(row) for row in said["tags"]], answer)
        return tuple(sorted(rows, key=lambda tag: tag.id))

    def add_tag(self, name: str, color: str) -> Tag:
        """Make a tag; the server takes a second one of the same name, too."""
        answer = self._connection.call("addTag", {"name": name, "color": color})
        return self._parsed(lambda said: Tag.model_validate(said["tag"]), answer)

    def delete_tag(self, tag_id: int) -> None:
        """Delete a tag, from all monitors."""
        self._connection.call("deleteTag", tag_id)
        self.forget()

    def attach_tag(self, tag_id: int, monitor_id: int, value: str) -> None:
        """Put a tag on a monitor; the server puts it there a second time, too."""
        self._connection.call("addMonitorTag", tag_id, monitor_id, value)

    def detach_tag(self, tag_id: int, monitor_id: int, value: str) -> None:
        """Take a tag of this value off a monitor; nothing happens where it is not there."""
        self._connection.call("deleteMonitorTag", tag_id, monitor_id, value)

    def notifications(self) -> tuple[Notification, ...]:
        """Return all notifications, passwords in clear: the server shows them to whoever is logged in."""

        found = self._connection.ask("notificationList", lambda library: library.get_notifications())
        return tuple(sorted((self._parsed(Notification.of, row) for row in found), key=lambda row: row.id))

    def save_notification(self, config: Mapping[str, Any], notification_id: int | None = None) -> int:
        """Make a notification, or replace one as a whole; return its id."""
        answer = self._connection.call("addNotification", dict(config), notification_id)
        return self._parsed(lambda said: int(said["id"]), answer)

    def delete_notification(self, notification_id: int) -> None:
        """Delete a notification; monitors then tell nobody through it.

        Raises:
            Refused: there is none of that id.
        """
        self._connection.call("deleteNotification", notification_id)
        self.forget()

    def test_notification(self, config: Mapping[str, Any]) -> str:
        """Send a message as a notification of this configuration would, saved or not; return what the server said.

        Raises:
            Refused: it could not be sent, with the reason.
        """
        return str(self._connection.call("testNotification", dict(config)).get("msg", ""))

    def api_keys(self) -> tuple[ApiKey, ...]:
        """Return the keys for ``/metrics``, without their values."""
        # A deletion is pushed after its acknowledgement; here the list arrives before it.
        self._connection.call("getAPIKeyList")
        found = self._connection.ask("apiKeyList", lambda library: library.get_api_keys())
        return tuple(self._parsed(ApiKey.model_validate, row) for row in found)

    def add_api_key(self, name: str) -> Secret:
        """Make a key for ``/metrics`` that does not expire, and return it: the server shows it only now.

        From then on ``/metrics`` refuses user and password.
        """
        answer = self._connection.call("addAPIKey", {"name": name, "expires": None, "active": 1})
        return self._parsed(lambda said: Secret(str(said["key"])), answer)

    def delete_api_key(self, key_id: int) -> None:
        """Delete a key; nothing happens where it is gone."""
        self._connection.call("deleteAPIKey", key_id)

    def opens_metrics(self, key: Secret) -> bool:
        """Say whether ``/metrics`` takes a key."""
        api = HttpApi(self.where, self._http.base_url, auth=("", key.reveal()), ca_file=self._ca_file)
        try:
            return api.send("GET", "/metrics").is_success
        except AuthenticationFailed:
            return False
        finally:
            api.close()

    def _parsed(self, parse: Callable[[Any], Part], answer: Any) -> Part:
        try:
            return parse(answer)
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            raise BadAnswer(
                f"answered in an unknown form: {type(error).__name__}",
                component=self.where,
                remedy="check that it is Uptime Kuma 2",
            ) from error
