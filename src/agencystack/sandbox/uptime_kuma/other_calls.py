"""The stand-in's calls about notifications, status pages and keys for the metrics."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agencystack.sandbox.uptime_kuma.answers import Declined, done, sql_error
from agencystack.sandbox.uptime_kuma.mailer import STATES, NotSent, send
from agencystack.sandbox.uptime_kuma.monitor_calls import Call, Emit
from agencystack.sandbox.uptime_kuma.state import State

NEW_PAGE: Mapping[str, Any] = {
    "description": None,
    "icon": "/icon.svg",
    "theme": "auto",
    "autoRefreshInterval": 300,
    "published": True,
    "showTags": False,
    "domainNameList": [],
    "customCSS": None,
    "footerText": None,
    "showPoweredBy": True,
    "analyticsId": None,
    "analyticsScriptUrl": None,
    "analyticsType": None,
    "showCertificateExpiry": False,
    "showOnlyLastHeartbeat": False,
    "rssTitle": None,
}
KEPT_OF_PAGE = ("id", "published")
SLUG = re.compile("^[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*$")
ANALYTICS = {None, "google", "umami", "plausible", "matomo", "rybbit"}


class OtherCalls:
    """Answers these calls.

    Args:
        state: where they are kept.
        emit: pushes an event to who is logged in.
        trust: verifies the certificates of mail servers.
    """

    def __init__(self, state: State, emit: Emit, trust: ssl.SSLContext) -> None:
        self._state, self._emit, self._trust = state, emit, trust

    def calls(self) -> Mapping[str, Call]:
        """Return what answers each call."""
        return {
            "addNotification": self.save_notification,
            "deleteNotification": self.delete_notification,
            "testNotification": self.test_notification,
            "getStatusPage": self.get_page,
            "addStatusPage": self.add_page,
            "saveStatusPage": self.save_page,
            "deleteStatusPage": self.delete_page,
            "addAPIKey": self.add_key,
            "getAPIKeyList": self.list_keys,
            "deleteAPIKey": self.delete_key,
        }

    def notifications(self) -> list[dict[str, Any]]:
        """Return the notifications as they are pushed: passwords in clear."""
        return list(self._state.notifications.values())

    def keys(self) -> list[dict[str, Any]]:
        """Return the keys without their values."""
        return [{name: value for name, value in row.items() if name != "key"} for row in self._state.api_keys.values()]

    def pages(self) -> dict[str, Any]:
        """Return the status pages by id."""
        return {str(id_): page["config"] for id_, page in self._state.pages.items()}

    async def save_notification(self, config: dict[str, Any], id_: int | None = None) -> dict[str, Any]:
        """Keep a notification with whatever it holds."""
        if id_ is not None and id_ not in self._state.notifications:
            raise Declined("notification not found")
        id_ = id_ or self._state.next_id("notifications")
        kept = {**config, "applyExisting": False}
        self._state.notifications[id_] = {
            "id": id_,
            "name": config.get("name"),
            "active": True,
            "userId": 1,
            "isDefault": bool(config.get("isDefault")),
            "config": json.dumps(kept),
        }
        if config.get("applyExisting"):
            for row in self._state.monitors.values():
                row["notificationIDList"] = sorted({*row["notificationIDList"], id_})
        self._state.save()
        await self._emit("notificationList", self.notifications())
        return done("Saved.", id=id_)

    async def delete_notification(self, id_: int) -> dict[str, Any]:
        """Delete a notification, from all monitors."""
        if self._state.notifications.pop(id_, None) is None:
            raise Declined("notification not found")
        for row in self._state.monitors.values():
            row["notificationIDList"] = [kept for kept in row["notificationIDList"] if kept != id_]
        self._state.save()
        await self._emit("notificationList", self.notifications())
        return done("successDeleted")

    async def test_notification(self, config: dict[str, Any]) -> dict[str, Any]:
        """Send a message as it is configured, saved or not."""
        text = f"{config.get('name')} Testing"
        try:
            return {"ok": True, "msg": await asyncio.to_thread(send, config, text, text, self._trust)}
        except NotSent as error:
            raise Declined(str(error)) from error

    async def alarm(self, monitor: dict[str, Any], beat: dict[str, Any]) -> None:
        """Tell people that a monitor went down or up, through its notifications."""
        text = f"[{monitor['name']}] [{STATES[beat['status']]}] {beat['msg']}"
        for id_ in monitor["notificationIDList"]:
            config = json.loads(self._state.notifications[id_]["config"])
            try:
                await asyncio.to_thread(send, config, text, f"{text}\nTime (UTC): {beat['time']}", self._trust)
            except NotSent:
                # The real one writes it into its log and goes on.
                continue

    async def get_page(self, slug: str) -> dict[str, Any]:
        """Return the settings of a page, without what it lists."""
        return done(config=self._page(slug)["config"])

    async def add_page(self, title: str, slug: str) -> dict[str, Any]:
        """Make an empty page."""
        title, slug = title.strip(), slug.strip().lower()
        if not title or not slug:
            raise Declined("Please input all fields")
        _check_slug(slug)
        if self._state.page(slug):
            values = {"auto_refresh_interval": 300, "icon": "", "slug": slug, "theme": "auto", "title": title}
            complaint = "SQLITE_CONSTRAINT: UNIQUE constraint failed: status_page.slug"
            raise sql_error("status_page", values, values, complaint)
        id_ = self._state.next_id("pages")
        config = {"id": id_, "slug": slug, "title": title, **NEW_PAGE}
        self._state.pages[id_] = {"config": config, "groups": []}
        self._state.save()
        return done("successAdded", slug=slug)

    async def save_page(
        self, slug: str, config: dict[str, Any], icon: str, groups: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Replace a page by what is given: groups that are missing are deleted."""
        page = self._page(slug)
        _check_slug(config["slug"])
        if "analyticsType" not in config or config["analyticsType"] not in ANALYTICS:
            raise Declined("Invalid analytics type")
        kept = {name: page["config"][name] for name in KEPT_OF_PAGE}
        page["config"] = {name: config.get(name) for name in page["config"]} | kept | {"icon": icon or "/icon.svg"}
        for group in groups:
            group.setdefault("id", None)
            group["id"] = group["id"] or self._state.next_id("groups")
        page["groups"] = [
            {"id": group["id"], "name": group["name"], "weight": weight, "monitors": group["monitorList"]}
            for weight, group in enumerate(groups, 1)
        ]
        self._state.show_pages_anew()
        self._state.save()
        return done(publicGroupList=groups)

    async def delete_page(self, slug: str) -> dict[str, Any]:
        """Delete a page."""
        page = self._state.page(slug)
        if page is None:
            raise Declined("Status Page is not found")
        del self._state.pages[page["config"]["id"]]
        self._state.show_pages_anew()
        self._state.save()
        return done()

    async def add_key(self, key: dict[str, Any]) -> dict[str, Any]:
        """Make a key; from now on passwords do not open the metrics."""
        id_, value = self._state.next_id("api_keys"), secrets.token_urlsafe(30)
        created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        shown = {"userID": 1, "createdDate": created, "active": key["active"], "expires": None, "status": "active"}
        self._state.api_keys[id_] = {"id": id_, "name": key["name"], **shown, "key": value}
        self._state.uses_api_keys = True
        self._state.save()
        await self._emit("apiKeyList", self.keys())
        return done("successAdded", key=f"uk{id_}_{value}", keyID=id_)

    async def list_keys(self) -> dict[str, Any]:
        """Push the list, then acknowledge."""
        await self._emit("apiKeyList", self.keys())
        return done()

    async def delete_key(self, id_: int) -> dict[str, Any]:
        """Delete a key; passwords open the metrics no more for that."""
        self._state.api_keys.pop(id_, None)
        self._state.save()
        return done("successDeleted")

    def _page(self, slug: str) -> dict[str, Any]:
        page = self._state.page(slug)
        if page is None:
            raise Declined("No slug?")
        return page


def _check_slug(slug: Any) -> None:
    if not SLUG.match(str(slug)):
        raise Declined("Invalid Slug")
