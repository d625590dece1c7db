"""The bridge's calls on a real ERPNext: who may call, and what becomes of groups of steps."""

import time

import frappe

from agencystack_connector.bridge import groups, reading, setup, signing
from agencystack_connector.bridge.marking import Mark
from agencystack_connector.tests.bridge_case import SECRET, BridgeCase, group, insert, token, update


class TestSigned(BridgeCase):
	"""Calls over HTTP."""

	def test_a_signed_call_answers_and_a_repeated_one_does_not(self):
		once = token()
		status, said = self.call("changes", {"acknowledge": [], "limit": 5})
		self.assertEqual((status, said["changes"], said["more"]), (200, [], False))
		self.assertEqual(len(said["instance"]), 32)
		signed = signing.headers(
			"test", SECRET, "agencystack_connector.bridge.changes", b'{"limit": 5}', once, time.time()
		)
		self.assertEqual(self.call("changes", {"limit": 5}, **signed)[0], 200)
		status, said = self.call("changes", {"limit": 5}, **signed)
		self.assertEqual((status, said["code"]), (401, "agencystack_replayed"))

	def test_what_is_not_signed_well_is_refused(self):
		for changed, code in (
			({"X-AgencyStack-Signature": "0" * 64}, "agencystack_unsigned"),
			({"X-AgencyStack-Signature": ""}, "agencystack_unsigned"),
			({"X-AgencyStack-Key": "other"}, "agencystack_unknown_key"),
			({"X-AgencyStack-Time": str(int(time.time()) - 301)}, "agencystack_late"),
			({"X-AgencyStack-Nonce": "short"}, "agencystack_unsigned"),
		):
			status, said = self.call("changes", {}, **changed)
			self.assertEqual((status, said["code"]), (401, code))

	def test_both_keys_are_good_while_one_is_exchanged(self):
		stored = frappe.get_doc("AgencyStack Bridge Settings")
		first = stored.get_password("key_secret")
		stored.update({"key_id": "new", "key_secret": "n" * 64, "old_key_id": "test", "old_key_secret": first})
		stored.save()
		frappe.db.commit()
		self.assertEqual(self.call("changes", {"limit": 0})[0], 200)
		stored = frappe.get_doc("AgencyStack Bridge Settings")
		stored.update({"key_id": "test", "key_secret": first, "old_key_id": "", "old_key_secret": ""})
		stored.save()
		frappe.db.commit()

	def test_the_bridge_reads_and_writes_what_is_shared_and_nothing_else(self):
		for call, body in (
			("documents", {"doctype": "User", "names": ["Administrator"]}),
			("select", {"doctype": "User", "filters": [], "fields": ["name"]}),
			("walk", {"doctype": "Purchase Invoice", "limit": 5}),
			("digest", {"doctype": "DocType", "ranges": [["", ""]]}),
			("find", {"doctype": "Employee", "tokens": ["x"]}),
		):
			self.assertIn(self.call(call, body)[0], (400, 403), call)
		note = group(insert("Note", title="x"))
		status, said = self.call("apply", {"groups": [note]})
		self.assertEqual((status, said["saved"][note["token"]]["kind"]), (200, "PermissionError"))


