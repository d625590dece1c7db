"""A Uptime Kuma to test with: the stand-in, or the real one that ``AGENCYSTACK_TEST_STACK`` names on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

from agencystack.components.uptime_kuma import UptimeKuma
from agencystack.sandbox.uptime_kuma import ADMIN, UptimeKumaStandIn
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret
from tests.serving import served

WHERE = ComponentRef("shared", "uptime-kuma")
PASSWORD = "the-password-of-kuma"


@dataclass
class Kuma:
    """One Uptime Kuma.

    Args:
        url: of it.
        password: of its user.
        client: logged in when it is first used.
        stand_in: None for the real one.
    """

    url: str
    password: str
    client: UptimeKuma
    stand_in: UptimeKumaStandIn | None

    def another(self, password: str | None = None, limit: float = 10.0) -> UptimeKuma:
        return client_of(self.url, password or self.password, limit)


def client_of(url: str, password: str, limit: float = 10.0) -> UptimeKuma:
    return UptimeKuma(WHERE, url, user=ADMIN, password=Secret(password), limit=limit)


@contextlib.contextmanager
def stand_in_kuma(folder: Path, **options: object) -> Iterator[Kuma]:
    """Serve a stand-in and give a client of it."""
    given: dict[str, object] = {"password": PASSWORD, **options}
    app = UptimeKumaStandIn(folder, **given)  # type: ignore[arg-type]
    with served(app) as url, contextlib.closing(client_of(url, PASSWORD)) as client:
        yield Kuma(url, PASSWORD, client, app)


def real_kuma() -> Kuma:
    """Return the real one, not logged in yet; skips where none is named."""
    path = os.environ.get("AGENCYSTACK_TEST_STACK")
    stack = YAML(typ="safe").load(Path(path).read_text()) if path else {}
    settings = (stack.get("shared") or {}).get("components", {}).get("uptime-kuma")
    password = os.environ.get("AGENCYSTACK_TEST_UPTIME_KUMA_PASSWORD")
    if not settings or not password or urlsplit(settings["url"]).hostname not in {"127.0.0.1", "localhost"}:
        pytest.skip("AGENCYSTACK_TEST_STACK names no real Uptime Kuma that reaches what is on this machine")
    return Kuma(settings["url"].rstrip("/"), password, client_of(settings["url"], password), None)


@contextlib.contextmanager
def left_as_it_was(kuma: Kuma) -> Iterator[Kuma]:
    """Delete what a test makes in it; keys of its metrics are the test's own to delete."""
    client = kuma.client
    kinds = (
        (client.monitors, client.delete_monitor),
        (client.notifications, client.delete_notification),
        (client.tags, client.delete_tag),
    )
    before = [{row.id for row in rows()} for rows, _ in kinds]
    try:
        yield kuma
    finally:
        client.forget()
        for (rows, delete), known in zip(kinds, before, strict=True):
            for row in rows():
                if row.id not in known:
                    delete(row.id)
