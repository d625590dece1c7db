"""`agencystack integration snippet`: what a person can put in place by hand where we cannot."""

from __future__ import annotations

from typing import Annotated

import typer

from agencystack.cli.run import guarded, session
from agencystack.cli.terminal import DoneOutput, Terminal
from agencystack.engine.session import Wish
from agencystack.stack.errors import ExitCode, UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the group of integrations."""
    app.command("snippet")(snippet)


def snippet(
    type_: Annotated[str, typer.Argument(metavar="TYPE")],
    application: Annotated[str, typer.Argument()],
    client: Annotated[list[str] | None, typer.Option("--client", help="Only this client; may be repeated.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Print configuration to copy, with the addresses of stack.yaml, for what we cannot configure ourselves."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with session() as opened:
            selection = opened.select(Wish((type_,), tuple(client or ()), (application,)))
            texts = [text for integration, site in selection.sites if (text := integration.snippet(site))]
        if not texts:
            reason = f" ({'; '.join(selection.skipped)})" if selection.skipped else ""
            raise UsageError(
                f"there is no snippet for {type_} {application}{reason}",
                remedy=f"agencystack plan {type_} --component {application} says what is done, and what to do by hand",
            )
        for text in texts:
            terminal.say(text)
        return terminal.done(DoneOutput(done="snippet", names=[site.name for _, site in selection.sites], notes=texts))

    guarded(terminal, action)