class TestApply(BridgeCase):
	"""Groups of steps, as the bridge's user."""

	def apply(self, *asked):
		"""Carry groups out; return their answers in their order."""
		frappe.set_user(setup.USER)
		saved = groups.save(list(asked))
		frappe.set_user("Administrator")
		return [saved[one["token"]] for one in asked]

	def test_a_group_is_made_once(self):
		name = self.name("Customer")
		link = {"link_doctype": "Customer", "link_name": {"$made": "main"}}
		one = group(
			insert("Customer", **self.customer_values(name)),
			insert("Contact", "contact", first_name="Ann", links=[link]),
		)
		for _ in range(2):
			[saved] = self.apply(one)
			self.assertEqual((saved["result"], saved["name"]), ("done", name))
		self.assertEqual(frappe.db.count("Customer", {"customer_name": name}), 1)
		self.assertEqual(frappe.db.count("Dynamic Link", {"link_name": name, "parenttype": "Contact"}), 1)
		self.assertEqual(reading.find("Customer", [one["token"], "other"]), {one["token"]: name})
		self.assertEqual(self.marked(), set(), "the bridge reads back what it wrote")

	def test_a_group_that_fails_at_its_end_leaves_nothing_and_does_not_stop_the_others(self):
		bad, good = self.name("Bad"), self.name("Good")
		first = group(
			insert("Customer", **self.customer_values(bad)),
			insert("Address", "address", address_title=bad, address_line1="1", city="B", country="Nowhere"),
		)
		second = group(insert("Customer", **self.customer_values(good)))
		failed, saved = self.apply(first, second)
		self.assertEqual((failed["result"], failed["kind"]), ("refused", "LinkValidationError"))
		self.assertEqual(failed["step"], "insert Address")
		self.assertIn("Nowhere", failed["message"])
		self.assertEqual(saved["result"], "done")
		self.assertFalse(frappe.db.exists("Customer", {"customer_name": bad}))

	def test_a_condition_that_does_not_hold_writes_nothing(self):
		customer = self.customer()
		frappe.db.commit()
		now = str(customer.modified)
		first, second = self.apply(
			group(update("Customer", customer.name, now, website="https://one.example")),
			group(update("Customer", customer.name, now, website="https://two.example")),
		)
		self.assertEqual((first["result"], second["result"]), ("done", "stale"))
		self.assertEqual(frappe.db.get_value("Customer", customer.name, "website"), "https://one.example")

	def test_what_is_so_already_is_done_and_what_is_gone_is_stale(self):
		item = self.item()
		order = self.order(item.name)
		order.submit()
		frappe.db.commit()
		again = {"action": "submit", "doctype": "Sales Order", "name": order.name}
		cancel = {"action": "cancel", "doctype": "Sales Order", "name": order.name}
		delete = {"action": "delete", "doctype": "Sales Order", "name": order.name}
		steps = (again, cancel, cancel, delete, delete, cancel, update("Sales Order", order.name, po_no="x"))
		answers = self.apply(*[group(step) for step in steps])
		self.assertEqual([one["result"] for one in answers], [*["done"] * 5, "stale", "stale"])

	def test_what_erpnext_would_drop_silently_is_refused(self):
		item = self.item()
		frappe.db.commit()
		saved = self.apply(
			group(update("Item", item.name, webzite="x")),
			group(update("Item", item.name, barcodes=[{"barkode": "1"}])),
		)
		self.assertEqual([one["result"] for one in saved], ["refused", "refused"])
		self.assertIn("webzite", saved[0]["message"])
		self.assertIn("barkode", saved[1]["message"])

	def test_an_order_has_our_name_and_not_one_of_the_series(self):
		item, customer = self.item(), self.customer()
		self.quiet()
		name = self.name("WC")
		made = {"action": "submit", "doctype": "Sales Order", "name": {"$made": "main"}}
		values = self.order_values(customer.name, item.name, name=name)
		[saved] = self.apply(group(insert("Sales Order", ignore_pricing_rule=1, **values), made))
		self.assertEqual((saved["result"], saved["name"]), ("done", name))
		stored = frappe.db.get_value("Sales Order", name, ["docstatus", "ignore_pricing_rule"])
		self.assertEqual(stored, (1, 1), "the field has a permission level of its own")
		self.assertEqual(self.marked(), {Mark("product", item.name)}, "what it holds moved, and nobody reads that back")

	def test_documents_are_made_of_others_by_erpnexts_own_functions_alone(self):
		item, customer = self.stocked(), self.customer()
		name = self.name("WC")
		order = frappe.get_doc({"doctype": "Sales Order", **self.order_values(customer.name, item.name)})
		order.insert(set_name=name).submit()
		frappe.db.commit()
		selling = "erpnext.selling.doctype.sales_order.sales_order"

		def mapped(doctype, method, source=name, **rest):
			return {"action": "map", "doctype": doctype, "called": "main", "method": method, "source": source, **rest}

		def submitted(doctype):
			return {"action": "submit", "doctype": doctype, "name": {"$made": "main"}}

		payment = mapped(
			"Payment Entry",
			"erpnext.accounts.doctype.payment_entry.payment_entry.get_payment_entry",
			arguments={"dt": "Sales Order"},
			values={"reference_no": self.name("tx"), "reference_date": frappe.utils.today()},
		)
		invoice = mapped("Sales Invoice", f"{selling}.make_sales_invoice", values={"disable_rounded_total": 1})
		delivery = mapped("Delivery Note", f"{selling}.make_delivery_note")
		answers = self.apply(
			group(payment, submitted("Payment Entry")),
			group(invoice, submitted("Sales Invoice")),
			group(delivery, submitted("Delivery Note")),
			group(mapped("User", "frappe.core.doctype.user.user.sign_up")),
			group(mapped("Sales Invoice", f"{selling}.make_sales_invoice", arguments={"ignore_permissions": 1})),
		)
		self.assertEqual([one["result"] for one in answers], ["done", "done", "done", "refused", "refused"])
		self.assertEqual(frappe.db.get_value("Sales Order", name, "status"), "Completed")
		returned = mapped(
			"Sales Invoice",
			"erpnext.accounts.doctype.sales_invoice.sales_invoice.make_sales_return",
			source=answers[1]["name"],
		)
		[credit] = self.apply(group(returned, submitted("Sales Invoice")))
		self.assertEqual(credit["result"], "done", credit)
		self.assertIn(Mark("order", name), self.marked())

	def test_nobody_is_mailed_unless_the_group_says_so(self):
		alert = frappe.get_doc(
			{
				"doctype": "Notification",
				"name": self.name("Alert"),
				"subject": "new",
				"document_type": "Customer",
				"event": "New",
				"channel": "Email",
				"message": "x",
				"recipients": [{"receiver_by_document_field": "owner"}, {"receiver_by_role": "System Manager"}],
				"enabled": 1,
			}
		).insert(ignore_if_duplicate=True)
		sender = self._sender()
		frappe.db.commit()
		try:
			queued = frappe.db.count("Email Queue")
			made = [
				group(insert("Customer", **self.customer_values(self.name("Mail"))), notify=loud)
				for loud in (False, True, False)
			]
			answers = self.apply(*made)
			self.assertEqual([one["result"] for one in answers], ["done"] * 3, answers)
			self.assertEqual(frappe.db.count("Email Queue"), queued + 1)
			self.customer()
			frappe.db.commit()
			self.assertEqual(frappe.db.count("Email Queue"), queued + 2, "people's own work still mails")
			frappe.set_user(setup.USER)
			frappe.sendmail(recipients=["somebody@example.com"], subject="a job of the bridge's user", message="x")
			frappe.set_user("Administrator")
			self.assertEqual(frappe.db.count("Email Queue"), queued + 2)
		finally:
			alert.delete()
			if sender:
				sender.delete()
			frappe.db.commit()

	def _sender(self):
		"""Return an account that mails can be queued for, if there is none; it reaches no server."""
		if frappe.db.exists("Email Account", {"default_outgoing": 1, "enable_outgoing": 1}):
			return None
		return frappe.get_doc(
			{
				"doctype": "Email Account",
				"email_account_name": self.name("Sender"),
				"email_id": f"{self.name('sender')}@example.com".lower(),
				"enable_outgoing": 1,
				"default_outgoing": 1,
				"smtp_server": "mail.invalid",
				"no_smtp_authentication": 1,
			}
		).insert()

	def test_portal_users_are_the_only_users_the_bridge_makes(self):
		email = f"{self.name('person')}@example.com".lower()
		person = {"email": email, "first_name": "P", "user_type": "Website User", "send_welcome_email": 1}
		answers = self.apply(
			group(insert("User", **person)),
			group(insert("User", **{**person, "email": f"x{email}"}, roles=[{"role": "System Manager"}])),
			group(insert("User", **{**person, "email": f"y{email}", "user_type": "System User"})),
			group(update("User", email, first_name="Q")),
			group(update("User", "Administrator", first_name="Q")),
		)
		self.assertEqual([one["result"] for one in answers], ["done", *["refused"] * 4])
		self.assertEqual({one["kind"] for one in answers[1:]}, {"PermissionError"})
		self.assertEqual(frappe.get_roles(email).count("System Manager"), 0)
		asked = {"doctype": "User", "filters": [["name", "in", [email]]], "fields": ["name", "user_type"]}
		self.assertEqual(self.call("select", asked), (200, {"rows": [{"name": email, "user_type": "Website User"}]}))
		self.assertEqual(self.call("select", {**asked, "fields": ["name", "api_key"]})[0], 403)
		self.assertEqual(self.call("documents", {"doctype": "User", "names": [email]})[0], 403)

	def test_settings_of_one_document_are_read_too(self):
		frappe.set_user(setup.USER)
		shown = reading.documents("Stock Settings", ["Stock Settings"])
		frappe.set_user("Administrator")
		self.assertIn("auto_insert_price_list_rate_if_missing", shown["Stock Settings"])

	def test_documents_are_shown_as_rest_shows_them(self):
		item, customer = self.item(), self.customer()
		order = self.order(item.name)
		order.submit()
		frappe.db.commit()
		frappe.set_user(setup.USER)
		shown = reading.documents("Sales Order", [order.name, "nothing"])
		frappe.set_user("Administrator")
		rest = frappe.parse_json(frappe.as_json(frappe.get_doc("Sales Order", order.name).as_dict(no_nulls=True)))
		ours = frappe.parse_json(frappe.as_json(shown[order.name]))
		self.assertEqual(len(ours.pop("agencystack_row")), 16)
		self.assertTrue(ours.pop("agencystack_modified_utc").endswith("Z"))
		self.assertEqual(list(shown), [order.name])
		for row in (rest, *rest["items"]):
			# Virtual fields without a value are the only empty ones Frappe shows.
			for empty in [name for name, value in row.items() if value is None or name == "__onload"]:
				row.pop(empty)
		self.assertEqual(ours, rest)
		self.assertIsNotNone(customer)
