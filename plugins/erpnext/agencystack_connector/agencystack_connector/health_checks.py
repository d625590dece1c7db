"""Looks at what the site needs to work; asks nobody outside, and no more than some rows of any table."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TypeVar

import frappe
from frappe.utils import now_datetime
from frappe.utils.background_jobs import generate_qname, get_queue, get_queue_list, get_workers
from frappe.utils.scheduler import is_scheduler_inactive

from agencystack_connector import __version__
from agencystack_connector import health_report as say
from agencystack_connector.health_report import Found, Queue

T = TypeVar("T")
COUNTED = 1000
"""Rows that are counted at most."""

APPS_SHOWN = ("frappe", "erpnext")


def everything() -> dict[str, object]:
	"""Return the report of all checks."""
	found = {
		"database": _looked_at(_database, lambda _: say.no_database()),
		"scheduler": _looked_at(_scheduler, _unknown),
		**_looked_at(_background, lambda why: dict.fromkeys(("workers", "queues"), _unknown(why))),
		"email": _looked_at(_email, _unknown),
		"errors": _looked_at(_errors, _unknown),
	}
	return say.report(found, _software(), int(time.time()))


def _looked_at(check: Callable[[], T], otherwise: Callable[[str], T]) -> T:
	"""Return what a check finds; ``otherwise`` makes it of the kind of error where it cannot be made."""
	try:
		return check()
	except Exception as error:  # noqa: BLE001 - whatever it is, it must not take the other checks along
		return otherwise(type(error).__name__)


def _unknown(why: str) -> Found:
	return Found("degraded", {"reason": f"cannot be looked at: {why}"})


def _database() -> Found:
	begun = time.perf_counter()
	frappe.db.sql("select 1")
	return say.database(round((time.perf_counter() - begun) * 1000, 2))


def _scheduler() -> Found:
	[[last]] = frappe.db.sql("select max(last_execution) from `tabScheduled Job Type` where stopped = 0")
	since = None if last is None else max(0, int((now_datetime() - last).total_seconds()))
	return say.scheduler(not is_scheduler_inactive(verbose=False), since)


def _background() -> dict[str, Found]:
	"""Return how workers and queues are; both are Redis' to know."""
	found = _queues()
	return {"workers": say.workers(found), "queues": say.queues(found)}


def _queues() -> dict[str, Queue]:
	taken = [set(worker.queue_names()) for worker in get_workers()]
	found = {}
	for name in get_queue_list():
		queue = get_queue(name)
		first = queue.get_jobs(0, 1)
		found[name] = Queue(
			workers=sum(generate_qname(name) in names for names in taken),
			waiting=queue.count,
			oldest=_seconds_since(first[0].enqueued_at) if first else 0,
			failed=queue.failed_job_registry.count,
		)
	return found


def _seconds_since(moment: datetime | None) -> int:
	"""Return how long ago something was; RQ's times are UTC and do not say so."""
	if moment is None:
		return 0
	moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
	return max(0, int((datetime.now(timezone.utc) - moment).total_seconds()))


def _email() -> Found:
	now = now_datetime()
	late = _count(
		"`tabEmail Queue` where status in ('Not Sent', 'Sending', 'Partially Sent') and creation < %(then)s"
		" and (send_after is null or send_after < %(then)s)",
		now - timedelta(seconds=say.MAIL_LATE),
	)
	errors = _count("`tabEmail Queue` where status = 'Error' and modified > %(then)s", now - timedelta(days=1))
	return say.email(late, errors, bool(frappe.utils.cint(frappe.db.get_default("suspend_email_queue"))))


def _errors() -> Found:
	return say.errors(_count("`tabError Log` where creation > %(then)s", now_datetime() - timedelta(hours=1)))


def _count(rows: str, then: datetime) -> int:
	counted = f"select count(*) from (select 1 from {rows} limit {COUNTED}) counted"  # noqa: S608 - only texts above
	[[number]] = frappe.db.sql(counted, {"then": then})
	return int(number)


def _software() -> dict[str, object]:
	"""Return the versions of what is installed and ours."""
	installed = frappe.get_installed_apps()
	versions = {name: frappe.get_attr(f"{name}.__version__") for name in APPS_SHOWN if name in installed}
	return {**versions, "connector": __version__}
