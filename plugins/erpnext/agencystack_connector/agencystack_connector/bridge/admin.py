"""What AgencyStack asks for over REST, as a System Manager, to make this site part of a bridge or take it out."""

from __future__ import annotations

from typing import Any

import frappe

from agencystack_connector import __version__
from agencystack_connector.bridge import calls, hint, numbers, settings, setup
from agencystack_connector.bridge.entities import DIRECTIONS, unknown
from agencystack_connector.bridge.fields import TOKEN, TOKENED

MOST_KEYS = 2
SHORTEST_SECRET = 32


@frappe.whitelist(methods=["POST"])
def configure(pairing: str, hook_url: str, keys: Any, entities: Any) -> dict[str, Any]:
	"""Make this site ready for a bridge; doing it again changes what is different.

	Args:
		pairing: the bridge's name for this pair of sites.
		hook_url: where hints go, ``<bridge>/hooks/<pairing>/erpnext``; empty sends none.
		keys: ``[{"id", "secret"}]``: the key that is good, and after it the one before while it is being exchanged.
		entities: the direction of each shared entity: ``{"customer": "both"}``.
	"""
	frappe.only_for("System Manager")
	keys, entities = frappe.parse_json(keys), frappe.parse_json(entities)
	_refuse_bad(pairing, hook_url, keys, entities)
	stored = frappe.get_doc(settings.DOCTYPE)
	stored.update({"pairing": pairing, "hook_url": hook_url})
	_set_keys(stored, keys)
	_set_entities(stored, entities)
	# The rights of the bridge's user follow whenever these settings are saved.
	stored.bridge_user = setup.USER
	stored.flags.from_agencystack = True
	stored.save()
	return state()


@frappe.whitelist(methods=["POST"])
def clear(purge: int | str = 0) -> dict[str, Any]:
	"""Take this site out of the bridge. What it wrote stays, and so do the columns of its custom fields.

	Args:
		purge: 1 empties these columns, too.
	"""
	frappe.only_for("System Manager")
	if int(purge or 0):
		setup.empty_fields()
	setup.undo()
	setup.empty()
	return state()


@frappe.whitelist()
def state() -> dict[str, Any]:
	"""Return how this site is set up for the bridge; never a secret."""
	frappe.only_for("System Manager")
	now = settings.load()
	stored = frappe.get_doc(settings.DOCTYPE)
	return {
		"version": __version__,
		"url": frappe.utils.get_url(),
		"instance": now.instance,
		"pairing": now.pairing,
		"hook_url": now.hook_url,
		"keys": [key_id for key_id in (stored.key_id, stored.old_key_id) if key_id],
		"user": now.user,
		"entities": dict(now.directions),
		"narrowed": {"revision": now.revision, "entities": dict(now.narrowed)},
		"missing": _missing(),
		"backlog": numbers.backlog(),
		"epoch": numbers.epoch(),
		"last_contact": frappe.cache.get_value(calls.CONTACT) or "",
		"failed_hints": hint.failed(),
	}


def _missing() -> list[str]:
	"""Return the doctypes that the bridge knows and this site has not, or has without our field."""
	return [
		doctype
		for doctype in TOKENED
		if not frappe.db.exists("DocType", doctype, cache=True) or not frappe.get_meta(doctype).has_field(TOKEN)
	]


def _refuse_bad(pairing: str, hook_url: str, keys: Any, entities: Any) -> None:
	if frappe.db.db_type != "mariadb":
		frappe.throw("The data bridge works on MariaDB; this site keeps its data in another database.")
	if not pairing:
		frappe.throw("A pairing needs a name.")
	if hook_url and not hook_url.startswith(("https://", "http://")):
		frappe.throw("The bridge's address must begin with https:// or http://.")
	if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
		frappe.throw(f"One key is needed, and {MOST_KEYS} while one is being exchanged.")
	for key in keys:
		if not isinstance(key, dict) or not key.get("id") or len(str(key.get("secret") or "")) < SHORTEST_SECRET:
			frappe.throw(f"A key needs an id, and a secret of at least {SHORTEST_SECRET} characters.")
	if not isinstance(entities, dict) or unknown(entities):
		frappe.throw(f"These are not entities: {', '.join(unknown(entities or ()))}")
	wrong = sorted(str(one) for one in entities.values() if one not in DIRECTIONS)
	if wrong:
		frappe.throw(f"These are not directions: {', '.join(wrong)}")


def _set_keys(stored: Any, keys: list[dict[str, str]]) -> None:
	first, second = (*keys, {"id": "", "secret": ""})[:2]
	stored.update({"key_id": first["id"], "key_secret": first["secret"]})
	stored.update({"old_key_id": second["id"], "old_key_secret": second["secret"]})


def _set_entities(stored: Any, entities: dict[str, str]) -> None:
	"""Set the rows; what people here narrowed stays narrowed."""
	narrowed = {row.entity: row.narrowed_to for row in stored.entities}
	stored.set("entities", [])
	for entity, direction in entities.items():
		stored.append("entities", {"entity": entity, "direction": direction, "narrowed_to": narrowed.get(entity) or ""})
