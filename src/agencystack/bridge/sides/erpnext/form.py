"""One entity as ERPNext keeps it: the part every entity shares; the entities translate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from agencystack.bridge.record import Fields, Observed, Presence
from agencystack.bridge.side import Action, Operation, Outcome, Page, Range, Result, Summary
from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Document, Documents, Group, Saved, Step


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
    which: ClassVar[Sequence[Sequence[Any]]] = ()
    """Filters that tell this entity's documents from others of the same type."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    @abstractmethod
    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a record."""

    @abstractmethod
    def steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done for an operation; ``native`` is what is there now (``None`` for a creation).

        The step of the record's own document is ``called="main"``.
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
        return {id_: self.observed(id_, natives.get(id_)) for id_ in ids}

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
            token=str(document.get(TOKEN_FIELD) or ""),
            position=str(document.get("creation", "")),
            row=str(document.get("agencystack_row", "")),
        )

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by op token."""
        return self.documents.find(self.doctype, tokens) if tokens else {}

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return ids of records that may be the same thing."""
        for filters in self.filters_for(fields):
            if found := self.documents.select(self.doctype, [*self.which, *filters], ["name"]):
                return [str(one["name"]) for one in found]
        return ()

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out, and read back what they changed."""
        there = self.natives([one.id for one in operations if one.id])
        groups = [Group(one.token, tuple(self.steps(one, there.get(one.id)))) for one in operations]
        saved = self.documents.save(groups)
        after = self.read([one.name for one in saved.values() if one.result is Result.DONE and one.name])
        return {one.token: self._outcome(one, saved[one.token], after) for one in operations}

    def walk(self, after: str, limit: int) -> Page:
        """Return the next ids."""
        return self.documents.walk(self.doctype, self.which, after, limit)

    def summaries(self, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        """Return what each range holds."""
        return self.documents.summaries(self.doctype, ranges)

    def rows(self, within: Range) -> Mapping[str, str]:
        """Return row digests by name."""
        return self.documents.rows(self.doctype, within)

    def _outcome(self, operation: Operation, saved: Saved, after: Mapping[str, Observed]) -> Outcome:
        message, remedy = saved.message, ""
        if saved.result is Result.REFUSED:
            message, remedy = self.refusal(saved, operation)
        gone = self.observed(operation.id, None) if operation.action is Action.RETIRE else None
        return Outcome(
            operation.token,
            saved.result,
            observed=after.get(saved.name, gone) if saved.result is Result.DONE else None,
            message=message,
            remedy=remedy,
            after=saved.after,
        )
