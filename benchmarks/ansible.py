"""Ansible in an environment of its own in the user's cache, and one play of it in check mode."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.measured import CannotMeasure

VERSION = "12.3.0"
# The second one has community.general in it, with Keycloak's modules.
PACKAGES = ("ansible-core==2.19.14", f"ansible=={VERSION}")
PLAY_SECONDS = 600.0


@dataclass(frozen=True)
class Checked:
    """One play that ran in check mode.

    Args:
        seconds: wall time of ``ansible-playbook``.
        tasks: names of its tasks.
        changed: names of those that would have changed something.
    """

    seconds: float
    tasks: tuple[str, ...]
    changed: tuple[str, ...]


def installed() -> Path:
    """Return ``ansible-playbook``, installed by pip where it is not there yet.

    Raises:
        CannotMeasure: pip could not install it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agencystack"
    home = cache / f"ansible-{VERSION}"
    complete = home / "complete"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"ansible-{VERSION}.lock"):
        if not complete.exists():
            shutil.rmtree(home, ignore_errors=True)
            _install(home)
            complete.touch()
    return home / "bin" / "ansible-playbook"


def check(
    playbook: Path, tasks: Sequence[Mapping[str, Any]], keycloak: Mapping[str, str], way: Mapping[str, str]
) -> Checked:
    """Run tasks against Keycloak in check mode, set up to be as fast as Ansible is.

    One inventory line, no facts gathered, modules sent through a pipe, nothing of the user's own configuration.

    Args:
        playbook: the program.
        tasks: what to check.
        keycloak: address and login, for all tasks.
        way: variables that say through which proxy it sends its requests.

    Raises:
        RuntimeError: a task failed.
    """
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "module_defaults": {"group/community.general.keycloak": keycloak},
        "tasks": list(tasks),
    }
    with tempfile.TemporaryDirectory(prefix="agencystack-bench-ansible-") as name:  # only we can look into it
        file, settings = Path(name, "play.yml"), Path(name, "ansible.cfg")
        file.write_text(json.dumps([play]))
        settings.touch()
        began = time.perf_counter()
        ended = subprocess.run(
            [playbook, "--check", "--inventory", "localhost,", file],
            env={**_environment(playbook, Path(name), settings), **way},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PLAY_SECONDS,
            check=False,
        )
        seconds = time.perf_counter() - began
    if ended.returncode:
        raise RuntimeError(f"ansible-playbook ended with {ended.returncode}: {_failures(ended)}")
    done = _tasks(ended.stdout)
    return Checked(seconds, tuple(done), tuple(name for name, result in done.items() if result["changed"]))


def _install(home: Path) -> None:
    pip = [str(home / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *PACKAGES]
    for command in ([sys.executable, "-m", "venv", str(home)], pip):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            said = (ended.stderr or ended.stdout).strip().splitlines() or ["nothing"]
            raise CannotMeasure(f"Ansible {VERSION} could not be installed: {said[-1]}")


def _environment(playbook: Path, home: Path, settings: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_PYTHON_INTERPRETER": str(playbook.with_name("python")),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }


def _tasks(printed: bytes) -> dict[str, Mapping[str, Any]]:
    """Return what each task found, by its name."""
    return {
        task["task"]["name"]: result
        for play in json.loads(printed)["plays"]
        for task in play["tasks"]
        for result in task["hosts"].values()
    }


def _failures(ended: subprocess.CompletedProcess[bytes]) -> str:
    """Return what the tasks that failed said, or what Ansible did where it never came to one."""
    try:
        done = _tasks(ended.stdout)
    except (ValueError, KeyError):
        return ended.stderr.decode(errors="replace").strip()
    return "; ".join(f"{name}: {result.get('msg', '')}" for name, result in done.items() if result.get("failed"))
