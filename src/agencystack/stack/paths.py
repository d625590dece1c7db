"""Where everything of one AgencyStack installation lives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_HOME = Path("/opt/agency_stack")
DEFAULT_LOG_DIR = Path("/var/log/agency_stack")
ROOT_KEY_FILE = Path("/etc/agencystack/key")
CREDENTIAL_KEY, CREDENTIAL_DATABASE = "bridge.key", "bridge.database"
"""What systemd hands the bridge's worker in $CREDENTIALS_DIRECTORY (LoadCredential of its unit)."""


@dataclass(frozen=True)
class Home:
    """The folders and files of one installation.

    Args:
        root: ``AGENCYSTACK_HOME``; holds ``stack.yaml`` and ``integrations/``.
        log_dir: where run logs go.
        key_file: the key of the sealed store, outside ``root`` so that a copy of ``root`` alone opens nothing.
        credentials: where systemd put what the bridge's worker may know; None for a command a person runs.
    """

    root: Path
    log_dir: Path
    key_file: Path
    credentials: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Home:
        """Read ``AGENCYSTACK_HOME``, ``AGENCYSTACK_LOG_DIR``, ``AGENCYSTACK_KEY_FILE``; empty counts as unset."""
        environment = os.environ if environment is None else environment
        root = _path(environment, "AGENCYSTACK_HOME") or DEFAULT_HOME
        default_log_dir = DEFAULT_LOG_DIR if root == DEFAULT_HOME else root / "log"
        return cls(
            root=root,
            log_dir=_path(environment, "AGENCYSTACK_LOG_DIR") or default_log_dir,
            key_file=_path(environment, "AGENCYSTACK_KEY_FILE") or _default_key_file(environment),
            credentials=given if (given := credentials_of(environment)) and (given / CREDENTIAL_KEY).exists() else None,
        )

    @property
    def stack_file(self) -> Path:
        """The description of the stack."""
        return self.root / "stack.yaml"

    @property
    def state_dir(self) -> Path:
        """Records of what was applied, readable by a person."""
        return self.root / "integrations" / "state"

    @property
    def secrets_dir(self) -> Path:
        """Sealed secrets."""
        return self.root / "integrations" / "secrets"

    @property
    def bridge_dir(self) -> Path:
        """The bridge's store, and how it reaches its sides."""
        return self.root / "integrations" / "bridge"

    @property
    def bridge_key_file(self) -> Path:
        """The key of what the bridge keeps sealed; another one, since its workers may not open the rest."""
        if self.credentials is not None:
            return self.credentials / CREDENTIAL_KEY
        return self.key_file.with_name("bridge.key")

    @property
    def bridge_database_file(self) -> Path:
        """Where the bridge's database is, for its service alone; beside the key, and as secret."""
        return self.bridge_key_file.with_name(CREDENTIAL_DATABASE)

    @property
    def scripts_dir(self) -> Path:
        """A user's own integration modules."""
        return self.root / "scripts" / "integration"


def credentials_of(environment: Mapping[str, str]) -> Path | None:
    """Return the folder of the credentials systemd gave this process, None where it gave none."""
    return _path(environment, "CREDENTIALS_DIRECTORY")


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    """Return the absolute folder or file the variable names; relative ones are from where the command was started."""
    value = environment.get(name, "")
    return Path(os.path.abspath(Path(value).expanduser())) if value else None


def _default_key_file(environment: Mapping[str, str]) -> Path:
    if os.geteuid() == 0:
        return ROOT_KEY_FILE
    home = environment.get("HOME") or str(Path.home())
    return Path(home) / ".config" / "agencystack" / "key"
