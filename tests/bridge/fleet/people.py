"""People of one client who go on working in both products, and what they wrote: the ledger that is judged by."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from tests.bridge.fleet.products import ABBR, Products

MOST = 60
"""Records of a kind a person makes on one side; from then on these are edited."""


class People:
    """A shop keeper and an office.

    A field of a record is edited on one side alone, or on both (then either's last word may win); what is said on one
    side alone must come through.

    Args:
        products: where they work.
        seed: of their choices.
    """

    def __init__(self, products: Products, seed: int) -> None:
        self._products, self._chance = products, random.Random(seed)
        self.skus: dict[str, str] = {}
        """Every product's SKU; its id where it was made in the shop, else empty."""
        self.emails: dict[str, str] = {}
        self.orders: dict[str, bool] = {}
        """Every order; whether it was paid."""
        self.said: dict[tuple[str, str], list[str]] = defaultdict(list)
        """Every value given to a field of a record, in order."""
        self._number = 0
        self.done = 0

    def act(self) -> None:
        """Do one thing."""
        acts = (
            self._new_product,
            self._new_item,
            self._new_customer,
            self._order,
            self._order,
            self._rename_in_shop,
            self._rename_in_shop,
            self._describe_in_office,
            self._describe_in_office,
            self._price_on_both,
            self._receive,
        )
        self._chance.choice(acts)()
        self.done += 1

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _made_in_shop(self) -> list[str]:
        return [sku for sku, id_ in self.skus.items() if id_]

    def _new_product(self) -> None:
        if len(self._made_in_shop()) >= MOST:
            return self._rename_in_shop()
        sku = f"S-{self._next()}"
        body = {"sku": sku, "name": f"Mug {sku}", "type": "simple", "regular_price": "10.00", "manage_stock": True}
        self.skus[sku] = str(self._products.in_shop("POST", "products", body)["id"])
        self.said[sku, "name"].append(body["name"])
        return None

    def _new_item(self) -> None:
        if len(self.skus) - len(self._made_in_shop()) >= MOST:
            return self._describe_in_office()
        sku = f"E-{self._next()}"
        item = {"item_code": sku, "item_name": f"Plate {sku}", "item_group": "Products", "is_stock_item": 1}
        self._products.make("Item", {**item, "stock_uom": "Nos"})
        self._products.make(
            "Item Price", {"item_code": sku, "price_list": "Standard Selling", "price_list_rate": 20, "currency": "EUR"}
        )
        self.skus[sku] = ""
        self.said[sku, "name"].append(item["item_name"])
        return None

    def _new_customer(self) -> None:
        if len(self.emails) >= MOST:
            return self._order()
        email = f"c{self._next()}@example.test"
        body = {
            "email": email,
            "first_name": "Anna",
            "last_name": f"Muster {email}",
            "username": email.partition("@")[0],
        }
        self.emails[email] = str(self._products.in_shop("POST", "customers", body)["id"])
        return None

    def _order(self) -> None:
        if not self._made_in_shop() or not self.emails:
            return
        product, email = self.skus[self._chance.choice(self._made_in_shop())], self._chance.choice(list(self.emails))
        paid = self._chance.random() < 0.7
        body = {
            "customer_id": int(self.emails[email]),
            "status": "processing" if paid else "on-hold",
            "payment_method": "bacs",
            "set_paid": paid,
            "billing": {"first_name": "Anna", "last_name": "Muster", "email": email, "country": "DE"},
            "line_items": [{"product_id": int(product), "quantity": self._chance.randint(1, 3)}],
        }
        self.orders[str(self._products.in_shop("POST", "orders", body)["id"])] = paid

    def _rename_in_shop(self) -> None:
        """The shop names what it made; nobody else does."""
        if made := self._made_in_shop():
            sku = self._chance.choice(made)
            name = f"Mug {sku} no {self._next()}"
            self._products.in_shop("PUT", f"products/{self.skus[sku]}", {"name": name})
            self.said[sku, "name"].append(name)

    def _describe_in_office(self) -> None:
        """The office names what it made."""
        if made := [sku for sku, id_ in self.skus.items() if not id_]:
            sku = self._chance.choice(made)
            name = f"Plate {sku} no {self._next()}"
            self._products.change("Item", sku, item_name=name)
            self.said[sku, "name"].append(name)

    def _price_on_both(self) -> None:
        """Both price what the shop made: the last word, or ERPNext's where these crossed."""
        if not (made := self._made_in_shop()):
            return
        sku, price = self._chance.choice(made), f"{10 + self._next()}.00"
        prices = [one["name"] for one in self._products.documents("Item Price") if one["item_code"] == sku]
        if self._chance.random() < 0.5 or not prices:
            self._products.in_shop("PUT", f"products/{self.skus[sku]}", {"regular_price": price})
        else:
            self._products.change("Item Price", prices[0], price_list_rate=float(price))
        self.said[sku, "price"].append(price)

    def _receive(self) -> None:
        items = [one["name"] for one in self._products.documents("Item") if one.get("is_stock_item")]
        if not items:
            return
        row: dict[str, Any] = {"qty": self._chance.randint(1, 9), "t_warehouse": f"Stores - {ABBR}", "basic_rate": 1}
        entry = {"stock_entry_type": "Material Receipt", "items": [{"item_code": self._chance.choice(items), **row}]}
        name = self._products.make("Stock Entry", entry)
        self._products.change("Stock Entry", name, docstatus=1)
