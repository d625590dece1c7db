"""Digests and walks on a real ERPNext."""

from functools import reduce

import frappe

from agencystack_connector.bridge import digests, reading, setup
from agencystack_connector.tests.bridge_case import BridgeCase


class TestDigests(BridgeCase):
	"""Digests follow each stored value, of the documents that hang on a record too."""

	def setUp(self):
		"""Look at what is made from now on."""
		super().setUp()
		self.start = frappe.utils.now()

	def digest(self, doctype, filters=()):
		"""Return the digest of what was made since the test began."""
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
