"""Commands that look: what is installed, and what is missing for each integration."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict
from rich.markup import escape
from rich.table import Table

from agencystack.cli.run import guarded, names, session
from agencystack.cli.terminal import Terminal
from agencystack.engine.context import Component
from agencystack.engine.session import Wish
from agencystack.integrations.checkup import Finding, Inspection, examine, inspect
from agencystack.stack.errors import ExitCode

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
Clients = Annotated[list[str] | None, typer.Option("--client", help="Only this client; may be repeated.")]
LEVELS = {"ok": "[green]ok     [/]", "note": "[yellow]note   [/]", "problem": "[red]problem[/]"}


class ComponentsOutput(BaseModel):
    """What `components` prints."""

    model_config = ConfigDict(extra="forbid")

    components: list[Inspection]


class DoctorOutput(BaseModel):
    """What `doctor` prints."""

    model_config = ConfigDict(extra="forbid")

    findings: list[Finding]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(components)
    app.command()(doctor)


def components(json: Json = False) -> None:
    """Show what is installed, whether it can be reached, and in which version."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with session() as opened:
            found = opened.stack.all_components().items()
            seen = inspect([Component(ref, settings) for ref, settings in found], opened.context)
        if json:
            terminal.json(ComponentsOutput(components=seen))
        else:
            table = Table("Client", "Component", "State", "Version", "Address", "Detail", box=None, pad_edge=False)
            for item in seen:
                colour = "green" if item.state == "reachable" else "red"
                table.add_row(item.client, item.component, f"[{colour}]{item.state}[/]", item.version or "unknown",
                              item.url, escape(item.detail))  # fmt: skip
            terminal.console.print(table)
        codes = [ExitCode.UNREACHABLE for item in seen if item.state == "unreachable"]
        codes += [ExitCode.FAILED for item in seen if item.state == "problem"]
        return ExitCode.worst(codes)

    guarded(terminal, action)


def doctor(
    types: Annotated[list[str] | None, typer.Argument(help="email, sso, ...; none means all.")] = None,
    client: Clients = None,
    json: Json = False,
) -> None:
    """Show what is missing for each integration, and what to do; DNS as a diff."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with session() as opened:
            selection = opened.select(Wish(names(types or ()), tuple(client or ())))
            findings = list(examine(opened, selection))
        if json:
            terminal.json(DoctorOutput(findings=findings))
        else:
            for item in findings:
                terminal.console.print(
                    f"{LEVELS[item.level]} {escape(item.about)}: {escape(item.what)}", soft_wrap=True
                )
                if item.remedy:
                    terminal.console.print(f"        {escape(item.remedy)}", soft_wrap=True)
        return ExitCode.FAILED if any(item.level == "problem" for item in findings) else ExitCode.DONE

    guarded(terminal, action)
