"""A machine with a Grafana that is told by its environment file alone, as tests see it."""

from __future__ import annotations

from pathlib import Path

from agencystack.components import envfile
from agencystack.sandbox.grafana.machine import ENV, GrafanaMachine

__all__ = ["ENV", "Machine"]


class Machine(GrafanaMachine):
    """The same, with what a person does there.

    Args:
        folder: made for its files.
        password: of its administrator.
        has_interface: whether it has the interface for SSO settings.
        ca_file: authority it trusts.
    """

    def __init__(
        self, folder: Path, password: str, *, has_interface: bool = False, ca_file: Path | None = None
    ) -> None:
        root_url = "https://grafana.agency.example"
        super().__init__(folder, password, root_url=root_url, has_interface=has_interface, ca_file=ca_file)

    def add(self, lines: str) -> None:
        self.env.write_text(self.env.read_text() + lines)

    def values(self) -> dict[str, str]:
        return envfile.parse(self.env.read_text())
