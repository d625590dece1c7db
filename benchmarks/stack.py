"""A sandbox to measure on; its stand-ins can answer as slowly as the real products, and count what they are asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agencystack.sandbox import api
from agencystack.stack.load import load
from agencystack.stack.paths import Home

AGENCYSTACK = str(Path(sys.executable).with_name("agencystack"))
READ_SECONDS = 0.013
"""A read of the real ERPNext. Mailu and Listmonk were not measured; they are given the same."""

START_SECONDS = 0.25
"""The fastest start of the real WP-CLI; the stand-in's own start comes on top."""


@dataclass(frozen=True)
class Run:
    """One command that ran.

    Args:
        seconds: wall time, start of the interpreter included.
        peak_mb: peak resident memory of the process.
        output: what it printed with --json.
    """

    seconds: float
    peak_mb: float
    output: Any


class BenchStack:
    """One running sandbox.

    Args:
        folder: where it is.
        clients: how many clients it has.
    """

    def __init__(self, folder: Path, clients: int) -> None:
        self.folder = folder
        self.clients = clients
        self._starts = folder / "sandbox" / "wordpress-starts"
        self._http = httpx.Client(timeout=30, trust_env=False)

    @property
    def home(self) -> Home:
        """The installation the sandbox made."""
        return Home(self.folder, self.folder / "log", self.folder / "sandbox" / "key")

    @property
    def variables(self) -> Mapping[str, str]:
        """What makes a command work on it."""
        home = self.home
        return {
            "AGENCYSTACK_HOME": str(home.root),
            "AGENCYSTACK_LOG_DIR": str(home.log_dir),
            "AGENCYSTACK_KEY_FILE": str(home.key_file),
        }

    def run(self, *words: str, more: Mapping[str, str] | None = None) -> Run:
        """Run a command with --json, and with ``more`` in its environment, and measure it; it must succeed."""
        environment = {**os.environ, **self.variables, **(more or {})}
        began = time.perf_counter()
        process = subprocess.Popen([AGENCYSTACK, *words, "--json"], env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"agencystack {' '.join(words)} ended with {process.returncode}: {_reasons(printed)}")
        return Run(seconds, usage.ru_maxrss / 1024, json.loads(printed))

    def apply(self, *words: str) -> None:
        """Run `integrate`; everything that can be done must be applied and proven."""
        fine = {"applied", "unsupported"}
        wrong = [line["reason"] for line in self.run(*words).output["results"] if line["status"] not in fine]
        if wrong:
            raise RuntimeError(f"{len(wrong)} integrations could not be applied: {wrong[0]}")

    def slow_down(self) -> None:
        """Have every stand-in answer as slowly as the real product, and count the starts of each WordPress."""
        for ref, url in self._urls().items():
            if ref.endswith(("/mailu", "/erpnext", "/listmonk")):
                rule = {"path": "", "times": 0, "latency": READ_SECONDS}
                self._http.post(f"{url}/__sandbox__/faults", json=[rule]).raise_for_status()
        self._starts.touch()
        self._starts.chmod(0o666)  # WordPress runs as another user when we are root
        for program in self.folder.glob("sandbox/data/wordpress/*/site/vendor/bin/wp"):
            first, rest = program.read_text().split("\n", 1)
            site = program.parents[3].name
            counted = f"echo {site} >> '{self._starts}'\nsleep {START_SECONDS}\n"
            program.write_text(f"{first}\n{counted}{rest}")

    def forget_calls(self) -> None:
        """Count from here."""
        for url in self._urls().values():
            self._http.delete(f"{url}/__sandbox__/calls").raise_for_status()
        self._starts.write_text("")

    def calls(self) -> dict[str, list[str]]:
        """Return what each component was asked since, by its name."""
        asked = {ref: self._http.get(f"{url}/__sandbox__/calls").json()["calls"] for ref, url in self._urls().items()}
        return {ref: [f"{call['method']} {call['path']}" for call in calls] for ref, calls in asked.items()}

    def wordpress_starts(self) -> Counter[str]:
        """Return how often each WordPress was started since."""
        return Counter(self._starts.read_text().split())

    def close(self) -> None:
        """End it and remove the folder."""
        self._http.close()
        api.down(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _urls(self) -> dict[str, str]:
        return {str(ref): component.url for ref, component in load(self.home.stack_file).all_components().items()}


def _reasons(printed: bytes) -> str:
    """Return why a run failed, without all it changed."""
    lines = json.loads(printed).get("results", [])
    return "; ".join(line["reason"] for line in lines if line["reason"]) or printed.decode()


@contextmanager
def bench_sandbox(clients: int = 1, real: api.Real = "none") -> Iterator[BenchStack]:
    """Have a sandbox with ``clients`` clients in which nothing is applied; ``real`` as of ``sandbox up``."""
    folder = Path(tempfile.mkdtemp(prefix="agencystack-bench-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    stack = BenchStack(folder, clients)
    try:
        api.up(folder, real=real, clients=clients)
        yield stack
    finally:
        stack.close()


@contextmanager
def bench_stack(clients: int) -> Iterator[BenchStack]:
    """Have a sandbox of slow stand-ins with ``clients`` clients whose e-mail is applied and proven."""
    with bench_sandbox(clients) as stack:
        stack.apply("integrate", "email", "--auto")
        stack.slow_down()
        yield stack
