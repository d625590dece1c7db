"""Commands that make and keep an installation: a first stack.yaml, backup, restore."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from agencystack.cli.run import guarded, session
from agencystack.cli.terminal import DoneOutput, Terminal
from agencystack.engine.report import of_status
from agencystack.engine.session import Wish
from agencystack.stack import bridge_files
from agencystack.stack.backup import backup as write_backup
from agencystack.stack.backup import finish_restore
from agencystack.stack.backup import restore as restore_backup
from agencystack.stack.discovery import Proposal, discover, running_containers
from agencystack.stack.errors import ConfigurationError, ExitCode, UsageError
from agencystack.stack.init import Question, accept, from_questions, render, render_proposal, write_stack
from agencystack.stack.load import load as load_stack
from agencystack.stack.local import LocalExecutor
from agencystack.stack.paths import DEFAULT_HOME, Home
from agencystack.stack.sealed import SealedStore

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]

ELSEWHERE = (
    "The data bridge keeps its store in PostgreSQL, and this file does not hold it: dump it with pg_dump, and restore "
    "both as of one time."
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command()(backup)
    app.command()(restore)


def init(
    questions: Annotated[bool, typer.Option("--questions", help="Ask, even where a host can be looked at.")] = False,
    root: Annotated[Path, typer.Option("--from", help="Folder of an AgencyStack host to look at.")] = DEFAULT_HOME,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing stack.yaml; it is kept beside.")] = False,
    auto: Annotated[bool, typer.Option("--auto", "--yes", help="Write what was found without asking.")] = False,
    json: Json = False,
) -> None:
    """Make stack.yaml: from what this host shows, else from questions; shown before it is written."""
    terminal = Terminal(as_json=json)

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
            if not typer.confirm(f"Write this to {home.stack_file}?", err=True):
                return terminal.declined(DoneOutput(done="nothing"))
            write_stack(home, text, force=force)
            return terminal.done(DoneOutput(done="written", file=str(home.stack_file)))
        _show(terminal, proposal)
        if not (auto or _agreed(home)):
            return terminal.declined(DoneOutput(done="nothing"))
        accept(home, proposal, SealedStore(home.secrets_dir, home.key_file), force=force)
        terminal.say(f"Written: {home.stack_file}. Next: fill in what is named above, then `agencystack doctor`.")
        lacks = [f"{lack.path}: {lack.remedy}" for lack in proposal.to_fill_in]
        return terminal.done(DoneOutput(done="written", file=str(home.stack_file), notes=lacks))

    guarded(terminal, action)


def backup(
    file: Annotated[Path, typer.Argument(help="The .tar.gz to write.")],
    with_key: Annotated[bool, typer.Option("--with-key", help="Put the key of the sealed secrets in too.")] = False,
    json: Json = False,
) -> None:
    """Write records, sealed secrets and stack.yaml into one file."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        home = Home.from_environment()
        finish_restore(home)
        written = write_backup(home, file, with_key=with_key)
        terminal.say(f"{written.files} files in {written.path}.")
        if written.warning:
            terminal.say(written.warning)
        notes = [written.warning] if written.warning else []
        if _bridge_is_elsewhere(home):
            terminal.say(ELSEWHERE)
            notes.append(ELSEWHERE)
        return terminal.done(DoneOutput(done="written", file=str(written.path), notes=notes))

    guarded(terminal, action)


def _bridge_is_elsewhere(home: Home) -> bool:
    """Say whether the data bridge keeps its store in a PostgreSQL."""
    with contextlib.suppress(ConfigurationError):
        bridge = load_stack(home.stack_file).bridge
        return bridge is not None and bridge.database is not None
    return False


def restore(file: Annotated[Path, typer.Argument(help="A file that backup wrote.")], json: Json = False) -> None:
    """Put a backup in place, keep what stood there, and show what now differs from live."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        restored = restore_backup(Home.from_environment(), file)
        terminal.say(f"The backup of {restored.made_at} is in place.")
        if restored.replaced:
            terminal.say(f"What stood there before is in {restored.replaced}.")
        with session() as opened:
            selection = opened.select(Wish())
            output = of_status(opened.plan(selection))
        terminal.status(output)
        if waiting := bridge_files.asked(Home.from_environment().bridge_dir):
            terminal.say(
                f"The data bridge of {', '.join(waiting)} compares everything when it next works: start it again."
            )
        terminal.say(
            "What is not `applied` above differs from live: `agencystack plan` shows it, `integrate` mends it."
        )
        differing = [f"{line.client}/{line.type}/{line.component}: {line.status}" for line in output.integrations
                     if line.status != "applied"]  # fmt: skip
        return terminal.done(DoneOutput(done="restored", file=str(file), notes=differing))

    guarded(terminal, action)


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
