"""What products and variations have in common on ERPNext's side: Items with their prices and their stock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from agencystack.bridge import normal
from agencystack.bridge.entities.content import unwrapped
from agencystack.bridge.entities.images import image_of
from agencystack.bridge.entities.prices import ItemPrices
from agencystack.bridge.entities.shared import (
    LONGEST_NAME,
    Custom,
    Objection,
    SharedErpNextForm,
    real_name,
    safe_name,
)
from agencystack.bridge.entities.stock import Bins, sellable
from agencystack.bridge.record import Fields, Value
from agencystack.bridge.settings import Accounting
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Document, Documents, Made, Saved, Step
from agencystack.bridge.sides.erpnext.form import Native, Watch

_ITEM = "Item"
_MOST = 60_000
"""Bytes of a description. ERPNext copies it into each Item Price, whose field holds 65,535, and refuses the Item else
(DataError 1406 or 1366; erpnext/stock/doctype/item_price/item_price.py, item.py ``update_item_price``)."""
_WITHOUT = "written without its description: ERPNext keeps no Item Price for one longer than 60,000 bytes"


class CatalogueOnErpNext(SharedErpNextForm):
    """An Item that the shop may sell.

    Args:
        documents: the way to ERPNext's documents.
        accounting: price lists, warehouses, default group and unit; its shipping and fee items are no products.
        site: ERPNext's address, for images it keeps itself.
        zone: ERPNext's time zone; prices begin and end in it.
        custom: further fields, by canonical name.
    """

    doctype: ClassVar[str] = _ITEM
    watched: ClassVar[Sequence[Watch]] = (Watch("Item Price", "item_code"), Watch("Bin", "item_code"))

    def __init__(
        self,
        documents: Documents,
        accounting: Accounting,
        *,
        site: str = "",
        zone: ZoneInfo | None = None,
        custom: Custom | None = None,
    ) -> None:
        super().__init__(documents, custom)
        self.accounting = accounting
        self.site = site
        self.prices = ItemPrices(documents, accounting, partial(_today, zone))
        self.bins = Bins(documents, accounting.warehouses)
        self._services: Collection[str] = {one for one in (accounting.shipping_item, accounting.fee_item) if one}

    def shared(self, native: Native) -> bool:
        """Leave alone what is never sold, fixed assets, and the items of shipping and fees."""
        item = native.document
        if item["name"] in self._services or normal.flag(item.get("is_fixed_asset")):
            return False
        return normal.flag(item.get("is_sales_item", 1))

    def gather(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return each Item's prices and Bins."""
        names = [str(one["name"]) for one in documents]
        prices, bins = self.prices.of(names), self.bins.of(names)
        return {name: {"prices": prices.get(name, ()), "bins": bins.get(name, ())} for name in names}

    def item_fields(self, native: Native) -> dict[str, Value]:
        """Return the canonical values every Item has."""
        item = native.document
        ours = bool(item.get(TOKEN_FIELD))
        return {
            "sku": real_name(item.get("item_code") or item["name"]),
            "description": self._description(item),
            "image": image_of(item.get("image"), self.site),
            **self.prices.fields(item, native.related.get("prices", ())),
            "stock": sellable(item, native.related.get("bins", ()), ours=ours),
        }

    def item_values(self, fields: Fields) -> dict[str, Any]:
        """Return the Item's own values for fields every Item has."""
        values: dict[str, Any] = {}
        if "description" in fields and not _too_long(fields["description"]):
            values["description"] = fields["description"] or ""
        if "image" in fields:
            values["image"] = fields["image"] or ""
        return values

    def price_steps(self, operation: Operation, native: Native | None, *, template: bool) -> list[Step]:
        """Return the steps of the prices; a template has none (ERPNext refuses an Item Price on one)."""
        if template:
            return []
        item = native.document if native else {"stock_uom": self.accounting.uom}
        rows = native.related.get("prices", ()) if native else ()
        return self.prices.steps(operation.fields, item, rows, Made("main") if native is None else operation.id)

    def retired(self, operation: Operation) -> list[Step]:
        """Return what takes an Item out of sight: it is disabled. Deleting a template would delete its variants too."""
        return [self.update(operation, {"disabled": 1})]

    def new_code(self, fields: Fields) -> str:
        """Return the code of an Item that is made."""
        return safe_name(str(fields.get("sku") or ""))

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """Find the Item of that SKU; MariaDB compares without case and accents, as WooCommerce does."""
        sku = fields.get("sku")
        return [[["item_code", "=", safe_name(sku)]]] if isinstance(sku, str) and sku else []

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return the Items of that SKU."""
        return self.candidates_of([fields])[0]

    def candidates_of(self, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
        """Return the Items of each SKU, asked for at once."""
        codes = [safe_name(str(fields.get("sku") or "")) for fields in many]
        wanted = sorted({one for one in codes if one})
        filters = [*self.which, ["item_code", "in", wanted]]
        found: dict[str, list[str]] = {}
        for row in self.documents.select(self.doctype, filters, ["name", "item_code"]) if wanted else ():
            found.setdefault(str(row["item_code"]).casefold(), []).append(str(row["name"]))
        return [found.get(code.casefold(), []) if code else [] for code in codes]

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Stop what ERPNext cannot do to an Item.

        A product that gets another SKU keeps its Item, whose code orders refer to: the link names both.
        """
        sku = operation.fields.get("sku")
        if operation.action is Action.CREATE and not sku:
            return Objection("the product has no SKU", "give it a SKU in WooCommerce")
        if isinstance(sku, str) and len(sku) > LONGEST_NAME:
            return Objection(
                f"the SKU has {len(sku)} characters, an Item's code may have {LONGEST_NAME}",
                "shorten the SKU in WooCommerce",
            )
        return None

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out; a description no Item Price can hold stays in WordPress, and the outcome says so."""
        outcomes = dict(super().apply(operations))
        for one in operations:
            outcome = outcomes[one.token]
            if outcome.result is Result.DONE and _too_long(one.fields.get("description")):
                outcomes[one.token] = replace(outcome, message=_WITHOUT)
        return outcomes

    def refusal(self, saved: Saved, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        said, remedy = super().refusal(saved, operation)
        sku = operation.fields.get("sku") or operation.id
        remedies = {
            "DuplicateEntryError": f"an Item {sku} is there already: link the two records, or change one of the SKUs",
            "NameError": "take < and > out of the SKU",
            "ItemPriceDuplicateItem": f"Item {sku} has two prices of the same dates in one list: delete one of them",
            "ItemVariantExistsError": "another variant of the template has these attributes: link it, or delete it",
            "LinkValidationError": "check the default Item Group, unit and price lists in the accounting settings",
            "StockExistsForTemplate": "an Item with stock or orders cannot become a template: make a new product",
        }
        if "is not valid for the selected attribute" in saved.message:
            return said, "add the value to the Item Attribute in ERPNext; another change came in between, so retry"
        return said, remedies.get(saved.kind, remedy)

    def _description(self, item: Document) -> str | None:
        said = normal.html(item.get("description"))
        if said is None or item.get("description") in {item.get("item_code"), item.get("item_name")}:
            return None  # ERPNext fills it with these (contract/erpnext/04_item.json)
        return unwrapped(said)


def _too_long(description: Value) -> bool:
    return isinstance(description, str) and len(description.encode()) > _MOST


def _today(zone: ZoneInfo | None) -> date:
    return datetime.now(zone).date()
