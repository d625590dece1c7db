"""What shows that Grafana watches an application: its panels answer, its rules are evaluated, its alerts arrive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agencystack.components.grafana import Alerting, Answer, ContactPoint, DataSources, RuleState, TestResult
from agencystack.components.mailu import Mailu
from agencystack.engine.context import Component
from agencystack.engine.integration import Evidence, Proof
from agencystack.integrations.monitoring.canary import WORD
from agencystack.integrations.monitoring.contact import mail_to
from agencystack.integrations.monitoring.dashboards import build
from agencystack.integrations.monitoring.dashboards.model import Board, Kind, Panel, Query, Source
from agencystack.integrations.monitoring.dashboards.rows import EVERY_LINE
from agencystack.integrations.probe_mailbox import ARRIVAL_SECONDS, probe_mailbox

ANSWERED, EVALUATED, TOLD = (
    "every panel's query answers",
    "each alert rule evaluates",
    "a test alert is delivered by mail",
)
MINUTES = 60
"""How far back the queries of a proof look: what every panel shows first is looked at, at little cost."""

EVALUATION_LIMIT = 150.0
"""Seconds; a rule is evaluated once a minute, at a time of Grafana's choosing."""

PAUSE = 2.0


class PanelsAnswer(Proof):
    """Ask every query of the dashboards through Grafana, as their panels do.

    Args:
        sources: Grafana's data sources.
        boards: the dashboards.
        uids: of the data source of each kind of query.
    """

    name = ANSWERED

    def __init__(
        self,
        sources: DataSources,
        boards: Sequence[Board],
        uids: Callable[[], Mapping[Source, str]],
    ) -> None:
        self._sources, self._boards, self._uids = sources, boards, uids

    def run(self) -> Evidence:
        """Ask all; count which gave something, and name which failed."""
        asked = [(board, panel, answer) for board, panel in self._panels() for answer in self._ask(panel).values()]
        wrong = [f"{board.title}: {panel.title}: {answer.error}" for board, panel, answer in asked if answer.error]
        shown = [panel.title for _, panel, answer in asked if answer.rows]
        seen: dict[str, Any] = {
            "dashboards": len(self._boards),
            "queries": len(asked),
            "with data": len(shown),
            "minutes": MINUTES,
        }
        if not wrong:
            # What the proof of log collection had the application log, where it ran within this time.
            seen["canaries shown"] = self._canaries()
        return Evidence(ok=not wrong, seen=seen, reason="; ".join(wrong[:3]))

    def _canaries(self) -> int:
        """Return how many lines of a proof of log collection the panel of all lines shows."""
        lines = [panel for _, panel in self._panels() if panel.kind is Kind.LOGS and panel.title == EVERY_LINE]
        narrowed = [replace(panel, queries=(Query(f'{panel.queries[0].expr} |= "{WORD}"'),)) for panel in lines]
        return sum(answer.rows for panel in narrowed for answer in self._ask(panel).values())

    def _panels(self) -> Iterator[tuple[Board, Panel]]:
        return ((board, panel) for board in self._boards for panel in board.panels())

    def _ask(self, panel: Panel) -> dict[str, Answer]:
        queries = [_filled(query) for query in build.queries_of(panel, self._uids())]
        return self._sources.query(queries, minutes=MINUTES)


class RulesEvaluate(Proof):
    """Wait until Grafana has evaluated each rule, and see how that went.

    Args:
        alerting: of that Grafana.
        folder: title of the folder of the rules.
        group: their group.
        titles: of the rules.
    """

    name = EVALUATED

    def __init__(self, alerting: Alerting, folder: str, group: str, titles: Callable[[], Sequence[str]]) -> None:
        self._alerting, self._folder, self._group, self._titles = alerting, folder, group, titles

    def run(self) -> Evidence:
        """Ask until all were evaluated, or the time is over."""
        titles, end = self._titles(), time.monotonic() + EVALUATION_LIMIT
        while True:
            states = {state.name: state for state in self._alerting.states(self._folder, self._group)}
            waiting = [title for title in titles if title not in states or not states[title].evaluated]
            if not waiting or time.monotonic() > end:
                return _judged(titles, states, waiting)
            time.sleep(PAUSE)


def _judged(titles: Sequence[str], states: Mapping[str, RuleState], waiting: Sequence[str]) -> Evidence:
    failed = [f"{t}: {states[t].last_error or 'error'}" for t in titles if t in states and states[t].health == "error"]
    wrong = [*failed, *(f"{title}: not evaluated after {EVALUATION_LIMIT:g} s" for title in waiting)]
    firing = [title for title in titles if title in states and states[title].state == "firing"]
    return Evidence(ok=not wrong, seen={"rules": len(titles), "firing now": firing}, reason="; ".join(wrong[:3]))


@dataclass(frozen=True)
class Recipient:
    """Where a test alert is read back.

    Args:
        mailu: the mail server.
        component: the same, as stack.yaml says it.
        domain: of the client.
    """

    mailu: Mailu
    component: Component
    domain: str

    @property
    def hosted(self) -> str:
        """The client's domain where the mail server has it, else any it has: Grafana's mail may be another client's."""
        known = [domain.name for domain in self.mailu.domains()]
        return self.domain if self.domain in known or not known else known[0]


class AlertArrives(Proof):
    """Have Grafana send a test alert to a mailbox made for it, by the settings of our contact point.

    Args:
        alerting: of that Grafana.
        contact: name of the contact point.
        labels: of our alerts.
        recipient: where it is read back.
    """

    name = TOLD

    def __init__(self, alerting: Alerting, contact: str, labels: Mapping[str, str], recipient: Recipient) -> None:
        self._alerting, self._contact, self._labels, self._recipient = alerting, contact, labels, recipient

    def run(self) -> Evidence:
        """Send, wait, read."""
        at = self._recipient
        with probe_mailbox(at.mailu, at.component, at.hosted) as probe:
            result = self._send(probe.address, probe.nonce)
            if result.status != "ok":
                return Evidence(
                    ok=False,
                    reason=f"Grafana could not send it: {result.error or result.status} (let `agencystack integrate "
                    "email --component grafana` set up its mail)",
                )
            mail = probe.wait()
        if mail is None:
            return Evidence(
                ok=False,
                reason=f"sent, but not in {probe.address} after {ARRIVAL_SECONDS:g} s: look at Mailu's queue and log",
            )
        return Evidence(ok=True, seen={"from": mail.header_from, "seconds_to_arrive": round(mail.seconds, 2)})

    def _send(self, address: str, nonce: str) -> TestResult:
        ours = mail_to(self._contact, (address,))
        subject = f"AgencyStack test alert {nonce}"
        point = ContactPoint(
            uid=ours.uid, name=ours.name, type=ours.type, settings={**ours.settings, "subject": subject}
        )
        annotations = {"summary": "This is a test; nothing is wrong.", "proof": nonce}
        return self._alerting.test(point, annotations, {"alertname": "AgencyStack test", **self._labels})


def _filled(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return a query with everything chosen at the top of its dashboard, as a browser would send it."""
    expr = str(query["expr"])
    for label in ("client", "level", "stream"):
        expr = expr.replace(f"${label}", ".+")
    return {**query, "expr": expr, "intervalMs": 60_000, "maxDataPoints": MINUTES}
