"""`agencystack bridge`: decide what only a person can, pause and go on; its work is in ``bridge_work``."""

from __future__ import annotations

from typing import Annotated

import typer

from agencystack.cli.bridge_opening import Client, opened_bridge
from agencystack.cli.bridge_output import BridgeConflictsOutput, ConflictOutput, RefusedOutput
from agencystack.cli.bridge_work import chosen, register
from agencystack.cli.run import guarded
from agencystack.cli.terminal import DoneOutput, Terminal
from agencystack.engine.context import acting_user
from agencystack.stack.errors import ExitCode, UsageError

app = typer.Typer(help="WordPress and ERPNext in step.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
Numbers = Annotated[list[int], typer.Argument(metavar="NUMBER...", help="As `bridge conflicts` shows them.")]
MOST = 1000


@app.callback()
def bridge() -> None:
    """WordPress and ERPNext in step."""


@app.command()
def conflicts(
    client: Client = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only what a product refused.")] = False,
    json: Json = False,
) -> None:
    """Show what waits for a person: edits that collide, records that may be one, what a product refused."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as opened:
            output = BridgeConflictsOutput(
                client=opened.context.pairing,
                conflicts=[] if refused else [ConflictOutput.of(one) for one in opened.conflicts(limit=MOST)],
                refused=[RefusedOutput.of(one) for one in opened.dead_letters(limit=MOST)],
            )
        terminal.show(output, lambda shown: shown.show(terminal))
        return ExitCode.DONE

    guarded(terminal, action)


@app.command()
def resolve(
    number: Annotated[int, typer.Argument(help="As `bridge conflicts` shows it.")],
    choose: Annotated[str, typer.Option("--choose", help="wordpress, erpnext, a candidate's id, or new.")] = "",
    value: Annotated[str | None, typer.Option("--value", help="The text both sides are to have instead.")] = None,
    client: Client = None,
    json: Json = False,
) -> None:
    """Decide a conflict; the next run writes it."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        if bool(choose) == (value is not None):
            raise UsageError("give either --choose or --value", remedy="see: agencystack bridge conflicts")
        with opened_bridge(client) as opened:
            opened.resolve(number, choose, value=value, by=acting_user())
        terminal.say(f"Conflict {number} is decided; a worker, or agencystack bridge run, writes it.")
        return terminal.done(DoneOutput(done="resolved", names=[str(number)]))

    guarded(terminal, action)


@app.command()
def retry(numbers: Numbers, client: Client = None, json: Json = False) -> None:
    """Try again what a product refused, after its cause is gone."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as opened:
            known = {one.id for one in opened.dead_letters(limit=MOST)}
            if missing := [number for number in numbers if number not in known]:
                raise UsageError(
                    f"nothing refused has the number {', '.join(map(str, missing))}",
                    remedy="see: agencystack bridge conflicts --refused",
                )
            opened.retry(numbers)
        terminal.say("They are tried again by a worker, or by agencystack bridge run.")
        return terminal.done(DoneOutput(done="retried", names=[str(number) for number in numbers]))

    guarded(terminal, action)


@app.command()
def pause(
    client: Client = None,
    reason: Annotated[str, typer.Option("--reason", help="For whoever asks why.")] = "paused by hand",
    json: Json = False,
) -> None:
    """Write nothing on either side until `bridge resume`; changes are kept and come later."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as opened:
            opened.pause(reason, acting_user())
        return terminal.done(DoneOutput(done="paused"))

    guarded(terminal, action)


@app.command()
def resume(
    client: Client = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="The installations that answer now are the right ones: pair them anew.")
    ] = False,
    json: Json = False,
) -> None:
    """Go on after a pause: yours, or one because a copy of a site or a restored backup was noticed."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as opened:
            again = opened.resume(acting_user(), accept=accept)
        if accept:
            terminal.say(f"{again} records differ from what was last seen. What the sites hold now goes across,")
            terminal.say("also where it is older, or another record under an id that was given anew.")
        notes = [f"{again} records are looked at again"] if accept else []
        return terminal.done(DoneOutput(done="resumed", notes=notes))

    guarded(terminal, action)


@app.command()
def allow(
    entity: Annotated[str, typer.Argument(help="As `bridge status` names it.")],
    client: Client = None,
    json: Json = False,
) -> None:
    """Let so many records be archived or deleted as the brake holds back."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with opened_bridge(client) as opened:
            opened.confirm_removals(chosen(opened, [entity])[0], acting_user())
        return terminal.done(DoneOutput(done="allowed", names=[entity]))

    guarded(terminal, action)


register(app)
