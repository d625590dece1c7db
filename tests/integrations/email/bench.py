"""A built-in e-mail integration on the sandbox, and what a person does to each application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.mailbox import Mailbox
from agencystack.engine.registry import load as load_integrations
from agencystack.stack.paths import Home
from agencystack.stack.references import SecretResolver
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit
from tests.e2e.lab import WEB, Lab
from tests.e2e.test_shown_by import in_chatwoot, in_erpnext, in_listmonk, in_wordpress
from tests.e2e.test_trouble import relay_in_chatwoot, relay_in_erpnext, relay_in_listmonk, relay_in_wordpress


@dataclass(frozen=True)
class Hands:
    """What a person does to one application.

    Args:
        edit: changes one value that is managed.
        resource: the resource of that value; of the foreign relay it is the same one.
        field: its name.
        kept: says whether that change is still there.
        relay: connects it to another mail server.
        reached_by: its folder in the sandbox where it is reached by programs; None where it is by HTTP.
    """

    edit: Callable[[Lab], None]
    resource: str
    field: str
    kept: Callable[[Lab], bool]
    relay: Callable[[Lab], None]
    reached_by: str | None = None


def _names_its_account_freely(lab: Lab) -> bool:
    [ours] = [doc for doc in lab.documents("Email Account") if doc["email_id"] == "erpnext@acme.example"]
    return not ours["always_use_account_name_as_sender_name"]


HANDS = {
    "wordpress": Hands(
        edit=in_wordpress,
        resource="mail settings",
        field="from_name",
        kept=lambda lab: "Somebody else" in str(lab.products()["wordpress"]),
        relay=relay_in_wordpress,
        reached_by="wordpress/acme/site",
    ),
    "erpnext": Hands(
        edit=in_erpnext,
        resource="Email Account that sends",
        field="always_use_account_name_as_sender_name",
        kept=_names_its_account_freely,
        relay=relay_in_erpnext,
    ),
    "listmonk": Hands(
        edit=in_listmonk,
        resource="mail settings",
        field="from_email",
        kept=lambda lab: "Somebody <else@acme.example>" in str(lab.products()["listmonk"]),
        relay=relay_in_listmonk,
    ),
    "chatwoot": Hands(
        edit=in_chatwoot,
        resource="mail variables",
        field="SMTP_DOMAIN",
        kept=lambda lab: b"SMTP_DOMAIN=somebody.example" in lab.env_file.read_bytes(),
        relay=relay_in_chatwoot,
        reached_by="chatwoot/acme",
    ),
}


class SandboxBench(Bench):
    """A built-in e-mail integration on the sandbox.

    Args:
        lab: the sandbox, freshly installed.
        name: the application.
        folder: an empty folder.
    """

    def __init__(self, lab: Lab, name: str, folder: Path) -> None:
        found = load_integrations(Home(folder, folder, folder / "key")).get("email", name)
        assert found is not None
        self.integration, self.stack = found.integration, lab.stack
        self._lab, self._name, self._hands = lab, name, HANDS[name]
        self._resolver = SecretResolver(lab.sealed)
        self.secrets = [self.resolve(reference) for reference in self._references()]

    def resolve(self, reference: Any) -> Secret:
        return self._resolver.resolve(reference)

    def state(self) -> object:
        return self._lab.products()

    def calls(self) -> int:
        return sum(len(self._lab.calls(name)) for name in WEB)

    def edit(self) -> Edit:
        self._hands.edit(self._lab)
        return Edit(self._hands.resource, self._hands.field, lambda: self._hands.kept(self._lab))

    def foreign(self) -> str:
        self._hands.relay(self._lab)
        return self._hands.resource

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        if self._hands.reached_by is None:
            self._lab.fault(self._name, {"status": 503, "times": 0})
            try:
                yield
            finally:
                self._lab.forgive()
            return
        folder = self._lab.folder / "sandbox/data" / self._hands.reached_by
        away = folder.rename(folder.with_name("away"))
        try:
            yield
        finally:
            away.rename(folder)

    @contextmanager
    def failing_proof(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Mailbox, "wait_for", lambda *_: None)
            yield

    def _references(self) -> list[Any]:
        return list(self.stack.secret_references().values())
