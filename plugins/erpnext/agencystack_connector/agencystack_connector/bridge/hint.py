"""Tells the bridge to look again: soon, seldom, and never while a person waits."""

from __future__ import annotations

import json
import secrets
import time

import frappe
import requests

from agencystack_connector.bridge import numbers, settings, signing

APART = 1
"""Seconds between two hints; what changes in between is told by one more."""

TURNS = 5
"""Times that others' hints may go first, on a site where something changes all the time."""

PATIENCE = 2
"""Seconds the bridge has to answer."""

PAUSE = 30
"""Seconds without hints after the bridge did not answer: it asks by itself, and nobody waits for the dead."""

_SENT, _TRAILING, _PAUSED, _FAILED = (
	"agencystack_hint_sent",
	"agencystack_hint_trailing",
	"agencystack_hint_paused",
	"agencystack_hint_failed",
)


def after_commit() -> None:
	"""Let the transaction under way tell the bridge once it is committed."""
	if not getattr(frappe.local, "agencystack_hinting", False):
		frappe.local.agencystack_hinting = True
		frappe.db.after_commit.add(_committed)
		frappe.db.after_rollback.add(_rolled_back)


def failed() -> int:
	"""Return how many hints failed since the last one that arrived."""
	return int(frappe.cache.get(frappe.cache.make_key(_FAILED)) or 0)


def send() -> None:
	"""Send one hint. A failure is counted and nothing more: the bridge also asks by itself."""
	now, keys = settings.load(), settings.keys()
	if not now.hook_url or not keys:
		return
	key_id, secret = next(iter(keys.items()))
	body = json.dumps({"epoch": numbers.epoch()}).encode()
	route = f"hooks/{now.pairing}/erpnext"
	signed = signing.headers(key_id, secret, route, body, secrets.token_hex(16), time.time())
	try:
		answer = requests.post(
			now.hook_url,
			data=body,
			headers={**signed, "Content-Type": "application/json"},
			timeout=PATIENCE,
			allow_redirects=False,
		)
		answer.raise_for_status()
	except requests.RequestException:
		frappe.cache.incr(frappe.cache.make_key(_FAILED))
		_first(_PAUSED, PAUSE)
	else:
		frappe.cache.delete(frappe.cache.make_key(_FAILED))


def send_later() -> None:
	"""Send the hint that covers what changed since the last one; a background job."""
	for _ in range(TURNS):
		if _first(_SENT, APART):
			break
		time.sleep(min(max(frappe.cache.pttl(frappe.cache.make_key(_SENT)), 1) / 1000, APART))
	# First the flag, then the hint: who changes something in between asks for one more.
	frappe.cache.delete(frappe.cache.make_key(_TRAILING))
	send()


def _committed() -> None:
	frappe.local.agencystack_hinting = False
	try:
		_tell()
	except Exception:  # noqa: BLE001 - the change is committed, and nobody is told of Redis' troubles here
		frappe.logger("agencystack_connector").exception("the bridge was not told")


def _rolled_back() -> None:
	frappe.local.agencystack_hinting = False


def _tell() -> None:
	if not settings.load().hook_url or frappe.cache.exists(frappe.cache.make_key(_PAUSED)):
		return
	request = getattr(frappe.local, "request", None)
	if _first(_SENT, APART):
		# The answer has left by then; a background job would wait for a worker.
		if request is not None and hasattr(request, "after_response"):
			request.after_response.add(send)
		else:
			frappe.enqueue(send, queue="short")
	elif _first(_TRAILING, 60):
		frappe.enqueue(send_later, queue="short")


def _first(key: str, seconds: int) -> bool:
	"""Remember something for some seconds; say whether it was forgotten until now."""
	return bool(frappe.cache.set(frappe.cache.make_key(key), 1, nx=True, ex=seconds))
