"""`agencystack sandbox`: a complete stack on loopback, to try everything on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel, ConfigDict

from agencystack.cli.run import guarded
from agencystack.cli.terminal import Terminal
from agencystack.stack.errors import ExitCode

app = typer.Typer(help="A complete stack on loopback, to try everything on.", no_args_is_help=True)

Dir = Annotated[Path | None, typer.Option("--dir", help="Its folder; default: AGENCYSTACK_HOME, else in your cache.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]


class SandboxComponent(BaseModel):
    """One product of the sandbox, and whether it is the real one."""

    model_config = ConfigDict(extra="forbid")

    name: str
    real: bool
    because: str


class SandboxOutput(BaseModel):
    """What the sandbox commands print."""

    model_config = ConfigDict(extra="forbid")

    directory: str
    state: Literal["up", "down", "broken", "absent"]
    done: Literal["started", "repaired", "nothing", "stopped", "reset"]
    clients: list[str]
    components: list[SandboxComponent]
    running: dict[str, bool]
    seconds: float
    export: str
    warnings: list[str]


@app.command()
def up(
    dir: Dir = None,  # noqa: A002 - the option's name
    real: Annotated[
        str | None, typer.Option("--real", help="auto, none, or names: which are the real products.")
    ] = None,
    clients: Annotated[int | None, typer.Option("--clients", min=1, help="How many clients.")] = None,
    json: Json = False,
) -> None:
    """Start it, without root, in seconds; print what is real, and the line that makes other commands use it."""
    from agencystack.sandbox import api

    wanted: Any = real if real in {None, "auto", "none"} else [name.strip() for name in str(real).split(",")]
    _show(json, lambda: api.up(dir, wanted, clients))


@app.command()
def down(dir: Dir = None, json: Json = False) -> None:  # noqa: A002
    """End exactly what it started."""
    from agencystack.sandbox import api

    _show(json, lambda: api.down(dir))


@app.command()
def status(dir: Dir = None, json: Json = False) -> None:  # noqa: A002
    """Say what runs."""
    from agencystack.sandbox import api

    _show(json, lambda: api.status(dir))


@app.command()
def reset(dir: Dir = None, json: Json = False) -> None:  # noqa: A002
    """Put it back to its first state, at the same addresses."""
    from agencystack.sandbox import api

    _show(json, lambda: api.reset(dir))


def _show(json: bool, act: Callable[[], Any]) -> None:
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        report = act()
        if json:
            terminal.json(SandboxOutput.model_validate(asdict(report) | {"directory": str(report.directory)}))
            return ExitCode.DONE
        terminal.say(f"The sandbox in {report.directory} is {report.state} ({report.done}, {report.seconds:.1f} s).")
        for component in report.components:
            kind = "real" if component.real else "absent" if component.because.startswith("on request") else "stand-in"
            terminal.say(f"  {component.name:<12} {kind:<9} {component.because}")
        for warning in report.warnings:
            terminal.say(f"  note: {warning}")
        if report.export:
            terminal.say("To use it:")
            terminal.say(f"  {report.export}")
        return ExitCode.DONE

    guarded(terminal, action)
