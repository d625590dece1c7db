"""Commands about the installation: what is there, what is missing, a first stack.yaml, backups."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict
from rich.markup import escape
from rich.table import Table

from agencystack.cli.run import guarded, names, session
from agencystack.cli.terminal import Terminal
from agencystack.engine.context import Component
from agencystack.engine.report import of_status
from agencystack.engine.session import Wish
from agencystack.integrations.checkup import Finding, Inspection, examine, inspect
from agencystack.stack.backup import backup as write_backup
from agencystack.stack.backup import finish_restore
from agencystack.stack.backup import restore as restore_backup
from agencystack.stack.discovery import Proposal, discover, running_containers
from agencystack.stack.errors import ConfigurationError, ExitCode, UsageError
from agencystack.stack.init import Question, accept, from_questions, render, render_proposal, write_stack
from agencystack.stack.local import LocalExecutor
from agencystack.stack.paths import DEFAULT_HOME, Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret

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


secrets = typer.Typer(help="Sealed secrets, which stack.yaml names as secret:NAME.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(components)
    app.command()(doctor)
    app.command()(init)
    app.command()(backup)
    app.command()(restore)
    app.add_typer(secrets, name="secret")


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


def init(
    questions: Annotated[bool, typer.Option("--questions", help="Ask, even where a host can be looked at.")] = False,
    root: Annotated[Path, typer.Option("--from", help="Folder of an AgencyStack host to look at.")] = DEFAULT_HOME,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing stack.yaml; it is kept beside.")] = False,
    auto: Annotated[bool, typer.Option("--auto", "--yes", help="Write what was found without asking.")] = False,
) -> None:
    """Make stack.yaml: from what this host shows, else from questions; shown before it is written."""
    terminal = Terminal(as_json=False)

    def action() -> ExitCode:
        home = Home.from_environment()
        if home.stack_file.exists() and not force:
            raise ConfigurationError(
                f"{home.stack_file} exists", remedy="edit it, or replace it with: agencystack init --force"
            )
        proposal = None if questions else _look(terminal, root)
        if proposal is None or not proposal.sources:
            if auto or not sys.stdin.isatty():
                raise ConfigurationError(
                    f"nothing of a stack was found in {root}, and there is nobody to ask",
                    remedy=f"write {home.stack_file} (docs/connect-a-stack.md), or run this in a terminal",
                )
            text = render(from_questions(_ask))
            terminal.say(text)
            if typer.confirm(f"Write this to {home.stack_file}?", err=True):
                write_stack(home, text, force=force)
            return ExitCode.DONE
        _show(terminal, proposal)
        if auto or _agreed(home):
            accept(home, proposal, SealedStore(home.secrets_dir, home.key_file), force=force)
            terminal.say(f"Written: {home.stack_file}. Next: fill in what is named above, then `agencystack doctor`.")
        return ExitCode.DONE

    guarded(terminal, action)


def backup(
    file: Annotated[Path, typer.Argument(help="The .tar.gz to write.")],
    with_key: Annotated[bool, typer.Option("--with-key", help="Put the key of the sealed secrets in too.")] = False,
) -> None:
    """Write records, sealed secrets and stack.yaml into one file."""
    terminal = Terminal(as_json=False)

    def action() -> ExitCode:
        home = Home.from_environment()
        finish_restore(home)
        written = write_backup(home, file, with_key=with_key)
        terminal.say(f"{written.files} files in {written.path}.")
        if written.warning:
            terminal.say(written.warning)
        return ExitCode.DONE

    guarded(terminal, action)


def restore(file: Annotated[Path, typer.Argument(help="A file that backup wrote.")]) -> None:
    """Put a backup in place, keep what stood there, and show what now differs from live."""
    terminal = Terminal(as_json=False)

    def action() -> ExitCode:
        restored = restore_backup(Home.from_environment(), file)
        terminal.say(f"The backup of {restored.made_at} is in place.")
        if restored.replaced:
            terminal.say(f"What stood there before is in {restored.replaced}.")
        with session() as opened:
            selection = opened.select(Wish())
            output = of_status(opened.plan(selection))
        terminal.status(output)
        terminal.say(
            "What is not `applied` above differs from live: `agencystack plan` shows it, `integrate` mends it."
        )
        return ExitCode.DONE

    guarded(terminal, action)


@secrets.command("set")
def set_secret(name: Annotated[str, typer.Argument(help="Such as acme/erpnext/api-key.")]) -> None:
    """Seal a secret, typed unseen or read from standard input; never given as an argument."""
    terminal = Terminal(as_json=False)

    def action() -> ExitCode:
        typed = getpass.getpass(f"Secret for {name}: ") if sys.stdin.isatty() else sys.stdin.read()
        value = typed.rstrip("\r\n")
        if not value:
            raise UsageError("an empty secret opens nothing", remedy="type it, or give it on standard input")
        _store().put(name, Secret(value))
        terminal.say(f"Sealed. Name it in stack.yaml as: secret:{name}")
        return ExitCode.DONE

    guarded(terminal, action)


@secrets.command("list")
def list_secrets() -> None:
    """Show the names of the sealed secrets."""
    terminal = Terminal(as_json=False)

    def action() -> ExitCode:
        for name in _store().names():
            terminal.say(name)
        return ExitCode.DONE

    guarded(terminal, action)


@secrets.command("delete")
def delete_secret(name: Annotated[str, typer.Argument()]) -> None:
    """Forget a sealed secret."""
    terminal = Terminal(as_json=False)

    def action() -> ExitCode:
        if not _store().delete(name):
            raise UsageError(f"there is no sealed secret {name}", remedy="see: agencystack secret list")
        return ExitCode.DONE

    guarded(terminal, action)


def _store() -> SealedStore:
    home = Home.from_environment()
    return SealedStore(home.secrets_dir, home.key_file)


def _look(terminal: Terminal, root: Path) -> Proposal:
    containers, problem = running_containers(LocalExecutor())
    if problem:
        terminal.say(f"Containers could not be listed ({problem}); looking at files only.")
    return discover(root, containers)


def _show(terminal: Terminal, proposal: Proposal) -> None:
    """Show a proposal as it would be written; passwords are references in it, never values."""
    terminal.say(render_proposal(proposal))
    for lack in proposal.to_fill_in:
        terminal.say(f"Fill in {lack.path}: {lack.remedy}")
    for name in proposal.to_seal:
        terminal.say(f"A password found in clear will be sealed as secret:{name}")
    for line in proposal.history:
        terminal.say(f"Earlier scripts noted, which proves nothing: {line}")
    for remark in proposal.remarks:
        terminal.say(f"Note: {remark}")


def _agreed(home: Home) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("this command asks, and standard input is no terminal", remedy="give --auto to write it")
    return typer.confirm(f"Write this to {home.stack_file}?", err=True)


def _ask(question: Question) -> str:
    if question.problem:
        typer.echo(question.problem, err=True)
    answer: str = typer.prompt(question.text, default=question.default, show_default=bool(question.default), err=True)
    return answer
