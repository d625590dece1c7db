"""What one sandbox consists of: its folder, its clients, and which components are the real products."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agencystack.stack.errors import ConfigurationError, UsageError
from agencystack.stack.files import write_atomically

# Names --real takes. "mail" is Postfix and Dovecot behind the stand-in of Mailu's REST interface.
CAN_BE_REAL = ("mail", "wordpress", "keycloak", "loki", "alloy")
# There are no stand-ins of them, and they take more time or memory than all others together: only where somebody
# names them.
ON_REQUEST = ("keycloak", "loki", "alloy")
# What they listen on.
PORTS_ON_REQUEST = {
    "keycloak": ("keycloak", "keycloak-management"),
    "loki": ("loki", "loki-grpc"),
    "alloy": ("alloy",),
}
ALWAYS_STAND_INS = ("mailu", "uptime-kuma", "grafana", "erpnext", "listmonk", "chatwoot")
# Of them, those all clients share.
SHARED_STAND_INS = ("mailu", "uptime-kuma", "grafana")
# Nothing was recorded from the real product yet.
UNVERIFIED = ("chatwoot",)
PER_CLIENT = ("erpnext", "listmonk", "chatwoot", "wordpress")
MAIL_PORTS = ("smtps", "submission", "imaps")
# Where Postfix and Dovecot ask the stand-in, and where Dovecot answers Postfix.
MAIL_DESK_PORTS = ("mail-maps", "mail-logins", "lmtp", "sasl")
DEFAULT_CLIENT = "acme"
MOST_CLIENTS = 1000


@dataclass(frozen=True)
class SandboxFolder:
    """Where everything of one sandbox is.

    Args:
        root: the ``AGENCYSTACK_HOME`` it makes.
    """

    root: Path

    @property
    def private(self) -> Path:
        """Folder of what is the sandbox's own and not an AgencyStack home's."""
        return self.root / "sandbox"

    @property
    def stack_file(self) -> Path:
        """The description of the stack, written by us."""
        return self.root / "stack.yaml"

    @property
    def plan_file(self) -> Path:
        """The plan; that it exists says that the stack.yaml beside it is ours."""
        return self.private / "sandbox.json"

    @property
    def ports_file(self) -> Path:
        """Ports by name."""
        return self.private / "ports.json"

    @property
    def tls(self) -> Path:
        """Certificates."""
        return self.private / "tls"

    @property
    def key_file(self) -> Path:
        """Key of the sealed store, here and not in the user's own place."""
        return self.private / "key"

    def variables(self) -> dict[str, str]:
        """Return the environment that makes commands work on this sandbox."""
        # A variable of the caller's own would send logs and secrets elsewhere.
        return {
            "AGENCYSTACK_HOME": str(self.root),
            "AGENCYSTACK_KEY_FILE": str(self.key_file),
            "AGENCYSTACK_LOG_DIR": str(self.log),
        }

    @property
    def credentials(self) -> Path:
        """One file per credential, for ``file:`` references."""
        return self.private / "credentials"

    @property
    def run(self) -> Path:
        """Records of the processes we started."""
        return self.private / "run"

    @property
    def data(self) -> Path:
        """What the products hold; removed by ``reset``."""
        return self.private / "data"

    @property
    def ca_file(self) -> Path:
        """The authority that signed the servers' certificate."""
        return self.tls / "ca.pem"

    @property
    def mail_servers(self) -> Path:
        """Configuration and queue of Postfix and Dovecot."""
        return self.data / "mail"

    @property
    def maildirs(self) -> Path:
        """One Maildir per mailbox, named by its address."""
        return self.data / "maildirs"

    @property
    def wordpress(self) -> Path:
        """What the real WordPress keeps."""
        return self.data / "wordpress"

    def access_log(self, client: str, name: str) -> Path:
        """Where the web server before a stand-in writes what was asked of it."""
        return self.log / f"{client}-{name}-access.log"

    @property
    def chatwoot(self) -> Path:
        """One folder per Chatwoot."""
        return self.data / "chatwoot"

    @property
    def records(self) -> Path:
        """AgencyStack's records and sealed secrets."""
        return self.root / "integrations"

    @property
    def log(self) -> Path:
        """Logs, of AgencyStack's runs and of the products."""
        return self.root / "log"


