"""Joining a real ERPNext to a bridge, narrowing what is shared, and parting it again."""

import frappe

from agencystack_connector.bridge import numbers, setup
from agencystack_connector.tests.bridge_case import BridgeCase


class TestJoining(BridgeCase):
	"""Joining a site and parting it again."""

	def test_rights_follow_what_is_shared(self):
		rules = lambda: set(frappe.get_all("Custom DocPerm", filters={"role": setup.ROLE}, pluck="parent"))  # noqa: E731
		everything = rules()
		self.assertIn("Blog Post", everything)
		stored = frappe.get_doc("AgencyStack Bridge Settings")
		for row in stored.entities:
			row.narrowed_to = "off" if row.entity == "post" else "to_wordpress" if row.entity == "page" else ""
		stored.save()
		self.assertEqual(everything - rules(), {"Blog Post", "Blog Category", "Blogger"})
		self.assertFalse(
			frappe.get_all("Custom DocPerm", filters={"parent": "Blog Post"}), "Frappe's own rules count again"
		)
		self.assertEqual(
			frappe.db.get_value("Custom DocPerm", {"parent": "Web Page", "role": setup.ROLE}, ["read", "write"]), (1, 0)
		)
		for row in stored.entities:
			row.narrowed_to = ""
		stored.save()
		self.assertEqual(rules(), everything)
		frappe.db.commit()

	def test_people_here_narrow_and_never_widen(self):
		stored = frappe.get_doc("AgencyStack Bridge Settings")
		for row in stored.entities:
			row.direction = "both"
		self.assertRaises(frappe.ValidationError, stored.save)
		stored.reload()
		stored.entities = stored.entities[1:]
		self.assertRaises(frappe.ValidationError, stored.save)

	def test_joining_twice_changes_nothing_and_parting_leaves_frappes_own_rules(self):
		def rules():
			fields = ["parent", "role", "permlevel", "write"]
			return frappe.get_all("Custom DocPerm", fields=fields, order_by="name")

		before, joined = frappe.get_all("Custom DocPerm", filters={"role": ["!=", setup.ROLE]}), rules()
		stored = frappe.get_doc("AgencyStack Bridge Settings")
		stored.save()
		self.assertEqual(rules(), joined)
		setup.undo()
		self.assertFalse(frappe.get_all("Custom DocPerm", filters={"role": setup.ROLE}))
		self.assertFalse(frappe.get_meta("Customer").has_field("agencystack_token"))
		self.assertLess(len(rules()), len(before))
		stored.reload()
		stored.save()
		self.assertEqual(len(rules()), len(joined))
		self.assertTrue(frappe.get_meta("Customer").has_field("agencystack_token"))
		frappe.db.commit()

	def test_the_user_cannot_log_in(self):
		user = frappe.get_doc("User", setup.USER)
		self.assertEqual([row.role for row in user.roles], [setup.ROLE])
		self.assertFalse(user.get_password("password", raise_exception=False) if user.get("password") else "")
		self.assertFalse(user.api_key)
		self.assertEqual(numbers.backlog(), 0)
