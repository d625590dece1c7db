"""Carrying out: operations are written down, asked of their side in groups, and what came of them is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agencystack.bridge.plan import Intent
from agencystack.bridge.record import Fields, LinkRef, SideName, digest, same
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.store.operations import Intended
from agencystack.bridge.work.batch import Batch, Key
from agencystack.bridge.work.context import LEASE, Context, broken_at, log
from agencystack.bridge.work.references import Known, addressed
from agencystack.bridge.work.trouble import PATIENCE, trip, well
from agencystack.stack.errors import AgencyStackError, AuthenticationFailed, BadAnswer, Unavailable

ALONE = 3
"""A key that was tried so often is asked for alone: if it is what breaks the others, they are free of it."""


@dataclass(frozen=True)
class Effect:
    """One operation of one key.

    Args:
        key: whose.
        intent: what the plan said.
        operation: what the side is asked.
    """

    key: Key
    intent: Intent
    operation: Operation

    @property
    def tried(self) -> str:
        """Digest of what is tried, upon what: a refusal holds for exactly that."""
        upon = self.key.seen[self.intent.side].digest if self.intent.side in self.key.seen else ""
        return digest([str(self.intent.action), dict(self.intent.fields), upon])

    def intended(self, now: int) -> Intended:
        """Return it as it is stored."""
        return Intended(
            token=self.operation.token,
            link=self.key.name,
            side=self.intent.side,
            entity=self.key.entity.name,
            record=self.operation.id,
            action=self.intent.action,
            fields=self.intent.fields,
            across=self.intent.across,
            since=now,
            earlier=self.earlier,
        )

    @property
    def earlier(self) -> tuple[Fields, ...]:
        """What the same creation was asked with before, where that was something else."""
        before = [fields for one in self.key.undone for fields in (one.fields, *one.earlier)]
        return tuple(fields for fields in before if not same(dict(fields), dict(self.intent.fields)))


@dataclass
class Carried:
    """What came of the operations, by token."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)


def effects(context: Context, batch: Batch, known: Known) -> list[Effect]:
    """Return the operations of all plans; what was refused just so is not tried again."""
    found: list[Effect] = []
    for key in batch.working():
        for intent in key.plan.intents if key.plan else ():
            fields = addressed(intent.fields, intent.side, known)
            if isinstance(fields, LinkRef):
                continue  # planning let such a key wait
            effect = Effect(key, intent, _operation(context, key, intent, fields))
            letter = key.letters.get(intent.side)
            if letter is None or letter.tried != effect.tried:
                found.append(effect)
    return found


def carry_out(context: Context, batch: Batch, wanted: Sequence[Effect]) -> Carried:
    """Ask the sides for operations, in groups; those that others need come first."""
    carried = Carried()
    down: dict[SideName, str] = {}
    for group in _groups(context, wanted):
        side = group[0].intent.side
        if side in down:
            carried.outcomes |= {
                one.operation.token: Outcome(one.operation.token, Result.LATER, message=down[side]) for one in group
            }
            continue
        _renew(context, batch)
        answers, error = _apply(context, batch, group)
        carried.outcomes |= answers
        if error:
            down[side] = error
    return carried


def _operation(context: Context, key: Key, intent: Intent, fields: Fields) -> Operation:
    creates = intent.action is Action.CREATE
    return Operation(
        # A creation keeps its token until it is known to have happened: asked twice, it happens once.
        token=key.pair.token if creates and key.pair.token else context.token(),
        entity=key.entity.name,
        action=intent.action,
        id="" if creates else key.pair.on(intent.side),
        fields=fields,
        expected=None if creates else key.seen[intent.side],
        how=intent.how,
        notify=context.sharing_of(key.entity.name).notify,
    )


def _groups(context: Context, wanted: Iterable[Effect]) -> list[list[Effect]]:
    together: dict[tuple[int, SideName, str], list[Effect]] = {}
    order = {name: at for at, name in enumerate(context.entities)}
    for one in wanted:
        apart = one.key.name if one.key.attempts >= ALONE else ""
        together.setdefault((order[one.key.entity.name], one.intent.side, apart), []).append(one)
    return [together[which] for which in sorted(together)]


def _renew(context: Context, batch: Batch) -> None:
    """Make sure, before a side is asked for anything, that no other worker has taken over; prolong long batches."""
    now = context.now()
    if batch.until - now > LEASE * 3 // 4:
        return
    with context.store.writing(context.pairing) as transaction:
        transaction.leases.guard(batch.leases, batch.fence, now + LEASE)
    batch.until = now + LEASE


def _apply(context: Context, batch: Batch, group: Sequence[Effect]) -> tuple[Mapping[str, Outcome], str]:
    """Ask for one group, and return its outcomes and, when the side is not well, what is wrong."""
    side, tokens = group[0].intent.side, [one.operation.token for one in group]
    form = context.form(side, group[0].key.entity.name)
    try:
        answered = form.apply([one.operation for one in group])
    except AuthenticationFailed as error:
        trip(context, side, str(error))
        return {token: Outcome(token, Result.LATER, message=str(error)) for token in tokens}, str(error)
    except (Unavailable, BadAnswer) as error:
        failures = trip(context, side, str(error))
        batch.suspect = batch.suspect or failures == 1
        return {token: Outcome(token, Result.UNKNOWN, message=str(error)) for token in tokens}, str(error)
    except Exception as error:  # noqa: BLE001  # whatever broke may have happened already: it is looked up, not lost
        entity = group[0].key.entity.name
        log.error("apply broke", pairing=context.pairing, side=str(side), entity=entity, **broken_at(error))
        return {one.operation.token: _broken(one, error) for one in group}, ""
    outcomes = {token: answered.get(token, Outcome(token, Result.UNKNOWN, message="no answer")) for token in tokens}
    return outcomes, _overloaded(context, side, list(outcomes.values()))


def _broken(effect: Effect, error: Exception) -> Outcome:
    """Return how an operation counts that broke: it is looked up and tried again, and shown when that never helps."""
    known = isinstance(error, AgencyStackError)
    said = str(error) if known else f"the bridge could not write it: {type(error).__name__}"
    remedy = (error.remedy if isinstance(error, AgencyStackError) else "") or "report this with the bridge's log"
    result = Result.REFUSED if effect.key.attempts >= PATIENCE else Result.UNKNOWN
    return Outcome(effect.operation.token, result, message=said, remedy=remedy)


def _overloaded(context: Context, side: SideName, outcomes: Sequence[Outcome]) -> str:
    """Leave a side alone that put everything off, and return what it said; note that another is well."""
    if all(one.result is Result.LATER for one in outcomes):
        message = outcomes[0].message or f"{side} puts off what it is asked"
        trip(context, side, message, max(one.after for one in outcomes))
        return message
    if any(one.result in (Result.DONE, Result.REFUSED, Result.STALE) for one in outcomes):
        well(context, side)
    return ""
