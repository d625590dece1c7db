"""What a person sees: plans as diffs, results and statuses as tables, progress on standard error."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from agencystack.engine.planning import IntegrationPlan
from agencystack.engine.report import ChangeOutput, ResultOutput, RunOutput, StatusOutput, VerifyOutput
from agencystack.engine.workshop import Result
from agencystack.stack.errors import AgencyStackError, ExitCode
from agencystack.stack.secrets import redact

COLOURS = {
    "applied": "green", "undone": "green", "unverified": "yellow", "pending": "yellow", "drifted": "red",
    "blocked": "red", "manual": "magenta", "unsupported": "dim",
}  # fmt: skip
SIGNS = {"create": "[green]+[/]", "update": "[yellow]~[/]", "adopt": "[magenta]&[/]", "delete": "[red]-[/]"}


Output = TypeVar("Output", bound=BaseModel)


class DoneOutput(BaseModel):
    """What commands print that do one thing: init, backup, restore, secret, client add, integration eject."""

    model_config = ConfigDict(extra="forbid")

    done: str
    file: str | None = None
    names: list[str] = []
    notes: list[str] = []


class Terminal:
    """Writes to a person, or one JSON object to standard output and nothing else there.

    Args:
        as_json: print JSON; everything for a person then goes to standard error.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, highlight=False)
        self.notes = Console(stderr=True, highlight=False)

    def json(self, output: BaseModel) -> None:
        """Print the one object of this command."""
        text = json.dumps(output.model_dump(mode="json"), indent=2, ensure_ascii=False)
        sys.stdout.write(redact(text) + "\n")
        sys.stdout.flush()

    def show(self, output: Output, to_person: Callable[[Output], None]) -> None:
        """Print the result of a command: as JSON, or with ``to_person``."""
        if self.as_json:
            self.json(output)
        else:
            to_person(output)

    def done(self, output: DoneOutput) -> ExitCode:
        """End a command that has told a person already what it did."""
        if self.as_json:
            self.json(output)
        return ExitCode.DONE

    def declined(self, output: BaseModel) -> ExitCode:
        """End a command that a person answered no to: nothing was changed."""
        if self.as_json:
            self.json(output)
        return ExitCode.DONE

    def say(self, text: str) -> None:
        """Print a line of text for a person."""
        self.console.print(redact(text), markup=False, soft_wrap=True)

    def error(self, error: AgencyStackError) -> None:
        """Print what failed, where, and what to do."""
        where = f"{error.component}: " if error.component else ""
        self.notes.print(f"[bold red]Error:[/] {escape(redact(where + error.message))}", soft_wrap=True)
        for name in error.missing:
            self.notes.print(f"  missing: {escape(name)}", soft_wrap=True)
        if error.remedy:
            self.notes.print(f"  What to do: {escape(redact(error.remedy))}", soft_wrap=True)

    def plan(self, output: RunOutput) -> None:
        """Print a plan as a diff."""
        for result in output.results:
            self._head(result)
            for change in result.changes:
                self._change(change)
            for warning in result.warnings:
                self.console.print(f"    [yellow]note:[/] {escape(warning)}", soft_wrap=True)
        self._skipped(output.skipped)
        resources = "resource" if output.changes == 1 else "resources"
        self.console.print(
            f"\n[bold]{output.changes} {resources} to change.[/]" if output.changes else "\n[bold]Nothing to change.[/]"
        )

    def results(self, output: RunOutput) -> None:
        """Print what a run did."""
        table = Table("Client", "Type", "Application", "Status", "Changes", box=None, pad_edge=False)
        for line in output.results:
            table.add_row(line.client, line.type, line.component, _status(line.status), str(len(line.changes)))
        self.console.print(table)
        self._reasons({f"{line.client}/{line.type}/{line.component}": line.reason for line in output.results})
        self._skipped(output.skipped)

    def status(self, output: StatusOutput) -> None:
        """Print what is applied, since when, in which version."""
        table = Table(
            "Client", "Type", "Application", "Status", "Applied", "Proven", "Version", box=None, pad_edge=False
        )
        for line in output.integrations:
            version = f"{line.version} on {line.component_version}" if line.component_version else str(line.version)
            table.add_row(line.client, line.type, line.component, _status(line.status), _when(line.applied_at),
                          _when(line.verified_at), version)  # fmt: skip
        self.console.print(table)
        self._reasons({f"{line.client}/{line.type}/{line.component}": line.reason for line in output.integrations})
        self._skipped(output.skipped)

    def proofs(self, output: VerifyOutput) -> None:
        """Print what the proofs saw."""
        proofs = output.proofs
        table = Table("Client", "Type", "Application", "Proof", "Result", "Seconds", box=None, pad_edge=False)
        for proof in proofs:
            result = "[green]passed[/]" if proof.ok else "[red]failed[/]"
            table.add_row(proof.client, proof.type, proof.component, proof.name, result, f"{proof.seconds:.1f}")
        self.console.print(table)
        for proof in proofs:
            seen = ", ".join(f"{name} {_short(value)}" for name, value in proof.evidence.items())
            self.console.print(f"[dim]{proof.client}/{proof.type}/{proof.component}:[/] {escape(seen)}", soft_wrap=True)
        self._reasons({f"{p.client}/{p.type}/{p.component}": p.reason for p in proofs})

    def _reasons(self, reasons: Mapping[str, str]) -> None:
        """Print why, one reason once for all that share it."""
        shared: dict[str, list[str]] = {}
        for name, reason in reasons.items():
            if reason:
                shared.setdefault(reason, []).append(name)
        for reason, who in shared.items():
            self.console.print(f"[bold]{escape(', '.join(who))}:[/] {escape(redact(reason))}", soft_wrap=True)

    def _head(self, result: ResultOutput) -> None:
        name = f"{result.client}/{result.type}/{result.component}"
        self.console.print(f"[bold]{name}[/]  {_status(result.status)}")
        # What is pending or drifted is what the changes below say; every other reason stands nowhere else.
        if result.reason and not (result.changes and result.status in {"pending", "drifted"}):
            self.console.print(f"    {escape(redact(result.reason))}", soft_wrap=True)

    def _change(self, change: ChangeOutput) -> None:
        self.console.print(f"  {SIGNS[change.action]} {escape(change.resource)}", soft_wrap=True)
        for name, value in change.values.items():
            if change.action == "create":
                self.console.print(f"      {name}: {escape(_short(value.after))}", soft_wrap=True)
            elif change.action != "delete":
                self.console.print(
                    f"      {name}: {escape(_short(value.before))} -> {escape(_short(value.after))}", soft_wrap=True
                )

    def _skipped(self, skipped: Sequence[str]) -> None:
        for reason in skipped:
            self.console.print(f"[dim]skipped: {escape(reason)}[/]", soft_wrap=True)


class ProgressObserver:
    """Shows which integration does what, while a person watches."""

    def __init__(self, console: Console, total: int) -> None:
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console,
            transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task: TaskID = self._progress.add_task("", total=total)
        self._lock = threading.Lock()

    def __enter__(self) -> ProgressObserver:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, plan: IntegrationPlan, what: str) -> None:
        """Show what an integration does now."""
        with self._lock:
            self._progress.update(self._task, description=escape(f"{plan.name}: {what}"))

    def done(self, plan: IntegrationPlan, result: Result) -> None:
        """Count an integration as finished."""
        with self._lock:
            self._progress.advance(self._task)


class Silent:
    """Observes nothing, for commands that change nothing."""

    def step(self, plan: IntegrationPlan, what: str) -> None:
        """Ignore."""

    def done(self, plan: IntegrationPlan, result: Result) -> None:
        """Ignore."""


def _status(status: str) -> str:
    return f"[{COLOURS.get(status, 'white')}]{status}[/]"


def _when(time: str | None) -> str:
    return time.replace("T", " ")[: len("2026-01-01 00:00")] if time else "-"


def _short(value: object) -> str:
    if value is None or value == "":
        return "(nothing)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "(none)"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(item)}" for name, item in value.items())
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
