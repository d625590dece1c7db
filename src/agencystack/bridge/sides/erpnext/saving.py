"""One group of steps by REST: one request after the other, each of which bears being repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from agencystack.bridge.side import Result
from agencystack.bridge.sides.erpnext.documents import MAKING, TOKEN_FIELD, Group, Made, Saved, Step, step_token
from agencystack.bridge.sides.erpnext.exchange import Answer, Exchange, encoded, resource
from agencystack.bridge.sides.erpnext.verdict import Verdict, verdict
from agencystack.stack.errors import ComponentError

_DONE = Verdict(Result.DONE)
_CANCELLED = 2
# What the wire says of a document that a person must not be told to look at again: it is as it should be.
_ALREADY_CANCELLED = "Cannot edit cancelled document"
# Made and submitted in one request, its status stays "Draft" for ever (contract/erpnext, 06_sales_order.json).
_SUBMITTED_AFTERWARDS = frozenset({"Sales Order"})
_SUBMITTED = {"docstatus": 1}
_MANY = "/api/method/frappe.client.insert_many"
_CALLED = {"Item": "item_code"}
"""The field a document is called by; where the site numbers them instead, what names it so is refused."""


class Saving:
    """Carries out one group.

    Args:
        exchange: sends its requests.
        find: names by token, as ``Documents.find``.
        group: what is done.
        made: what earlier runs of the group made: names by doctype and token.
    """

    def __init__(
        self,
        exchange: Exchange,
        find: Callable[[str, Sequence[str]], Mapping[str, str]],
        group: Group,
        made: Mapping[tuple[str, str], str],
    ) -> None:
        self._exchange = exchange
        self._find = find
        self._group = group
        self._made_before = made
        self._names: dict[str, str] = {}
        self._first = ""
        self._modified: dict[str, str] = {}
        self._last = ""
        self._submitted: set[str] = set()

    def done(self) -> Saved:
        """Do all steps in one request where that can be, else one after the other until one fails; say how it ended."""
        return self._all_at_once() or self._one_by_one()

    def _all_at_once(self) -> Saved | None:
        """Make all documents, or none; ``None`` where each is to be made by itself: its refusal tells more then.

        Source: frappe.client.insert_many, recorded in contract/erpnext, 02_customer.json: one bad document, none saved.
        """
        steps, group = self._group.steps, self._group
        tokens = [step_token(group, index) for index in range(len(steps))]
        known = any((step.doctype, token) in self._made_before for step, token in zip(steps, tokens, strict=True))
        names = _names_to_be(steps)
        if names is None or known:
            return None
        self._names = names
        docs = [
            {**self._resolved(step.values), "doctype": step.doctype, TOKEN_FIELD: token}
            for step, token in zip(steps, tokens, strict=True)
        ]
        answer = self._exchange.send("POST", _MANY, content=encoded({"docs": docs}))
        main = next((index for index, step in enumerate(steps) if step.called == group.main), 0)
        if answer.done and isinstance(answer.data, list) and len(answer.data) == len(steps):
            return Saved(group.token, Result.DONE, str(answer.data[main]), untouched=True)
        end = verdict(answer) if not answer.done else Verdict(Result.UNKNOWN, message="answered without their names")
        self._names = {}
        if end.result is Result.REFUSED:
            return None
        if end.result is Result.UNKNOWN and (name := self._looked_up(steps[main].doctype, tokens[main])):
            return Saved(group.token, Result.DONE, name, untouched=True)
        return Saved(group.token, end.result, "", end.kind, end.message, f"insert {steps[main].doctype}", end.after)

    def _one_by_one(self) -> Saved:
        for index, step in enumerate(self._group.steps):
            name, end = self._do(index, step)
            if name:
                self._names.setdefault(step.called or str(index), name)
                self._first, self._last = self._first or name, name
            if end.result is not Result.DONE:
                said = f"{step.action} {step.doctype}"
                return Saved(self._group.token, end.result, self._main(), end.kind, end.message, said, end.after)
        main = self._main()
        # A step after the main document's last may have changed it once more.
        modified = self._modified.get(main, "") if self._last == main else ""
        return Saved(self._group.token, Result.DONE, main, modified=modified)

    def _main(self) -> str:
        main = any(step.called == self._group.main for step in self._group.steps)
        return self._names.get(self._group.main, "") if main else self._first

    def _do(self, index: int, step: Step) -> tuple[str, Verdict]:
        """Do one step; return the name of its document and how it ended."""
        if step.action in MAKING:
            return self._make(step, step_token(self._group, index), at_once=self._is_submitted_next(index))
        name = self._named(step.name)
        match step.action:
            case "update":
                return name, self._put(step, name, self._resolved(step.values))
            case "submit":
                return name, _DONE if name in self._submitted else self._put(step, name, _SUBMITTED)
            case "cancel":
                return name, self._cancel(step, name)
            case "delete":
                return name, self._delete(step, name)
        raise ValueError(f"{step.action!r} is no action of a step")

    def _is_submitted_next(self, index: int) -> bool:
        """Tell whether a document is to be submitted as soon as it is made.

        One request does both: what ERPNext then refuses to submit is not left behind as a draft, which is found by its
        token and taken for the whole.
        """
        made, after = self._group.steps[index], self._group.steps[index + 1 : index + 2]
        return made.doctype not in _SUBMITTED_AFTERWARDS and any(
            one.action == "submit" and one.name == Made(made.called) for one in after
        )

    def _make(self, step: Step, token: str, *, at_once: bool) -> tuple[str, Verdict]:
        before = self._made_before.get((step.doctype, token))
        if before:
            return before, _DONE
        values = self._resolved(step.values)
        if step.action == "map":
            answer = self._mapped(step)
            if not answer.done:
                return "", _harmless(verdict(answer))
            if not isinstance(answer.data, Mapping):
                return "", Verdict(Result.REFUSED, "BadAnswer", f"{step.method} made no document")
            values = {**answer.data, **values}
        submitted = _SUBMITTED if at_once else {}
        answer = self._send("POST", resource(step.doctype), {**values, **submitted, TOKEN_FIELD: token})
        if answer.done and isinstance(answer.data, Mapping):
            name = str(answer.data.get("name", ""))
            self._submitted |= {name} if at_once else set()
            return name, _DONE
        end = verdict(answer) if not answer.done else Verdict(Result.UNKNOWN, message="answered without the document")
        if end.result is Result.LATER:
            return "", end
        # It may be refused for being there already: by an earlier run whose answer was lost, or by one beside this.
        name = self._looked_up(step.doctype, token)
        if name:
            return name, _DONE
        return "", end

    def _looked_up(self, doctype: str, token: str) -> str:
        try:
            return self._find(doctype, [token]).get(token, "")
        except ComponentError:
            return ""

    def _mapped(self, step: Step) -> Answer:
        source = self._named(step.source)
        named = {"dn": source} if "dt" in step.arguments else {"source_name": source}
        return self._send("POST", f"/api/method/{step.method}", {**named, **self._resolved(step.arguments)})

    def _put(self, step: Step, name: str, values: Mapping[str, Any]) -> Verdict:
        condition = {"modified": step.modified} if step.modified else {}
        return verdict(self._send("PUT", resource(step.doctype, name), {**values, **condition}), step.doctype, name)

    def _cancel(self, step: Step, name: str) -> Verdict:
        end = self._put(step, name, {"docstatus": _CANCELLED})
        if end.message == _ALREADY_CANCELLED:
            return _DONE
        return end

    def _delete(self, step: Step, name: str) -> Verdict:
        answer = self._exchange.send("DELETE", resource(step.doctype, name))
        gone = answer.status == 404 and answer.refusal.kind == "DoesNotExistError"
        return _DONE if gone else verdict(answer, step.doctype, name)

    def _send(self, method: str, path: str, values: Mapping[str, Any]) -> Answer:
        answer = self._exchange.send(method, path, content=encoded(values))
        if answer.done and isinstance(answer.data, Mapping) and answer.data.get("name"):
            self._modified[str(answer.data["name"])] = str(answer.data.get("modified") or "")
        return answer

    def _named(self, name: str | Made) -> str:
        return self._names[name.step] if isinstance(name, Made) else name

    def _resolved(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._value(value) for key, value in values.items()}

    def _value(self, value: Any) -> Any:
        match value:
            case Made():
                return self._names[value.step]
            case Mapping():
                return self._resolved(value)
            case list() | tuple():
                return [self._value(one) for one in value]
        return value


def _names_to_be(steps: Sequence[Step]) -> dict[str, str] | None:
    """Return how the documents that others name will be called; ``None`` where that is not known, or nothing gained."""
    if len(steps) < 2 or any(step.action != "insert" for step in steps):
        return None
    fields = {step.called: step.values.get(_CALLED[step.doctype]) for step in steps if step.doctype in _CALLED}
    named = {one.step for step in steps for one in _made_in(step.values)}
    known = {called: name for called, name in fields.items() if isinstance(name, str) and name}
    return known if named <= known.keys() else None


def _made_in(value: Any) -> Iterator[Made]:
    match value:
        case Made():
            yield value
        case Mapping():
            for one in value.values():
                yield from _made_in(one)
        case list() | tuple():
            for one in value:
                yield from _made_in(one)


def _harmless(end: Verdict) -> Verdict:
    """Return how a call ended that changes nothing: not to know of it is no reason for anything but trying again."""
    if end.result is not Result.UNKNOWN:
        return end
    return Verdict(Result.LATER, end.kind, end.message, end.after)
