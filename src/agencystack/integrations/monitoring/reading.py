"""What is shown of logs in which nothing can be made to appear: the collector reads them, or lines have arrived."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agencystack.components.loki import Loki
from agencystack.engine.integration import Evidence, Proof
from agencystack.stack.errors import ComponentRef

READ = "its logs are read"
RECENT = timedelta(hours=24)


class LogsAreRead(Proof):
    """The collector sees the files, or the log store has lines of the last day.

    Args:
        ref: the application.
        loki: where lines arrive.
        look: says what the collector sees, for a person.
        files: returns the files the collector sees.
    """

    name = READ

    def __init__(
        self, ref: ComponentRef, loki: Loki, look: Callable[[], str], files: Callable[[], tuple[str, ...]]
    ) -> None:
        self._ref, self._loki, self._look, self._files = ref, loki, look, files

    def run(self) -> Evidence:
        """Ask both."""
        query = f'{{client="{self._ref.client}", component="{self._ref.name}"}}'
        now = datetime.now(UTC)
        lines = self._loki.query_range(query, now - RECENT, now, limit=1)
        files = self._files()
        seen = {"query": query, "lines of the last day": bool(lines), "files": list(files)}
        if lines or files:
            return Evidence(ok=True, seen=seen)
        reason = f"no line of {self._ref} within a day, and no file of it is seen"
        return Evidence(ok=False, seen=seen, reason="; ".join(filter(None, (reason, self._look()))))
