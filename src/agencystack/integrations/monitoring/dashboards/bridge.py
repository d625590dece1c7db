"""The data bridge of one client: how its numbers are asked for, in either store, and the row that shows them."""

from __future__ import annotations

from dataclasses import dataclass

from agencystack.bridge.serving.gauges import NAMES, STATE, WORKERS
from agencystack.integrations.monitoring.dashboards.logql import Logs
from agencystack.integrations.monitoring.dashboards.model import Kind, Panel, Query, Row, Source

_LATELY = "3m"
"""The bridge writes its numbers once a minute; one line that comes late is no gap."""

_LOG, _STREAM = Logs("shared", "agencystack"), "bridge"


@dataclass(frozen=True)
class BridgeNumbers:
    """The numbers of one client's bridge.

    Args:
        client: whose.
        source: the store that is asked.
    """

    client: str
    source: Source

    def of(self, name: str) -> str:
        """Return the query of a number.

        Args:
            name: what the bridge's log calls it (:data:`agencystack.bridge.serving.gauges.NAMES`).
        """
        if self.source is Source.PROMETHEUS:
            return f"max({self._metric(name)})"
        return self._logged(name)

    def while_active(self, name: str) -> str:
        """Return the same, where the bridge works on the client's records: what is paused waits by will."""
        if self.source is Source.PROMETHEUS:
            return f"max({self._metric(name)} * {self._metric('active')})"
        return self._logged(name, ' | json active="active" | active="1"')

    def stopped(self) -> str:
        """Return a query with a value only where no worker is heard of."""
        if self.source is Source.PROMETHEUS:
            return f"absent({WORKERS} > 0)"
        return f'sum(absent_over_time({self._states} | json workers="workers" | workers!="0" [5m]))'

    def _metric(self, name: str) -> str:
        return f'{NAMES[name]}{{client="{self.client}"}}'

    def _logged(self, name: str, where: str = "") -> str:
        found = f'{self._states}{where} | json {name}="{name}" | unwrap {name}'
        return f"max(last_over_time({found} [{_LATELY}]))"

    @property
    def _states(self) -> str:
        return _LOG.of(_STREAM, where=f'verdict="{STATE}" | pairing="{self.client}"')


def rows_of(client: str, source: Source | None) -> tuple[Row, ...]:
    """Return the row of a client's bridge; none where nobody hears of it."""
    if source is None:
        return ()
    numbers = BridgeNumbers(client, source)

    def query(name: str, legend: str = "") -> Query:
        return Query(numbers.of(name), legend, source)

    def figure(title: str, name: str, description: str, unit: str, *thresholds: float) -> Panel:
        return Panel(title, Kind.NUMBER, (query(name),), description, unit, thresholds, width=6, height=4)

    waiting = (query("due", "due"), query("waiting", "later"))
    done = (query("written", "written"), query("refused", "refused"))
    asked = (query("conflicts", "conflicts"), query("dead", "refused records"))
    return (
        Row(
            "Data bridge",
            (
                figure("Behind", "oldest", "How long the oldest change waits for the other side.", "s", 60, 900),
                figure("Written", "written", "Records written within the last hour.", "short"),
                figure("Conflicts", "conflicts", "Edits that collide: agencystack bridge conflicts.", "short", 1, 20),
                figure("Refused", "dead", "Records a product refused, each with a remedy.", "short", 1, 20),
                Panel("Records that wait", Kind.LINES, waiting, "Due now, and put off or parked.", width=8),
                Panel("Records within an hour", Kind.LINES, done, "Written, and refused by a product.", width=8),
                Panel("What waits for a person", Kind.LINES, asked, "It stays until somebody decides.", width=8),
            ),
        ),
    )
