"""The log of a run: JSON lines in AGENCYSTACK_LOG_DIR, which no secret can reach."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import structlog

from agencystack.engine.values import masked
from agencystack.stack.files import explained, private_folder
from agencystack.stack.secrets import redact


class RunLog:
    """Writes what happens in one run to ``<log dir>/integrations/<run>.jsonl``.

    Every value passes the redactor before it is rendered, and every line after: a secret inside a product's answer, an
    exception or a nested value is masked like any other.

    Args:
        log_dir: AGENCYSTACK_LOG_DIR.
        run: id of the run.
    """

    def __init__(self, log_dir: Path, run: str) -> None:
        self.path = log_dir / "integrations" / f"{run}.jsonl"
        private_folder(self.path.parent)
        with explained(self.path):
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._file: TextIO = os.fdopen(handle, "a", encoding="utf-8", buffering=1)
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(self._file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _render,
            ],
            wrapper_class=structlog.BoundLogger,
        ).bind(run=run)

    def info(self, event: str, **details: Any) -> None:
        """Write what happened."""
        self._logger.info(event, **details)

    def error(self, event: str, error: BaseException | None = None, **details: Any) -> None:
        """Write what failed, with the traceback of ``error``, which the terminal does not show."""
        if error is not None:
            details["error"] = repr(error)
            details["traceback"] = "".join(traceback.format_exception(error))
        self._logger.error(event, **details)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _render(_logger: Any, _method: str, event: Mapping[str, Any]) -> str:
    return redact(json.dumps(masked(event), ensure_ascii=False))
