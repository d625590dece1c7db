"""The settings of the bridge: what AgencyStack wrote, and what people here narrowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import frappe
from frappe.utils.password import get_decrypted_password

from agencystack_connector.bridge import numbers
from agencystack_connector.bridge.entities import OFF, narrowed

DOCTYPE = "AgencyStack Bridge Settings"
USER = "agencystack-bridge@agencystack.invalid"
"""Nobody can log in as this user, and no mail to it arrives: ``.invalid`` is reserved for that (RFC 2606)."""


@dataclass(frozen=True)
class Settings:
	"""The settings, without the secrets.

	Args:
		pairing: the bridge's name for this pair of sites; empty while it is not configured.
		hook_url: where the bridge is told that something changed; empty tells it nowhere.
		user: who signed calls act as.
		instance: this installation's id.
		directions: by entity, as AgencyStack set them.
		narrowed: by entity, where people here allow less.
		revision: grows with each change of what is narrowed.
	"""

	pairing: str
	hook_url: str
	user: str
	instance: str
	directions: Mapping[str, str]
	narrowed: Mapping[str, str]
	revision: int

	@property
	def allowed(self) -> dict[str, str]:
		"""The direction of each entity once both have said theirs."""
		return {
			entity: narrowed(direction, self.narrowed.get(entity, "")) for entity, direction in self.directions.items()
		}


def load() -> Settings:
	"""Return the settings as they are now."""
	return of(frappe.get_cached_doc(DOCTYPE))


def of(stored: Any) -> Settings:
	"""Return the settings that a document of them says."""
	return Settings(
		pairing=stored.pairing or "",
		hook_url=stored.hook_url or "",
		user=stored.bridge_user or "",
		instance=stored.instance or "",
		directions={row.entity: row.direction for row in stored.entities},
		narrowed={row.entity: row.narrowed_to for row in stored.entities if row.narrowed_to},
		revision=int(stored.revision or 0),
	)


def shared() -> frozenset[str]:
	"""Return the entities whose changes are kept for the bridge; asked with each saved document, so remembered."""
	found = getattr(frappe.local, "agencystack_shared", None)
	if found is None:
		found = frappe.local.agencystack_shared = _shared()
	return found


def forget_shared() -> None:
	"""Ask again: the settings were saved."""
	frappe.local.agencystack_shared = None


def _shared() -> frozenset[str]:
	# While the app is being installed, updated or removed its doctypes are not all there.
	if frappe.flags.in_install or frappe.flags.in_uninstall or not frappe.db.table_exists(numbers.DOCTYPE):
		return frozenset()
	if not frappe.db.exists("DocType", DOCTYPE):
		return frozenset()
	now = load()
	if not now.pairing:
		return frozenset()
	return frozenset(entity for entity, direction in now.allowed.items() if direction != OFF)


def keys() -> dict[str, str]:
	"""Return the secrets of the keys that are good, by their id, the newest first."""
	stored = frappe.get_cached_doc(DOCTYPE)
	found = {}
	for id_field, secret_field in (("key_id", "key_secret"), ("old_key_id", "old_key_secret")):
		key_id = stored.get(id_field)
		secret = key_id and get_decrypted_password(DOCTYPE, DOCTYPE, secret_field, raise_exception=False)
		if secret:
			found[key_id] = secret
	return found
