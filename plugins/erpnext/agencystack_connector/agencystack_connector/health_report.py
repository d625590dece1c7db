"""What is said of a site's health: words for everybody, numbers for whoever shows the token. Imports no Frappe."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

SIGNATURE = "agencystack-connector"
WORDS = ("ok", "degraded", "down")
"""Worst last. Degraded: it works, somebody should look."""

SLOW = 1000
"""Milliseconds that one empty question to the database may take."""

SCHEDULER_LATE = 30 * 60
"""Seconds since the scheduler last did anything; some of its work is due every few minutes."""

WAITING_LONG = 30 * 60
"""Seconds that background work may wait for a worker."""

MAIL_LATE = 10 * 60
"""Seconds that a mail may wait to be sent; Frappe sends every few minutes."""

ERRORS_AN_HOUR = 100
"""Entries of the error log; a busy site has some."""


@dataclass(frozen=True)
class Found:
	"""How one thing is.

	Args:
		word: one of ``WORDS``.
		detail: numbers and the reason; shown with the token only, and never with personal data in it.
	"""

	word: str = "ok"
	detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
	"""A queue of background work.

	Args:
		workers: that take from it.
		waiting: how much waits.
		oldest: seconds the oldest of it has waited.
		failed: how much failed and was kept, of all sites of the bench.
	"""

	workers: int
	waiting: int = 0
	oldest: int = 0
	failed: int = 0


def database(milliseconds: float) -> Found:
	"""Judge how fast the database answered."""
	return _judged(
		{"milliseconds": milliseconds}, milliseconds > SLOW, f"the database needs {milliseconds} ms for nothing"
	)


def no_database() -> Found:
	"""Say that the database did not answer."""
	return Found("down", {"reason": "the database does not answer"})


def scheduler(enabled: bool, since_last: int | None) -> Found:
	"""Judge the scheduler.

	Args:
		enabled: neither paused nor switched off.
		since_last: seconds since it last did anything; None where it never did.
	"""
	detail = {"enabled": enabled, "since_last_seconds": since_last}
	if not enabled:
		return _judged(detail, True, "the scheduler is switched off or paused")
	late = since_last is None or since_last > SCHEDULER_LATE
	return _judged(detail, late, "the scheduler is on and does nothing: no scheduler process, or no worker")


def workers(queues: Mapping[str, Queue]) -> Found:
	"""Judge whether each queue has workers."""
	lonely = sorted(name for name, queue in queues.items() if not queue.workers)
	detail = {name: queue.workers for name, queue in queues.items()}
	return _judged({"queues": detail}, bool(lonely), f"no worker takes from {', '.join(lonely)}")


def queues(found: Mapping[str, Queue]) -> Found:
	"""Judge whether background work waits long."""
	late = sorted(name for name, queue in found.items() if queue.oldest > WAITING_LONG)
	numbers = {
		name: {"waiting": queue.waiting, "oldest_seconds": queue.oldest, "failed": queue.failed}
		for name, queue in found.items()
	}
	return _judged({"queues": numbers}, bool(late), f"work has waited for more than half an hour in {', '.join(late)}")


def email(late: int, errors: int, suspended: bool) -> Found:
	"""Judge the mail that leaves.

	Args:
		late: mails that wait for longer than ``MAIL_LATE``.
		errors: mails of the last day that Frappe gave up.
		suspended: somebody stopped the sending.
	"""
	detail = {"late": late, "errors_of_a_day": errors, "suspended": suspended}
	if suspended:
		return _judged(detail, True, "the sending of mail is suspended (Email Queue)")
	return _judged(detail, bool(late or errors), f"{late} mails wait for more than ten minutes, {errors} were given up")


def errors(of_an_hour: int) -> Found:
	"""Judge how much the error log grows."""
	detail = {"of_an_hour": of_an_hour}
	return _judged(detail, of_an_hour > ERRORS_AN_HOUR, f"{of_an_hour} entries of the error log within an hour")


def report(found: Mapping[str, Found], software: Mapping[str, object], at: int) -> dict[str, object]:
	"""Return everything that was found.

	Args:
		found: by check.
		software: versions.
		at: seconds since 1970.
	"""
	worst = max((WORDS.index(one.word) for one in found.values()), default=0)
	return {
		"from": SIGNATURE,
		"status": WORDS[worst],
		"checks": {name: one.word for name, one in found.items()},
		"detail": {"software": dict(software), **{name: dict(one.detail) for name, one in found.items()}},
		"at": at,
	}


def shown(everything: Mapping[str, object], *, knows_token: bool) -> dict[str, object]:
	"""Return what one may see who does, or does not, know the token."""
	if knows_token:
		return dict(everything)
	return {name: everything[name] for name in ("from", "status", "checks")}


def status_code(everything: Mapping[str, object]) -> int:
	"""Return the status of the answer."""
	return 503 if everything["status"] == "down" else 200


def is_token(given: str, kept: str) -> bool:
	"""Say whether a token is the one whose hash is kept; there may be none."""
	if not given or not kept:
		return False
	return hmac.compare_digest(hashlib.sha256(given.encode()).hexdigest().encode(), kept.encode())


def is_hash(text: str) -> bool:
	"""Say whether something can be the hash of a token."""
	return re.fullmatch("[0-9a-f]{64}", text) is not None


def _judged(detail: Mapping[str, object], bad: bool, reason: str) -> Found:
	return Found("degraded", {**detail, "reason": reason}) if bad else Found("ok", detail)
