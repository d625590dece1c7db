"""What people decide: conflicts, dead letters, removals that were held back, a pairing that was paused."""

from __future__ import annotations

from collections.abc import Sequence

from agencystack.bridge.merge import RECORD
from agencystack.bridge.record import SideName, Value
from agencystack.bridge.side import Identity
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.brakes import Brake
from agencystack.bridge.store.conflicts import Conflict, ConflictKind
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import record_key
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.brake import CONFIRMED_FOR, sold_out, waits_for
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.matching import NEW
from agencystack.bridge.work.polling import stream
from agencystack.stack.errors import UsageError


def resolve(context: Context, number: int, choice: str, value: Value, by: str) -> None:
    """Decide a conflict; see :meth:`agencystack.bridge.bridge.Bridge.resolve`."""
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        conflict = transaction.conflicts.get(number)
        if conflict is None:
            raise UsageError(f"there is no conflict {number}", remedy="list them with: agencystack bridge conflicts")
        transaction.conflicts.decide(number, _decision(conflict, choice, value), by)
        transaction.audits.add([_decided(conflict, by)], now)
        _look_again(transaction, conflict, "decided", now)


def retry(context: Context, ids: Sequence[int]) -> int:
    """Try dead letters again, and return how many there were."""
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        letters = transaction.dead.get(ids)
        transaction.dead.release([one.id for one in letters])
        for one in letters:
            _look_again(transaction, one, "retried", now)
    return len(letters)


def resume(context: Context, by: str, *, accept: bool) -> None:
    """Go on with a pairing; see :meth:`agencystack.bridge.bridge.Bridge.resume`."""
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        if accept:
            for side in SideName:
                transaction.pairings.set_identity(side, Identity("", "", None), now)
                # Marks of the installation before: another one may give the same ids to changes we never saw.
                transaction.marks.remove(side, transaction.marks.stored(side))
                transaction.cursors.save(stream(side), "")
            transaction.links.forget_created()
        transaction.pairings.set_state(PairingState.ACTIVE, "", now)
        transaction.audits.add([Event("", side, "", "resumed", actor=by) for side in SideName], now)


def confirm_removals(context: Context, entity: str, by: str) -> None:
    """Let removals that were held back happen."""
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        for name in (entity, sold_out(entity)):
            transaction.brakes.save(Brake(name, "confirmed", now, 0, now + CONFIRMED_FOR))
            transaction.inbox.wake([waits_for(name)], now)
        transaction.audits.add([Event(entity, side, "", "removals confirmed", actor=by) for side in SideName], now)


def forget(context: Context, side: SideName, entity: str, ids: Sequence[str], by: str) -> int:
    """Remove every value that is kept of records: of a person who asked for it.

    Ids stay, in links and in the audit; those that tell who somebody is become aliases.

    Returns:
        How many records had something that is removed now.
    """
    now = context.now()
    with context.store.writing(context.pairing) as transaction:
        links = transaction.links.of_records(side, entity, ids)
        names = [link.id for link in links.values()]
        subjects = [*names, *(record_key(side, entity, id_) for id_ in ids)]
        transaction.bases.remove(names)
        transaction.operations.forget(names)
        transaction.conflicts.forget(subjects)
        transaction.dead.forget(subjects)
        hidden: dict[str, str] = {}
        for at in SideName:
            there = ids if at is side else [link.on(at) for link in links.values() if link.on(at)]
            transaction.observations.forget(at, entity, there)
            hidden |= transaction.erasing.ids(at, entity, there)
        transaction.erasing.texts(hidden)
        # Who was never known is not noted down now.
        told = [id_ for id_ in ids if id_ in links or id_ not in hidden]
        transaction.audits.add([Event(entity, side, hidden.get(id_, id_), "forgotten", actor=by) for id_ in told], now)
    return len(links)


def _decision(conflict: Conflict, choice: str, value: Value) -> Value:
    if conflict.kind is ConflictKind.AMBIGUOUS:
        if choice not in (NEW, *conflict.candidates):
            raise UsageError(
                f"{choice!r} is none of the records in question",
                remedy=f"choose one of {', '.join(conflict.candidates)}, or {NEW}",
            )
        return choice
    if not choice and conflict.field != RECORD:
        return value
    if choice not in tuple(SideName):
        raise UsageError(f"{choice!r} is no side", remedy="choose wordpress or erpnext")
    if conflict.field == RECORD:
        return choice
    return conflict.wordpress if choice == SideName.WORDPRESS else conflict.erpnext


def _decided(conflict: Conflict, by: str) -> Event:
    side, record = _where(conflict)
    names = (conflict.field,) if conflict.field else ()
    return Event(conflict.entity, side, record, "resolved", conflict.link, names, actor=by)


def _where(one: Conflict | DeadLetter) -> tuple[SideName, str]:
    if one.wordpress_id:
        return SideName.WORDPRESS, one.wordpress_id
    return SideName.ERPNEXT, one.erpnext_id


def _look_again(transaction: Transaction, one: Conflict | DeadLetter, reason: str, now: int) -> None:
    side, record = _where(one)
    transaction.inbox.add(side, [(one.entity, record)], reason, now)
