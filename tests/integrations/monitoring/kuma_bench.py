"""An installation whose one integration is Uptime Kuma's part of monitoring, at a stand-in and a shop of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agencystack.components.uptime_kuma import Monitor
from agencystack.engine.integration import integration
from agencystack.integrations.monitoring.monitored import Monitored
from agencystack.integrations.monitoring.uptime_kuma import Checks
from agencystack.sandbox.uptime_kuma import UptimeKumaStandIn
from agencystack.stack.model import Stack
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit
from tests.serving import served
from tests.uptime_kuma import PASSWORD, client_of

FRONT = "acme/shop/front"
KEPT = ("path", "pathName", "childrenIDs", "id", "parent", "pushToken")


@integration("monitoring", "shop", version=1)
class CheckedShop(Monitored):
    """Uptime Kuma's part alone."""

    parts = (Checks,)
    capabilities = Checks.capabilities


class Switched:
    """A stand-in that can be made unreachable and counts what it is asked."""

    def __init__(self, app: Any) -> None:
        self.app, self.up, self.calls = app, True, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        if self.up:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse("down", status_code=503)(scope, receive, send)


class KumaBench(Bench):
    """Uptime Kuma's part of monitoring a shop of one's own.

    Args:
        kuma: the stand-in.
        url: of it.
        shop: of the shop.
    """

    client = "acme"
    secrets = (Secret(PASSWORD),)

    def __init__(self, kuma: Switched, url: str, shop: str, well: list[bool]) -> None:
        self.integration = CheckedShop()
        self.kuma, self.url, self.shop, self._well = kuma, url, shop, well
        self.hand = client_of(url, PASSWORD)
        self.settings: dict[str, Any] = {"settings": {"check_retries": 0}}
        self.more: dict[str, Any] = {}
        self.shared: dict[str, Any] = {}
        self.domain = "acme.example"
        self.alerts_to: list[str] = []
        self.clients: tuple[str, ...] = ("acme",)

    @property
    def stack(self) -> Stack:  # type: ignore[override]
        """What stack.yaml says now."""
        kuma = {"url": self.url, "admin_user": "admin", "admin_password": "env:KUMA"}
        each = {
            "domain": self.domain,
            "alerts_to": self.alerts_to,
            "components": {"shop": {"url": self.shop, "custom": True}, **self.more},
            "integrations": {"monitoring": {"shop": self.settings}},
        }
        shared = {"components": {"uptime-kuma": kuma, **self.shared}}
        return Stack.model_validate({"version": 1, "shared": shared, "clients": dict.fromkeys(self.clients, each)})

    def with_mail(self) -> None:
        """Let there be a mail server, and somebody to tell."""
        self.alerts_to = ["ops@acme.example"]
        self.shared = {"mailu": {"url": "http://mail.example", "api_token": "env:MAILU"}}

    def resolve(self, reference: Any) -> Secret:
        return Secret(PASSWORD)

    def state(self) -> object:
        held = self.kuma.app.state
        monitors = [{k: v for k, v in held.shown(id_).items() if k not in KEPT} for id_ in held.monitors]
        for monitor in monitors:
            monitor["tags"] = sorted((tag["name"], tag["value"]) for tag in monitor["tags"])
        pages = [(page["config"]["slug"], page["config"]["title"], page["groups"]) for page in held.pages.values()]
        monitors.sort(key=lambda row: str(row["name"]))
        return monitors, sorted(tag["name"] for tag in held.tags.values()), pages

    def calls(self) -> int:
        return self.kuma.calls

    def edit(self) -> Edit:
        row = self.row(FRONT)
        self.hand.change_monitor(row.id, {"interval": 77})
        return Edit(f"check {FRONT}", "interval", lambda: self.row(FRONT).interval == 77)

    @contextlib.contextmanager
    def unreachable(self) -> Iterator[None]:
        self.kuma.up = False
        yield
        self.kuma.up = True

    @contextlib.contextmanager
    def failing_proof(self) -> Iterator[None]:
        self._well[0] = False
        yield
        self._well[0] = True

    def foreign(self) -> str | None:
        self.hand.add_monitor({"type": "http", "name": "mine", "url": f"{self.shop}/"})
        return f"check {FRONT}"

    def row(self, mark: str) -> Monitor:
        [row] = self.rows(mark)
        return row

    def rows(self, mark: str) -> list[Monitor]:
        """Return the monitors with a mark, as they are now."""
        self.hand.forget()
        return [row for row in self.hand.monitors() if mark in row.values_of("agencystack")]

    def close(self) -> None:
        self.hand.close()


@contextlib.contextmanager
def kuma_bench(folder: Path, **options: Any) -> Iterator[KumaBench]:
    """Serve a stand-in and a shop, and give the bench."""
    well = [True]

    async def front(_: Request) -> Response:
        return PlainTextResponse("welcome" if well[0] else "no", status_code=200 if well[0] else 500)

    app = Switched(UptimeKumaStandIn(folder / "kuma", **{"password": PASSWORD, **options}))
    with served(app) as url, served(Starlette(routes=[Route("/", front)])) as shop:
        bench = KumaBench(app, url, shop, well)
        with contextlib.closing(bench):
            yield bench
