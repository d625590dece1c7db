"""The settings of the data bridge: written by AgencyStack, narrowed by people here."""

import frappe
from frappe import _
from frappe.model.document import Document

from agencystack_connector.bridge import calls, hint, numbers, settings, setup


class AgencyStackBridgeSettings(Document):
	"""The app's single document of what is shared with WordPress."""

	@property
	def last_contact(self):
		"""When the bridge last called."""
		return frappe.cache.get_value(calls.CONTACT)

	@property
	def backlog(self):
		"""How many changes wait for it."""
		return numbers.backlog()

	@property
	def failed_hints(self):
		"""How many hints failed since the last that arrived."""
		return hint.failed()

	def validate(self):
		"""Give the installation its id, and count changes of what is narrowed."""
		if not self.instance:
			self.instance = frappe.generate_hash(length=32)
		before = self.get_doc_before_save()
		if before and not self.flags.from_agencystack and _directions(self) != _directions(before):
			frappe.throw(_("What is shared is decided in AgencyStack; here it can only be narrowed"))
		if before and self._narrowed() != _narrowed(before):
			self.revision = (before.revision or 0) + 1

	def on_update(self):
		"""Let rights follow what is shared."""
		settings.forget_shared()
		if self.pairing:
			setup.ready(settings.of(self).allowed)

	def _narrowed(self):
		return _narrowed(self)


def _directions(doc):
	return {row.entity: row.direction for row in doc.entities}


def _narrowed(doc):
	return {row.entity: row.narrowed_to for row in doc.entities if row.narrowed_to}
