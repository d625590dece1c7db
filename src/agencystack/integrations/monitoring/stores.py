"""The fragments that several others end in: how Alloy writes to Loki and to Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agencystack.components.alloy import PRIVATE, Alloy
from agencystack.engine.context import Component
from agencystack.engine.integration import Blocked
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Marker
from agencystack.integrations import products
from agencystack.integrations.monitoring.collected import identifier
from agencystack.integrations.monitoring.fragments import written
from agencystack.logs.alloy import string as quoted
from agencystack.stack.model import SHARED
from agencystack.stack.products import Alloy as AlloySettings
from agencystack.stack.products import Loki, Prometheus
from agencystack.stack.secrets import Secret

LOGS = "loki.write"
PASSWORD = "password of "  # noqa: S105 - how a key begins


@dataclass(frozen=True)
class Login:
    """Who Alloy says it is.

    Args:
        user: name for HTTP Basic.
        password_file: expression of Alloy's syntax for the path of the file that holds the password.
    """

    user: str
    password_file: str


@dataclass(frozen=True)
class Store:
    """What takes entries or numbers, and how Alloy is told of it.

    Args:
        component: the Loki or the Prometheus.
        kind: of Alloy's component that writes to it.
        path: below its address, where it takes what is written.
    """

    component: Component
    kind: str
    path: str

    @property
    def stem(self) -> str:
        """The name of its files without the ending; a client's own store has the client's name after a dot."""
        ref = self.component.ref
        return f"agencystack-{ref.name}" if ref.client == SHARED else f"agencystack-{ref.name}.{ref.client}"

    @property
    def file(self) -> str:
        """The name of its fragment."""
        return f"{self.stem}.alloy"

    @property
    def password_file(self) -> str:
        """The name of the file with its password."""
        return f"{self.stem}.password"

    @property
    def label(self) -> str:
        """What it is called in Alloy's configuration."""
        ref = self.component.ref
        return identifier() if ref.client == SHARED else identifier(ref.client)

    @property
    def receiver(self) -> str:
        """What other fragments send to."""
        return f"{self.kind}.{self.label}.receiver"

    def text(self, folder: str, more: Sequence[str] = ()) -> str:
        """Return its fragment.

        Args:
            folder: expression of Alloy's syntax for the folder its files are in.
            more: further blocks of what all share.
        """
        settings = self.component.settings
        url = settings.reached_by_components().rstrip("/") + self.path
        login = Login(settings.user, f'{folder} + "/{self.password_file}"') if settings.password else None
        block = (
            f"{self.kind} {quoted(self.label)} {{\n\tendpoint {{\n"
            f"{_attributes(self._endpoint(url))}{basic_auth(login, 2)}{self._authority()}\n\t}}\n}}\n"
        )
        return written(str(self.component.ref), [block, *more])

    def _endpoint(self, url: str) -> dict[str, str]:
        found = {"url": quoted(url)}
        if isinstance(self.component.settings, Loki):
            if self.component.settings.tenant:
                found["tenant_id"] = quoted(self.component.settings.tenant)
            # The default gives up after 8 minutes and throws the entries away; without an end it reads on where it
            # stood once Loki is back.
            found["max_backoff_retries"] = "0"
        return found

    def _authority(self) -> str:
        authority = products.ca_file(self.component.settings)
        if authority is None:
            return ""
        return f"\n\n\t\ttls_config {{\n\t\t\tca_pem = {quoted(products.pem(authority))}\n\t\t}}"


def loki_store(component: Component) -> Store:
    """Return how entries are written to a Loki."""
    products.settings_of(component, Loki)
    return Store(component, LOGS, "/loki/api/v1/push")


def prometheus_store(component: Component) -> Store:
    """Return how numbers are written to a Prometheus."""
    products.settings_of(component, Prometheus)
    return Store(component, "prometheus.remote_write", "/api/v1/write")


def folder_of(alloy: Component) -> str:
    """Return the expression for the folder of configuration files as Alloy itself sees it.

    In a container it may have another path than on the machine around; there Alloy (1.3 and newer) is asked.
    """
    settings = products.settings_of(alloy, AlloySettings)
    return "module_path" if settings.exec and settings.exec.docker else quoted((settings.config or "").rstrip("/"))


def basic_auth(login: Login | None, depth: int) -> str:
    """Return the block of a login, to stand after the attributes of a block; nothing without a login.

    Args:
        login: who is meant.
        depth: how far the attributes before it are indented.
    """
    if login is None:
        return ""
    tabs = "\t" * depth
    return (
        f"\n\n{tabs}basic_auth {{\n{tabs}\tusername      = {quoted(login.user)}\n"
        f"{tabs}\tpassword_file = {login.password_file}\n{tabs}}}"
    )


def _attributes(values: dict[str, str]) -> str:
    width = max(map(len, values))
    return "\n".join(f"\t\t{name:<{width}} = {value}" for name, value in values.items())


class PasswordFile(Resource):
    """A password in a file of its own beside Alloy's configuration, which shows none.

    Alloy reads it at each request, so it counts as soon as it is written.

    Args:
        alloy: whose folder.
        name: of the file.
        password: returns its content; None while the password is still to be made, by a resource that comes earlier.
    """

    def __init__(self, alloy: Alloy, name: str, password: Callable[[], Secret | None] = lambda: None) -> None:
        self.component, self.key = alloy.where, f"{PASSWORD}{name}"
        self._alloy, self._name, self._password = alloy, name, password

    def read(self) -> Reading:
        """Return the password."""
        live = self._alloy.folder.text(self._name)
        return ABSENT if live is None else Reading({"password": Secret(live)})

    def wanted(self) -> Fields:
        """Want the password as it is now."""
        return {"password": self._password() or Marker.PENDING}

    def write(self, change: Change) -> None:
        """Write it, for Alloy's group to read."""
        password = change.target["password"]
        if not isinstance(password, Secret):
            raise Blocked("has no password to hand over yet", component=self.component, remedy="run again")
        self._alloy.folder.store(self._name, password.reveal(), PRIVATE)

    def remove(self, live: Reading, before: Image) -> str:
        """Remove the file."""
        self._alloy.folder.store(self._name, None)
        return ""
