"""Durable dispatch: one workflow a pairing and burst of changes, retried with back-off, picked up from dead workers.

DBOS runs the workflows and remembers how far each came. What is right and in which order rests on the bridge's own
tables and leases: a workflow that runs twice, or on two workers at once, costs time and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID, WorkflowStatus

from agencystack.stack.errors import Unavailable

MOST_BATCHES = 20
"""Batches of one workflow; what is left waits until other pairings had their turn."""

NIGHTLY = "0 30 3 * * *"
KEPT = timedelta(days=2)
"""How long finished workflows are kept, to be looked at."""

_QUEUE = "agencystack-reconcile"
_POLLING = 0.02
_FEW = 500


class Desk(Protocol):
    """What is dispatched."""

    def pairings(self) -> Sequence[str]:
        """Return the pairings that are at work."""

    def drain(self, pairing: str) -> bool:
        """Work off one batch of what is due; say whether more is."""

    def reconcile(self, pairing: str) -> None:
        """Compare a pairing's sides with what they were last seen to hold, and mend what differs."""

    def prune(self, pairing: str) -> None:
        """Forget what happened to a pairing long ago."""


@dataclass(frozen=True)
class Engine:
    """Where DBOS keeps its books.

    Args:
        url: SQLAlchemy address of its database: the bridge's own PostgreSQL, or a SQLite file beside the bridge's.
        executor: name of this process among those that share the database; another one at each start.
        version: of this program; a workflow is continued by the version that began it.
        at_once: reconciliations that run at a time on one worker.
    """

    url: str
    executor: str
    version: str
    at_once: int = 2

    def config(self) -> DBOSConfig:
        """Return it as DBOS takes it."""
        return DBOSConfig(
            name="agencystack-bridge",
            system_database_url=self.url,
            executor_id=self.executor,
            application_version=self.version,
            log_level="WARNING",
            enable_otlp=False,
            use_listen_notify=False,
        )


class Dispatcher:
    """Runs the work of a desk in durable workflows. One at a time in a process: DBOS knows no second.

    Args:
        desk: what is dispatched.
        engine: where DBOS keeps its books.
    """

    def __init__(self, desk: Desk, engine: Engine) -> None:
        self._desk = desk
        self._engine = engine

    def start(self) -> None:
        """Begin: what this database has scheduled happens from now on."""
        DBOS(config=self._engine.config())
        _at_work[:] = [self._desk]
        DBOS.launch()
        DBOS.register_queue(
            _QUEUE, worker_concurrency=self._engine.at_once, partition_concurrency=1, polling_interval_sec=1.0
        )
        if DBOS.get_schedule("reconcile") is None:
            DBOS.create_schedule(schedule_name="reconcile", workflow_fn=_nightly, schedule=NIGHTLY)

    def stop(self, patience: float = 10.0) -> None:
        """End: what runs has so many seconds to come to its end; the rest is continued by whoever recovers it."""
        DBOS.destroy(workflow_completion_timeout_sec=int(patience))
        _at_work.clear()

    def drain(self, pairing: str) -> int:
        """Work off what is due of a pairing, and return how many batches that took.

        Raises:
            AgencyStackError: a side stayed away over all retries; what is due stays due.
        """
        return DBOS.start_workflow(_burst, pairing).get_result(polling_interval_sec=_POLLING)

    def reconcile(self, pairing: str) -> None:
        """Have a pairing reconciled soon, whatever happens to this process."""
        with SetEnqueueOptions(queue_partition_key=pairing):
            DBOS.enqueue_workflow(_QUEUE, _reconcile, pairing)

    def recover(self, executor: str) -> int:
        """Continue here what a dead worker left, and return how many workflows that are."""
        # The only call DBOS has for it (research/bridge.md 7); a workflow that is run twice does no harm.
        return len(DBOS._recover_pending_workflows([executor]))


# A workflow is a function that DBOS finds by its name, also after a restart; it finds the desk of its process here.
_at_work: list[Desk] = []


@DBOS.workflow(name="bridge.burst")
def _burst(pairing: str) -> int:
    for batch in range(1, MOST_BATCHES + 1):
        if not _batch(pairing):
            return batch
    return MOST_BATCHES


def _may_come_back(error: BaseException) -> bool:
    return isinstance(error, Unavailable)


@DBOS.step(
    name="bridge.batch",
    retries_allowed=True,
    interval_seconds=0.5,
    max_attempts=4,
    backoff_rate=3.0,
    should_retry=_may_come_back,
)
def _batch(pairing: str) -> bool:
    return _at_work[0].drain(pairing)


@DBOS.workflow(name="bridge.nightly")
def _nightly(at: datetime, _context: object) -> None:
    """Have every pairing reconciled, each once a night however many workers there are."""
    for pairing in _pairings():
        with SetWorkflowID(f"reconcile-{pairing}-{at:%Y-%m-%dT%H%M}"), SetEnqueueOptions(queue_partition_key=pairing):
            DBOS.enqueue_workflow(_QUEUE, _reconcile, pairing)
    _clear((at.astimezone(UTC) - KEPT).isoformat())


@DBOS.step(name="bridge.pairings")
def _pairings() -> list[str]:
    return list(_at_work[0].pairings())


@DBOS.workflow(name="bridge.reconcile")
def _reconcile(pairing: str) -> None:
    _pruning(pairing)
    _comparison(pairing)


@DBOS.step(name="bridge.pruning")
def _pruning(pairing: str) -> None:
    _at_work[0].prune(pairing)


@DBOS.step(
    name="bridge.comparison",
    retries_allowed=True,
    interval_seconds=30.0,
    max_attempts=5,
    backoff_rate=3.0,
    should_retry=_may_come_back,
)
def _comparison(pairing: str) -> None:
    _at_work[0].reconcile(pairing)


@DBOS.step(name="bridge.clear")
def _clear(before: str) -> None:
    """Forget workflows of long ago, so that the database stays small.

    One that never ended was begun by a version of this program that is gone, and nobody continues it. What it was to
    do is still due, as the bridge's own tables say.
    """
    begun = ["PENDING", "ENQUEUED"]
    ended = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
    _delete(lambda: DBOS.list_workflows(status=ended, completed_before=before, limit=_FEW, load_input=False))
    _delete(lambda: DBOS.list_workflows(status=begun, end_time=before, limit=_FEW, load_input=False))


def _delete(find: Callable[[], Sequence[WorkflowStatus]]) -> None:
    while found := find():
        DBOS.delete_workflows([workflow.workflow_id for workflow in found])
