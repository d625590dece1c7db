"""The bridge between one WordPress and one ERPNext: what commands, workers, the console and tests call."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from agencystack.bridge.entity import Entity
from agencystack.bridge.record import SideName, Value
from agencystack.bridge.rules import shared
from agencystack.bridge.settings import Sharing
from agencystack.bridge.side import Side
from agencystack.bridge.store import Store
from agencystack.bridge.store.conflicts import Conflict
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.pairings import Pairing, PairingState
from agencystack.bridge.store.sql import moment
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work import people
from agencystack.bridge.work.backfilling import backfill
from agencystack.bridge.work.context import SECOND, Context, utc_now
from agencystack.bridge.work.cycle import Progress, pause, work
from agencystack.bridge.work.narrowing import Narrowings, look_again, narrowed, narrowings
from agencystack.bridge.work.pacing import full_until
from agencystack.bridge.work.polling import poll
from agencystack.bridge.work.previewing import Preview, preview
from agencystack.bridge.work.reconciling import Reconciled, reconcile
from agencystack.bridge.work.telling import Status, Story, conflicts, history, status

BATCH = 100
DAY = 24 * 3600 * SECOND
LATE_DAYS = 30
"""How long it is kept what a creation was asked with that never happened: it holds values."""
AUDIT_DAYS = 400
"""How long the audit is kept: a year, and time to look at it."""


class Bridge:
    """Keeps one WordPress and one ERPNext in step.

    Args:
        store: where the bridge keeps what it knows.
        pairing: which pairing.
        sides: both sides.
        entities: every entity there is, by name.
        sharing: what the client shares.
        clock: the time, with its zone.
        randomness: gives that many random bytes as hex digits.
        worker: who works; a name nobody else uses at the same time.
    """

    def __init__(
        self,
        store: Store,
        pairing: str,
        sides: Mapping[SideName, Side],
        entities: Mapping[str, Entity],
        sharing: Sharing,
        *,
        clock: Callable[[], datetime] = utc_now,
        randomness: Callable[[int], str] = secrets.token_hex,
        worker: str = "worker",
    ) -> None:
        declared = shared(entities, sharing)
        self.context = Context(store, pairing, sides, declared, sharing, clock, randomness, worker, declared)
        with store.writing(pairing) as transaction:
            transaction.pairings.create(self.context.now())
            self._obey(narrowings(transaction))

    _told: Narrowings = MappingProxyType({})

    # Working. -----------------------------------------------------------------------------------------------------

    def poll(self) -> int:
        """Take the changes both sides tell into the inbox, and return how many; they are acknowledged next time."""
        polled = poll(self.context)
        return polled if self._stopped() else polled + look_again(self.context)

    def hint(self, side: SideName, entity: str, ids: Sequence[str], reason: str) -> None:
        """Look at records soon."""
        if entity not in self.context.entities:
            return
        with self._writing() as transaction:
            transaction.inbox.add(side, [(entity, id_) for id_ in ids], reason, self.context.now())

    def step(self, limit: int = BATCH, lanes: int = 1) -> Progress:
        """Work on one batch of due keys; on nothing while the pairing is paused or a side is left alone.

        Args:
            limit: keys of one batch.
            lanes: batches at the same time, each in a thread: one side works while the other is asked. The sides'
                forms must bear that.
        """
        if self._stopped():
            return Progress()
        if lanes == 1:
            return work(self.context, limit)
        with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
            contexts = [replace(self.context, worker=f"{self.context.worker}/{lane}") for lane in range(lanes)]
            return sum(pool.map(lambda context: work(context, limit), contexts), Progress())

    def run(self, max_steps: int = 1000, limit: int = BATCH) -> Progress:
        """Poll and work until nothing is due; return what it all came to."""
        total = Progress()
        for _ in range(max_steps):
            polled = self.poll()
            progress = self.step(limit)
            total += progress
            if not polled and not progress.looked_at:
                break
        return total

    def next_due(self) -> datetime | None:
        """Return when there is something to do next; ``None`` when nothing waits, or a person must act first."""
        with self._reading() as transaction:
            if transaction.pairings.get().state is not PairingState.ACTIVE:
                return None
            due = transaction.inbox.next_due(list(self.context.entities), self.context.worker)
            tripped = [one.until for one in transaction.breakers.all().values()]
            full = full_until(self.context, transaction)
        return None if due is None else moment(max([due, full, *tripped]))

    # Looking at everything. ---------------------------------------------------------------------------------------

    def reconcile(self, entity: str, *, repair: bool = False) -> Reconciled:
        """Compare each side with what it was last seen to hold; with ``repair`` what differs is looked at again.

        Raises:
            Unavailable: a side is not well.
        """
        return reconcile(self.context, entity, repair=repair)

    def preview(self, entity: str) -> Preview:
        """Count what a run over every record would do; nothing is written anywhere.

        Raises:
            Unavailable: a side is not well.
        """
        return preview(self.context, entity)

    def backfill(
        self, entity: str, side: SideName, told: Callable[[int, Progress], None] = lambda _walked, _progress: None
    ) -> Progress:
        """Look at every record of one side, page by page; stopped, it goes on where it was.

        Args:
            entity: which records.
            side: whose.
            told: is told, after each page, how many records were walked and what came of them.

        Raises:
            Unavailable: the side is not well.
        """
        return backfill(self.context, entity, side, self.step, told)

    # Telling. -----------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Return how the pairing is."""
        return status(self.context)

    def history(self, side: SideName, record: str) -> Story:
        """Return all that is known of one record, by its id on one side."""
        return history(self.context, side, record)

    # Deciding. ----------------------------------------------------------------------------------------------------

    def conflicts(self, *, after: int = 0, limit: int = 100) -> list[Conflict]:
        """Return what waits for a person, oldest first, as people read it."""
        return conflicts(self.context, after, limit)

    def resolve(self, conflict: int, choice: str = "", *, value: Value = None, by: str = "") -> None:
        """Decide a conflict.

        Args:
            conflict: its number.
            choice: ``wordpress`` or ``erpnext``: that side is right; of an ambiguous one a candidate's id or ``new``;
                empty for ``value``.
            value: the value both sides are to have.
            by: who decides.

        Raises:
            UsageError: there is no such conflict, or the choice is none of its.
        """
        people.resolve(self.context, conflict, choice, value, by)

    def dead_letters(self, *, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """Return what did not go through, oldest first."""
        with self._reading() as transaction:
            return transaction.dead.list(after=after, limit=limit)

    def retry(self, ids: Sequence[int]) -> int:
        """Try dead letters again, and return how many."""
        return people.retry(self.context, ids)

    def pause(self, reason: str, by: str = "") -> None:
        """Stop working, both ways."""
        pause(self.context, f"{reason} ({by})" if by else reason)

    def resume(self, by: str, *, accept: bool = False) -> int:
        """Go on, and return how many records are looked at again because of it.

        Args:
            by: who says so.
            accept: the installations that answer now are the right ones: they are paired anew, and what they hold now
                goes across, also where it is older than what was last seen, or another record under an id given anew.

        Raises:
            Unavailable: a side is not well; nothing is resumed.
        """
        # Compared before anything goes on: what a restored backup holds is no change that it would tell of.
        found = [self.reconcile(entity, repair=True).hinted for entity in self.context.entities] if accept else []
        people.resume(self.context, by, accept=accept)
        return sum(found)

    def prune(self, days: int = AUDIT_DAYS) -> int:
        """Forget what happened so many days ago, and return how many events that were."""
        with self._writing() as transaction:
            transaction.operations.prune(self.context.now() - LATE_DAYS * DAY)
            return transaction.audits.prune(self.context.now() - days * DAY)

    def confirm_removals(self, entity: str, by: str) -> None:
        """Let so many records of an entity be removed as the brake holds back."""
        people.confirm_removals(self.context, entity, by)

    def forget(self, side: SideName, entity: str, ids: Sequence[str], by: str) -> int:
        """Remove every value that is kept of records, and return how many had a link.

        Ids stay in links and audit; those that tell who somebody is become aliases.
        """
        return people.forget(self.context, side, entity, ids, by)

    def pairing(self) -> Pairing:
        """Return whether the bridge works, why not, and which installations belong together."""
        with self._reading() as transaction:
            return transaction.pairings.get()

    def _obey(self, told: Narrowings) -> None:
        """Work with what the products' own screens leave of what is shared."""
        if told != self._told:
            self._told = told
            self.context = replace(self.context, entities=narrowed(self.context.declared, told))

    def _stopped(self) -> bool:
        with self._reading() as transaction:
            tripped = transaction.breakers.all().values()
            state = transaction.pairings.get().state
            told = narrowings(transaction)
        self._obey(told)
        return state is not PairingState.ACTIVE or any(one.until > self.context.now() for one in tripped)

    def _writing(self) -> AbstractContextManager[Transaction]:
        return self.context.store.writing(self.context.pairing)

    def _reading(self) -> AbstractContextManager[Transaction]:
        return self.context.store.reading(self.context.pairing)
