"""One entity as WordPress keeps it: the part every entity shares; the entities translate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from agencystack.bridge.entity import Deletion
from agencystack.bridge.record import Fields, Observed, Presence
from agencystack.bridge.side import Action, Operation, Outcome, Page, Range, Result, Summary
from agencystack.bridge.sides.wordpress.records import TOKEN_META, Kind, Native, Records, Write, Written

POSITION_DIGITS = 20


class WordPressForm(ABC):
    """One entity on the side of WordPress.

    Args:
        records: the way to its records.
    """

    entity: ClassVar[str]
    kind: ClassVar[Kind]

    def __init__(self, records: Records) -> None:
        self.records = records

    @abstractmethod
    def fields(self, native: Native) -> Fields:
        """Return the canonical values of a record."""

    @abstractmethod
    def values(self, fields: Fields, native: Native | None) -> Native:
        """Return what REST is sent to make a record (``native`` is ``None``) or to change the given fields of one."""

    @abstractmethod
    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """Return the REST searches that find records which may be the same thing; best first."""

    def presence(self, native: Native) -> Presence:
        """Return whether a record is there: what is in the bin is gone."""
        if native.get("status") == "trash":
            return Presence.GONE
        return Presence.HALF if native.get("agencystack", {}).get("half") else Presence.PRESENT

    def parent(self, operation: Operation) -> str:
        """Return the id of the record that holds the one an operation makes; most have none."""
        return ""

    def refusal(self, written: Written, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person when WordPress refused: what it said, and what to do now."""
        return f"WordPress refused ({written.code}): {written.message}", "change the record so that WordPress takes it"

    def native_of(self, operation: Operation) -> Native | None:
        """Return the record an update is made upon, where its translation must know it; most need not."""
        return None

    # What the bridge calls. ---------------------------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Return what is held of each id."""
        natives = self.records.fetch(self.kind, ids)
        return {id_: self.observed(id_, natives.get(id_)) for id_ in ids}

    def observed(self, id_: str, native: Native | None) -> Observed:
        """Return a record as the bridge sees it."""
        if native is None:
            return Observed(id_, presence=Presence.GONE, position=id_.zfill(POSITION_DIGITS))
        ours = native.get("agencystack", {})
        presence = self.presence(native)
        return Observed(
            id=id_,
            fields=self.fields(native) if presence is Presence.PRESENT else {},
            presence=presence,
            version=str(ours.get("version", "")),
            created=str(native.get("date_created_gmt") or native.get("date_gmt") or ours.get("created", "")),
            token=_token(native),
            position=id_.zfill(POSITION_DIGITS),
            row=str(ours.get("row", "")),
        )

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by op token."""
        return self.records.find(self.kind, tokens) if tokens else {}

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return ids of records that may be the same thing."""
        for search in self.search_for(fields):
            if found := [str(one["id"]) for one in self.records.search(self.kind, search)]:
                return found
        return ()

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out."""
        written = self.records.write([self.write_of(one) for one in operations])
        return {one.token: self._outcome(one, written[one.token]) for one in operations}

    def write_of(self, operation: Operation) -> Write:
        """Return the write an operation asks for."""
        actions = {Action.CREATE: "create", Action.UPDATE: "update"}
        retire = "delete" if operation.how is Deletion.DELETE else "trash"
        return Write(
            token=operation.token,
            kind=self.kind,
            action=actions.get(operation.action, retire),
            id=operation.id,
            parent=self.parent(operation),
            values={} if operation.action is Action.RETIRE else self._body(operation),
            version=operation.expected.version if operation.expected else "",
            notify=operation.notify,
        )

    def walk(self, after: str, limit: int) -> Page:
        """Return the next ids."""
        return self.records.walk(self.kind, after, limit)

    def summaries(self, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        """Return what each range holds."""
        return self.records.summaries(self.kind, ranges)

    def rows(self, within: Range) -> Mapping[str, str]:
        """Return row digests by id."""
        return self.records.rows(self.kind, within)

    def _body(self, operation: Operation) -> Native:
        return self.values(
            operation.fields, None if operation.action is Action.CREATE else self.native_of(operation) or {}
        )

    def _outcome(self, operation: Operation, written: Written) -> Outcome:
        outcome = Outcome(operation.token, written.result, message=written.message, after=written.after)
        if written.result is Result.REFUSED:
            message, remedy = self.refusal(written, operation)
            return replace(outcome, message=message, remedy=remedy)
        if written.native is not None:
            return replace(outcome, observed=self.observed(str(written.native["id"]), written.native))
        if written.result is Result.DONE and operation.action is Action.RETIRE:
            return replace(outcome, observed=self.observed(operation.id, None))
        return outcome


def _token(native: Native) -> str:
    for meta in native.get("meta_data", ()):
        if meta.get("key") == TOKEN_META:
            return str(meta.get("value") or "")
    return str(native.get("agencystack", {}).get("token", ""))
