"""Make, look at, put back and end a sandbox: the functions behind ``agencystack sandbox``."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from agencystack.sandbox.assembly import obstacles_here, services_of
from agencystack.sandbox.layout import make_folders, write_layout
from agencystack.sandbox.plan import (
    ALWAYS_STAND_INS,
    CAN_BE_REAL,
    UNVERIFIED,
    SandboxFolder,
    SandboxPlan,
    client_ids,
    find_folder,
    make_plan,
    read_plan,
    write_plan,
)
from agencystack.sandbox.ports import ensure_ports
from agencystack.sandbox.services import Service
from agencystack.sandbox.tls import ensure_certificates
from agencystack.stack.errors import ConfigurationError, UsageError
from agencystack.stack.files import explained

Real = Literal["auto", "none"] | Sequence[str]
State = Literal["up", "down", "broken", "absent"]
Done = Literal["started", "repaired", "nothing", "stopped", "reset"]
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class ComponentReport:
    """One product of the sandbox.

    Args:
        name: ``mailu``, ``mail``, ``wordpress`` and so on.
        real: whether it is the real product.
        because: why it is that, or why it is not the real one.
    """

    name: str
    real: bool
    because: str


@dataclass(frozen=True)
class SandboxReport:
    """What a command did and what stands now.

    Args:
        directory: the sandbox's folder.
        state: what stands now; ``broken``: some of it died, ``up`` repairs that.
        done: what this call did.
        clients: ids of its clients.
        components: what is real and what is a stand-in.
        running: what it runs, by name, and whether that is up.
        seconds: how long the call took.
        export: the line that makes other commands work on this sandbox; empty when there is none.
        warnings: what a person should know.
    """

    directory: Path
    state: State
    done: Done
    clients: tuple[str, ...]
    components: tuple[ComponentReport, ...]
    running: dict[str, bool]
    seconds: float
    export: str
    warnings: tuple[str, ...]


def up(directory: Path | None = None, real: Real | None = None, clients: int | None = None) -> SandboxReport:
    """Make the sandbox, or start what of it does not run.

    Args:
        directory: its folder; by default ``AGENCYSTACK_HOME``, else one in the user's cache.
        real: ``auto``, ``none``, or names of what must be real; by default as it was, for a new one ``auto``.
        clients: how many clients; by default as it was, for a new one 1.

    Raises:
        ConfigurationError: the folder is another installation's, or a port is taken.
        UsageError: it was made with other clients or other real components, or these cannot be had.
        AgencyStackError: a program did not start; what this call started is ended again.
    """
    began = time.monotonic()
    folder = find_folder(directory)
    with _locked(folder), _nothing_left_on_failure(folder):
        plan = _wanted_plan(folder, real, clients)
        services = _prepare(folder, plan)
        did_run = _left_running(services)
        started = _start(services)
        done: Done = "nothing" if not started else "repaired" if did_run else "started"
        return _report(folder, plan, services, done, began)


def down(directory: Path | None = None) -> SandboxReport:
    """End what the sandbox started, and nothing else; its data stays."""
    began = time.monotonic()
    folder = find_folder(directory)
    plan = read_plan(folder)
    if plan is None:
        return _absent(folder, began)
    with _locked(folder):
        services = _services(folder, plan)
        stopped = [service.stop() for service in reversed(services)]
        return _report(folder, plan, services, "stopped" if any(stopped) else "nothing", began)


def status(directory: Path | None = None) -> SandboxReport:
    """Look at the sandbox; nothing is started or written."""
    began = time.monotonic()
    folder = find_folder(directory)
    plan = read_plan(folder)
    if plan is None:
        return _absent(folder, began)
    return _report(folder, plan, _services(folder, plan), "nothing", began)


def reset(directory: Path | None = None) -> SandboxReport:
    """Put the sandbox back to freshly installed products, at the same addresses, and start it.

    What the products hold, their credentials, AgencyStack's records and sealed secrets, and changes in stack.yaml go;
    addresses, certificates and logs stay.

    Raises:
        ConfigurationError: there is no sandbox in the folder.
        AgencyStackError: a program did not start.
    """
    began = time.monotonic()
    folder = find_folder(directory)
    plan = read_plan(folder)
    if plan is None:
        raise ConfigurationError(f"{folder.root} holds no sandbox", remedy="make one with: agencystack sandbox up")
    with _locked(folder):
        for service in reversed(_services(folder, plan)):
            service.stop()
        for path in (folder.data, folder.records, folder.credentials):
            shutil.rmtree(path, ignore_errors=True)
        folder.stack_file.unlink(missing_ok=True)
        services = _prepare(folder, plan)
        _start(services)
        return _report(folder, plan, services, "reset", began)


@contextmanager
def _locked(folder: SandboxFolder) -> Iterator[None]:
    """Keep other commands off this sandbox; refuses a folder that is another installation's."""
    if not folder.plan_file.exists():
        for path in (folder.stack_file, folder.records / "state"):
            if path.exists():
                raise ConfigurationError(f"{path} is not a sandbox's", remedy="give another folder with --dir")
    with explained(folder.root):
        make_folders(folder)
    try:
        with FileLock(folder.private / "lock", timeout=LOCK_SECONDS):
            yield
    except Timeout:
        raise ConfigurationError(
            f"another command has been working on {folder.root} for {LOCK_SECONDS:g} s", remedy="wait for it to end"
        ) from None


