"""Runs the command line in a process that dies, or is interrupted, right before its n-th lasting effect.

Effects are counted where they leave the process: a call that asks a product for a change, a program started through
``exec``, a file put in place or removed. Between two of them nothing lasting happens, so a death before each one is a
death at every step. Run as a module it is a server: it has everything imported and forks for each run, as a new
interpreter for each of some hundred runs would take minutes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.lab import Outcome

READING = {"GET", "HEAD", "OPTIONS"}
NEVER = 0


@dataclass(frozen=True)
class Run:
    """How a run ended, and how many effects it had (those before its death)."""

    outcome: Outcome
    effects: list[str]

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.outcome.code == -signal.SIGKILL


class Server:
    """The forking process, from the side of the tests; one run at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.dying", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        at: int = NEVER,
        signal_number: int = signal.SIGKILL,
    ) -> Run:
        """Run a command; before its effect number ``at`` it gets the signal."""
        order = {"argv": list(arguments), "env": dict(environment), "at": at, "signal": int(signal_number)}
        with self._lock:
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            out, err, effects = ((self._folder / name).read_text() for name in ("out", "err", "effects"))
        return Run(Outcome(code, out, err), effects.splitlines())

    def close(self) -> None:
        """End the process."""
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()
            self._process.wait(10)


class _Counter:
    """Counts effects, notes each of them, and sends the signal in time."""

    def __init__(self, notes: Path, at: int, number: int) -> None:
        self._notes = notes.open("w", buffering=1)
        self._at, self._number = at, number
        self._count = 0
        self._lock = threading.Lock()

    def effect(self, what: str) -> None:
        with self._lock:
            self._count += 1
            if self._count == self._at:
                os.kill(os.getpid(), self._number)
            self._notes.write(f"{what}\n")

    def before(self, function: Callable[..., Any], describe: Callable[..., str]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            what = describe(*args, **kwargs)
            if what:
                self.effect(what)
            return function(*args, **kwargs)

        return wrapped


def _instrument(counter: _Counter) -> None:
    import httpx

    from agencystack.stack import processes

    def call(_: object, method: str, url: object, **__: object) -> str:
        return "" if method in READING else f"{method} {url}"

    httpx.Client.request = counter.before(httpx.Client.request, call)  # type: ignore[method-assign]
    processes.run = counter.before(processes.run, lambda argv, **_: f"exec {Path(argv[0]).name}")
    os.replace = counter.before(os.replace, lambda _, target: f"file {Path(target).name}")  # type: ignore[assignment]
    os.unlink = counter.before(os.unlink, lambda path, **_: _removed(path))  # type: ignore[assignment]


def _removed(path: object) -> str:
    name = Path(str(path)).name
    return "" if name.endswith((".tmp", ".holder")) or name.startswith(".lock") else f"remove {name}"


def _child(order: dict[str, Any], folder: Path) -> None:
    for number, name in ((1, "out"), (2, "err")):
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["agencystack", *order["argv"]]
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    _instrument(_Counter(folder / "effects", order["at"], order["signal"]))
    from agencystack.cli import main

    main()


def serve(folder: Path) -> None:
    """Fork for each order on standard input, and answer with the exit status."""
    import agencystack.cli
    import agencystack.integrations.email.chatwoot
    import agencystack.integrations.email.erpnext
    import agencystack.integrations.email.listmonk
    import agencystack.integrations.email.wordpress  # noqa: F401

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                _child(json.loads(line), folder)
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
