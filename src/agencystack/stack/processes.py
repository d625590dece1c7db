"""Run one program to its end: fed without deadlock, bounded in time and output, with nothing of our environment."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from agencystack.stack.execution import Finished

LARGEST_OUTPUT = 64 * 1024 * 1024
_CHUNK = 64 * 1024
# How long output may still arrive after the program ended; a daemon it left behind can hold the pipe for ever.
_LINGER = 1.0

# All that a child gets. Secrets given to us as variables must not reach a product, whose user could list them.
_INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
)
# For another user: our own search path may lead through folders that user cannot enter.
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class OutOfTime(Exception):
    """The program did not end in time; its process group was killed."""


class TooMuchOutput(Exception):
    """The program printed more than :data:`LARGEST_OUTPUT`; its process group was killed."""


@dataclass(frozen=True)
class RunAs:
    """The user a program runs as.

    Args:
        uid: numeric user.
        gid: numeric group.
        groups: all groups of that user.
        name: for ``USER`` and ``LOGNAME``.
        home: for ``HOME``.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str


def clean_environment(run_as: RunAs | None = None) -> dict[str, str]:
    """Return the few variables a child gets."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    kept |= {"LC_ALL": "C.UTF-8"}
    if run_as is not None:
        kept |= {"HOME": run_as.home, "USER": run_as.name, "LOGNAME": run_as.name, "PATH": _SYSTEM_PATH}
        for name in ("SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"):
            kept.pop(name, None)
    return kept


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float,
    folder: str | None = None,
    run_as: RunAs | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run ``argv`` and return what it left.

    Args:
        argv: program and arguments.
        stdin: fed completely, or until the program stops reading.
        timeout: seconds until the whole process group is killed.
        folder: working folder.
        run_as: another user; needs root.
        environment: all variables of the program; the clean ones when not given.

    Raises:
        OutOfTime: the time is over.
        TooMuchOutput: it printed too much.
        OSError: the program cannot be started.
    """
    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(clean_environment(run_as) if environment is None else environment),
        start_new_session=True,
        user=run_as.uid if run_as else None,
        group=run_as.gid if run_as else None,
        extra_groups=run_as.groups if run_as else None,
    )
    with process:
        try:
            return _Exchange(process, stdin, time.monotonic() + timeout).finish()
        except BaseException:
            _kill_group(process)
            raise


class _Exchange:
    """Feeds and drains one process at the same time."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, deadline: float) -> None:
        self._process = process
        self._unsent = memoryview(stdin)
        self._deadline = deadline
        self._output: dict[IO[bytes], bytearray] = {}

    def finish(self) -> Finished:
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        if stdin is None or stdout is None or stderr is None:
            raise ValueError("the process has no pipes")
        with selectors.DefaultSelector() as selector:
            for stream in (stdin, stdout, stderr):
                os.set_blocking(stream.fileno(), False)
            for stream in (stdout, stderr):
                selector.register(stream, selectors.EVENT_READ)
                self._output[stream] = bytearray()
            selector.register(stdin, selectors.EVENT_WRITE)
            self._pump(selector, stdin)
        returncode = self._wait()
        return Finished(returncode, bytes(self._output[stdout]), bytes(self._output[stderr]))

    def _pump(self, selector: selectors.BaseSelector, stdin: IO[bytes]) -> None:
        """Move bytes until both outputs are closed, or the program ended and nothing more comes."""
        ended_at: float | None = None
        while any(stream in self._registered(selector) for stream in self._output):
            now = time.monotonic()
            if now >= self._deadline:
                raise OutOfTime
            if ended_at is None and self._process.poll() is not None:
                ended_at = now
            if ended_at is not None and now - ended_at > _LINGER:
                return
            for key, _ in selector.select(min(self._deadline - now, 0.2)):
                stream = key.fileobj
                if stream is stdin:
                    self._feed(selector, stdin)
                else:
                    self._drain(selector, stream)  # type: ignore[arg-type]

    def _registered(self, selector: selectors.BaseSelector) -> list[object]:
        return [key.fileobj for key in selector.get_map().values()]

    def _feed(self, selector: selectors.BaseSelector, stdin: IO[bytes]) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                sent = os.write(stdin.fileno(), self._unsent[:_CHUNK])
            except BrokenPipeError:
                sent = len(self._unsent)
            self._unsent = self._unsent[sent:]
        if not self._unsent:
            selector.unregister(stdin)
            with contextlib.suppress(BrokenPipeError):
                stdin.close()

    def _drain(self, selector: selectors.BaseSelector, stream: IO[bytes]) -> None:
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(stream.fileno(), _CHUNK)
            self._output[stream] += chunk
            if sum(map(len, self._output.values())) > LARGEST_OUTPUT:
                raise TooMuchOutput
            if not chunk:
                selector.unregister(stream)

    def _wait(self) -> int:
        try:
            return self._process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise OutOfTime from None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the program and all it started; it leads its own group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
