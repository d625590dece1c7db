"""Groups of steps on the stand-in, as our app carries them out: each whole or not at all, a token counts once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agencystack.sandbox.erpnext.connector import part
from agencystack.sandbox.erpnext.documents import Documents, Work
from agencystack.sandbox.erpnext.errors import FrappeError, invalid
from agencystack.sandbox.erpnext.meta import STANDARD
from agencystack.sandbox.erpnext.outbox import Outbox
from agencystack.sandbox.erpnext.selling.mapping import mappers
from agencystack.sandbox.erpnext.store import Document

TOKEN = "agencystack_token"  # noqa: S105  # the name of a field
_BUSY = frozenset({"QueryDeadlockError", "QueryTimeoutError"})
_KNOWN = frozenset({*STANDARD, "doctype", "parent", "parentfield", "parenttype"})


class _Stale(Exception):
    """A document is not as it was expected."""


class Groups:
    """Carries groups out.

    Args:
        documents: the site's.
        outbox: of the app.
    """

    def __init__(self, documents: Documents, outbox: Outbox) -> None:
        self._documents = documents
        self._outbox = outbox
        self._steps = part("bridge.steps")
        self.allow: Callable[[Work, str, str], None] = lambda work, doctype, right: None
        """Refuses what nothing that is shared needs; set by the bridge's calls."""
        self._marking = part("bridge.marking")

    def save(self, work: Work, given: list[Any]) -> dict[str, dict[str, str]]:
        """Carry groups out and commit; answers by token."""
        saved: dict[str, dict[str, str]] = {}
        for one in given:
            try:
                group = self._steps.group(one)
            except self._steps.BadGroup as why:
                saved[str(one.get("token"))] = self._answer("refused", kind="BadGroup", message=str(why))
                continue
            saved[group.token] = self._made_before(work, group) or self._one(work, group)
            work.messages.clear()
            work.transaction.commit()
        return saved

    def _made_before(self, work: Work, group: Any) -> dict[str, str] | None:
        bearer = group.bearer
        if bearer is None or not work.meta(bearer.doctype).field(TOKEN):
            return None
        made = work.transaction.having(bearer.doctype, TOKEN, group.token)
        return self._answer("done", name=made[0]["name"]) if made else None

    def _one(self, work: Work, group: Any) -> dict[str, str]:
        work.transaction.savepoint()
        said = ""
        names: dict[str, str] = {}
        try:
            main: Document = {}
            for step in group.steps:
                said = str(step)
                self.allow(work, step.doctype, self._steps.NEEDS[step.action])
                document = self._do(work, group, step, names)
                if step.called:
                    names[step.called] = document["name"]
                if step.called == group.main or not main:
                    main = document
        except _Stale as why:
            work.transaction.back()
            return self._answer("stale", kind="Stale", message=str(why), step=said)
        except FrappeError as error:
            work.transaction.back()
            result = (
                "later" if error.kind in _BUSY else "stale" if error.kind == "TimestampMismatchError" else "refused"
            )
            words = error.text or str((error.messages or [{}])[-1].get("message", ""))
            return self._answer(result, kind=error.kind, message=self._steps.plain(words), step=said)
        work.transaction.keep()
        self._forget_own(work, main)
        return self._answer("done", name=str(main.get("name", "")))

    def _forget_own(self, work: Work, main: Document) -> None:
        """The bridge reads back what it asked for; what else changed by it stays marked."""
        for entity in self._marking.OWN.get(main.get("doctype"), ()):
            kind = self._marking.entity_of_item(main) if main["doctype"] == "Item" else entity
            self._outbox.forget(work.transaction, kind, main["name"])

    def _do(self, work: Work, group: Any, step: Any, names: Mapping[str, str]) -> Document:
        values = dict(self._steps.resolved(dict(step.values), names))
        name = str(self._steps.resolved(step.name, names) or "")
        self._refuse_unknown(work, step.doctype, values)
        if step.action in {"insert", "map"}:
            chosen = str(values.pop("name", "") or name)
            if step.action == "map":
                values = {**self._mapped(work, step, names), **values}
            if work.meta(step.doctype).field(TOKEN):
                values[TOKEN] = group.token_of(step)
            return self._documents.insert(work, step.doctype, values, set_name=chosen)
        stored = work.transaction.peek(step.doctype, name)
        if stored and step.modified and stored["modified"] != step.modified:
            raise _Stale(f"{step.doctype} {name} was changed at {stored['modified']}")
        if step.action == "delete":
            if stored is None:
                raise invalid(f"{step.doctype} {name} not found", kind="DoesNotExistError", status=404)
            self._documents.delete(work, step.doctype, name)
            return dict(stored)
        state = {"submit": {"docstatus": 1}, "cancel": {"docstatus": 2}}.get(step.action, {})
        return self._documents.update(work, step.doctype, name, {**values, **state})

    def _mapped(self, work: Work, step: Any, names: Mapping[str, str]) -> dict[str, Any]:
        source = self._steps.resolved(step.source, names)
        arguments = dict(step.arguments)
        named = {"dn": source} if "dt" in arguments else {"source_name": source}
        return dict(mappers()[step.method](work, {**named, **arguments}))

    def _refuse_unknown(self, work: Work, doctype: str, values: Mapping[str, Any]) -> None:
        meta = work.meta(doctype)
        unknown = sorted(name for name in values if name not in _KNOWN and meta.field(name) is None)
        if unknown:
            raise invalid(f"{doctype} has no field {', '.join(unknown)} on this site")
        for table in meta.of_kind("Table"):
            for row in values.get(table.name) or ():
                self._refuse_unknown(work, table.options, row)

    @staticmethod
    def _answer(result: str, *, name: str = "", kind: str = "", message: str = "", step: str = "") -> dict[str, str]:
        return {"result": result, "name": name, "kind": kind, "message": message, "step": step}
