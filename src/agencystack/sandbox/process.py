"""Start programs that outlive us, and end exactly those: a number alone may meanwhile belong to somebody else."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

POLL = 0.05
KILL_TIMEOUT = 5.0


class ProcessRecord(BaseModel):
    """What tells one running program from any later one with the same number.

    Args:
        pid: process number.
        started: when it began, in the kernel's own words; differs for a reused number.
        program: what it is, for a person.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    started: str
    program: str


def began(pid: int) -> str | None:
    """Return when process ``pid`` began, or None when there is no such process (or it has ended unreaped)."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        return _began_by_proc(stat)
    return _began_by_ps(pid)


def _began_by_proc(stat: Path) -> str | None:
    try:
        # The name in parentheses may itself contain spaces and parentheses.
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, since_boot = fields[0], fields[19]
    return None if state in {"Z", "X"} else since_boot


def _began_by_ps(pid: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, when = answer.stdout.strip().partition(" ")
    return when.strip() or None if state and not state.startswith("Z") else None


def is_running(record: ProcessRecord | None) -> bool:
    """Say whether the very process of ``record`` still runs."""
    return record is not None and began(record.pid) == record.started


def read_record(path: Path) -> ProcessRecord | None:
    """Return the record in ``path``; None when there is none or it was cut off while being written."""
    try:
        return ProcessRecord.model_validate_json(path.read_text())
    except (FileNotFoundError, ValidationError):
        return None


def start_detached(
    argv: Sequence[str], *, log: Path, record: Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, with its output in a file.

    Args:
        argv: program and arguments; never a secret.
        log: file that gets its standard output and error, appended.
        record: file that gets its :class:`ProcessRecord`.
        cwd: its working folder.
        env: its environment; ours when absent.

    Raises:
        OSError: the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=None if env is None else dict(env),
            start_new_session=True,
        )
    remember(process.pid, record, Path(argv[0]).name)
    return process


def remember(pid: int, record: Path, program: str) -> None:
    """Write down that ``pid`` is ours to end."""
    record.parent.mkdir(parents=True, exist_ok=True)
    content = ProcessRecord(pid=pid, started=began(pid) or "", program=program).model_dump_json()
    draft = record.with_suffix(".new")
    draft.write_text(content)
    draft.replace(record)


def stop(record: Path, *, timeout: float = 10.0) -> bool:
    """End the process of ``record`` and forget it; anything else with its number is left alone.

    Args:
        record: file written by :func:`start_detached`.
        timeout: seconds it gets to end by itself.

    Returns:
        Whether it was running.
    """
    known = read_record(record)
    running = known is not None and is_running(known)
    if known is not None and running:
        _signal(known, signal.SIGTERM)
        if not _gone(known, timeout):
            _signal(known, signal.SIGKILL)
            _gone(known, KILL_TIMEOUT)
    record.unlink(missing_ok=True)
    return running


def _signal(record: ProcessRecord, number: signal.Signals) -> None:
    if is_running(record):
        try:
            os.kill(record.pid, number)
        except ProcessLookupError:
            return


def _gone(record: ProcessRecord, timeout: float) -> bool:
    end = time.monotonic() + timeout
    while is_running(record):
        if time.monotonic() > end:
            return False
        time.sleep(POLL)
    return True
