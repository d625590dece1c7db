"""What the forms share: refusing before a write, leaving records alone, fields of the agency's own."""

from __future__ import annotations

import html
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entity import Deletion
from agencystack.bridge.record import Fields, Observed, Presence, Value
from agencystack.bridge.settings import CustomField
from agencystack.bridge.side import Action, Operation, Outcome, Result
from agencystack.bridge.sides.erpnext.documents import Documents, Group, Step
from agencystack.bridge.sides.erpnext.form import ErpNextForm
from agencystack.bridge.sides.erpnext.form import Native as ErpNextNative
from agencystack.bridge.sides.wordpress.form import WordPressForm
from agencystack.bridge.sides.wordpress.records import Kind, Native, Records, Write

Custom = Mapping[str, CustomField]
LONGEST_NAME = 140  # of an ERPNext document (contract/erpnext/02_customer.json: CharacterLengthExceededError)

_UNSAFE = str.maketrans("<>", "\uff1c\uff1e")
_SAFE = str.maketrans("\uff1c\uff1e", "<>")


_BINNED = frozenset({Kind.PRODUCT, Kind.VARIATION, Kind.POST, Kind.PAGE})
_BEFORE_THE_BIN = "_wp_trash_meta_status"
"""Where WordPress keeps what a record in the bin was before (wp-includes/post.php, ``wp_trash_post``)."""


def brings_back(operation: Operation) -> bool:
    """Tell whether an operation brings a record back that was archived."""
    expected = operation.expected
    return operation.action is Action.UPDATE and expected is not None and expected.presence is Presence.GONE


@dataclass(frozen=True)
class Objection:
    """Why an operation is not even tried: the product would refuse it, or do harm.

    Args:
        message: what is wrong.
        remedy: what a person does now.
    """

    message: str
    remedy: str

    def outcome(self, operation: Operation) -> Outcome:
        """Return the outcome of the operation it stops."""
        return Outcome(operation.token, Result.REFUSED, message=self.message, remedy=self.remedy)


def safe_name(said: str) -> str:
    """Return text ERPNext takes as a name: it refuses ``<`` and ``>`` (409 NameError), so their wide forms stand in."""
    return said.translate(_UNSAFE)


def real_name(value: Any) -> str | None:
    """Return what :func:`safe_name` was made of."""
    said = normal.line(value)
    return said.translate(_SAFE) if said else None


def stored_term(name: str) -> str:
    """Return the name of a category as WordPress stores it, and searches for it: with ``&amp;`` for ``&``."""
    return html.escape(name, quote=False)


def of_custom(value: Any) -> Value:
    """Return the canonical value of a field of the agency's own: numbers and flags as text, what is nested as it is."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return normal.quantity(value)
    if isinstance(value, Mapping):
        return {str(key): of_custom(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(of_custom(one) for one in value)
    return normal.text(value)


def meta_of(native: Native) -> dict[str, Any]:
    """Return a record's meta by key: WooCommerce lists it, WordPress's own types show what is registered."""
    listed = {str(one.get("key")): one.get("value") for one in native.get("meta_data") or ()}
    shown = native.get("meta")
    return {**(shown if isinstance(shown, Mapping) else {}), **listed}


class SharedWordPressForm(WordPressForm):
    """A form on WordPress with fields of the agency's own.

    Args:
        records: the way to its records.
        custom: further fields, by canonical name.
    """

    def __init__(self, records: Records, custom: Custom | None = None) -> None:
        super().__init__(records)
        self.custom = dict(custom or {})

    @abstractmethod
    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values the entity declares."""

    @abstractmethod
    def own_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what REST is sent for fields the entity declares; ``native`` is ``None`` for a creation."""

    def shared(self, native: Native) -> bool:
        """Tell whether a record is of a kind that is shared at all."""
        return True

    def objection(self, operation: Operation, native: Native | None) -> Objection | None:
        """Return why an operation must wait for a person."""
        return None

    def upon(self, operations: Sequence[Operation]) -> Mapping[str, Native]:
        """Return the records, by id, that operations must know to be written; most need none."""
        return {}

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Do what must be there before operations are written."""

    # Of WordPressForm. --------------------------------------------------------------------------------------------

    def presence(self, native: Native) -> Presence:
        """Return whether a record is there: what is not shared is not."""
        return super().presence(native) if self.shared(native) else Presence.GONE

    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a record."""
        meta = meta_of(native) if self.custom else {}
        own = {name: of_custom(meta.get(one.wordpress)) for name, one in self.custom.items()}
        return {**self.own_fields(native), **own}

    def values(self, fields: Fields, native: Native | None) -> Native:
        """Return what REST is sent."""
        values = self.own_values(fields, native)
        own = {one.wordpress: fields[name] for name, one in self.custom.items() if name in fields}
        if own and self.kind in {"post", "page"}:
            return {**values, "meta": own}
        listed = [{"key": key, "value": value} for key, value in own.items()]
        return {**values, "meta_data": [*values.get("meta_data", ()), *listed]} if listed else values

    def write_of(self, operation: Operation, native: Native | None = None) -> Write:
        """Return the write an operation asks for."""
        write = super().write_of(replace(operation, fields={}))
        if operation.action is Action.RETIRE:
            return write
        there = None if operation.action is Action.CREATE else native or {}
        values = self.values(operation.fields, there)
        if brings_back(operation) and self.kind in _BINNED:
            values = {"status": meta_of(there or {}).get(_BEFORE_THE_BIN) or "draft", **values}
        return replace(write, values=values)

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out."""
        there = self.upon(operations)
        outcomes: dict[str, Outcome] = {}
        for one in operations:
            if objection := self.objection(one, there.get(one.id)):
                outcomes[one.token] = objection.outcome(one)
        rest = [one for one in operations if one.token not in outcomes]
        self.prepare(rest)
        written = self.records.write([self.write_of(one, there.get(one.id)) for one in rest]) if rest else {}
        return outcomes | {one.token: self._outcome(one, written[one.token]) for one in rest}


