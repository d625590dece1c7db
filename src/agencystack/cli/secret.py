"""`agencystack secret`: the sealed secrets that stack.yaml names as secret:NAME."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from agencystack.cli.run import guarded
from agencystack.cli.terminal import DoneOutput, Terminal
from agencystack.stack.errors import ExitCode, UsageError
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret

app = typer.Typer(help="Sealed secrets, which stack.yaml names as secret:NAME.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]


@app.command("set")
def set_secret(name: Annotated[str, typer.Argument(help="Such as acme/erpnext/api-key.")], json: Json = False) -> None:
    """Seal a secret, typed unseen or read from standard input; never given as an argument."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        typed = getpass.getpass(f"Secret for {name}: ") if sys.stdin.isatty() else sys.stdin.read()
        value = typed.rstrip("\r\n")
        if not value:
            raise UsageError("an empty secret opens nothing", remedy="type it, or give it on standard input")
        _store().put(name, Secret(value))
        terminal.say(f"Sealed. Name it in stack.yaml as: secret:{name}")
        return terminal.done(DoneOutput(done="sealed", names=[name]))

    guarded(terminal, action)


@app.command("list")
def list_secrets(json: Json = False) -> None:
    """Show the names of the sealed secrets."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        names = _store().names()
        for name in names:
            terminal.say(name)
        return terminal.done(DoneOutput(done="listed", names=names))

    guarded(terminal, action)


@app.command("delete")
def delete_secret(name: Annotated[str, typer.Argument()], json: Json = False) -> None:
    """Forget a sealed secret."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        if not _store().delete(name):
            raise UsageError(f"there is no sealed secret {name}", remedy="see: agencystack secret list")
        return terminal.done(DoneOutput(done="deleted", names=[name]))

    guarded(terminal, action)


def _store() -> SealedStore:
    home = Home.from_environment()
    return SealedStore(home.secrets_dir, home.key_file)
