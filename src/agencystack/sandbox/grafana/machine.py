"""A machine with a Grafana: an environment file, and a program that starts it anew with what that says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from agencystack.components import envfile
from agencystack.components.grafana import variable
from agencystack.sandbox.grafana.app import GrafanaStandIn
from agencystack.sandbox.grafana.mailing import DEFAULTS as MAIL_DEFAULTS
from agencystack.sandbox.grafana.sso import DEFAULTS

ENV = "# ours, see the wiki\nGF_SECURITY_ADMIN_USER=admin   # stays\nGF_SMTP_FROM_NAME='The $taff'\n"
"""What the file says at first."""


class GrafanaMachine:
    """A Grafana that takes its settings from what its environment file said when it was last started.

    Args:
        folder: made for its files, or found as it was left.
        password: of its administrator.
        root_url: its public address.
        has_interface: whether it has the interface for SSO settings.
        ca_file: authority it trusts.
    """

    def __init__(
        self, folder: Path, password: str, *, root_url: str, has_interface: bool = False, ca_file: Path | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.env = folder / "grafana.env"
        self.own_settings: dict[str, Any] = {}
        self.root_url = root_url
        self._running_env, self._starts = folder / "running.env", folder / "starts"
        if not self.env.exists():
            self.env.write_text(ENV)
            self.env.chmod(0o640)
            shutil.copy(self.env, self._running_env)
            self._starts.write_text("")
        self._folder, self._password, self._has_interface = folder, password, has_interface
        self._ca_file = ca_file
        self._running: tuple[int, GrafanaStandIn] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the Grafana that was started last."""
        await self.grafana()(scope, receive, send)

    @property
    def restart(self) -> list[str]:
        """Program and arguments that start it anew."""
        program = 'cp "$1" "$2" && echo started >> "$3"'
        return ["sh", "-c", program, "sh", str(self.env), str(self._running_env), str(self._starts)]

    @property
    def starts(self) -> int:
        """How often it was started anew."""
        return len(self._starts.read_text().splitlines())

    def grafana(self) -> GrafanaStandIn:
        """Return what runs."""
        if self._running is None or self._running[0] != self.starts:
            said = envfile.parse(self._running_env.read_text())
            system = {name: _typed(name, text) for name in DEFAULTS if (text := said.get(variable(name)))}
            smtp = {name: text for name in MAIL_DEFAULTS if (text := said.get(f"GF_SMTP_{name.upper()}"))}
            made = GrafanaStandIn(
                self._folder / "state",
                root_url=self.root_url,
                admin_password=self._password,
                system={**self.own_settings, **system},
                has_sso_settings=self._has_interface,
                smtp=smtp,
                ca_file=self._ca_file,
            )
            self._running = (self.starts, made)
        return self._running[1]


def _typed(name: str, text: str) -> object:
    return text == "true" if isinstance(DEFAULTS[name], bool) else text
