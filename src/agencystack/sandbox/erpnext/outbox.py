"""The outbox of our app on the stand-in: which records changed, decided by the app's own code, in the same commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agencystack.sandbox.erpnext.connector import part
from agencystack.sandbox.erpnext.store import Changes, Document, Store, Transaction

_MARK = "__AgencyStack Mark"
_EPOCH = "__AgencyStack Epoch"


class _Doc(dict[str, Any]):
    """A document as the app's code reads one."""

    before: _Doc | None = None

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def get_doc_before_save(self) -> _Doc | None:
        """Return it as it was stored before."""
        return self.before


class _Site:
    """What the app's code looks up, within one transaction."""

    def __init__(self, transaction: Transaction, entity_of_item: Any) -> None:
        self._transaction = transaction
        self._entity_of_item = entity_of_item

    def item_kind(self, code: str) -> str:
        """Return the entity of an item."""
        return str(self._entity_of_item(self._transaction.peek("Item", code) or {}))

    def orders(self, name: str) -> Iterable[str]:
        """Return a Sales Order and those it amends."""
        found = [name]
        while origin := (self._transaction.peek("Sales Order", found[-1]) or {}).get("amended_from"):
            found.append(origin)
        return found

    def submissions(self, lead: str) -> Iterable[str]:
        """Return the Communications of a Lead that submissions made."""
        told = self._transaction.having("Communication", "reference_name", lead)
        return [one["name"] for one in told if one.get("agencystack_token")]


class Outbox:
    """Marks of changed records.

    Args:
        store: the database; each of its commits is looked at.
    """

    def __init__(self, store: Store) -> None:
        self._marking = part("bridge.marking")
        store.before_commit = self._mark

    def acknowledge(self, transaction: Transaction, numbers: Sequence[str]) -> None:
        """Forget exactly these marks."""
        for mark in transaction.having(_MARK, "number", *numbers) if numbers else ():
            transaction.delete(_MARK, mark["name"])

    def oldest(self, transaction: Transaction, limit: int) -> tuple[list[Document], bool]:
        """Return the oldest marks, and whether there are more."""
        marks = sorted(transaction.scan(_MARK), key=lambda one: int(one["number"]))
        return marks[:limit], len(marks) > limit

    def epoch(self, transaction: Transaction) -> int:
        """Return the highest number ever given to a mark."""
        return int((transaction.peek(_EPOCH, _EPOCH) or {}).get("number", 0))

    def forget(self, transaction: Transaction, entity: str, name: str) -> None:
        """Keep one record from being marked by what this transaction did to it."""
        transaction.unmarked.add((entity, name))

    def _mark(self, transaction: Transaction, changes: Changes) -> None:
        site = _Site(transaction, self._marking.entity_of_item)
        found: dict[tuple[str, str], None] = {}
        for (doctype, key), document in changes.items():
            if doctype.startswith("__") or doctype not in self._marking.ABOUT:
                continue
            stored = transaction.store.peek_one(doctype, key)
            doc = _Doc(document or stored or {})
            doc.before = _Doc(stored) if stored else None
            if doc:
                found |= dict.fromkeys((mark.entity, mark.name) for mark in self._marking.marks(doc, site))
        number = self.epoch(transaction)
        for entity, name in found:
            if (entity, name) in transaction.unmarked:
                continue
            number += 1
            # A record that changes again gets another number: acknowledging the one before leaves it marked.
            mark = {"doctype": _MARK, "name": f"{entity}/{name}", "entity": entity, "record": name}
            transaction.put({**mark, "number": str(number)})
        if number != self.epoch(transaction):
            transaction.put({"doctype": _EPOCH, "name": _EPOCH, "number": number})
        transaction.unmarked.clear()
