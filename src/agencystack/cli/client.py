"""`agencystack client`: take on a customer, and let one go without leaving anything behind."""

from __future__ import annotations

from typing import Annotated

import typer

from agencystack.cli.run import confirmed, guarded, require_everything, session
from agencystack.cli.terminal import DoneOutput, Terminal
from agencystack.engine.report import of_undo
from agencystack.engine.session import Session, Wish
from agencystack.stack.edit import add_client, remove_client
from agencystack.stack.errors import ExitCode
from agencystack.stack.paths import Home

app = typer.Typer(help="The agency's customers.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="Its id in stack.yaml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]


@app.callback()
def client() -> None:
    """The agency's customers."""


@app.command()
def add(
    id: Id,  # noqa: A002 - the word of our commands
    domain: Annotated[str, typer.Option("--domain", help="What its mail addresses end in.")],
    json: Json = False,
) -> None:
    """Write a client into stack.yaml; its components are yours to add there."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        file = Home.from_environment().stack_file
        add_client(file, id, domain)
        terminal.say(f"{id} is in {file}. Add its components there (docs/connect-a-stack.md), then: agencystack plan")
        return terminal.done(DoneOutput(done="added", file=str(file)))

    guarded(terminal, action)


@app.command()
def remove(
    id: Id,  # noqa: A002 - the word of our commands
    force: Annotated[bool, typer.Option("--force", help="Put back also what a person changed since.")] = False,
    auto: Annotated[bool, typer.Option("--auto", "--yes", help="Never ask, never read standard input.")] = False,
    json: Json = False,
) -> None:
    """Undo everything of a client, then take it out of stack.yaml; what all clients share stays for the others."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with session() as opened:
            return _remove(opened, terminal, id, force=force, auto=auto)

    guarded(terminal, action)


def _remove(opened: Session, terminal: Terminal, client: str, *, force: bool, auto: bool) -> ExitCode:
    selection = opened.select(Wish(clients=(client,)))
    require_everything(opened, selection, None)
    opened.context.purge = True  # nothing of a client that leaves is kept: no link, no value of its customers
    with opened.locked([client]):
        made = opened.plan_undo(selection, run=None, force=force)
        if not auto:
            proposed = of_undo(made, opened.context.run, "pending", {})
            terminal.plan(proposed)
            if not confirmed(f"Undo this, and take {client} out of stack.yaml?"):
                return terminal.declined(proposed)
        errors = opened.undo(made, run=None)
        if not errors:
            remove_client(opened.context.home.stack_file, client)
    terminal.show(of_undo(made, opened.context.run, "undone", errors), terminal.results)
    if errors:
        terminal.notes.print(f"{client} stays in stack.yaml: not all of it could be undone.")
    else:
        terminal.say(f"{client} is out of stack.yaml; how that was is in stack.yaml.old.")
    return ExitCode.worst([error.exit_code for error in errors.values()])
