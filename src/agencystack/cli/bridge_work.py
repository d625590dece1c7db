"""`agencystack bridge`: the commands that look at many records, or tell about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from agencystack.cli.bridge_opening import Client, opened_bridge
from agencystack.cli.bridge_output import BridgeRunOutput
from agencystack.cli.bridge_report import (
    BridgePreviewOutput,
    BridgeReconcileOutput,
    BridgeStatusOutput,
    BridgeStoryOutput,
    EntityPreviewOutput,
    ReconciledOutput,
)
from agencystack.cli.run import confirmed, guarded
from agencystack.cli.terminal import DoneOutput, Terminal
from agencystack.engine.context import acting_user
from agencystack.stack import bridge_files
from agencystack.stack.errors import ExitCode, UsageError
from agencystack.stack.paths import Home

if TYPE_CHECKING:
    from agencystack.bridge.bridge import Bridge
    from agencystack.bridge.record import SideName
    from agencystack.bridge.work.cycle import Progress as Done

Entities = Annotated[list[str] | None, typer.Argument(metavar="[ENTITY...]", help="customer, product, ...; none: all.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
Auto = Annotated[bool, typer.Option("--auto", "--yes", help="Never ask, never read standard input.")]
HEARD = 30.0


def register(app: typer.Typer) -> None:
    """Add the commands to the group ``bridge``."""
    for command in (run, preview, backfill, reconcile, status, show, forget):
        app.command()(command)


def run(client: Client = None, json: Json = False) -> None:
    """Work off everything that is due, once, and end; beside a running worker or without one."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as bridge:
            refuse_paused(bridge)
            _compare_restored(bridge)
            output = BridgeRunOutput.of(bridge.context.pairing, bridge.run())
        terminal.show(output, lambda shown: shown.show(terminal))
        return ExitCode.DONE

    guarded(terminal, action)


def preview(entities: Entities = None, client: Client = None, json: Json = False) -> None:
    """Read both sides, write nothing, and say what a backfill would create, update and ask, with samples."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as bridge:
            found = [EntityPreviewOutput.of(bridge.preview(entity)) for entity in chosen(bridge, entities)]
            output = BridgePreviewOutput(client=bridge.context.pairing, entities=found)
        terminal.show(output, lambda shown: shown.show(terminal))
        return ExitCode.DONE

    guarded(terminal, action)


def backfill(
    entities: Entities = None,
    client: Client = None,
    allow_mail: Annotated[
        bool, typer.Option("--allow-mail", help="Although WordPress may mail customers because of it.")
    ] = False,
    auto: Auto = False,
    json: Json = False,
) -> None:
    """Bring over what both sides have already, matched by SKU and e-mail; stopped, it goes on where it was."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as bridge:
            refuse_paused(bridge)
            names = chosen(bridge, entities)
            if not allow_mail:
                refuse_mail(bridge, names)
            if not auto and not confirmed(f"Write what `bridge preview` shows, for {', '.join(names)}?"):
                return terminal.done(DoneOutput(done="nothing"))
            output = BridgeRunOutput.of(bridge.context.pairing, _backfilled(bridge, names, terminal))
        terminal.show(output, lambda shown: shown.show(terminal))
        return ExitCode.DONE

    guarded(terminal, action)


def reconcile(
    entities: Entities = None,
    client: Client = None,
    repair: Annotated[bool, typer.Option("--repair", help="Have what differs looked at again.")] = False,
    json: Json = False,
) -> None:
    """Compare each side with what it was last seen to hold: what changed without a word is found."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as bridge:
            done = [bridge.reconcile(entity, repair=repair) for entity in chosen(bridge, entities)]
            found = [ReconciledOutput.of(one) for one in done]
            output = BridgeReconcileOutput(client=bridge.context.pairing, entities=found)
        terminal.show(output, lambda shown: shown.show(terminal))
        return ExitCode.DONE

    guarded(terminal, action)


def status(client: Client = None, json: Json = False) -> None:
    """Show how far behind the bridge is, what waits, what is paused and why."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        from agencystack.bridge.serving.service import milliseconds
        from agencystack.bridge.store.shifts import Shifts

        with opened_bridge(client) as bridge:
            workers = Shifts(bridge.context.store, milliseconds).living(HEARD)
            output = BridgeStatusOutput.of(bridge.status(), list(workers))
        terminal.show(output, lambda shown: shown.show(terminal))
        return ExitCode.DONE

    guarded(terminal, action)


