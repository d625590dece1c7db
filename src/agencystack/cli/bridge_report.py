"""What the bridge's commands tell about work done, and to be done: previews, comparisons, status, one record's life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agencystack.cli.bridge_output import ConflictOutput, RefusedOutput, table
from agencystack.cli.terminal import Terminal

if TYPE_CHECKING:
    from agencystack.bridge.record import SideName
    from agencystack.bridge.work.previewing import Preview, Sample
    from agencystack.bridge.work.reconciling import Reconciled
    from agencystack.bridge.work.telling import Status, Story


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SidesOutput(_Output):
    """A number for each side."""

    wordpress: int = 0
    erpnext: int = 0

    @classmethod
    def of(cls, counts: Mapping[SideName, int]) -> SidesOutput:
        """Return the output for counts by side."""
        return cls(**{str(side): count for side, count in counts.items()})


class SampleOutput(_Output):
    """One record a run would write, or ask about."""

    what: str
    side: str
    wordpress_id: str
    erpnext_id: str
    fields: dict[str, Any]
    candidates: list[str]

    @classmethod
    def of(cls, sample: Sample) -> SampleOutput:
        """Return the output for a sample."""
        from agencystack.bridge.record import encoded

        return cls(
            what=sample.what,
            side=str(sample.side),
            wordpress_id=sample.wordpress_id,
            erpnext_id=sample.erpnext_id,
            fields={name: encoded(value) for name, value in sample.fields.items()},
            candidates=list(sample.candidates),
        )


class EntityPreviewOutput(_Output):
    """What a run over one entity would do."""

    entity: str
    records: SidesOutput
    created: SidesOutput
    updated: SidesOutput
    retired: SidesOutput
    matched: int
    conflicts: int
    ambiguous: int
    unreadable: int
    mails: SidesOutput
    samples: list[SampleOutput]

    @classmethod
    def of(cls, preview: Preview) -> EntityPreviewOutput:
        """Return the output for a preview."""
        return cls(
            entity=preview.entity,
            records=SidesOutput.of(preview.records),
            created=SidesOutput.of(preview.created),
            updated=SidesOutput.of(preview.updated),
            retired=SidesOutput.of(preview.retired),
            matched=preview.matched,
            conflicts=preview.conflicts,
            ambiguous=preview.ambiguous,
            unreadable=preview.unreadable,
            mails=SidesOutput.of(preview.mails),
            samples=[SampleOutput.of(sample) for sample in preview.samples],
        )


class BridgePreviewOutput(_Output):
    """What `bridge preview` prints: what a backfill would do; nothing was written."""

    client: str
    entities: list[EntityPreviewOutput]

    def show(self, terminal: Terminal) -> None:
        """Tell a person."""
        heads = ("Entity", "WordPress has", "ERPNext has", "Matched", "New in WordPress", "New in ERPNext",
                 "Updated", "Conflicts", "Unclear")  # fmt: skip
        rows = [
            (one.entity, one.records.wordpress, one.records.erpnext, one.matched, one.created.wordpress,
             one.created.erpnext, one.updated.wordpress + one.updated.erpnext, one.conflicts,
             one.ambiguous + one.unreadable)
            for one in self.entities
        ]  # fmt: skip
        terminal.console.print(table(*heads, rows=rows))
        for entity in self.entities:
            for sample in entity.samples:
                _show_sample(terminal, entity.entity, sample)
            if entity.mails.wordpress:
                terminal.say(f"WordPress would send {entity.mails.wordpress} mails because of {entity.entity}.")
        terminal.say("Nothing was written. To bring it over: agencystack bridge backfill")


def _show_sample(terminal: Terminal, entity: str, sample: SampleOutput) -> None:
    who = " = ".join(name for name in (sample.wordpress_id, sample.erpnext_id) if name)
    what = f"{sample.what} in {sample.side}" if sample.what in {"create", "update", "retire"} else sample.what
    values = ", ".join(f"{name}: {_short(value)}" for name, value in list(sample.fields.items())[:6])
    terminal.say(f"  {entity} {who}  {what}  {values or ', '.join(sample.candidates)}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


class ReconciledOutput(_Output):
    """What comparing one entity came to."""

    entity: str
    known: SidesOutput
    differing: SidesOutput
    requests: SidesOutput
    looked_at_again: int

    @classmethod
    def of(cls, done: Reconciled) -> ReconciledOutput:
        """Return the output for a comparison."""
        return cls(
            entity=done.entity,
            known=SidesOutput.of({side: one.known for side, one in done.sides.items()}),
            differing=SidesOutput.of({side: len(one.differing) for side, one in done.sides.items()}),
            requests=SidesOutput.of({side: one.requests for side, one in done.sides.items()}),
            looked_at_again=done.hinted,
        )


class BridgeReconcileOutput(_Output):
    """What `bridge reconcile` prints: what changed on a side without a word."""

    client: str
    entities: list[ReconciledOutput]

    def show(self, terminal: Terminal) -> None:
        """Tell a person."""
        rows = [
            (one.entity, one.known.wordpress, one.differing.wordpress, one.known.erpnext, one.differing.erpnext)
            for one in self.entities
        ]
        heads = ("Entity", "WordPress knows", "differ", "ERPNext knows", "differ")
        terminal.console.print(table(*heads, rows=rows))
        again = sum(one.looked_at_again for one in self.entities)
        differing = sum(one.differing.wordpress + one.differing.erpnext for one in self.entities)
        if again:
            terminal.say(f"{again} records are looked at again: by a worker, or agencystack bridge run.")
        elif differing:
            terminal.say("To have them looked at: agencystack bridge reconcile --repair")
        else:
            terminal.say("Both sides are as they were last seen.")


class BridgeStatusOutput(_Output):
    """What `bridge status` prints."""

    client: str
    state: str
    reason: str
    due: int
    waiting: int
    lag_seconds: float
    unknown: int
    conflicts: dict[str, int]
    refused: int
    linked: dict[str, int]
    written_within_an_hour: int
    sides_not_well: dict[str, str]
    removals_held: list[str]
    narrowed: dict[str, dict[str, str]]
    workers: list[str]

    @classmethod
    def of(cls, status: Status, workers: list[str]) -> BridgeStatusOutput:
        """Return the output for a status."""
        linked: dict[str, int] = {}
        for (entity, state), count in status.links.items():
            if state == "linked":
                linked[entity] = count
        return cls(
            client=status.pairing.id,
            state=str(status.pairing.state),
            reason=status.pairing.reason,
            due=status.due,
            waiting=status.waiting,
            lag_seconds=round(status.lag, 1),
            unknown=status.unknown,
            conflicts=dict(status.conflicts),
            refused=status.dead,
            linked=linked,
            written_within_an_hour=status.written,
            sides_not_well={str(one.side): one.message for one in status.breakers},
            removals_held=[one.entity for one in status.brakes],
            narrowed={
                str(side): {entity: str(direction) for entity, direction in told.entities.items()}
                for side, told in status.narrowed.items()
                if told.entities
            },
            workers=workers,
        )

    def show(self, terminal: Terminal) -> None:
        """Tell a person."""
        terminal.say(f"{self.client}: {self.state}{f' ({self.reason})' if self.reason else ''}")
        terminal.say(
            f"  {self.due} records due ({self.lag_seconds:g} s behind), {self.waiting} wait, "
            f"{self.written_within_an_hour} written within the last hour, {len(self.workers)} workers"
        )
        terminal.say("  in step: " + (", ".join(f"{n} {entity}" for entity, n in sorted(self.linked.items())) or "-"))
        for side, message in self.sides_not_well.items():
            terminal.say(f"  {side} is not well: {message}")
        for entity in self.removals_held:
            terminal.say(f"  removals of {entity} wait for you: agencystack bridge allow {entity}")
        for side, entities in self.narrowed.items():
            left = ", ".join(f"{entity} {direction}" for entity, direction in entities.items())
            terminal.say(f"  narrowed on {side}'s own settings screen: {left}")
        if self.conflicts or self.refused:
            terminal.say(f"  {sum(self.conflicts.values())} conflicts and {self.refused} refused: bridge conflicts")
        if not self.workers:
            terminal.say("  no worker runs: agencystack serve")


class EventOutput(_Output):
    """One thing that happened to a record."""

    at: str | None
    side: str
    entity: str
    record: str
    event: str
    fields: list[str]
    actor: str


class BridgeStoryOutput(_Output):
    """What `bridge show` prints: all that is known of one record; never its values, but of open conflicts."""

    client: str
    linked: list[dict[str, str]]
    events: list[EventOutput]
    conflicts: list[ConflictOutput]
    refused: list[RefusedOutput]
    waiting: list[str]

    @classmethod
    def of(cls, client: str, story: Story) -> BridgeStoryOutput:
        """Return the output for a record's history."""
        return cls(
            client=client,
            linked=[
                {
                    "entity": link.entity,
                    "state": str(link.state),
                    "wordpress_id": link.wordpress,
                    "erpnext_id": link.erpnext,
                }
                for link in story.links
            ],
            events=[
                EventOutput(
                    at=one.at.isoformat() if one.at else None,
                    side=str(one.side),
                    entity=one.entity,
                    record=one.record,
                    event=one.event,
                    fields=list(one.fields),
                    actor=one.actor,
                )
                for one in story.events
            ],
            conflicts=[ConflictOutput.of(one) for one in story.conflicts],
            refused=[RefusedOutput.of(one) for one in story.letters],
            waiting=[f"{hint.side} {hint.entity} {hint.record}: {hint.reason}" for hint in story.hints],
        )

    def show(self, terminal: Terminal) -> None:
        """Tell a person."""
        for link in self.linked:
            terminal.say(f"{link['entity']} {link['wordpress_id']} = {link['erpnext_id']} ({link['state']})")
        for event in self.events:
            fields = f": {', '.join(event.fields)}" if event.fields else ""
            by = f" by {event.actor}" if event.actor else ""
            terminal.say(f"  {event.at or ''}  {event.event} in {event.side} {event.record}{fields}{by}")
        for letter in self.refused:
            terminal.say(f"  refused {letter.id}: {letter.message}; what to do: {letter.remedy}")
        for conflict in self.conflicts:
            terminal.say(f"  conflict {conflict.id}: {conflict.field or conflict.kind}")
        for hint in self.waiting:
            terminal.say(f"  to be looked at: {hint}")
        if not self.linked and not self.events and not self.waiting:
            terminal.say("The bridge knows nothing of it.")
