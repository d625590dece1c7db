"""When a side is not well: its keys wait, the breaker opens, and one bad record does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from agencystack.bridge.record import SideName
from agencystack.bridge.store.aliases import alias, tells_who
from agencystack.bridge.store.brakes import Breaker
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import record_key
from agencystack.bridge.work.batch import Again, Batch, Key
from agencystack.bridge.work.context import Context, broken_at, log
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, Refused, Unavailable

T = TypeVar("T")
NOT_WELL = (Unavailable, AuthenticationFailed, BadAnswer)
PATIENCE = 8
"""So many attempts before a record that cannot be read, or stays half-written, is shown to a person."""


def each(
    call: Callable[[Sequence[str]], Mapping[str, T]], ids: Sequence[str]
) -> tuple[dict[str, T], dict[str, Exception]]:
    """Ask for many records; where one makes the whole answer fail, find it and return the others.

    Returns:
        The answers, and the errors of the records that cannot be had.

    Raises:
        Unavailable: the side is not well.
        AuthenticationFailed: it does not know us.
        BadAnswer: not one record can be had: it is the side, not a record.
    """
    answers, errors = _each(call, ids)
    if not answers and errors and all(isinstance(error, BadAnswer) for error in errors.values()):
        raise next(iter(errors.values()))
    return answers, errors


def _each(
    call: Callable[[Sequence[str]], Mapping[str, T]], ids: Sequence[str]
) -> tuple[dict[str, T], dict[str, Exception]]:
    try:
        return dict(call(ids)), {}
    except (Unavailable, AuthenticationFailed):
        raise
    except Exception as error:  # noqa: BLE001  # a translation that fails on one record must not stop all others
        if len(ids) == 1:
            return {}, {ids[0]: _answered(error)}
    half = len(ids) // 2
    first, first_errors = _each(call, ids[:half])
    second, second_errors = _each(call, ids[half:])
    return first | second, first_errors | second_errors


def _answered(error: Exception) -> Exception:
    """Return an error of reading as it counts: what is only read is not declined for good, it may be had later."""
    if isinstance(error, Refused):
        return BadAnswer(error.message, component=error.component, remedy=error.remedy)
    return error


def stumble(context: Context, batch: Batch, side: SideName, keys: Sequence[Key], error: Exception) -> None:
    """Let keys wait because a side is not well, and leave that side alone for a while."""
    log.warning(
        "side not well", pairing=context.pairing, side=str(side), error=type(error).__name__, message=str(error)
    )
    silent = isinstance(error, Unavailable)
    for key in keys:
        key.end(Again(f"{side} is not well: {error}", context.pause(key.attempts), shared=silent))
    if not isinstance(error, BadAnswer):
        failures = trip(context, side, str(error))
        batch.suspect = batch.suspect or (silent and failures == 1)


def trip(context: Context, side: SideName, message: str, after: float = 0.0) -> int:
    """Leave a side alone, the longer the more often it was not well in a row; return how often that is.

    Args:
        context: the pairing.
        side: which.
        message: what was wrong.
        after: seconds it asked for.
    """
    with context.store.writing(context.pairing) as transaction:
        known = transaction.breakers.all().get(side)
        failures = known.failures + 1 if known else 1
        until = context.now() + max(context.pause(failures), int(after * 1000))
        transaction.breakers.save(Breaker(side, failures, until, message))
    return failures


def well(context: Context, side: SideName) -> None:
    """Note that a side answered."""
    with context.store.reading(context.pairing) as transaction:
        tripped = side in transaction.breakers.all()
    if tripped:
        with context.store.writing(context.pairing) as transaction:
            transaction.breakers.close(side)


def unreadable(context: Context, key: Key, side: SideName, error: Exception) -> DeadLetter | None:
    """Return the dead letter of a record that cannot be read; ``None`` while it is worth another attempt."""
    if isinstance(error, BadAnswer) and key.attempts < PATIENCE:
        key.end(Again(f"{side} answers what cannot be read", context.pause(key.attempts)))
        return None
    key.end()
    log.error(
        "record unreadable", pairing=context.pairing, key=logged(context, key), side=str(side), **broken_at(error)
    )
    said = str(error) if isinstance(error, BadAnswer) else type(error).__name__
    return letter(key, side, f"the record cannot be understood: {said}", "look at it there, then retry it here")


def logged(context: Context, key: Key) -> str:
    """Return how a log may name a key: not by an id that tells who somebody is."""
    hint = key.hints[0]
    if key.link is not None or not tells_who(hint.entity, hint.record):
        return key.name
    return record_key(hint.side, hint.entity, alias(context.pairing, hint.side, hint.record))


def letter(
    key: Key, side: SideName, message: str, remedy: str, *, fields: Sequence[str] = (), tried: str = ""
) -> DeadLetter:
    """Return a dead letter about a key."""
    ids = key.ids()
    return DeadLetter(
        entity=key.entity.name,
        subject=key.name,
        side=side,
        wordpress_id=ids.get(SideName.WORDPRESS, ""),
        erpnext_id=ids.get(SideName.ERPNEXT, ""),
        fields=tuple(sorted(fields)),
        message=message,
        remedy=remedy,
        tried=tried,
    )
