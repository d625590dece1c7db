"""What ERPNext's answer to a write means: done, look again, a person must act, nobody knows, or try again."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agencystack.bridge.side import Result
from agencystack.bridge.sides.erpnext.exchange import Answer
from agencystack.stack.secrets import redact

LONGEST = 500
# Frappe's names for MariaDB's 1205 and 1213, and for what another process holds.
_BUSY_KINDS = frozenset({"QueryDeadlockError", "QueryTimeoutError", "DocumentLockedError", "InReadOnlyMode"})
# Lost connection, too many connections, lock wait timeout, deadlock, and InnoDB's snapshot conflict.
_BUSY_NUMBERS = re.compile(r"\((?:1020|1040|1205|1213|2006|2013),")
_UNIQUE = "must be unique"


@dataclass(frozen=True)
class Verdict:
    """What an answer means.

    Args:
        result: how the write ended.
        kind: ERPNext's word for why not.
        message: what it said, without HTML.
        after: seconds to wait, for ``LATER``.
    """

    result: Result
    kind: str = ""
    message: str = ""
    after: float = 0.0


def verdict(answer: Answer, doctype: str = "", name: str = "") -> Verdict:
    """Return what an answer to a write means (facts/erpnext.md, "Resource API").

    A 500 is no reason to try again: most are ERPNext's way to refuse what it was sent (a Customer without a name, too
    long a text); only its database being busy is.

    Args:
        answer: what came back.
        doctype: of the document that was written; with ``name``, its absence means that it was changed meanwhile.
        name: its name.
    """
    if answer.done:
        return Verdict(Result.DONE)
    if not answer.status:
        return Verdict(Result.UNKNOWN if answer.sent else Result.LATER, message=answer.trouble)
    refusal = answer.refusal
    kind, message = refusal.kind, redact(refusal.words)[:LONGEST]
    if answer.status in {429, 503}:
        return Verdict(Result.LATER, kind, message or f"answered {answer.status}", answer.after)
    if answer.status == 401:
        return Verdict(Result.LATER, kind or "AuthenticationError", "did not accept the bridge's credential")
    if not kind:
        # A proxy's 502 or 504, a page, a bare 500: whatever ERPNext did with the request, it did not say.
        return Verdict(Result.UNKNOWN, message=f"answered {answer.status} without saying what became of the request")
    if kind in _BUSY_KINDS or (answer.status == 500 and _BUSY_NUMBERS.search(refusal.exception)):
        return Verdict(Result.LATER, kind, message, answer.after)
    if kind == "DoesNotExistError" and _UNIQUE in message:
        # Another request has just made what this one was making, too, and ERPNext cannot see it yet: the Bin of an Item
        # in two orders at once (erpnext/stock/utils.py, _create_bin).
        return Verdict(Result.LATER, kind, message, answer.after)
    if kind == "TimestampMismatchError":
        return Verdict(Result.STALE, kind, message)
    if answer.status == 404 and name and message == f"{doctype} {name} not found":
        return Verdict(Result.STALE, kind, message)
    if answer.status == 500:
        message = f"it failed on what it was sent with an error of its own: {refusal.exception or message}"[:LONGEST]
    return Verdict(Result.REFUSED, kind, message)
