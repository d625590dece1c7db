"""A machine with a Grafana that is told by its environment file alone, and started by a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agencystack.components import envfile
from agencystack.components.grafana import variable
from agencystack.sandbox.grafana import GrafanaStandIn, mailing
from agencystack.sandbox.grafana.sso import DEFAULTS

ENV = "# ours, see the wiki\nGF_SECURITY_ADMIN_USER=admin   # stays\nGF_SMTP_FROM_NAME='The $taff'\n"
"""What the file says at first."""


class Machine:
    """A Grafana that takes its settings from what its environment file said when it was last started.

    Args:
        folder: made for its files.
        password: of its administrator.
        has_interface: whether it has the interface for SSO settings.
        ca_file: authority it trusts.
    """

    def __init__(
        self, folder: Path, password: str, *, has_interface: bool = False, ca_file: Path | None = None
    ) -> None:
        folder.mkdir()
        self.env = folder / "grafana.env"
        self.own_settings: dict[str, Any] = {}
        self.env.write_text(ENV)
        self.env.chmod(0o640)
        self.root_url = "https://grafana.agency.example"
        self._folder, self._password, self._has_interface = folder, password, has_interface
        self._ca_file = ca_file
        self._starts = folder / "starts"
        self._starts.write_text("")
        self._running: tuple[int, GrafanaStandIn] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._grafana()(scope, receive, send)

    @property
    def restart(self) -> list[str]:
        return ["sh", "-c", 'echo started >> "$1"', "sh", str(self._starts)]

    @property
    def starts(self) -> int:
        return len(self._starts.read_text().splitlines())

    def add(self, lines: str) -> None:
        self.env.write_text(self.env.read_text() + lines)

    def values(self) -> dict[str, str]:
        return envfile.parse(self.env.read_text())

    def _grafana(self) -> GrafanaStandIn:
        if self._running is None or self._running[0] != self.starts:
            said = {name: _typed(name, text) for name in DEFAULTS if (text := self.values().get(variable(name)))}
            smtp = {name: text for name in mailing.DEFAULTS if (text := self.values().get(f"GF_SMTP_{name.upper()}"))}
            made = GrafanaStandIn(
                self._folder / "state",
                root_url=self.root_url,
                admin_password=self._password,
                system={**self.own_settings, **said},
                has_sso_settings=self._has_interface,
                smtp=smtp,
                ca_file=self._ca_file,
            )
            self._running = (self.starts, made)
        return self._running[1]


def _typed(name: str, text: str) -> object:
    return text == "true" if isinstance(DEFAULTS[name], bool) else text
