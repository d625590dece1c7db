"""Logs in which nothing can be made to appear are shown to be read, or said not to be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agencystack.components.loki import Entry, Loki
from agencystack.integrations.monitoring.reading import LogsAreRead
from agencystack.stack.errors import ComponentRef

REF = ComponentRef("shared", "alloy")


class Shelf(Loki):
    """A log store that has what it is told."""

    def __init__(self, *lines: str) -> None:
        self._lines = lines
        self.asked: list[tuple[str, datetime]] = []

    def query_range(self, logql: str, start: datetime, end: datetime, limit: int = 100) -> list[Entry]:
        self.asked.append((logql, start))
        at = int(datetime.now(UTC).timestamp() * 1e9)
        return [Entry(at, line, {"client": "shared", "component": "alloy"}, {}) for line in self._lines][:limit]


@pytest.mark.parametrize(
    ("lines", "files", "ok"),
    [((), (), False), (("started",), (), True), ((), ("/var/log/alloy.log",), True)],
)
def test_a_line_or_a_file_is_enough(lines: tuple[str, ...], files: tuple[str, ...], ok: bool) -> None:
    shelf = Shelf(*lines)
    seen = LogsAreRead(REF, shelf, lambda: "Alloy sees no /var/log/alloy.log", lambda: files).run()
    assert seen.ok is ok
    assert seen.seen["files"] == list(files)
    [(query, _)] = shelf.asked
    assert query == '{client="shared", component="alloy"}'
    assert bool(seen.reason) is not ok


def test_where_nothing_is_read_it_says_what_the_collector_sees() -> None:
    seen = LogsAreRead(REF, Shelf(), lambda: "Alloy sees no /var/log/alloy.log", lambda: ()).run()
    assert (
        seen.reason
        == "no line of shared/alloy within a day, and no file of it is seen; Alloy sees no /var/log/alloy.log"
    )
