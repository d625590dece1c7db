"""What marks what, on a real ERPNext: each way a record's fields can change, those without any document event too."""

import threading

import frappe
from frappe.database import get_db

from agencystack_connector.bridge import numbers, outbox
from agencystack_connector.bridge.marking import Mark
from agencystack_connector.tests.bridge_case import BridgeCase


class TestMarks(BridgeCase):
	"""Documents mark the records they are about."""

	def test_a_customer_and_what_hangs_on_it(self):
		customer = self.customer()
		self.assertEqual(self.marked(), {Mark("customer", customer.name)})
		link = {"link_doctype": "Customer", "link_name": customer.name}
		contact = frappe.get_doc({"doctype": "Contact", "first_name": self.name(), "links": [link]}).insert()
		self.assertEqual(self.marked(), {Mark("customer", customer.name)})
		other = self.customer()
		self.quiet()
		contact.links[0].link_name = other.name
		contact.save()
		self.assertEqual(self.marked(), {Mark("customer", customer.name), Mark("customer", other.name)})
		contact.delete()
		self.assertEqual(self.marked(), {Mark("customer", other.name)})
		frappe.get_doc(
			{
				"doctype": "Address",
				"address_title": self.name(),
				"address_type": "Billing",
				"address_line1": "1",
				"city": "B",
				"country": frappe.db.get_value("Company", self.company, "country"),
				"links": [link],
			}
		).insert()
		self.assertEqual(self.marked(), {Mark("customer", customer.name)})

	def test_a_renamed_a_merged_and_a_deleted_customer(self):
		one, other = self.customer(), self.customer()
		self.quiet()
		new = self.name("Renamed")
		frappe.rename_doc("Customer", one.name, new)
		self.assertEqual(self.marked(), {Mark("customer", one.name), Mark("customer", new)})
		frappe.rename_doc("Customer", new, other.name, merge=True)
		self.assertEqual(self.marked(), {Mark("customer", new), Mark("customer", other.name)})
		frappe.delete_doc("Customer", other.name)
		self.assertIn(Mark("customer", other.name), self.marked())

	def test_an_item_its_price_and_its_template(self):
		item = self.item()
		self.assertEqual(self.marked(), {Mark("product", item.name)})
		price = frappe.get_doc(
			{"doctype": "Item Price", "item_code": item.name, "price_list": self.price_list, "price_list_rate": 1}
		).insert()
		self.assertEqual(self.marked(), {Mark("product", item.name)})
		price.delete()
		self.assertEqual(self.marked(), {Mark("product", item.name)})
		attribute = frappe.get_doc(
			{
				"doctype": "Item Attribute",
				"attribute_name": self.name("Size"),
				"item_attribute_values": [{"attribute_value": "S", "abbr": "S"}],
			}
		).insert()
		template = self.item(has_variants=1, attributes=[{"attribute": attribute.name}])
		self.quiet()
		row = {"attribute": attribute.name, "attribute_value": "S"}
		variant = self.item(variant_of=template.name, attributes=[row])
		self.assertIn(Mark("variation", variant.name), self.marked())
		frappe.delete_doc("Item", template.name)
		self.assertEqual(self.marked(), {Mark("product", template.name), Mark("variation", variant.name)})

	def test_a_category(self):
		group = frappe.get_doc(
			{"doctype": "Item Group", "item_group_name": self.name("Group"), "parent_item_group": "All Item Groups"}
		).insert()
		self.assertIn(Mark("category", group.name), self.marked())

	def test_stock_that_comes_is_counted_and_goes(self):
		item = self.stocked(10)
		self.assertIn(Mark("product", item.name), self.marked())
		count = frappe.get_doc(
			{
				"doctype": "Stock Reconciliation",
				"purpose": "Stock Reconciliation",
				"company": self.company,
				"items": [{"item_code": item.name, "warehouse": self.warehouse, "qty": 7, "valuation_rate": 1}],
			}
		).insert()
		self.quiet()
		count.submit()
		self.assertEqual(self.marked(), {Mark("product", item.name)})
		self.assertEqual(self._bin(item.name)["actual_qty"], 7)
		count.cancel()
		self.assertEqual(self.marked(), {Mark("product", item.name)})
		self.assertEqual(self._bin(item.name)["actual_qty"], 10)

	def test_stock_that_is_reckoned_anew(self):
		item = self.stocked(10)
		bin_name = frappe.db.get_value("Bin", {"item_code": item.name, "warehouse": self.warehouse})
		self.quiet()
		frappe.get_doc("Bin", bin_name).recalculate_qty()
		self.assertEqual(self.marked(), {Mark("product", item.name)})
		repost = frappe.get_doc(
			{
				"doctype": "Repost Item Valuation",
				"based_on": "Item and Warehouse",
				"item_code": item.name,
				"warehouse": self.warehouse,
				"company": self.company,
				"posting_date": frappe.utils.today(),
				"posting_time": "00:00:01",
			}
		).insert()
		repost.submit()
		self.quiet()
		repost.db_set("status", "Completed")
		self.assertEqual(self.marked(), {Mark("product", item.name)})

	def test_what_orders_hold_moves_without_any_event_of_bin(self):
		item = self.stocked(10)
		order = self.order(item.name)
		self.quiet()
		both = {Mark("order", order.name), Mark("product", item.name)}
		order.submit()
		self.assertEqual(self.marked(), both)
		self.assertEqual(self._bin(item.name)["reserved_qty"], 2)
		order.update_status("Closed")
		self.assertEqual(self.marked(), both)
		self.assertEqual(self._bin(item.name)["reserved_qty"], 0)
		order.update_status("Draft")
		self.assertEqual(self.marked(), both)
		self.assertEqual(self._bin(item.name)["reserved_qty"], 2)
		order.reload()
		order.cancel()
		self.assertEqual(self.marked(), both)
		self.assertEqual(self._bin(item.name)["reserved_qty"], 0)

	def test_lines_changed_after_submit(self):
		from erpnext.controllers.accounts_controller import update_child_qty_rate

		item = self.stocked(10)
		order = self.order(item.name)
		order.submit()
		self.quiet()
		line = order.items[0]
		change = [
			{
				"docname": line.name,
				"item_code": item.name,
				"qty": 5,
				"rate": 5,
				"delivery_date": str(line.delivery_date),
				"conversion_factor": 1,
				"uom": line.uom,
			}
		]
		update_child_qty_rate("Sales Order", frappe.as_json(change), order.name)
		self.assertEqual(self.marked(), {Mark("order", order.name), Mark("product", item.name)})
		self.assertEqual(self._bin(item.name)["reserved_qty"], 5)

	def test_a_delivery_an_invoice_and_a_payment_are_about_their_order(self):
		from erpnext.accounts.doctype.payment_entry.payment_entry import get_payment_entry
		from erpnext.selling.doctype.sales_order.sales_order import make_delivery_note, make_sales_invoice

		item = self.stocked(10)
		order = self.order(item.name)
		order.submit()
		self.quiet()
		payment = get_payment_entry("Sales Order", order.name)
		payment.update({"reference_no": self.name(), "reference_date": frappe.utils.today()})
		payment.insert()
		payment.submit()
		self.assertLessEqual({Mark("order", order.name), Mark("payment", payment.name)}, self.marked())
		note = make_delivery_note(order.name).insert()
		self.quiet()
		note.submit()
		self.assertEqual(self.marked(), {Mark("order", order.name), Mark("product", item.name)})
		self.assertEqual(self._bin(item.name), {"actual_qty": 8, "reserved_qty": 0})
		note.cancel()
		self.assertEqual(self.marked(), {Mark("order", order.name), Mark("product", item.name)})
		invoice = make_sales_invoice(order.name)
		invoice.update_stock = 1
		invoice.insert()
		self.quiet()
		invoice.submit()
		self.assertEqual(self.marked(), {Mark("order", order.name), Mark("product", item.name)})
		self.assertEqual(self._bin(item.name), {"actual_qty": 8, "reserved_qty": 0})

	def test_a_credit_note_is_about_its_order(self):
		from erpnext.accounts.doctype.sales_invoice.sales_invoice import make_sales_return
		from erpnext.selling.doctype.sales_order.sales_order import make_sales_invoice

		item = self.item()
		order = self.order(item.name)
		order.submit()
		invoice = make_sales_invoice(order.name).insert()
		invoice.submit()
		self.quiet()
		credit = make_sales_return(invoice.name).insert()
		credit.submit()
		self.assertEqual(self.marked(), {Mark("order", order.name)})

	def test_an_amended_order_is_the_record_of_the_first(self):
		order = self.order(self.item().name)
		order.submit()
		order.cancel()
		amended = frappe.copy_doc(order)
		amended.amended_from = order.name
		self.quiet()
		amended.insert()
		self.assertEqual(self.marked(), {Mark("order", order.name), Mark("order", amended.name)})

	def test_content(self):
		page = frappe.get_doc({"doctype": "Web Page", "title": self.name("Page"), "main_section": "x"}).insert()
		self.assertEqual(self.marked(), {Mark("page", page.name)})
		page.delete()
		self.assertEqual(self.marked(), {Mark("page", page.name)})

	def _bin(self, item):
		return frappe.db.get_value(
			"Bin", {"item_code": item, "warehouse": self.warehouse}, ["actual_qty", "reserved_qty"], as_dict=True
		)


