"""The bridge's calls on a real ERPNext: who may call, and what becomes of groups of steps."""

import time

import frappe

from agencystack_connector.bridge import groups, numbers, reading, setup
from agencystack_connector.bridge.marking import Mark
from agencystack_connector.tests.bridge_case import BridgeCase, group, insert, token, update


class TestSigned(BridgeCase):
	"""Calls over HTTP."""

	def test_a_signed_call_answers_and_a_repeated_one_does_not(self):
		once = token()
		status, said = self.call("changes", {"acknowledge": [], "limit": 5})
		self.assertEqual((status, said["changes"], said["more"]), (200, [], False))
		self.assertEqual(len(said["instance"]), 32)
		from agencystack_connector.bridge import signing
		from agencystack_connector.tests.bridge_case import SECRET

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
			insert("Customer", customer_name=name, customer_type="Individual"),
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
			insert("Customer", customer_name=bad, customer_type="Individual"),
			insert("Address", "address", address_title=bad, address_line1="1", city="B", country="Nowhere"),
		)
		second = group(insert("Customer", customer_name=good, customer_type="Individual"))
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
				group(insert("Customer", customer_name=self.name("Mail"), customer_type="Individual"), notify=loud)
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


class TestDigests(BridgeCase):
	"""Digests follow each stored value, of the documents that hang on a record too."""

	def setUp(self):
		"""Look at what is made from now on."""
		super().setUp()
		self.start = frappe.utils.now()

	def digest(self, doctype, filters=()):
		"""Return the digest of what was made since the test began."""
		from agencystack_connector.bridge import digests

		frappe.db.commit()
		return digests.summary(doctype, self.start, "", filters)

	def test_a_range_changes_with_each_value_and_goes_back_with_it(self):
		item = self.item()
		before = self.digest("Item")
		self.assertEqual(before[0], 1)
		frappe.db.set_value("Item", item.name, "description", "other", update_modified=False)
		changed = self.digest("Item")
		self.assertNotEqual(changed, before)
		frappe.db.set_value("Item", item.name, "description", item.description, update_modified=False)
		self.assertEqual(self.digest("Item"), before)
		frappe.db.set_value("Item", item.name, "brand", "")
		self.assertNotEqual(self.digest("Item"), changed)

	def test_prices_stock_and_rows_count(self):
		item = self.item()
		found = [self.digest("Item")]
		frappe.get_doc(
			{"doctype": "Item Price", "item_code": item.name, "price_list": self.price_list, "price_list_rate": 1}
		).insert()
		found.append(self.digest("Item"))
		item.append("barcodes", {"barcode": self.name()})
		item.save()
		found.append(self.digest("Item"))
		order = self.order(item.name)
		order.submit()
		found.append(self.digest("Item"))
		self.assertEqual(len({number for _, number in found}), 4)

	def test_rows_make_the_range(self):
		from functools import reduce

		from agencystack_connector.bridge import digests

		for _ in range(3):
			self.customer()
		count, number = self.digest("Customer")
		rows = digests.rows("Customer", self.start, "")
		self.assertEqual((count, len(rows)), (3, 3))
		self.assertEqual(
			reduce(lambda one, other: one ^ other, (int(row, 16) for row in rows.values())), int(number, 16)
		)
		self.assertEqual(digests.of_names("Customer", list(rows)), rows)
		self.assertEqual(digests.summary("Customer", self.start, self.start), [0, "0" * 16])

	def test_products_are_told_from_variations(self):
		from agencystack_connector.bridge import digests

		item = self.item()
		frappe.db.commit()
		of_products = digests.rows("Item", self.start, "", [["variant_of", "is", "not set"]])
		of_variations = digests.rows("Item", self.start, "", [["variant_of", "is", "set"]])
		self.assertEqual((list(of_products), of_variations), ([item.name], {}))

	def test_a_walk_sees_each_document_once_even_where_many_have_one_time(self):
		names = [self.customer().name for _ in range(5)]
		frappe.db.sql("update `tabCustomer` set creation = %s where name in %s", (self.start, tuple(names)))
		frappe.db.commit()
		frappe.set_user(setup.USER)
		found, after = [], ""
		while True:
			page = reading.walk(
				{"doctype": "Customer", "filters": [["creation", ">=", self.start]], "after": after, "limit": 2}
			)
			found += page["ids"]
			after = page["next"]
			if not after:
				break
		frappe.set_user("Administrator")
		self.assertEqual(found, sorted(names))


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
