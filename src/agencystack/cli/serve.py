"""`agencystack serve`: the data bridge at work, in the foreground, as systemd runs it."""

from __future__ import annotations

import os
import re
from typing import Annotated

import typer

from agencystack.cli.run import guarded
from agencystack.cli.terminal import Terminal
from agencystack.stack.errors import ConfigurationError, ExitCode, UsageError
from agencystack.stack.load import load as load_stack
from agencystack.stack.model import Bridge
from agencystack.stack.paths import Home
from agencystack.stack.references import SecretResolver
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from agencystack.stack.values import ADDRESS

Places = Annotated[int, typer.Option("--places", min=1, help="Pairings attended to at a time.")]

PRIVATE_UMASK = 0o077


def register(app: typer.Typer, bridge: typer.Typer) -> None:
    """Add the commands.

    Args:
        app: the program; gets ``serve``.
        bridge: its group of that name; gets ``worker``.
    """
    app.command()(serve)
    bridge.command()(worker)


def serve(
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Instead of bridge.listen in stack.yaml.")
    ] = None,
    places: Places = 4,
) -> None:
    """Keep WordPress and ERPNext in step until Ctrl-C or SIGTERM: take the products' calls, and work."""

    def action() -> ExitCode:
        home, configured, database = _opened(listen)
        address = listen or configured
        if re.fullmatch(ADDRESS, address) is None:
            raise UsageError(f"{address} is not an address to listen at", remedy="write HOST:PORT: 127.0.0.1:8095")
        return _work(home, database, address, places)

    guarded(Terminal(as_json=False), action)


def worker(places: Places = 4) -> None:
    """Work beside other workers on a PostgreSQL (bridge.database), on this host or another; takes no calls."""

    def action() -> ExitCode:
        home, _, database = _opened("")
        if database is None:
            raise UsageError(
                "several workers need a PostgreSQL: SQLite serves one process",
                remedy="write `bridge: {database: secret:NAME}` into stack.yaml, or run agencystack serve",
            )
        return _work(home, database, None, places)

    guarded(Terminal(as_json=False), action)


def _work(home: Home, database: Secret | None, address: str | None, places: int) -> ExitCode:
    # The bridge and DBOS take a second to import: only who serves pays it.
    from agencystack.bridge.serving.listener import Listening
    from agencystack.bridge.serving.place import Place
    from agencystack.bridge.serving.service import run

    os.umask(PRIVATE_UMASK)  # DBOS makes a file of its own, with what is in the products
    run(Place(home, database), Listening.at(address) if address else None, places=places)
    return ExitCode.DONE


def _opened(listen: str | None) -> tuple[Home, str, Secret | None]:
    """Return the installation, where stack.yaml has its bridge listen, and where its database is.

    Our unit gives all of that itself (its user may read neither stack.yaml nor the sealed store).
    """
    home = Home.from_environment()
    if home.credentials is not None and listen is not None:
        given = home.bridge_database_file
        return home, listen, Secret(given.read_text().strip()) if given.exists() else None
    settings = _settings(home)
    resolver = SecretResolver(SealedStore(home.secrets_dir, home.key_file))
    return home, settings.listen, resolver.resolve(settings.database) if settings.database else None


def _settings(home: Home) -> Bridge:
    settings = load_stack(home.stack_file).bridge
    if settings is None:
        raise ConfigurationError(
            f"{home.stack_file} does not say where the bridge listens",
            remedy="add `bridge: {url: ADDRESS}`: as WordPress and ERPNext reach this machine (docs/data-bridge.md)",
        )
    return settings
