"""The commands of `agencystack`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import structlog
import typer

from agencystack import __version__
from agencystack.cli import bridge, installation, logs, roles, sandbox, secret, serve, setup, snippet
from agencystack.cli import client as clients
from agencystack.cli.run import confirmed, fail, guarded, names, require_everything, session, unexpected
from agencystack.cli.terminal import DoneOutput, ProgressObserver, Terminal
from agencystack.engine.planning import Key, Plan, Status
from agencystack.engine.registry import eject as eject_integration
from agencystack.engine.registry import load as load_integrations
from agencystack.engine.report import VerifyOutput, of_plan, of_proof, of_results, of_status, of_undo
from agencystack.engine.resource import Permission
from agencystack.engine.session import Selection, Session, Wish
from agencystack.engine.workshop import Result
from agencystack.stack.errors import AgencyStackError, ExitCode, UsageError
from agencystack.stack.paths import Home
from agencystack.stack.secrets import Secret

app = typer.Typer(
    name="agencystack",
    help="Make the products an agency hosts one platform: planned first, proven end to end.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
integrations = typer.Typer(help="Integrations themselves.", no_args_is_help=True)
app.add_typer(integrations, name="integration")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(secret.app, name="secret")
app.add_typer(roles.app, name="roles")
app.add_typer(clients.app, name="client")
app.add_typer(logs.app, name="logs")
app.add_typer(bridge.app, name="bridge")
serve.register(app, bridge.app)
installation.register(app)
snippet.register(integrations)
setup.register(app)

Types = Annotated[list[str] | None, typer.Argument(help="email, sso, monitoring, data-bridge; none means all.")]
OneOrAll = Annotated[list[str], typer.Argument(help="email, sso, monitoring, data-bridge, or all.")]
Clients = Annotated[list[str] | None, typer.Option("--client", help="Only this client; may be repeated.")]
Applications = Annotated[list[str] | None, typer.Option("--component", help="Only this application; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
ProveAdmin = Annotated[bool, typer.Option("--prove-admin", help="Let proofs log in as administrators, too.")]
Auto = Annotated[bool, typer.Option("--auto", "--yes", help="Never ask, never read standard input.")]


def _wish(types: list[str] | None, clients: list[str] | None, applications: list[str] | None) -> Wish:
    return Wish(names(types or ()), tuple(clients or ()), tuple(applications or ()))


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"agencystack {__version__}\n")
        raise typer.Exit(0)


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make the products an agency hosts one platform: planned first, proven end to end."""


@app.command()
def plan(types: Types = None, client: Clients = None, component: Applications = None, json: Json = False) -> None:
    """Show what would change, from live reads; changes nothing. Exit code 3: something would."""

    def act(opened: Session, selection: Selection, terminal: Terminal) -> ExitCode:
        made = opened.plan(selection)
        terminal.show(of_plan(made, opened.context.run), terminal.plan)
        return _plan_code(made)

    _on_selection(json, _wish(types, client, component), act)


@app.command()
def integrate(
    types: Types = None,
    client: Clients = None,
    component: Applications = None,
    auto: Auto = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Take nothing back where a proof fails, to look at it.")] = False,
    prove_admin: ProveAdmin = False,
    json: Json = False,
) -> None:
    """Plan, ask, apply, prove. A second run changes nothing and says so."""
    if dry_run:
        plan(types, client, component, json)

    def act(opened: Session, selection: Selection, terminal: Terminal) -> ExitCode:
        require_everything(opened, selection, None if auto else _ask_secret)
        with opened.locked(selection.clients):
            made = opened.plan(selection)
            granted: dict[Key, Permission] = {}
            if not auto:
                made, granted = _talk_over(opened, selection, terminal, made)
                if made.changes and not confirmed("Apply this?"):
                    return terminal.declined(of_plan(made, opened.context.run))
            opened.context.prove_admin = prove_admin
            results = _apply(opened, terminal, made, granted, keep=keep)
        terminal.show(of_results(results, opened.context.run, made.skipped), terminal.results)
        if not json:
            terminal.say(_next_step(results))
        return ExitCode.worst([result.exit_code for result in results])

    _on_selection(json, _wish(types, client, component), act)