def show(
    record: Annotated[str, typer.Argument(metavar="WP-ID|ERP-NAME", help="Its id in WordPress, or name in ERPNext.")],
    side: Annotated[str, typer.Option("--side", help="wordpress or erpnext, where it could be either.")] = "",
    client: Client = None,
    json: Json = False,
) -> None:
    """Show what is known of one record: its other half, what was written and when, what waits."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as bridge:
            story = bridge.history(_side(side, record), record)
            output = BridgeStoryOutput.of(bridge.context.pairing, story)
        terminal.show(output, lambda shown: shown.show(terminal))
        return ExitCode.DONE

    guarded(terminal, action)


def forget(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="E-mail, WordPress user id, or ERPNext customer.")],
    client: Client = None,
    auto: Auto = False,
    json: Json = False,
) -> None:
    """Remove every value the bridge keeps of a person: bases, conflicts, refused writes. The audit keeps ids alone."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        if not auto and not confirmed(f"Remove what the bridge keeps of {person}?"):
            return terminal.done(DoneOutput(done="nothing"))
        from agencystack.bridge.work.forgetting import forget_person

        with opened_bridge(client) as bridge:
            count = forget_person(bridge.context, person, acting_user())
        terminal.say(f"{count} records that the bridge knew of {person} hold no value any more.")
        terminal.say("WordPress and ERPNext still do: erase it there with their own tools for personal data.")
        return terminal.done(DoneOutput(done="forgotten", notes=[f"{count} records"]))

    guarded(terminal, action)


def _compare_restored(bridge: Bridge) -> None:
    """After a restore, have everything that was done since the backup found."""
    home, pairing = Home.from_environment(), bridge.context.pairing
    if pairing in bridge_files.asked(home.bridge_dir):
        for entity in bridge.context.entities:
            bridge.reconcile(entity, repair=True)
        bridge_files.answered(home.bridge_dir, pairing)


def chosen(bridge: Bridge, entities: list[str] | None) -> list[str]:
    """Return the entities that are meant: all that are shared when none is named.

    Raises:
        UsageError: one is not shared.
    """
    shared = list(bridge.context.entities)
    if unknown := [name for name in entities or () if name not in shared]:
        forms = "; contact forms need our plugin in WordPress" if "submission" in unknown else ""
        raise UsageError(
            f"{bridge.context.pairing} does not share {', '.join(unknown)}",
            remedy=f"it shares {', '.join(shared) or 'nothing'}; see data_bridge in stack.yaml{forms}",
        )
    return list(entities or shared)


def refuse_paused(bridge: Bridge) -> None:
    """Make sure that a pairing is at work.

    Raises:
        UsageError: it is paused.
    """
    pairing = bridge.pairing()
    if pairing.state == "paused":
        raise UsageError(
            f"the bridge of {pairing.id} is paused: {pairing.reason}",
            remedy="when that is in order: agencystack bridge resume (--accept where the installation is another one)",
        )


def refuse_mail(bridge: Bridge, names: list[str]) -> None:
    """Make sure that nobody is mailed because of what is brought over.

    Raises:
        UsageError: WordPress may mail people.
        Unavailable: it does not answer.
    """
    from agencystack.bridge.work.mailing import may_mail

    if mailing := [name for name in names if may_mail(bridge.context, name)]:
        raise UsageError(
            f"WordPress may mail people because of {', '.join(mailing)}: new accounts, orders that change",
            remedy="let our plugin keep them in (agencystack integrate data-bridge, and no `notify` in stack.yaml); "
            "or see with agencystack bridge preview how many they are, and give --allow-mail",
        )


def _backfilled(bridge: Bridge, names: list[str], terminal: Terminal) -> Done:
    from agencystack.bridge.record import SideName
    from agencystack.bridge.work.cycle import Progress as Done

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} records"),
        TimeElapsedColumn(),
    )
    total = Done()
    with Progress(*columns, console=terminal.notes, disable=not terminal.notes.is_terminal) as bar:
        for name in names:
            for side in SideName:
                task = bar.add_task(f"{name} of {side}", total=None)

                def told(walked: int, _progress: Done, task: TaskID = task) -> None:
                    bar.update(task, completed=walked)

                total += bridge.backfill(name, side, told)
    return total


def _side(given: str, record: str) -> SideName:
    from agencystack.bridge.record import SideName

    if given:
        if given not in set(SideName):
            raise UsageError(f"{given} is no side", remedy="write wordpress or erpnext")
        return SideName(given)
    return SideName.WORDPRESS if record.isdigit() or record.startswith("guest") else SideName.ERPNEXT
