"""What products and variations have in common on WooCommerce's side: stock, prices, SKU, images that are refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities.images import REFUSED_IMAGE
from agencystack.bridge.entities.shared import Custom, Objection, SharedWordPressForm
from agencystack.bridge.entities.stock import Imported, shop_values, with_held
from agencystack.bridge.record import Fields, Observed
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.wordpress.records import Native, Records, Written
from agencystack.bridge.tokens import token_time

_IMAGE_FIELDS = {"image"}
_NOT_TOLD = ("stock", "sku")
_FIRST_ORDER = "1"
_SKUS = 50
_SOON = timedelta(days=1)


def nothing_imported(orders: Sequence[str]) -> Collection[str]:
    """Answer that ERPNext counts no order: then every open order holds its pieces, and nothing is sold twice."""
    return ()


def utc() -> tzinfo:
    """Answer that days are UTC's."""
    return UTC


def since_ever() -> str:
    """Answer that any order may still hold pieces."""
    return _FIRST_ORDER


class CatalogueOnWordPress(SharedWordPressForm):
    """A product or variation.

    Args:
        records: the way to WordPress's records.
        currency: the shop's currency, which must be the price lists'.
        imported: tells which WordPress orders ERPNext counts already.
        orders_since: the id of the oldest order ERPNext may not count yet.
        zone: tells the shop's time zone; sales begin and end in it.
        custom: further fields, by canonical name.
    """

    needs_native: ClassVar[frozenset[str]]

    def __init__(
        self,
        records: Records,
        *,
        currency: str = "",
        imported: Imported = nothing_imported,
        orders_since: Callable[[], str] = since_ever,
        zone: Callable[[], tzinfo] = utc,
        custom: Custom | None = None,
    ) -> None:
        super().__init__(records, custom)
        self.digits = normal.digits_of(currency)
        self.imported = imported
        self.orders_since = orders_since
        self._zone = zone

    def today(self) -> Any:
        """Return the date in the shop's zone."""
        return datetime.now(self._zone()).date()

    def natives(self, ids: Sequence[str]) -> Mapping[str, Native]:
        """Return products with what orders hold of them."""
        since = self.orders_since()
        found = self.records.fetch(self.kind, ids, orders_since=since)
        return with_held(self.records, found, self.imported, int(since)) if found else {}

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Return what is held of each id."""
        natives = self.natives(ids)
        return {id_: self.observed(id_, natives.get(id_)) for id_ in ids}

    def upon(self, operations: Sequence[Operation]) -> Mapping[str, Native]:
        """Return the products whose translation must know them."""
        ids = [
            one.id for one in operations if one.action is Action.UPDATE and not self.needs_native.isdisjoint(one.fields)
        ]
        return self.natives(ids) if ids else {}

    def stock_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what REST is sent for the stock, if it is among the fields."""
        return shop_values(fields["stock"], native) if "stock" in fields else {}

    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """Find the product of that SKU. ``?sku=`` is a list split at commas: a SKU with one is searched by part."""
        sku = normal.line(fields.get("sku"))
        if not sku:
            return []
        return [{"search_sku": sku}] if "," in sku else [{"sku": sku}]

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return the products of exactly that SKU; WooCommerce and ERPNext compare without case, and so is it here."""
        return self.candidates_of([fields])[0]

    def candidates_of(self, many: Sequence[Fields]) -> Sequence[Sequence[str]]:
        """Return the products of exactly each SKU, with as few searches as REST allows."""
        wanted = [(normal.line(fields.get("sku")) or "").casefold() for fields in many]
        plain = sorted({sku for sku in wanted if sku and "," not in sku})
        searches = [{"sku": ",".join(plain[at : at + _SKUS])} for at in range(0, len(plain), _SKUS)]
        searches += [{"search_sku": sku} for sku in sorted(set(wanted)) if "," in sku]
        found: dict[str, list[str]] = {}
        for search in searches:
            for one in self.records.search(self.kind, search):
                if self.shared(one):
                    found.setdefault((normal.line(one.get("sku")) or "").casefold(), []).append(str(one["id"]))
        return [found.get(sku, []) if sku else [] for sku in wanted]

    def observed(self, id_: str, native: Native | None) -> Observed:
        """Return a product as the bridge sees it; a token much older than the product came with a copy of ours.

        WooCommerce's "duplicate" copies all meta, the token too; the copy is a product of its own.
        """
        seen = super().observed(id_, native)
        return replace(seen, token="") if seen.token and _copied(seen) else seen

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Stop a stock push to a product that could not be read: what is held of it is not known."""
        if operation.action is Action.UPDATE and native is None and not self.needs_native.isdisjoint(operation.fields):
            return Objection(
                f"{self.entity} {operation.id} is not in WooCommerce any more", "retry: it is looked at anew"
            )
        return None

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out; a refused image does not keep the rest of a record from being written.

        WooCommerce answers a whole record with 400 for the sake of its image. It is then written without, once, and
        says so; the image is tried again when its address changes.
        """
        outcomes = dict(super().apply(operations))
        again = [
            replace(one, fields={name: value for name, value in one.fields.items() if name not in _IMAGE_FIELDS})
            for one in operations
            if "image" in one.fields and outcomes[one.token].message.startswith(_IMAGE_REFUSED)
        ]
        said = {one.token: outcomes[one.token].message for one in again}
        for token, outcome in super().apply(again).items() if again else ():
            done = outcome.result is Result.DONE
            outcomes[token] = replace(outcome, message=f"written without its image: {said[token]}") if done else outcome
        return self._read_back(operations, outcomes)

    def refusal(self, written: Written, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        sku = operation.fields.get("sku") or operation.id
        if written.code in REFUSED_IMAGE:
            return f"{_IMAGE_REFUSED}: {written.message}", "give the Item an image at a public http(s) address"
        said = f"WooCommerce refused {self.entity} {sku} ({written.code}): {written.message}"
        other = written.data.get("resource_id")
        if written.code == "product_invalid_sku" and other:
            return said, f"product {other} has this SKU already: change one of the two SKUs, or link the two records"
        if written.code == "woocommerce_rest_product_not_created" and operation.fields.get("sku"):
            return said, "a product in the bin may hold this SKU: restore it or delete it for good, then retry"
        return said, "change the Item so that WooCommerce takes it, then retry"

    def _outcome(self, operation: Operation, written: Written) -> Outcome:
        """Return the outcome; the answer to a write tells neither what orders hold nor a variation's own SKU.

        Both are known: what was written, else what was there before. An order that came in between took as much from
        the stock as it holds, so the canonical value is the same.
        """
        outcome = super()._outcome(operation, written)
        seen, before = outcome.observed, operation.expected
        if seen is None or before is None or operation.action is not Action.UPDATE:
            return outcome
        known = {name: operation.fields.get(name, before.fields.get(name)) for name in _NOT_TOLD}
        told = {name: value for name, value in known.items() if value is not None and seen.fields.get(name) is not None}
        return replace(outcome, observed=replace(seen, fields={**seen.fields, **told}))

    def _read_back(self, operations: Sequence[Operation], outcomes: dict[str, Outcome]) -> Mapping[str, Outcome]:
        """Read what could not be completed: changes that were decided upon nothing, stock that was not managed."""
        unsure = {
            one.token: seen.id
            for one in operations
            if (seen := outcomes[one.token].observed) is not None
            and one.action is Action.UPDATE
            and (one.expected is None or (seen.fields.get("stock") and one.expected.fields.get("stock") is None))
        }
        fresh = self.read(sorted(set(unsure.values()))) if unsure else {}
        return {
            token: replace(one, observed=fresh[unsure[token]]) if token in unsure else one
            for token, one in outcomes.items()
        }


_IMAGE_REFUSED = "WooCommerce refused the image"


def _copied(seen: Observed) -> bool:
    try:
        made, meant = datetime.fromisoformat(seen.created).replace(tzinfo=UTC), token_time(seen.token)
    except ValueError:
        return False
    return made - meant > _SOON
