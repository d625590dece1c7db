"""Where a component's log lines come from: what ``stack.yaml`` says, else where its product is known to log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from agencystack.engine.context import Component
from agencystack.logs import catalogue
from agencystack.logs.model import Wrapping
from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef, ConfigurationError
from agencystack.stack.log_source import LogSource
from agencystack.stack.model import place

SERVER = "server"
"""The stream of products that write one log alone, and of containers, which mix what they have to say."""

MAILU_SERVICES = ("front", "admin", "imap", "smtp", "antispam", "webmail", "redis", "resolver")
"""Mailu's compose file has each log to the journal, tagged ``mailu-<service>`` (facts/mailu.md "Logs")."""

# Files below the folder of a bench or a site. The loggers of Frappe write each record twice, to logs/ and to
# sites/SITE/logs/ (frappe/utils/logger.py): only the first is read.
_BENCH = (
    ("frappe", "frappe.log"),
    ("web", "frappe.web.log"),
    ("web-output", "web.log"),
    ("web-error", "web.error.log"),
    ("access", "gunicorn.access.log"),
    ("worker", "worker*.log"),
    ("schedule", "schedule*.log"),
    ("database", "database.log"),
    ("redis", "redis*.log"),
)
_WORDPRESS = (("php", "wp-content/debug.log"), ("woocommerce", "wp-content/uploads/wc-logs/*.log"))

_EXAMPLES = {
    "wordpress": (
        "{stream: access, file: /var/log/nginx/access.log}",
        "{stream: web-error, file: /var/log/nginx/error.log}",
        "{stream: php, file: /var/www/html/wp-content/debug.log}",
    ),
    "erpnext": (
        "{stream: frappe, file: /home/frappe/frappe-bench/logs/frappe.log}",
        "{stream: web-output, file: /home/frappe/frappe-bench/logs/web.log}",
        "{stream: worker, file: /home/frappe/frappe-bench/logs/worker*.log}",
    ),
    "mailu": ("{stream: smtp, docker: mailu-smtp-1}", "{stream: admin, docker: mailu-admin-1}"),
}
_CONTAINER = ("{stream: server, docker: CONTAINER}",)


class Kind(StrEnum):
    """What lines are read from."""

    FILE = "file"
    DOCKER = "docker"
    JOURNAL = "journal"


@dataclass(frozen=True)
class Source:
    """One place that lines of one stream come from.

    Args:
        stream: which of the product's logs.
        kind: what is read.
        name: the path, in which ``*`` stands for anything, the container or the journal's identifier.
        zone: IANA time zone of lines that do not say theirs; None for UTC.
    """

    stream: str
    kind: Kind
    name: str
    zone: str | None = None

    @property
    def wrapping(self) -> Wrapping:
        """What a container's runtime put around lines, or between the parts of long ones."""
        if self.kind is Kind.DOCKER:
            return Wrapping.DOCKER_API
        if self.kind is Kind.FILE and self.name.startswith("/var/lib/docker/containers/"):
            return Wrapping.DOCKER
        if self.kind is Kind.FILE and self.name.startswith(("/var/log/pods/", "/var/log/containers/")):
            return Wrapping.CRI
        return Wrapping.NONE


@dataclass(frozen=True)
class Found:
    """What is known of a component's logs.

    Args:
        sources: what is collected.
        advice: what the plan says of what is not.
    """

    sources: tuple[Source, ...]
    advice: tuple[str, ...] = ()


def sources_of(component: Component, collector: Component) -> Found:
    """Return where a component's lines come from.

    Args:
        component: whose logs.
        collector: what reads them; on its own machine only.

    Raises:
        ConfigurationError: ``logs`` of ``stack.yaml`` leaves open which of the product's logs a place is.
    """
    written: tuple[LogSource, ...] = component.settings.logs
    if written:
        return Found(tuple(_as_written(component.ref, number, source) for number, source in enumerate(written)))
    elsewhere = machine(component.settings.exec) not in {None, machine(collector.settings.exec)}
    if elsewhere:
        return Found((), (f"{component.ref} is on another machine than {collector.ref}; {_ask(component.ref)}",))
    found = tuple(_usual(component))
    return Found(found, tuple(_advice(component, found)))


def machine(where: Exec | None) -> str | None:
    """Return the machine that commands of a component run on: the ssh host, empty for this one, None if not said."""
    return None if where is None else (where.ssh or "").rpartition("@")[2]


def _as_written(ref: ComponentRef, number: int, source: LogSource) -> Source:
    kind = next(kind for kind in Kind if getattr(source, kind.value) is not None)
    name: str = getattr(source, kind.value)
    if kind is Kind.JOURNAL and " " in name:
        raise ConfigurationError(
            f"logs[{number}]: {name} has a space in it, by which Alloy would take it for two conditions",
            component=ref,
            remedy="give the container or unit a tag without spaces, and write that one",
        )
    return Source(source.stream or _stream(ref, number, kind, name), kind, name, source.zone)


def _stream(ref: ComponentRef, number: int, kind: Kind, name: str) -> str:
    """Return the stream that is meant where none is written: by the file's name, the tag, or as there is only one."""
    known = catalogue.streams(ref.name)
    by_name = [
        stream
        for stream in known
        for pattern in catalogue.find(ref.name, stream).names
        if kind is Kind.FILE and fnmatchcase(PurePosixPath(name).name, pattern)
    ]
    by_tag = [stream for stream in known if name == f"{ref.name}-{stream}"]
    for candidates in (by_tag, sorted(set(by_name)), list(known)):
        if len(candidates) == 1:
            return candidates[0]
    if not known:
        return SERVER
    raise ConfigurationError(
        f"logs[{number}] does not say which of its logs {name} is",
        component=ref,
        remedy=f"write `stream:` with one of {', '.join(known)} beside it, at {place(ref)}.logs",
    )


def _usual(component: Component) -> Iterator[Source]:
    """Yield where the product is known to log."""
    name, where = component.ref.name, component.settings.exec
    if name == "mailu":
        yield from (Source(service, Kind.JOURNAL, f"mailu-{service}") for service in MAILU_SERVICES)
    elif where is None:
        return
    elif where.docker:
        yield Source(SERVER, Kind.DOCKER, where.docker)
    elif name == "wordpress" and where.path:
        yield from (Source(stream, Kind.FILE, f"{where.path.rstrip('/')}/{file}") for stream, file in _WORDPRESS)
    elif name == "erpnext" and where.path:
        yield from (Source(stream, Kind.FILE, f"{where.path.rstrip('/')}/logs/{file}") for stream, file in _BENCH)


def _advice(component: Component, found: tuple[Source, ...]) -> Iterator[str]:
    ref = component.ref
    if not found:
        yield f"where {ref} logs is not known; {_ask(ref)}"
    elif ref.name in {"wordpress", "erpnext"} and found[0].kind is Kind.DOCKER:
        yield f"of {ref} the output of its container is collected, not the files in it; for these {_ask(ref)}"
    elif ref.name == "wordpress":
        yield f"of {ref} only debug.log and WooCommerce's logs are collected; for the web server's {_ask(ref)}"


def _ask(ref: ComponentRef) -> str:
    examples = ", ".join(_EXAMPLES.get(ref.name, _CONTAINER))
    return f"write in stack.yaml, at {place(ref)}: `logs: [{examples}]` with the paths the collector sees"
