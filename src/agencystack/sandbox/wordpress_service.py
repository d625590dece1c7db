"""The real WordPress, with PHP's web server and MariaDB, as one service of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agencystack.sandbox.plan import SandboxFolder, SandboxPlan
from agencystack.sandbox.wordpress import RealWordPress


def real_wordpress(folder: SandboxFolder, plan: SandboxPlan, ports: Mapping[str, int]) -> RealWordPress:
    """Return the launcher of the real WordPress, at the ports of the sandbox."""
    sites = {client: ports[f"{client}/wordpress"] for client in plan.clients}
    return RealWordPress(folder.wordpress, plan.clients, ports={"database": ports["database"], **sites})


@dataclass(frozen=True)
class WordPressService:
    """Starts, watches and ends the real WordPress.

    Args:
        product: its launcher.
        run: where the launcher keeps the records of its processes.
    """

    product: RealWordPress
    run: Path
    name: str = "wordpress"

    def is_up(self) -> bool:
        """Say whether database and web servers run."""
        return all(self.product.running().values())

    def records(self) -> list[Path]:
        """Return the records of its processes."""
        return sorted(self.run.glob("*.json"))

    def start(self) -> None:
        """Start what of it does not run; returns when it answers."""
        self.product.up()

    def stop(self) -> bool:
        """End what of it runs."""
        running = any(self.product.running().values())
        self.product.down()
        return running
