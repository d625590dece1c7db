"""Keeps writes of the bridge from mailing people, unless it says so.

Frappe's own ``mute_emails`` keeps mails from being sent by the request that has it, not from being queued: the
scheduler sends them some minutes later. So a mail that the bridge's user queued is taken out again before the commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import frappe

from agencystack_connector.bridge.settings import USER

_LOUD = "agencystack_may_mail"


@contextmanager
def mails(*, wanted: bool) -> Iterator[None]:
	"""Let what happens within send mails, or not; other requests are not affected.

	Args:
		wanted: people may be written to.
	"""
	before = (frappe.flags.mute_emails, frappe.flags.get(_LOUD))
	frappe.flags.mute_emails, frappe.flags[_LOUD] = (before[0] if wanted else True), wanted
	try:
		yield
	finally:
		frappe.flags.mute_emails, frappe.flags[_LOUD] = before


def without_notifications(doc):
	"""Keep a document's Notifications from running: they also write by SMS and to other services."""
	if not frappe.flags.get(_LOUD):
		doc.flags.notifications = []
	return doc


def queued(mail, _method=None):
	"""Take a mail that the bridge's user caused out of the queue; a hook of Email Queue.

	Its background jobs run as the same user, and never say that they may mail.
	"""
	if frappe.session.user == USER and not frappe.flags.get(_LOUD):
		frappe.db.delete("Email Queue Recipient", {"parent": mail.name})
		frappe.db.delete("Email Queue", {"name": mail.name})
