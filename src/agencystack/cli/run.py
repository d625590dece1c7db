"""What every command shares: open the installation, run, turn what fails into words and an exit code."""

from __future__ import annotations

import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer

from agencystack.cli.terminal import Silent, Terminal
from agencystack.engine.context import Context
from agencystack.engine.registry import load as load_integrations
from agencystack.engine.report import of_error
from agencystack.engine.session import Selection, Session
from agencystack.engine.workshop import Observer
from agencystack.stack.backup import finish_restore
from agencystack.stack.errors import AgencyStackError, ConfigurationError, ExitCode, UsageError
from agencystack.stack.load import load as load_stack
from agencystack.stack.paths import Home
from agencystack.stack.references import SecretResolver
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret, redact


def command_line() -> str:
    """Return this command as it was typed, for locks and history. Arguments never hold secrets."""
    return redact(shlex.join(["agencystack", *sys.argv[1:]]))


def guarded(terminal: Terminal, action: Callable[[], ExitCode]) -> NoReturn:
    """Run a command and end the process with its exit code."""
    try:
        code = action()
    except AgencyStackError as error:
        fail(terminal, error)
    except KeyboardInterrupt:
        terminal.notes.print("Interrupted: what was begun is continued, or undone, by the next run.")
        raise typer.Exit(130) from None
    raise typer.Exit(int(code))


def fail(terminal: Terminal, error: AgencyStackError) -> NoReturn:
    """Print an error and end the process."""
    if terminal.as_json:
        terminal.json(of_error(error))
    terminal.error(error)
    raise typer.Exit(int(error.exit_code)) from None


@contextmanager
def session(observer: Observer | None = None) -> Iterator[Session]:
    """Open the installation in AGENCYSTACK_HOME for one command."""
    home = Home.from_environment()
    finish_restore(home)
    stack = load_stack(home.stack_file)
    sealed = SealedStore(home.secrets_dir, home.key_file)
    context = Context(home, sealed, SecretResolver(sealed).resolve)
    opened = Session(stack, load_integrations(home), context, command_line(), observer or Silent())
    try:
        yield opened
    finally:
        opened.close()


def require_everything(opened: Session, selection: Selection, ask: Callable[[str], Secret] | None) -> None:
    """Make sure that nothing the selected integrations need is missing, before anything is called.

    Args:
        opened: the session.
        selection: the integrations a command is about.
        ask: asks a person for a secret that the sealed store lacks; None never asks.

    Raises:
        ConfigurationError: one error that names everything that is missing.
    """
    refs = {c.ref for _, site in selection.sites for c in (site.application, site.provider) if c is not None}
    needed = opened.stack.secret_references(sorted(refs))
    sealed = opened.context.sealed
    if ask is not None:
        for place, reference in needed.items():
            if reference.scheme == "secret" and sealed.get(reference.name) is None:
                sealed.put(reference.name, ask(place))
    keys = [key for integration, site in selection.sites for key in integration.missing(site)]
    try:
        SecretResolver(sealed).resolve_all(needed)
    except ConfigurationError as error:
        if not keys:
            raise
        raise _missing(opened, keys, error) from error
    if keys:
        raise _missing(opened, keys, None)


def _missing(opened: Session, keys: Sequence[str], secrets: ConfigurationError | None) -> ConfigurationError:
    """Return the one error that names missing keys and missing secrets."""
    file = opened.context.home.stack_file
    return ConfigurationError(
        f"{file} lacks {', '.join(keys)}" + (f"; {secrets.message}" if secrets else ""),
        missing=[*keys, *(secrets.missing if secrets else ())],
        remedy=f"add them to {file} (docs/connect-a-stack.md)"
        + (f"; {secrets.remedy}" if secrets and secrets.remedy else ""),
    )


def confirmed(question: str) -> bool:
    """Ask a person yes or no.

    Raises:
        UsageError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError("this command asks, and standard input is no terminal", remedy="give --auto to go ahead")
    return typer.confirm(question, default=False, err=True)


def unexpected(error: BaseException) -> AgencyStackError:
    """Return the error for a defect of ours; the traceback is printed, redacted, as there may be no log."""
    sys.stderr.write(redact("".join(traceback.format_exception(error))))
    return AgencyStackError(
        f"agencystack itself failed: {redact(repr(error))}",
        remedy="nothing is half written: run again; please report this with the traceback above",
    )


def names(values: Sequence[str]) -> tuple[str, ...]:
    """Return the types of a command line; `all` and nothing mean all."""
    return () if not values or "all" in values else tuple(values)
