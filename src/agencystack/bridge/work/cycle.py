"""One batch: lease, settle, look, match, plan, write down, ask, record. Whatever kills it, the next one goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy.exc import OperationalError

from agencystack.bridge.side import Action, Result
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.leases import LeaseLost
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.work.batch import Again, Batch
from agencystack.bridge.work.carrying import Carried, Effect, carry_out, effects
from agencystack.bridge.work.claiming import claim, load
from agencystack.bridge.work.context import Context, broken_at, log
from agencystack.bridge.work.linking import link_all
from agencystack.bridge.work.observing import Restored, observe
from agencystack.bridge.work.planning import plan_all
from agencystack.bridge.work.recording import follow, record_outcomes, record_plans
from agencystack.bridge.work.renaming import follow_renames
from agencystack.bridge.work.settling import settle_creations
from agencystack.bridge.work.trouble import PATIENCE, letter, logged


@dataclass(frozen=True)
class Progress:
    """What a batch (or several) came to.

    Args:
        looked_at: keys that were looked at.
        created: records that were made.
        updated: records that were changed.
        retired: records that were archived or deleted.
        conflicts: conflicts that were found.
        refused: operations that a product refused.
        postponed: keys that are looked at again later.
    """

    looked_at: int = 0
    created: int = 0
    updated: int = 0
    retired: int = 0
    conflicts: int = 0
    refused: int = 0
    postponed: int = 0

    @property
    def written(self) -> int:
        """How many records were written."""
        return self.created + self.updated + self.retired

    def __add__(self, other: Progress) -> Progress:
        return Progress(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


def work(context: Context, limit: int, only: Sequence[str] = ()) -> Progress:
    """Work on one batch of due keys, of some entities alone or of all."""
    batch = claim(context, limit, only)
    if not batch.keys:
        return Progress()
    try:
        load(context, batch)
        return _work(context, batch)
    except LeaseLost as error:
        # Another worker took these keys: it decides anew, and nothing of ours is recorded any more.
        log.warning("lease lost", pairing=context.pairing, worker=context.worker, message=str(error))
        return Progress(looked_at=len(batch.keys))
    except Restored as error:
        pause(context, str(error))
        for key in batch.keys:
            key.end(Again("the pairing is paused", counts=False))
        _give_back(context, batch, [])
        return Progress()
    except OperationalError as error:
        if not _crossed(error):
            raise  # the store is not well: nothing can be noted in it, and the leases end by themselves
        # Two workers' writes crossed. What was asked of the sides is settled when the same keys are taken again.
        log.warning("writes crossed", pairing=context.pairing, worker=context.worker)
        return Progress(looked_at=len(batch.keys))
    except Exception as error:  # noqa: BLE001  # one record that breaks the bridge must not stop all others for ever
        return _broken(context, batch, error)


def _crossed(error: OperationalError) -> bool:
    """Tell whether PostgreSQL ended a transaction because another waited for it: a deadlock, or a serialisation."""
    return getattr(error.orig, "sqlstate", "") in ("40P01", "40001")


def pause(context: Context, reason: str) -> None:
    """Stop working on a pairing, both ways, until a person says how to go on."""
    log.error("pairing paused", pairing=context.pairing, reason=reason)
    with context.store.writing(context.pairing) as transaction:
        transaction.pairings.set_state(PairingState.PAUSED, reason, context.now())


def _work(context: Context, batch: Batch) -> Progress:
    settle_creations(context, batch)
    letters = observe(context, batch)
    follow_renames(context, batch)
    link_all(context, batch)
    planned = plan_all(context, batch)
    planned.letters.extend(letters)
    wanted = effects(context, batch, planned.known)
    conflicts = sum(len(key.plan.conflicts) for key in batch.working() if key.plan)
    record_plans(context, batch, planned, wanted)
    carried = carry_out(context, batch, wanted)
    record_outcomes(context, batch, planned.known, wanted, carried)
    return _progress(batch, wanted, carried, conflicts)


def _broken(context: Context, batch: Batch, error: Exception) -> Progress:
    """Look at a batch that broke the bridge again, in smaller ones each time; what breaks it alone is shown."""
    log.error(
        "batch broke", pairing=context.pairing, keys=[logged(context, key) for key in batch.keys], **broken_at(error)
    )
    alone = len(batch.keys) == 1 and batch.keys[0].attempts >= PATIENCE
    letters: list[DeadLetter] = []
    batch.suspect = True
    for key in batch.keys:
        key.end(None if alone else Again("the bridge broke on its batch", context.pause(key.attempts), shared=True))
        if alone:
            message = f"the bridge breaks on this record: {type(error).__name__}"
            letters.append(letter(key, key.hints[0].side, message, "report this with the bridge's log"))
    _give_back(context, batch, letters)
    return Progress(looked_at=len(batch.keys), postponed=0 if alone else len(batch.keys))


def _give_back(context: Context, batch: Batch, letters: list[DeadLetter]) -> None:
    with context.store.writing(context.pairing) as transaction:
        transaction.dead.record(letters, context.now())
        follow(context, transaction, batch)


def _progress(batch: Batch, wanted: list[Effect], carried: Carried, conflicts: int) -> Progress:
    done = [one.intent.action for one in wanted if carried.outcomes[one.operation.token].result is Result.DONE]
    refused = [one for one in carried.outcomes.values() if one.result is Result.REFUSED]
    return Progress(
        looked_at=len(batch.keys),
        created=done.count(Action.CREATE),
        updated=done.count(Action.UPDATE),
        retired=done.count(Action.RETIRE),
        conflicts=conflicts,
        refused=len(refused),
        postponed=sum(key.again is not None for key in batch.keys),
    )
