"""The log of the bridge's processes: JSON lines in AGENCYSTACK_LOG_DIR with ids and names, never a record's values.

Once a minute the process that takes the products' calls writes how every pairing is, so that the log alone tells of a
backlog where no Prometheus is.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import structlog
from filelock import FileLock, Timeout

from agencystack.bridge.serving.gauges import STATE
from agencystack.bridge.serving.metrics import Count
from agencystack.bridge.work.context import broken_at
from agencystack.engine.values import masked
from agencystack.stack.files import explained, private_folder
from agencystack.stack.secrets import redact

FILE = "bridge.jsonl"
EVERY, FIRST = 60.0, 5.0
"""Seconds between two such lines, and before the first, when this process has said that it lives."""

MOST_BYTES = 20 * 1024 * 1024
"""A file that grew beyond this is put aside; with the one before, a log takes twice as much."""

_log = structlog.get_logger("agencystack.bridge")


@contextmanager
def kept(folder: Path, worker: str) -> Iterator[None]:
    """Have all that this process logs written to a file, and warnings to the terminal as well.

    Args:
        folder: it is in; several processes write to one file.
        worker: the name of this process; stands in each line.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    private_folder(folder)
    with explained(folder / FILE):
        file = _Turning(folder / FILE)
    with ExitStack() as stack:
        stack.callback(file.close)
        screen = logging.StreamHandler(sys.stderr)
        screen.setLevel(logging.WARNING)
        root = logging.getLogger()
        for logger, level in ((root, logging.WARNING), (logging.getLogger("agencystack"), logging.INFO)):
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(level)
        stack.callback(structlog.reset_defaults)
        for handler in (file, screen):
            handler.setFormatter(_formatter(worker))
            root.addHandler(handler)
            stack.callback(root.removeHandler, handler)
        structlog.configure(
            processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        yield


@contextmanager
def told(counts: Callable[[], Sequence[Count]], workers: Callable[[], int], every: float = EVERY) -> Iterator[None]:
    """Write how every pairing is, again and again, in a thread.

    Args:
        counts: how they are.
        workers: how many live.
        every: seconds.
    """
    ending = threading.Event()

    def tell() -> None:
        pause = min(FIRST, every)
        while not ending.wait(pause):
            pause = every
            try:
                alive = workers()
                for count in counts():
                    _log.info(STATE, **_numbers(count), workers=alive)
            except Exception:  # noqa: BLE001 - a database that restarts must not end the telling
                _log.exception("state unknown")

    thread = threading.Thread(target=tell, name="state", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(10)


def _numbers(count: Count) -> dict[str, Any]:
    """Return a count's fields; what is true or false as 1 or 0, which a query can compare like the rest."""
    return {name: int(value) if isinstance(value, bool) else value for name, value in asdict(count).items()}


class _Turning(logging.handlers.WatchedFileHandler):
    """A file several processes append to, readable by its owner alone, that is put aside when it is long.

    It is renamed and not cut short, and the name before has another ending: a collector reads each line once.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")
        self._path = path
        self._lock_file = FileLock(path.with_suffix(".lock"), timeout=0)

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).touch(mode=0o600)  # whoever took the file away: the next one is as private
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, to the file that has the name now."""
        self._turn()
        super().emit(record)

    def _turn(self) -> None:
        try:
            if self._path.stat().st_size < MOST_BYTES:
                return
            with self._lock_file:
                if self._path.stat().st_size >= MOST_BYTES:
                    self._path.replace(self._path.with_suffix(".jsonl.1"))
        except (OSError, Timeout):
            # Another process does it right now, or the file was taken away: the line is written in any case.
            return


def _formatter(worker: str) -> logging.Formatter:
    def named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("worker", worker)
        return event

    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            named,
            _without_values,
            _rendered,
        ],
        foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.add_log_level],
        use_get_message=True,
    )


def _without_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say of a defect what it is and where, and of another library's message its first line: the rest holds values."""
    thrown = event.pop("exc_info", None)
    error = sys.exc_info()[1] if thrown is True else thrown[1] if isinstance(thrown, tuple) else thrown
    if isinstance(error, BaseException):
        event.update(broken_at(error))
    event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _rendered(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return redact(json.dumps(masked(dict(event)), ensure_ascii=False, default=str))