class TestOutbox(BridgeCase):
	"""Marks are delivered whatever happens around them."""

	def test_what_is_rolled_back_leaves_no_mark(self):
		self.customer()
		frappe.db.rollback()
		kept = self.customer()
		self.assertEqual(self.marked(), {Mark("customer", kept.name)})

	def test_what_is_not_shared_leaves_no_mark(self):
		stored = frappe.get_doc("AgencyStack Bridge Settings")
		rows = {row.entity: row for row in stored.entities}
		rows["customer"].narrowed_to = "off"
		stored.save()
		self.customer()
		item = self.item()
		self.assertEqual(self.marked(), {Mark("product", item.name)})
		rows["customer"].narrowed_to = ""
		stored.save()
		frappe.db.commit()
		self.assertEqual(stored.revision, int(stored.get_doc_before_save().revision) + 1)

	def test_a_commit_that_comes_late_is_delivered_and_an_acknowledgement_takes_exactly_its_rows(self):
		conf = frappe.conf
		other = get_db(host=conf.db_host, port=conf.db_port, user=conf.db_name, password=conf.db_password)
		other.connect()
		other.use(frappe.conf.db_name)
		other.begin()
		other.sql(f"insert into `{numbers.TABLE}` (entity, document) values ('customer', 'late')")
		customer = self.customer()
		frappe.db.commit()
		marks, more = outbox.oldest(10)
		self.assertEqual([mark for _, mark in marks], [Mark("customer", customer.name)])
		self.assertFalse(more)
		# Neither the reader nor another writer waits for the transaction that is still open.
		outbox.acknowledge([number for number, _ in marks])
		self.customer()
		frappe.db.commit()
		other.commit()
		other.close()
		late = [mark for _, mark in outbox.oldest(10)[0]]
		self.assertEqual(late[0], Mark("customer", "late"))
		self.assertEqual(len(late), 2)

	def test_a_record_that_changes_again_has_a_new_mark(self):
		customer = self.customer()
		frappe.db.commit()
		[(first, _)] = outbox.oldest(10)[0]
		customer.save()
		frappe.db.commit()
		[(second, _)] = outbox.oldest(10)[0]
		self.assertGreater(second, first)
		outbox.acknowledge([first])
		self.assertEqual([number for number, _ in outbox.oldest(10)[0]], [second])

	def test_the_epoch_never_goes_back(self):
		self.customer()
		frappe.db.commit()
		[(number, _)] = outbox.oldest(10)[0]
		self.assertEqual(numbers.epoch(), number)
		outbox.acknowledge([number])
		self.assertEqual(numbers.epoch(), number)
		self.assertEqual(numbers.backlog(), 0)

	def test_many_marks_are_told_in_parts_one_a_record(self):
		for number in range(30):
			frappe.db.sql(
				f"insert into `{numbers.TABLE}` (entity, document) values ('order', %s)", (f"O-{number % 7}",)
			)
		frappe.db.commit()
		marks, more = outbox.oldest(5)
		self.assertEqual(len({mark for _, mark in marks}), 5)
		self.assertTrue(more)
		outbox.acknowledge([number for number, _ in marks])
		rest, more = outbox.oldest(5)
		self.assertFalse(more)
		self.assertEqual(
			{mark for _, mark in marks} | {mark for _, mark in rest}, {Mark("order", f"O-{n}") for n in range(7)}
		)

	def test_a_bridge_that_is_away_costs_a_row_a_record(self):
		customer = self.customer()
		for _ in range(5):
			customer.save()
			frappe.db.commit()
		self.assertEqual(numbers.backlog(), 5)
		outbox.tidy()
		self.assertEqual([mark for _, mark in outbox.oldest(10)[0]], [Mark("customer", customer.name)])
		self.assertEqual(numbers.backlog(), 1)

	def test_a_business_transaction_does_not_fail_for_a_mark(self):
		kept = outbox._insert
		outbox._insert = lambda marks: frappe.db.sql("select * from `tabThere Is No Such Table`")
		try:
			customer = self.customer()
			frappe.db.commit()
		finally:
			outbox._insert = kept
		frappe.db.rollback()
		self.assertTrue(frappe.db.exists("Customer", customer.name))

	def test_writers_of_records_in_any_order_do_not_stop_each_other(self):
		site, failed = frappe.local.site, []
		records = [Mark("product", f"P-{number}") for number in range(5)]

		def write(order):
			try:
				frappe.init(site=site, force=True)
				frappe.connect()
				for _ in range(20):
					outbox.pending().add(order)
					frappe.db.commit()
				frappe.destroy()
			except Exception as why:  # noqa: BLE001 - told in the main thread
				failed.append(why)

		threads = [threading.Thread(target=write, args=(records[start:] + records[:start],)) for start in range(4)]
		for thread in threads:
			thread.start()
		for thread in threads:
			thread.join(30)
		self.assertEqual(failed, [])
		frappe.db.rollback()
		self.assertEqual(numbers.backlog(), 4 * 20 * 5)
