"""Somebody must do the bridge's work: a worker that lives, as a service of systemd where there is one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agencystack.bridge.serving.place import Place
from agencystack.components.systemd import Systemd, belongs_to, hand_over, let_through
from agencystack.engine.integration import Blocked, Manual, Unattended
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Value
from agencystack.integrations.data_bridge.unit import NAME, USER, Service
from agencystack.stack.errors import ComponentRef
from agencystack.stack.files import write_atomically
from agencystack.stack.local import LocalExecutor
from agencystack.stack.model import SHARED
from agencystack.stack.secrets import Secret

KEY = "worker"
HEARD = 30.0
"""Seconds within which a living worker is heard of."""

BORN = 60.0
"""Seconds a new one may take until it is heard of: it brings a store's schema up to date first."""

PAUSE = 0.25
WHERE = ComponentRef(SHARED, "bridge")


@dataclass(frozen=True)
class Patience:
    """How long is waited for a worker.

    Args:
        seconds: until it must be heard of.
        pause: between two looks.
        sleep: waits.
    """

    seconds: float = BORN
    pause: float = PAUSE
    sleep: Callable[[float], None] = time.sleep


def systemd_of_this_machine() -> Systemd:
    """Return it."""
    return Systemd(WHERE, LocalExecutor())


class LivingWorker(Resource):
    """A worker of this installation's bridge that lives: our unit, or one that somebody keeps running.

    Args:
        place: where the bridge keeps what it knows.
        listen: where it is to take the products' calls.
        systemd: of this machine.
        patience: how long a new worker is waited for.
    """

    def __init__(self, place: Place, listen: str, systemd: Systemd, patience: Patience | None = None) -> None:
        self.component, self.key = WHERE, KEY
        self._place, self._systemd, self._patience = place, systemd, patience or Patience()
        self._database = place.home.bridge_database_file if place.database else None
        self._service = Service(place.home, listen, self._database)
        self._managed = True

    def read(self) -> Reading:
        """Return the unit as it is.

        Raises:
            Manual: there is no bridge yet, and a person must start its worker once there is.
            Unattended: there is a bridge, no worker is heard of, and a person must start one.
            Blocked: the unit is as it shall be, and yet no worker is heard of.
        """
        heard = bool(living(self._place))
        unit = self._systemd.unit(NAME) if self._systemd.ours_to_use else None
        # Who is heard of without our unit is kept running by somebody, who knows how.
        self._managed = self._systemd.ours_to_use and not (heard and unit is None)
        if not self._managed:
            if heard:
                return Reading({})
            raise (Unattended if self._place.keyring.holds_any else Manual)(
                "no worker of the bridge is heard of: nothing is kept in step",
                component=self.component,
                remedy=self._service.steps,
            )
        if unit is None:
            return ABSENT
        fields: dict[str, Value] = {
            "unit": tuple(unit.text.splitlines()),
            "enabled": unit.enabled,
            "active": unit.active,
            "files": belongs_to(self._service.writes, USER),
        }
        if self._database is not None:
            fields["database"] = self._told_database()
        if not self._is_ours(unit.text):
            return Reading(fields, foreign=Foreign(f"{NAME} serves another installation", Permission.REPLACE))
        if not heard and fields == self.wanted():
            raise self._silent()
        return Reading(fields)

    def wanted(self) -> Fields:
        """Want it as we write it, started at boot, and running now."""
        if not self._managed:
            return {}
        fields: dict[str, Value] = {
            "unit": tuple(self._service.text.splitlines()),
            "enabled": True,
            "active": True,
            "files": True,
        }
        if self._place.database is not None:
            fields["database"] = self._place.database
        return fields

    def write(self, change: Change) -> None:
        """Install and start it, and wait until it is heard of.

        Raises:
            Blocked: it is not heard of.
        """
        before = set(living(self._place))
        user = self._systemd.ensure_user(USER)
        if self._database is not None and self._place.database is not None:
            write_atomically(self._database, self._place.database.reveal().encode() + b"\n")
        home = self._place.home
        let_through(self._service.writes, (home.root, home.log_dir))
        hand_over(self._service.writes, user)
        self._systemd.install(NAME, self._service.text)
        end = time.monotonic() + self._patience.seconds
        while not set(living(self._place)) - before:
            if time.monotonic() > end:
                raise self._silent()
            self._patience.sleep(self._patience.pause)

    def remove(self, live: Reading, before: Image) -> str:
        """Stop it and take it away; the last client's bridge went."""
        self._systemd.remove(NAME)
        if self._database is not None:
            self._database.unlink(missing_ok=True)
        hand_over([folder for folder in self._service.writes if folder.exists()], self._systemd.ensure_user("root"))
        return f"the system user {USER} stays, without anything that is its own"

    def _is_ours(self, text: str) -> bool:
        mine = next(line for line in self._service.text.splitlines() if "AGENCYSTACK_HOME=" in line)
        return mine in text.splitlines()

    def _told_database(self) -> Value:
        with contextlib.suppress(FileNotFoundError):
            if self._database is not None:
                return Secret(self._database.read_text(encoding="utf-8").strip())
        return None

    def _silent(self) -> Blocked:
        return Blocked(
            "the bridge's service is started, and nothing is heard of it: nothing is kept in step",
            component=self.component,
            remedy=f"journalctl -u {NAME} says why; systemctl restart {NAME} when that is mended, then run again",
        )


def living(place: Place) -> Sequence[str]:
    """Return the workers that live."""
    if not place.exists:
        return ()
    from agencystack.bridge.store.shifts import Shifts  # imported late, as the store is

    with place.opened() as store:
        return Shifts(store, lambda: round(time.time() * 1000)).living(HEARD)
