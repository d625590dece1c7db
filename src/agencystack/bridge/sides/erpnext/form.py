"""One entity as ERPNext keeps it: the part every entity shares; the entities translate."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from agencystack.bridge.record import Fields, Observed, Presence
from agencystack.bridge.side import Action, Operation, Outcome, Page, Range, Result, Summary
from agencystack.bridge.sides.erpnext.documents import (
    MODIFIED_UTC,
    TOKEN_FIELD,
    Document,
    Documents,
    Group,
    Saved,
    Step,
)
from agencystack.stack.errors import ComponentError, Refused


@dataclass(frozen=True)
class Watch:
    """Documents of another type whose changes change a record: an Item Price its Item, a Contact its Customer.

    Args:
        doctype: their type.
        names: the field that names the record: ``item_code``; of a child table ``links.link_name``.
        filters: which of them count.
        of: the record's own field that holds what is named: a Communication its Lead.
    """

    doctype: str
    names: str
    filters: Sequence[Sequence[Any]] = ()
    of: str = "name"


@dataclass(frozen=True)
class Native:
    """A record of ERPNext: its own document, and those that hang on it.

    Args:
        document: its own.
        related: others by what the entity calls them: ``{"prices": (…), "contact": (…)}``.
    """

    document: Document
    related: Mapping[str, Sequence[Document]] = field(default_factory=dict)


class ErpNextForm(ABC):
    """One entity on the side of ERPNext.

    Args:
        documents: the way to its documents.
    """

    entity: ClassVar[str]
    doctype: ClassVar[str]
    which: Sequence[Sequence[Any]] = ()
    """Filters that tell this entity's documents from others of the same type."""
    watched: ClassVar[Sequence[Watch]] = ()
    """What else changes a record of this entity; asked for only where our app does not tell."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self._looked = threading.local()  # what this thread, one batch at a time, read last

    @abstractmethod
    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a record."""

    @abstractmethod
    def steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done for an operation; ``native`` is what is there now (``None`` for a creation).

        The step of the record's own document is ``called="main"``.

        Raises:
            Refused: ERPNext could not take it whatever is sent; message and remedy are shown to a person.
        """

    @abstractmethod
    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """Return the lists of filters that find documents which may be the same thing; best first."""

    def gather(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return what hangs on each document, by its name; asked once for all of them."""
        return {}

    def presence(self, native: Native) -> Presence:
        """Return whether a record is there: a cancelled document is gone."""
        return Presence.GONE if native.document.get("docstatus") == 2 else Presence.PRESENT

    def refusal(self, saved: Saved, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person when ERPNext refused: what it said, and what to do now."""
        return f"ERPNext refused to {saved.step} ({saved.kind}): {saved.message}", "change it so that ERPNext takes it"

    # What the bridge calls. ---------------------------------------------------------------------------------------

    def natives(self, names: Sequence[str]) -> Mapping[str, Native]:
        """Return records by name; what does not exist is left out."""
        found = self.documents.fetch(self.doctype, names)
        related = self.gather(list(found.values())) if found else {}
        return {name: Native(document, related.get(name, {})) for name, document in found.items()}

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Return what is held of each id."""
        natives = self.natives(ids)
        seen = {id_: self.observed(id_, natives.get(id_)) for id_ in ids}
        self._looked.at = {id_: (seen[id_].version, native) for id_, native in natives.items() if id_ in seen}
        return seen

    def upon(self, operations: Sequence[Operation]) -> Mapping[str, Native]:
        """Return the records, by id, that operations change: as they were decided upon where this batch just read them.

        Every step says which version it changes, so that one which is no longer so ends as stale.
        """
        looked: Mapping[str, tuple[str, Native]] = getattr(self._looked, "at", {})
        there: dict[str, Native] = {}
        for one in operations:
            version, native = looked.get(one.id, ("", None))
            if native is not None and version and one.expected is not None and one.expected.version == version:
                there[one.id] = native
        missing = [one.id for one in operations if one.id and one.id not in there]
        return {**there, **self.natives(missing)} if missing else there

    def observed(self, id_: str, native: Native | None) -> Observed:
        """Return a record as the bridge sees it."""
        if native is None:
            return Observed(id_, presence=Presence.GONE)
        document, presence = native.document, self.presence(native)
        return Observed(
            id=id_,
            fields=self.fields(native) if presence is Presence.PRESENT else {},
            presence=presence,
            version=str(document.get("modified", "")),
            created=str(document.get("creation", "")),
            modified=_utc(document),
            token=str(document.get(TOKEN_FIELD) or ""),
            position=str(document.get("creation", "")),
            row=str(document.get("agencystack_row", "")),
        )

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by op token."""
        return self.documents.find(self.doctype, tokens) if tokens else {}

    def renamed(self, made: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
        """Return the names under which documents may be now: a rename leaves ``creation`` as it was.

        Source: frappe/model/rename_doc.py, which changes ``name`` (and what is called after it) alone.
        """
        moments = sorted(set(made.values()))
        rows = self.documents.select(self.doctype, [*self.which, ["creation", "in", moments]], ["name", "creation"])
        names: dict[str, list[str]] = {}
        for row in rows:
            names.setdefault(str(row["creation"]), []).append(str(row["name"]))
        there = {str(row["name"]).casefold() for row in rows}
        return {name: names.get(moment, []) for name, moment in made.items() if name.casefold() not in there}

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return ids of records that may be the same thing."""
        for filters in self.filters_for(fields):
            if found := self.documents.select(self.doctype, [*self.which, *filters], ["name"]):
                return [str(one["name"]) for one in found]
        return ()

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out, and read back what they changed."""
        there = self.upon(operations)
        groups: list[Group] = []
        outcomes: dict[str, Outcome] = {}
        for one in operations:
            planned = self._planned(one, there.get(one.id))
            if isinstance(planned, Outcome):
                outcomes[one.token] = planned
            else:
                groups.append(planned)
        saved: Mapping[str, Saved] = self.documents.save(groups) if groups else {}
        after = self._read_back([one.name for one in saved.values() if one.result is Result.DONE and one.name])
        by_token = {one.token: one for one in operations}
        return outcomes | {
            group.token: self._outcome(by_token[group.token], _told(saved, group), after) for group in groups
        }

    def walk(self, after: str, limit: int) -> Page:
        """Return the next ids."""
        return self.documents.walk(self.doctype, self.which, after, limit)

    def summaries(self, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        """Return what each range holds."""
        return self.documents.summaries(self.doctype, ranges, filters=self.which)

    def rows(self, within: Range) -> Mapping[str, str]:
        """Return row digests by name."""
        return self.documents.rows(self.doctype, within, filters=self.which)

    def _planned(self, operation: Operation, native: Native | None) -> Group | Outcome:
        """Return what is to be done for an operation, or how it ends without asking ERPNext."""
        if operation.action is not Action.CREATE:
            if native is None and operation.action is Action.RETIRE:
                return Outcome(operation.token, Result.DONE, observed=self.observed(operation.id, None))
            expected = operation.expected.version if operation.expected else ""
            if native is None or (expected and expected != str(native.document.get("modified", ""))):
                seen = self.observed(operation.id, native)
                return Outcome(operation.token, Result.STALE, seen, message="it was changed since it was looked at")
        try:
            return Group(operation.token, tuple(self.steps(operation, native)), notify=operation.notify)
        except Refused as error:
            # A form says so of a record that ERPNext could not take whatever is sent: one without an SKU.
            return Outcome(operation.token, Result.REFUSED, message=error.message, remedy=error.remedy)

    def _read_back(self, names: Sequence[str]) -> Mapping[str, Observed]:
        try:
            return self.read(names) if names else {}
        except ComponentError:
            # What was written stays written: that it cannot be seen right now must not undo the answer.
            return {}

    def _outcome(self, operation: Operation, saved: Saved, after: Mapping[str, Observed]) -> Outcome:
        message, remedy = saved.message, ""
        if saved.result is Result.REFUSED:
            message, remedy = self.refusal(saved, operation)
        return Outcome(
            operation.token,
            saved.result,
            observed=self._left(operation, saved, after) if saved.result is Result.DONE else None,
            message=message,
            remedy=remedy,
            after=saved.after,
        )

    def _left(self, operation: Operation, saved: Saved, after: Mapping[str, Observed]) -> Observed | None:
        """Return what a write left; ``None`` where somebody saved the document between the write and this look.

        Their change would else be taken for how ERPNext writes what it was told, and never go across.
        """
        gone = self.observed(operation.id, None) if operation.action is Action.RETIRE else None
        seen = after.get(saved.name or operation.id, gone)
        modified = saved.modified or (seen.created if seen is not None and saved.untouched else "")
        if seen is None or not modified or not seen.version:
            return seen
        return seen if seen.version.partition("|")[0] == modified else None


def _utc(document: Document) -> datetime | None:
    told = document.get(MODIFIED_UTC)
    return datetime.fromisoformat(told) if isinstance(told, str) and told else None


def _told(saved: Mapping[str, Saved], group: Group) -> Saved:
    nothing = Saved(group.token, Result.UNKNOWN, message="ERPNext did not say what became of it")
    return saved.get(group.token, nothing)