class SharedErpNextForm(ErpNextForm):
    """A form on ERPNext with fields of the agency's own.

    Args:
        documents: the way to its documents.
        custom: further fields, by canonical name.
    """

    def __init__(self, documents: Documents, custom: Custom | None = None) -> None:
        super().__init__(documents)
        self.custom = dict(custom or {})

    @abstractmethod
    def own_fields(self, native: ErpNextNative) -> Fields:
        """Return the canonical values the entity declares."""

    @abstractmethod
    def own_steps(self, operation: Operation, native: ErpNextNative | None) -> Sequence[Step]:
        """Return what is done for fields the entity declares; none where nothing is to be done."""

    def shared(self, native: ErpNextNative) -> bool:
        """Tell whether a document is of a kind that is shared at all."""
        return True

    def objection(self, operation: Operation, native: ErpNextNative | None) -> Objection | None:
        """Return why an operation must wait for a person."""
        return None

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Do what must be there before operations are carried out."""

    # Of ErpNextForm. ----------------------------------------------------------------------------------------------

    def presence(self, native: ErpNextNative) -> Presence:
        """Return whether a record is there: what is not shared, or disabled, is not."""
        if not self.shared(native) or normal.flag(native.document.get("disabled")):
            return Presence.GONE
        return super().presence(native)

    def fields(self, native: ErpNextNative) -> Fields:
        """Return the canonical values of a record."""
        own = {name: of_custom(native.document.get(one.erpnext)) for name, one in self.custom.items()}
        return {**self.own_fields(native), **own}

    def steps(self, operation: Operation, native: ErpNextNative | None) -> Sequence[Step]:
        """Return what is done for an operation; where records are deleted and not archived, ERPNext's rules decide."""
        if operation.action is Action.RETIRE and operation.how is Deletion.DELETE:
            return [Step("delete", self.doctype, operation.id, called="main")]
        own = {one.erpnext: operation.fields[name] for name, one in self.custom.items() if name in operation.fields}
        if brings_back(operation) and native is not None and normal.flag(native.document.get("disabled")):
            own["disabled"] = 0
        steps = list(self.own_steps(operation, native))
        if not own:
            return steps
        for number, step in enumerate(steps):
            if step.called == "main":
                steps[number] = replace(step, values={**step.values, **own})
                return steps
        return [self.update(operation, own), *steps]

    def update(self, operation: Operation, values: Mapping[str, Any]) -> Step:
        """Return the step that changes the entity's own document, if it still is as it was expected."""
        expected = operation.expected.version.partition("|")[0] if operation.expected else ""
        return Step("update", self.doctype, operation.id, values, called="main", modified=expected)

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out, and read back what they changed."""
        there = self.upon(operations)
        outcomes = {one.token: early for one in operations if (early := self._early(one, there.get(one.id)))}
        rest = [one for one in operations if one.token not in outcomes]
        self.prepare(rest)
        groups = {one.token: Group(one.token, tuple(self.steps(one, there.get(one.id)))) for one in rest}
        due = [one for one in groups.values() if one.steps]
        saved = self.documents.save(due) if due else {}
        after = self.read([one.name for one in saved.values() if one.result is Result.DONE and one.name])
        for one in rest:
            if one.token in saved:
                outcomes[one.token] = self._outcome(one, saved[one.token], after)
            else:
                outcomes[one.token] = self._unchanged(one, there.get(one.id))
        return outcomes

    def _early(self, operation: Operation, native: ErpNextNative | None) -> Outcome | None:
        if operation.action is not Action.CREATE and native is None:
            result = Result.DONE if operation.action is Action.RETIRE else Result.STALE
            return Outcome(operation.token, result, observed=self.observed(operation.id, None))
        objection = self.objection(operation, native)
        return objection.outcome(operation) if objection else None

    def _unchanged(self, operation: Operation, native: ErpNextNative | None) -> Outcome:
        return Outcome(operation.token, Result.DONE, observed=self.observed(operation.id, native))


def gone(id_: str) -> Observed:
    """Return the observation of what is not there."""
    return Observed(id_, presence=Presence.GONE)
