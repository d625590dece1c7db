"""What Uptime Kuma pushes and acknowledges, as far as we read it (``recordings/uptime-kuma``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Status(IntEnum):
    """What a heartbeat says of a monitor."""

    DOWN = 0
    UP = 1
    PENDING = 2
    MAINTENANCE = 3


class _Part(BaseModel):
    """A part of an answer; what else stands in it is not ours to know."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Heartbeat(_Part):
    """One check of one monitor. Pushed ones say ``monitorID``, stored ones ``monitor_id``."""

    monitor_id: int = Field(alias="monitorID")
    status: Status
    message: str = Field(default="", alias="msg")
    time: str = ""


class MonitorTag(_Part):
    """A tag on a monitor; the same one may be there several times, with other values."""

    tag_id: int
    name: str
    value: str | None = ""


def _ids(value: Any) -> Any:
    """Return ids of ``{"3": true}``, which the library hands on as a list."""
    return sorted(int(id_) for id_, on in value.items() if on) if isinstance(value, Mapping) else value


class Monitor(_Part):
    """A monitor, or a group of monitors."""

    id: int
    name: str
    # The library turns the types it knows into an enumeration.
    type: Annotated[str, BeforeValidator(lambda value: getattr(value, "value", value))]
    active: bool
    parent: int | None = None
    description: str | None = None
    url: str | None = None
    hostname: str | None = None
    port: int | None = None
    keyword: str | None = None
    json_path: str | None = Field(default=None, alias="jsonPath")
    expected_value: str | None = Field(default=None, alias="expectedValue")
    smtp_security: str | None = Field(default=None, alias="smtpSecurity")
    push_token: str | None = Field(default=None, alias="pushToken")
    interval: int = 60
    retry_interval: int = Field(default=60, alias="retryInterval")
    max_retries: int = Field(default=0, alias="maxretries")
    expiry_notification: bool = Field(default=False, alias="expiryNotification")
    notifications: Annotated[tuple[int, ...], BeforeValidator(_ids)] = Field(default=(), alias="notificationIDList")
    tags: tuple[MonitorTag, ...] = ()

    def values_of(self, tag: str) -> tuple[str, ...]:
        """Return the values this monitor carries of a tag."""
        return tuple(found.value or "" for found in self.tags if found.name == tag)


class Tag(_Part):
    """A tag; names are not unique."""

    id: int
    name: str
    color: str = ""


@dataclass(frozen=True)
class Notification:
    """A way to tell people; its whole configuration, secrets in clear, is one JSON text.

    Args:
        id: of the notification.
        name: as it is shown.
        active: whether it is used.
        config: everything, unknown keys included, which Uptime Kuma keeps.
    """

    id: int
    name: str
    active: bool
    config: Mapping[str, Any]

    @classmethod
    def of(cls, merged: Mapping[str, Any]) -> Notification:
        """Return one entry of the list, in which the library has put the configuration beside the rest."""
        config = {name: getattr(value, "value", value) for name, value in merged.items() if name not in _NOT_CONFIG}
        return cls(int(merged["id"]), str(merged["name"]), bool(merged["active"]), config)


_NOT_CONFIG = {"id", "userId", "active"}


class ApiKey(_Part):
    """A key for ``/metrics``; its value was shown once."""

    id: int
    name: str
    active: bool
    status: str = ""


class Listed(_Part):
    """A monitor on a status page."""

    id: int
    name: str = ""
    send_url: bool | None = Field(default=None, alias="sendUrl")
    url: str | None = None


class PageGroup(_Part):
    """A heading of a status page with the monitors below it."""

    id: int | None = None
    name: str
    monitors: tuple[Listed, ...] = Field(default=(), alias="monitorList")

    def wire(self) -> dict[str, Any]:
        """Return it as ``saveStatusPage`` takes it; one without an id is new."""
        known = {} if self.id is None else {"id": self.id}
        rows = [row.model_dump(by_alias=True, exclude_none=True, exclude={"name"}) for row in self.monitors]
        return {**known, "name": self.name, "monitorList": rows}


@dataclass(frozen=True)
class StatusPage:
    """A status page.

    Args:
        config: all of its settings as ``getStatusPage`` gives them; saved as a whole.
        groups: what it lists, in order.
    """

    config: Mapping[str, Any]
    groups: tuple[PageGroup, ...]

    @property
    def slug(self) -> str:
        """Its place in the address: ``/status/<slug>``."""
        return str(self.config["slug"])

    @property
    def title(self) -> str:
        """What stands above it."""
        return str(self.config["title"])

    @property
    def css(self) -> str:
        """The style sheet it is shown with."""
        return str(self.config.get("customCSS") or "")
