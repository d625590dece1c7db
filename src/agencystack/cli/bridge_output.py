"""What the commands of the bridge print: as JSON, and for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from agencystack.cli.terminal import Terminal

if TYPE_CHECKING:
    from agencystack.bridge.store.conflicts import Conflict
    from agencystack.bridge.store.dead import DeadLetter
    from agencystack.bridge.work.cycle import Progress


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BridgeRunOutput(_Output):
    """What `bridge run` and `bridge backfill` did."""

    client: str
    looked_at: int
    created: int
    updated: int
    retired: int
    conflicts: int
    refused: int
    postponed: int

    @classmethod
    def of(cls, client: str, progress: Progress) -> BridgeRunOutput:
        """Return the output for what was done."""
        return cls(
            client=client,
            looked_at=progress.looked_at,
            created=progress.created,
            updated=progress.updated,
            retired=progress.retired,
            conflicts=progress.conflicts,
            refused=progress.refused,
            postponed=progress.postponed,
        )

    def show(self, terminal: Terminal) -> None:
        """Tell a person."""
        terminal.say(
            f"{self.looked_at} records looked at: {self.created} created, {self.updated} updated, "
            f"{self.retired} archived or deleted."
        )
        if self.postponed:
            terminal.say(f"{self.postponed} are looked at again later: they wait for another record, or for a side.")
        if self.conflicts:
            terminal.say(f"{self.conflicts} conflicts wait for you: agencystack bridge conflicts")
        if self.refused:
            terminal.say(f"{self.refused} were refused, with a remedy: agencystack bridge conflicts --refused")


class ConflictOutput(_Output):
    """One thing a person is to decide."""

    id: int
    entity: str
    kind: str
    field: str
    wordpress_id: str
    erpnext_id: str
    wordpress: Any
    erpnext: Any
    candidates: list[str]
    since: str | None

    @classmethod
    def of(cls, one: Conflict) -> ConflictOutput:
        """Return the output for a conflict."""
        from agencystack.bridge.record import encoded

        return cls(
            id=one.id,
            entity=one.entity,
            kind=str(one.kind),
            field=one.field,
            wordpress_id=one.wordpress_id,
            erpnext_id=one.erpnext_id,
            wordpress=encoded(one.wordpress),
            erpnext=encoded(one.erpnext),
            candidates=list(one.candidates),
            since=one.since.isoformat() if one.since else None,
        )


class RefusedOutput(_Output):
    """One record a product refused, and what to do about it."""

    id: int
    entity: str
    side: str
    wordpress_id: str
    erpnext_id: str
    fields: list[str]
    message: str
    remedy: str
    since: str | None

    @classmethod
    def of(cls, one: DeadLetter) -> RefusedOutput:
        """Return the output for a dead letter."""
        return cls(
            id=one.id,
            entity=one.entity,
            side=str(one.side),
            wordpress_id=one.wordpress_id,
            erpnext_id=one.erpnext_id,
            fields=list(one.fields),
            message=one.message,
            remedy=one.remedy,
            since=one.since.isoformat() if one.since else None,
        )


class BridgeConflictsOutput(_Output):
    """What `bridge conflicts` prints: what waits for a person."""

    client: str
    conflicts: list[ConflictOutput]
    refused: list[RefusedOutput]

    def show(self, terminal: Terminal) -> None:
        """Tell a person."""
        for conflict in self.conflicts:
            _show_conflict(terminal, conflict)
        for letter in self.refused:
            who = _who(letter.wordpress_id, letter.erpnext_id)
            terminal.say(f"refused {letter.id}: {letter.entity} {who}, by {letter.side}: {letter.message}")
            terminal.say(f"    what to do: {letter.remedy}; then: agencystack bridge retry {letter.id}")
        if not self.conflicts and not self.refused:
            terminal.say("Nothing waits for you.")


def _show_conflict(terminal: Terminal, one: ConflictOutput) -> None:
    who = _who(one.wordpress_id, one.erpnext_id)
    if one.kind == "ambiguous":
        terminal.say(f"conflict {one.id}: {one.entity} {who} may be one of {', '.join(one.candidates)}")
        terminal.say(f"    decide: agencystack bridge resolve {one.id} --choose {one.candidates[0]} (or: new)")
        return
    what = f"{one.field} of {one.entity} {who}" if one.field else f"{one.entity} {who} is gone on one side"
    terminal.say(f"conflict {one.id}: {what}")
    if one.field:
        terminal.say(f"    WordPress: {one.wordpress}")
        terminal.say(f"    ERPNext:   {one.erpnext}")
    terminal.say(f"    decide: agencystack bridge resolve {one.id} --choose wordpress (or: erpnext)")


def _who(wordpress_id: str, erpnext_id: str) -> str:
    return " = ".join(name for name in (wordpress_id, erpnext_id) if name)


def table(*heads: str, rows: Iterable[Iterable[object]]) -> Table:
    """Return a table for a person."""
    made = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    return made
