"""Commands about the installation: what is there, what is missing, a first stack.yaml, backups."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict
from rich.markup import escape
from rich.table import Table

from agencystack.cli.run import guarded, names, session
from agencystack.cli.terminal import Terminal
from agencystack.engine.context import Component
from agencystack.engine.session import Wish
from agencystack.stack.errors import ExitCode

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
Clients = Annotated[list[str] | None, typer.Option("--client", help="Only this client; may be repeated.")]
LEVELS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "problem": "[red]problem[/]"}


class InspectionOutput(BaseModel):
    """One component as it answers now."""

    model_config = ConfigDict(extra="forbid")

    client: str
    component: str
    url: str
    state: str
    version: str | None
    detail: str


class ComponentsOutput(BaseModel):
    """What `components` prints."""

    model_config = ConfigDict(extra="forbid")

    components: list[InspectionOutput]


class FindingOutput(BaseModel):
    """One thing `doctor` found."""

    model_config = ConfigDict(extra="forbid")

    client: str
    about: str
    level: str
    what: str
    remedy: str


class DoctorOutput(BaseModel):
    """What `doctor` prints."""

    model_config = ConfigDict(extra="forbid")

    findings: list[FindingOutput]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(components)
    app.command()(doctor)


def components(json: Json = False) -> None:
    """Show what is installed, whether it can be reached, and in which version."""
    from agencystack.integrations.checkup import inspect

    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with session() as opened:
            found = opened.stack.all_components().items()
            seen = inspect([Component(ref, settings) for ref, settings in found], opened.context)
        if json:
            terminal.json(ComponentsOutput(components=[InspectionOutput(**asdict(item)) for item in seen]))
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
    from agencystack.integrations.checkup import examine

    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with session() as opened:
            selection = opened.select(Wish(names(types or ()), tuple(client or ())))
            findings = list(examine(opened, selection))
        if json:
            terminal.json(DoctorOutput(findings=[FindingOutput(**asdict(item)) for item in findings]))
        else:
            for item in findings:
                terminal.console.print(f"{LEVELS[item.level]:<18} {escape(item.about)}: {escape(item.what)}")
                if item.remedy:
                    terminal.console.print(f"         {escape(item.remedy)}")
        return ExitCode.FAILED if any(item.level == "problem" for item in findings) else ExitCode.DONE

    guarded(terminal, action)
