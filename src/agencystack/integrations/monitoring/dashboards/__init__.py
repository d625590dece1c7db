"""The dashboards: one for each application, one overview of each client, one of all clients."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from agencystack.integrations.monitoring.dashboards import (
    erpnext,
    generic,
    grafana,
    keycloak,
    listmonk,
    mailu,
    overview,
    rows,
    wordpress,
)
from agencystack.integrations.monitoring.dashboards.model import Board, Row, Scope, Source

TAG = "agencystack"
LONGEST_UID = 40

_ROWS: Mapping[str, Callable[[Scope], tuple[Row, ...]]] = {
    "erpnext": erpnext.rows_of,
    "grafana": grafana.rows_of,
    "keycloak": keycloak.rows_of,
    "listmonk": listmonk.rows_of,
    "mailu": mailu.rows_of,
    "wordpress": wordpress.rows_of,
}


def uid_of(*parts: str) -> str:
    """Return the uid of what is ours in Grafana.

    Args:
        parts: owner, component, and for a rule its name.
    """
    return shortened("-".join(("as", *parts)))


def shortened(name: str) -> str:
    """Return a name of at most 40 characters, as long as Grafana takes; of a longer one the end becomes a hash."""
    if len(name) <= LONGEST_UID:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_UID - len(digest) - 1]}-{digest}"


ALL = uid_of("all", "overview")
"""The dashboard that shows all clients."""


def of_component(scope: Scope) -> Board:
    """Return the dashboard of an application; :mod:`generic` where its product has none of its own."""
    return Board(
        uid_of(scope.owner, scope.component),
        f"{scope.component} ({scope.title})",
        f"What {scope.component} logs, and what is wrong with it.",
        tags_of(scope.owner),
        _ROWS.get(scope.component, generic.rows_of)(scope),
        rows.choices(scope.logs),
    )


def of_owner(owner: str, title: str, *, metrics: bool, bridge: Source | None = None) -> Board:
    """Return the overview of a client, or of what all share.

    Args:
        owner: whose.
        title: its name for people.
        metrics: there is a Prometheus to ask too.
        bridge: the store that hears of the client's data bridge.
    """
    return Board(
        uid_of(owner, "overview"),
        f"Overview ({title})",
        "Where to look first.",
        tags_of(owner),
        overview.of_owner(owner, metrics=metrics, bridge=bridge),
    )


def of_all(*, metrics: bool) -> Board:
    """Return the overview of all clients."""
    return Board(
        ALL,
        "Overview (all clients)",
        "Where to look first.",
        (TAG,),
        overview.of_all(metrics=metrics),
        overview.choices_of_all(),
    )


def tags_of(owner: str) -> tuple[str, ...]:
    """Return the tags of a client's dashboards; they link to one another by the second."""
    return (TAG, f"{TAG}-{owner}")