@app.command()
def verify(
    types: Types = None,
    client: Clients = None,
    component: Applications = None,
    prove_admin: ProveAdmin = False,
    json: Json = False,
) -> None:
    """Use every integration end to end, and show what was seen."""

    def act(opened: Session, selection: Selection, terminal: Terminal) -> ExitCode:
        opened.context.prove_admin = prove_admin
        with opened.locked(selection.clients):
            seen = opened.verify(opened.plan(selection))
        output = VerifyOutput(proofs=[of_proof(item, proof) for item, proofs in seen for proof in proofs])
        terminal.show(output, terminal.proofs)
        codes = [ExitCode.DONE if proof.ok else ExitCode.FAILED for proof in output.proofs]
        return ExitCode.worst([*codes, *(item.exit_code for item, _ in seen)])

    _on_selection(json, _wish(types, client, component), act)


@app.command()
def status(types: Types = None, client: Clients = None, component: Applications = None, json: Json = False) -> None:
    """Show what is applied, since when, in which version, and what is not and why; from live reads."""

    def act(opened: Session, selection: Selection, terminal: Terminal) -> ExitCode:
        made = opened.plan(selection)
        terminal.show(of_status(made), terminal.status)
        unreachable = any(item.exit_code is ExitCode.UNREACHABLE for item in made.integrations)
        return ExitCode.UNREACHABLE if unreachable else ExitCode.DONE

    _on_selection(json, _wish(types, client, component), act)


@app.command()
def undo(
    types: OneOrAll,
    client: Clients = None,
    component: Applications = None,
    run: Annotated[str | None, typer.Option("--run", help="Back to before this run, not before the first.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Put back also what a person changed since.")] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Forget for good what undo keeps (links of the bridge).")
    ] = False,
    auto: Auto = False,
    json: Json = False,
) -> None:
    """Put back what was there before us; what a person changed since is left and reported."""
    if purge and run is not None:
        fail(Terminal(as_json=json), UsageError("--run and --purge exclude one another: a run ago, links were known"))

    def act(opened: Session, selection: Selection, terminal: Terminal) -> ExitCode:
        if purge:
            opened.forget_for_good(selection)
        require_everything(opened, selection, None)
        with opened.locked(selection.clients):
            made = opened.plan_undo(selection, run=run, force=force)
            if not auto:
                proposed = of_undo(made, opened.context.run, "pending", {})
                terminal.plan(proposed)
                question = "Undo this, and forget all that is known of it for good?" if purge else "Undo this?"
                if made and not confirmed(question):
                    return terminal.declined(proposed)
            errors = opened.undo(made, run=run)
        terminal.show(of_undo(made, opened.context.run, "undone", errors), terminal.results)
        return ExitCode.worst([error.exit_code for error in errors.values()])

    _on_selection(json, _wish(types, client, component), act)


@app.command()
def rotate(
    types: OneOrAll, client: Clients = None, component: Applications = None, auto: Auto = False, json: Json = False
) -> None:
    """Replace what we generated: new, apply, prove, revoke old; without a gap, and back where the proof fails."""

    def act(opened: Session, selection: Selection, terminal: Terminal) -> ExitCode:
        require_everything(opened, selection, None)
        if not auto and not confirmed(f"Replace the secrets of {len(selection.sites)} integrations?"):
            return terminal.declined(of_results([], opened.context.run, selection.skipped))
        with opened.locked(selection.clients):
            results = opened.rotate(selection)
        terminal.show(of_results(results, opened.context.run, selection.skipped), terminal.results)
        return ExitCode.worst([result.exit_code for result in results])

    _on_selection(json, _wish(types, client, component), act)