class SandboxPlan(BaseModel):
    """What a sandbox was asked to be.

    Args:
        clients: ids of its clients.
        real: for each of ``CAN_BE_REAL`` whether it is the real product.
        because: the reason for each of them, for a person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    clients: tuple[str, ...]
    real: dict[str, bool]
    because: dict[str, str]

    def port_names(self) -> list[str]:
        """Return what needs a port, whether a stand-in or the real product listens there."""
        products = [f"{client}/{name}" for client in self.clients for name in PER_CLIENT]
        shared = [port for name in ON_REQUEST if self.is_real(name) for port in PORTS_ON_REQUEST[name]]
        return [*SHARED_STAND_INS, *MAIL_PORTS, *MAIL_DESK_PORTS, "database", "bridge", *shared, *products]

    def is_real(self, name: str) -> bool:
        """Say whether a component is the real product; a sandbox made before we knew it does not have it."""
        return self.real.get(name, False)

    def same_products(self, other: SandboxPlan) -> bool:
        """Say whether the same components are the real products."""
        return all(self.is_real(name) == other.is_real(name) for name in CAN_BE_REAL)

    def stand_in_names(self) -> list[str]:
        """Return the stand-ins that answer HTTP."""
        chosen = [name for name in PER_CLIENT if not self.real.get(name)]
        return [*SHARED_STAND_INS, *(f"{client}/{name}" for client in self.clients for name in chosen)]


def client_ids(count: int) -> tuple[str, ...]:
    """Return the ids of ``count`` clients: ``acme`` alone, or ``client-1`` and on.

    Raises:
        UsageError: fewer than 1 or more than 1000.
    """
    if not 1 <= count <= MOST_CLIENTS:
        raise UsageError(f"a sandbox has 1 to {MOST_CLIENTS} clients, not {count}", remedy="give another --clients")
    return (DEFAULT_CLIENT,) if count == 1 else tuple(f"client-{number}" for number in range(1, count + 1))


def make_plan(clients: int, real: Literal["auto", "none"] | Sequence[str], obstacles: Mapping[str, str]) -> SandboxPlan:
    """Decide which components are the real products.

    Args:
        clients: how many clients.
        real: ``auto`` for what this machine has and starts quickly, ``none``, or names out of ``CAN_BE_REAL`` that
            must be real; ``auto`` may stand among them.
        obstacles: why a component cannot be real here; no entry when it can.

    Raises:
        UsageError: a name is unknown, or what must be real cannot be.
    """
    ids = client_ids(clients)
    obstacles = dict(obstacles)
    if clients > 1:
        obstacles["wordpress"] = "one database server and PHP per client would be too much"
    named = (real,) if isinstance(real, str) else tuple(real)
    asked = tuple(name for name in named if name not in {"auto", "none"})
    quick = tuple(name for name in CAN_BE_REAL if name not in ON_REQUEST) if "auto" in named else ()
    wanted = {*asked, *quick}
    unknown = sorted(wanted - set(CAN_BE_REAL))
    if unknown:
        raise UsageError(
            f"--real does not know {', '.join(unknown)}", remedy=f"use {', '.join(CAN_BE_REAL)}, auto or none"
        )
    impossible = [f"{name}: {obstacles[name]}" for name in asked if name in obstacles]
    if impossible:
        raise UsageError(f"cannot be real here: {'; '.join(impossible)}", remedy="use --real auto")
    chosen = {name: name in wanted and name not in obstacles for name in CAN_BE_REAL}
    because = {name: _reason(name, name in wanted, obstacles.get(name)) for name in CAN_BE_REAL}
    return SandboxPlan(clients=ids, real=chosen, because=because)


def _reason(name: str, wanted: bool, obstacle: str | None) -> str:
    if not wanted:
        return f"on request: --real auto,{name}" if name in ON_REQUEST else "not asked for"
    return obstacle or "its programs are on this machine"


def read_plan(folder: SandboxFolder) -> SandboxPlan | None:
    """Return the plan of the sandbox in ``folder``, None when there is no sandbox.

    Raises:
        ConfigurationError: its plan is damaged or of another version.
    """
    try:
        return SandboxPlan.model_validate_json(folder.plan_file.read_text())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ConfigurationError(
            f"{folder.plan_file} is not a sandbox plan this version understands",
            remedy=f"remove the folder {folder.root} and run sandbox up again",
        ) from error


def write_plan(folder: SandboxFolder, plan: SandboxPlan) -> None:
    """Keep the plan, and with it the mark that the folder is a sandbox."""
    write_atomically(folder.plan_file, (plan.model_dump_json(indent=2) + "\n").encode(), 0o644)


def find_folder(directory: Path | None, environment: Mapping[str, str] | None = None) -> SandboxFolder:
    """Return the folder a command means: ``--dir``, else ``AGENCYSTACK_HOME``, else one in the user's cache."""
    environment = os.environ if environment is None else environment
    if directory is None and environment.get("AGENCYSTACK_HOME"):
        directory = Path(environment["AGENCYSTACK_HOME"])
    if directory is None:
        cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        directory = Path(cache) / "agencystack" / "sandbox"
    return SandboxFolder(Path(os.path.abspath(directory.expanduser())))
