"""The systemd unit of the bridge's worker: as little of the machine as it needs, and one key as its only secret."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from agencystack.stack.paths import CREDENTIAL_DATABASE, CREDENTIAL_KEY, Home

USER = "agencystack-bridge"
NAME = f"{USER}.service"
_ROOTS_PORTS = 1024

_TEXT = """\
# Written by agencystack integrate data-bridge; changes are shown as drift.
[Unit]
Description=AgencyStack data bridge
Wants=network-online.target
After=network-online.target

[Service]
User={user}
Group={user}
Environment={home}
Environment={log}
{credentials}
ExecStart={program} serve --listen {listen}
Restart=always
RestartSec=5
TimeoutStopSec=60
UMask=0077
ReadWritePaths={writes}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
NoNewPrivileges=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
LockPersonality=yes
SystemCallArchitectures=native
CapabilityBoundingSet={capabilities}
{ambient}
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Service:
    """The worker as a service.

    Args:
        home: the installation.
        listen: where it takes the products' calls.
        database: file with the address of its PostgreSQL; None for SQLite.
    """

    home: Home
    listen: str
    database: Path | None = None

    @property
    def writes(self) -> tuple[Path, ...]:
        """The folders that belong to it."""
        return self.home.bridge_dir, self.home.log_dir / "bridge"

    @property
    def text(self) -> str:
        """The unit's file."""
        credentials = [_quoted(f"{CREDENTIAL_KEY}:{self.home.bridge_key_file}")]
        if self.database is not None:
            credentials.append(_quoted(f"{CREDENTIAL_DATABASE}:{self.database}"))
        low = int(self.listen.rpartition(":")[2]) < _ROOTS_PORTS
        binds = "CAP_NET_BIND_SERVICE" if low else ""
        return _TEXT.format(
            user=USER,
            home=_quoted(f"AGENCYSTACK_HOME={self.home.root}"),
            log=_quoted(f"AGENCYSTACK_LOG_DIR={self.home.log_dir}"),
            credentials="\n".join(f"LoadCredential={one}" for one in credentials),
            program=" ".join(map(_quoted, program())),
            listen=self.listen,
            writes=" ".join(_quoted(str(folder)) for folder in self.writes),
            capabilities=binds,
            ambient=f"AmbientCapabilities={binds}\n" if low else "",
        )

    @property
    def steps(self) -> str:
        """What a person does to have it, where we cannot."""
        folders = " ".join(map(str, self.writes))
        return (
            f"start it by hand (agencystack serve), or as root: useradd --system --user-group {USER}; "
            f"install -d {folders}; chown -R {USER}: {folders}; write /etc/systemd/system/{NAME} as below; "
            f"systemctl enable --now {NAME}; then run agencystack integrate data-bridge again\n\n{self.text}"
        )


def program() -> tuple[str, ...]:
    """Return how this very installation of the program is started."""
    beside = Path(sys.executable).parent / "agencystack"
    return (str(beside),) if beside.is_file() else (sys.executable, "-m", "agencystack")


def _quoted(word: str) -> str:
    """Return a word as it stands in a unit: ``%`` begins a specifier there, and quotes hold spaces together."""
    plain = word.replace("%", "%%")
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"' if set(plain) & set(" \t\"'\\") else plain
