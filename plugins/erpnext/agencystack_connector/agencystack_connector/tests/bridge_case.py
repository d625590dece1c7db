"""What the bridge's tests on a real site need: a joined site, records to change, and a look into the outbox."""

import json
import secrets
import time
import unittest

import frappe

from agencystack_connector.bridge import numbers, settings, setup, signing
from agencystack_connector.bridge.marking import Mark

SECRET = "s" * 64
ENTITIES = {
	**dict.fromkeys(("category", "customer", "product", "variation", "order", "post", "page", "submission"), "both"),
	**dict.fromkeys(("payment", "refund"), "to_erpnext"),
}


def token():
	"""Return a token that was never used."""
	return secrets.token_hex(16)


def group(*steps, **rest):
	"""Return a group of steps with a token of its own."""
	return {"token": token(), "steps": list(steps), **rest}


def insert(doctype, called="main", **values):
	"""Return the step that makes a document."""
	return {"action": "insert", "doctype": doctype, "called": called, "values": values}


def update(doctype, name, modified="", **values):
	"""Return the step that changes a document."""
	return {"action": "update", "doctype": doctype, "name": name, "modified": modified, "values": values}


class BridgeCase(unittest.TestCase):
	"""Tests that commit, as marks are written at commit; they make records of their own and take nothing away."""

	@classmethod
	def setUpClass(cls):
		frappe.set_user("Administrator")
		cls.before = frappe.get_doc(settings.DOCTYPE).as_dict()
		stored = frappe.get_doc(settings.DOCTYPE)
		stored.update({"pairing": "test", "hook_url": "", "key_id": "test", "key_secret": SECRET})
		stored.update({"bridge_user": setup.USER, "old_key_id": "", "old_key_secret": ""})
		stored.set("entities", [{"entity": name, "direction": way} for name, way in ENTITIES.items()])
		stored.flags.from_agencystack = True
		stored.save()
		frappe.db.commit()
		cls.company = frappe.get_all("Company", pluck="name")[0]
		cls.warehouse = frappe.get_all(
			"Warehouse",
			filters={"company": cls.company, "is_group": 0, "warehouse_type": ("is", "not set")},
			pluck="name",
		)[0]
		cls.price_list = frappe.get_all("Price List", filters={"selling": 1, "enabled": 1}, pluck="name")[0]
		cls.tag = f"T{int(time.time() * 1000)}"

	def setUp(self):
		"""Begin with an empty outbox, as the administrator."""
		frappe.set_user("Administrator")
		frappe.local.agencystack_shared = None
		frappe.db.rollback()
		frappe.db.delete(numbers.DOCTYPE)
		frappe.db.commit()

	def name(self, word="x"):
		"""Return a name that is not taken."""
		return f"{self.tag}-{word}-{secrets.token_hex(3)}"

	def marked(self):
		"""Commit, and return what was marked since the last look."""
		frappe.db.commit()
		found = {
			Mark(entity, name) for entity, name in frappe.db.sql(f"select entity, document from `{numbers.TABLE}`")
		}
		frappe.db.delete(numbers.DOCTYPE)
		frappe.db.commit()
		return found

	def customer_values(self, name=""):
		"""Return the values of a customer; a site's own defaults may be groups, which ERPNext refuses."""
		leaf = {"is_group": 0}
		return {
			"customer_name": name or self.name("Customer"),
			"customer_type": "Individual",
			"customer_group": frappe.db.get_value("Customer Group", leaf),
			"territory": frappe.db.get_value("Territory", leaf),
		}

	def customer(self, **values):
		"""Return a new customer."""
		return frappe.get_doc({"doctype": "Customer", **self.customer_values(), **values}).insert()

	def item(self, **values):
		"""Return a new item that is kept in stock."""
		given = {"item_code": self.name("Item"), "item_group": "Products", "stock_uom": "Nos", "is_stock_item": 1}
		return frappe.get_doc({"doctype": "Item", **given, **values}).insert()

	def stocked(self, quantity=10):
		"""Return a new item with stock."""
		item = self.item(valuation_rate=1)
		entry = frappe.get_doc(
			{
				"doctype": "Stock Entry",
				"stock_entry_type": "Material Receipt",
				"company": self.company,
				"items": [{"item_code": item.name, "qty": quantity, "t_warehouse": self.warehouse, "basic_rate": 1}],
			}
		).insert()
		entry.submit()
		return item

	def order_values(self, customer, *items, name=""):
		"""Return the values of a Sales Order."""
		lines = [{"item_code": item, "qty": 2, "rate": 5, "warehouse": self.warehouse} for item in items]
		today = frappe.utils.today()
		return {
			**({"name": name} if name else {}),
			"customer": customer,
			"company": self.company,
			"transaction_date": today,
			"delivery_date": today,
			"items": lines,
		}

	def order(self, *items):
		"""Return a new draft of a Sales Order."""
		return frappe.get_doc({"doctype": "Sales Order", **self.order_values(self.customer().name, *items)}).insert()

	def quiet(self):
		"""Commit, and forget what was marked until now."""
		self.marked()

	def call(self, name, body, **changed):
		"""Make a signed call as it comes by HTTP; return its status and its answer."""
		from frappe.app import application
		from werkzeug.test import Client

		raw, when = json.dumps(body).encode(), int(time.time())
		headers = signing.headers("test", SECRET, f"agencystack_connector.bridge.{name}", raw, token(), when)
		site = frappe.local.site
		answer = Client(application).post(
			f"/api/method/agencystack_connector.bridge.{name}",
			data=raw,
			headers={"X-Frappe-Site-Name": site, "Content-Type": "application/json", **headers, **changed},
		)
		# The call was a request of its own and took this one's context along.
		frappe.init(site=site, force=True)
		frappe.connect()
		said = json.loads(answer.get_data(as_text=True))
		return answer.status_code, said.get("message", said) if answer.status_code == 200 else said
