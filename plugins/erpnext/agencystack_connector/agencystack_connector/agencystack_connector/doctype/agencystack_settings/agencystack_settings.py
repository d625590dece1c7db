"""The settings AgencyStack writes; refused where they would lock everybody out or let too many in."""

import frappe
from frappe import _
from frappe.model.document import Document
from frappe.permissions import AUTOMATIC_ROLES

from agencystack_connector.health_report import is_hash
from agencystack_connector.sso.settings import lines


class AgencyStackSettings(Document):
	"""The app's single document of settings."""

	def validate(self):
		"""Refuse roles that do not exist or cannot be given, and single sign-on without what it checks tokens by."""
		self.roles_claim = self.roles_claim or "roles"
		roles = lines(self.managed_roles)
		self.managed_roles = "\n".join(roles)
		unknown = [role for role in roles if role in AUTOMATIC_ROLES or not frappe.db.exists("Role", role)]
		if unknown:
			frappe.throw(_("Not roles that can be given: {0}").format(", ".join(unknown)))
		if self.sso_enabled:
			self._refuse_without_basics(roles)
		if self.health_token_hash and not is_hash(self.health_token_hash):
			frappe.throw(
				_("{0} must be a hash, never the token itself").format(self.meta.get_label("health_token_hash"))
			)

	def _refuse_without_basics(self, roles):
		for field in ("issuer", "jwks_url", "end_session_url"):
			address = self.get(field) or ""
			if not address.startswith(("https://", "http://")) and (address or field != "end_session_url"):
				frappe.throw(_("{0} must be an address").format(self.meta.get_label(field)))
		if not roles:
			frappe.throw(_("Without managed roles nobody could log in"))
