"""How far the outbox has counted, and how much waits in it."""

from __future__ import annotations

import frappe

DOCTYPE = "AgencyStack Change"
TABLE = f"tab{DOCTYPE}"


def epoch() -> int:
	"""Return the highest number ever given; it never goes back while the table lives, not by deletes nor restarts."""
	[[upcoming]] = frappe.db.sql(
		"select auto_increment from information_schema.tables where table_schema = database() and table_name = %s",
		TABLE,
	)
	return int(upcoming or 1) - 1


def backlog() -> int:
	"""Return how many rows wait."""
	[[rows]] = frappe.db.sql(f"select count(*) from `{TABLE}`")  # noqa: S608 - our own table
	return int(rows)