@contextmanager
def _nothing_left_on_failure(folder: SandboxFolder) -> Iterator[None]:
    """Take back what was written of a new sandbox when it cannot be made; an older one stays as it is."""
    was_there = folder.plan_file.exists()
    try:
        yield
    except BaseException:
        if not was_there:
            folder.stack_file.unlink(missing_ok=True)
            shutil.rmtree(folder.private, ignore_errors=True)
        raise


def _wanted_plan(folder: SandboxFolder, real: Real | None, clients: int | None) -> SandboxPlan:
    """Return the plan to follow: the one there is, unless something else is asked for."""
    old = read_plan(folder)
    if old is None:
        return make_plan(1 if clients is None else clients, real or "auto", obstacles_here(folder))
    if clients is not None and client_ids(clients) != old.clients:
        raise UsageError(
            f"the sandbox in {folder.root} has {len(old.clients)} clients, not {clients}",
            remedy="give another folder with --dir, or leave --clients out",
        )
    if real not in (None, "auto") and not old.same_products(make_plan(len(old.clients), real, obstacles_here(folder))):
        raise UsageError(
            f"the sandbox in {folder.root} was made with other real components",
            remedy="give another folder with --dir, or leave --real out",
        )
    return old


def _prepare(folder: SandboxFolder, plan: SandboxPlan) -> list[Service]:
    """Write what is missing of the folder and return the programs it needs."""
    make_folders(folder)
    write_plan(folder, plan)
    ensure_certificates(folder.tls)
    write_layout(folder, plan, ensure_ports(folder.ports_file, plan.port_names()))
    return _services(folder, plan)


def _services(folder: SandboxFolder, plan: SandboxPlan) -> list[Service]:
    return services_of(folder, plan, ensure_ports(folder.ports_file, plan.port_names()))


def _start(services: Sequence[Service]) -> list[Service]:
    """Start side by side what is not up, and return it; when one fails, all that this call started is ended."""
    sleeping = [service for service in services if not service.is_up()]
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(sleeping))) as pool:
            for starting in [pool.submit(service.start) for service in sleeping]:
                starting.result()
    except BaseException:
        for service in reversed(sleeping):
            service.stop()
        raise
    return sleeping


def _left_running(services: Sequence[Service]) -> bool:
    """Say whether something was started and never ended by us: it runs, or it died."""
    return any(service.records() for service in services)


def _report(
    folder: SandboxFolder, plan: SandboxPlan, services: Sequence[Service], done: Done, began: float
) -> SandboxReport:
    running = {service.name: service.is_up() for service in services}
    state: State = "up" if all(running.values()) else "broken" if _left_running(services) else "down"
    return SandboxReport(
        directory=folder.root,
        state=state,
        done=done,
        clients=plan.clients,
        components=_components(plan),
        running=running,
        seconds=round(time.monotonic() - began, 2),
        export=_export(folder),
        warnings=tuple(f"{name}: its stand-in was not verified against the product" for name in UNVERIFIED),
    )


def _absent(folder: SandboxFolder, began: float) -> SandboxReport:
    seconds = round(time.monotonic() - began, 2)
    return SandboxReport(folder.root, "absent", "nothing", (), (), {}, seconds, "", ())


def _components(plan: SandboxPlan) -> tuple[ComponentReport, ...]:
    chosen = [ComponentReport(name, plan.is_real(name), plan.because.get(name, "")) for name in CAN_BE_REAL]
    always = [ComponentReport(name, real=False, because="always a stand-in") for name in ALWAYS_STAND_INS]
    return (*chosen, *always)


def _export(folder: SandboxFolder) -> str:
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in folder.variables().items())
