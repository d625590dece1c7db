"""Open the bridge of one client for a command."""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from agencystack.stack.errors import ConfigurationError, UsageError
from agencystack.stack.load import load as load_stack
from agencystack.stack.model import Stack
from agencystack.stack.paths import Home
from agencystack.stack.references import SecretResolver
from agencystack.stack.sealed import SealedStore

if TYPE_CHECKING:
    from agencystack.bridge.bridge import Bridge
    from agencystack.bridge.serving.desk import Desk

Client = Annotated[
    str | None, typer.Option("--client", help="Whose bridge; not needed where one client alone has one.")
]


@contextmanager
def opened_desk() -> Iterator[tuple[Stack, Desk]]:
    """Open the bridge's store.

    Raises:
        ConfigurationError: there is none: nothing was integrated yet.
    """
    # The bridge's libraries take a second to import: only its own commands pay it.
    from agencystack.bridge.serving.desk import Desk
    from agencystack.bridge.serving.place import Place
    from agencystack.bridge.serving.service import milliseconds
    from agencystack.bridge.store import Store
    from agencystack.bridge.store.shifts import Shifts

    home = Home.from_environment()
    stack = load_stack(home.stack_file)
    resolver = SecretResolver(SealedStore(home.secrets_dir, home.key_file))
    database = stack.bridge.database if stack.bridge else None
    place = Place(home, resolver.resolve(database) if database else None)
    if not place.exists:
        raise ConfigurationError(
            "no client has a data bridge yet", remedy="set one up with: agencystack integrate data-bridge"
        )
    store = Store.open(place.store_url)
    name = f"{getpass.getuser()}-{os.getpid()}-{secrets.token_hex(3)}"
    desk = Desk(store, place.keyring, Shifts(store, milliseconds), name)
    try:
        yield stack, desk
    finally:
        desk.close()
        store.close()


@contextmanager
def opened_bridge(client: str | None) -> Iterator[Bridge]:
    """Open the bridge of a client.

    Args:
        client: its id; None for the only one that has a bridge.

    Raises:
        UsageError: there is no such client, or several have a bridge.
        ConfigurationError: it has none.
    """
    with opened_desk() as (stack, desk):
        yield desk.bridge(_chosen(stack, client))


def _chosen(stack: Stack, client: str | None) -> str:
    if client is not None:
        stack.client(client)
        return client
    sharing = [name for name, one in stack.clients.items() if one.data_bridge is not None]
    if len(sharing) == 1:
        return sharing[0]
    raise UsageError(
        "several clients have a data bridge" if sharing else "no client in stack.yaml has data_bridge",
        remedy=f"say which: --client {'|'.join(sharing)}" if sharing else "add it: docs/data-bridge.md",
    )