@integrations.command("eject")
def eject(
    type_: Annotated[str, typer.Argument(metavar="TYPE")],
    application: Annotated[str, typer.Argument()],
    json: Json = False,
) -> None:
    """Copy a built-in integration into scripts/integration, where your copy replaces it."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        home = Home.from_environment()
        path: Path = eject_integration(load_integrations(home), home, type_, application)
        terminal.say(f"{path} now replaces the built-in; modify it, and every plan says so.")
        return terminal.done(DoneOutput(done="ejected", file=str(path)))

    guarded(terminal, action)


def _on_selection(json: bool, wish: Wish, act: Callable[[Session, Selection, Terminal], ExitCode]) -> None:
    """Open the installation, select what is meant, act on it, and end with the exit code."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with session() as opened:
            return act(opened, opened.select(wish), terminal)

    guarded(terminal, action)


def _talk_over(
    opened: Session, selection: Selection, terminal: Terminal, made: Plan
) -> tuple[Plan, dict[Key, Permission]]:
    """Show the plan; ask about what is not ours, and show it anew with what was granted."""
    terminal.plan(of_plan(made, opened.context.run))
    granted = _ask_about_foreign(made)
    if granted:
        made = opened.plan(selection, granted)
        terminal.plan(of_plan(made, opened.context.run))
    return made, granted


def _apply(
    opened: Session, terminal: Terminal, made: Plan, granted: dict[Key, Permission], *, keep: bool
) -> list[Result]:
    with ProgressObserver(terminal.notes, len(made.integrations)) as observer:
        opened.observe(observer)
        return opened.integrate(made, granted, keep=keep)


def _plan_code(made: Plan) -> ExitCode:
    codes = [item.exit_code for item in made.integrations]
    return ExitCode.worst([*codes, ExitCode.PENDING if made.changes else ExitCode.DONE])


def _ask_about_foreign(made: Plan) -> dict[Key, Permission]:
    """Ask for each thing that works and is not ours whether it may be changed."""
    granted: dict[Key, Permission] = {}
    for step in made.foreign:
        foreign = step.reading.foreign if step.reading else None
        if foreign is not None and confirmed(f"{step.key[0]}: {foreign.what}. {foreign.permission} it?"):
            granted[step.key] = foreign.permission
    return granted


def _ask_secret(place: str) -> Secret:
    if not sys.stdin.isatty():
        raise UsageError(f"the secret for {place} is missing, and standard input is no terminal", missing=[place])
    return Secret(typer.prompt(f"Secret for {place}", hide_input=True, err=True))


def _next_step(results: list[Result]) -> str:
    if not results:
        return "No integration applies to this stack: see `agencystack components` and `agencystack doctor`."
    if all(result.status is Status.APPLIED for result in results):
        return "All applied and proven. `agencystack status` tells from now on; `agencystack undo` takes it back."
    return "What is not applied says why above; `agencystack doctor` names what is missing and what to do."


def main() -> None:
    """Run the command line."""
    terminal = Terminal(as_json="--json" in sys.argv)
    # Standard output is a command's answer; what the bridge logs beside it is for a person.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except typer.TyperException as error:
        _end_of_usage(terminal, error.format_message())
    except typer.Abort:
        sys.exit(130)
    except AgencyStackError as error:
        _end(terminal, error)
    except Exception as error:  # noqa: BLE001 - the last net: a person gets a sentence, not a traceback alone
        _end(terminal, unexpected(error))


def _end_of_usage(terminal: Terminal, message: str) -> None:
    if message.startswith("Usage:"):
        # A group without a command: what could not be understood is its help.
        typer.echo(message, err=True)
        sys.exit(int(ExitCode.USAGE))
    _end(terminal, UsageError(message, remedy="see: agencystack --help"))


def _end(terminal: Terminal, error: AgencyStackError) -> None:
    try:
        fail(terminal, error)
    except typer.Exit as end:
        sys.exit(end.exit_code)
