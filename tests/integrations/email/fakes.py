"""Products in memory, as their clients show them: a test says what is live, and looks at the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agencystack.components.erpnext import EmailAccount, EmailDomain, ErpNextRefused
from agencystack.components.listmonk import MailSettings, Smtp
from agencystack.components.mail import Submission
from agencystack.components.mailu import Alias, Domain, Token, User
from agencystack.engine.context import Context
from agencystack.engine.integration import Evidence, Integration, Proof, Site
from agencystack.engine.planning import IntegrationPlan
from agencystack.engine.registry import Found, Registry
from agencystack.engine.session import Session, Wish
from agencystack.engine.undoing import UndoPlan
from agencystack.engine.workshop import Result
from agencystack.integrations.email import erpnext, listmonk
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import Stack
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from tests.engine.fakes import Sees, Watcher

MAILU, ERPNEXT, LISTMONK = (
    ComponentRef("shared", "mailu"),
    ComponentRef("acme", "erpnext"),
    ComponentRef("acme", "listmonk"),
)
DOOR = Submission("mail.acme.example", 465, "tls", "TLSv1.3")
DKIM = "dkim._domainkey.acme.example. 600 IN TXT v=DKIM1"


@dataclass
class FakeMailu:
    """Mailu's client over lists. Numbers of tokens are never given twice here."""

    domain_list: list[Domain] = field(default_factory=list)
    user_list: list[User] = field(default_factory=list)
    alias_list: list[Alias] = field(default_factory=list)
    token_list: list[Token] = field(default_factory=list)
    values: dict[int, str] = field(default_factory=dict)
    where: ComponentRef = MAILU

    def forget(self) -> None:
        """Everything is live here."""

    def version(self) -> str:
        return "2024.06"

    def domain(self, name: str) -> Domain | None:
        return next((found for found in self.domain_list if found.name == name), None)

    def create_domain(self, name: str, comment: str = "") -> None:
        self.domain_list.append(Domain(name=name, comment=comment))

    def make_dkim(self, name: str) -> None:
        self.domain_list = [
            found.model_copy(update={"dns_dkim": DKIM}) if found.name == name else found for found in self.domain_list
        ]

    def users(self) -> Sequence[User]:
        return tuple(self.user_list)

    def user(self, email: str) -> User | None:
        return next((found for found in self.user_list if found.email == email), None)

    def create_user(self, email: str, password: Secret, comment: str) -> None:
        self.user_list.append(User(email=email, comment=comment))

    def update_user(self, email: str, **values: Any) -> None:
        self.user_list = [
            found.model_copy(update=values) if found.email == email else found for found in self.user_list
        ]

    def delete_user(self, email: str) -> None:
        self.user_list = [found for found in self.user_list if found.email != email]
        self.token_list = [found for found in self.token_list if found.email != email]

    def alias(self, email: str) -> Alias | None:
        return next((found for found in self.alias_list if found.email == email), None)

    def create_alias(self, email: str, destination: Sequence[str], comment: str) -> None:
        self.alias_list.append(Alias(email=email, destination=tuple(destination), comment=comment))

    def update_alias(self, email: str, *, destination: Sequence[str]) -> None:
        self.alias_list = [
            found.model_copy(update={"destination": tuple(destination)}) if found.email == email else found
            for found in self.alias_list
        ]

    def delete_alias(self, email: str) -> None:
        self.alias_list = [found for found in self.alias_list if found.email != email]

    def tokens(self, email: str) -> Sequence[Token]:
        return tuple(found for found in self.token_list if found.email == email)

    def create_token(self, email: str, comment: str, networks: Sequence[str]) -> tuple[int, Secret]:
        number = len(self.values) + 1
        self.values[number] = f"token number {number} of {email}"
        self.token_list.append(Token(id=number, email=email, comment=comment, AuthorizedIP=tuple(networks)))
        return number, Secret(self.values[number])

    def update_token(self, number: int, *, comment: str, networks: Sequence[str]) -> None:
        self.token_list = [
            found.model_copy(update={"comment": comment, "networks": tuple(networks)}) if found.id == number else found
            for found in self.token_list
        ]

    def delete_token(self, number: int) -> None:
        self.token_list = [found for found in self.token_list if found.id != number]


def mailu_with_domain() -> FakeMailu:
    """A Mailu that serves acme.example already, as most do."""
    return FakeMailu([Domain(name="acme.example", dns_dkim=DKIM)])


class FakeErpNext:
    """ERPNext's client over a list: saving a default takes the mark from the one that had it, as ERPNext does."""

    def __init__(self, *accounts: EmailAccount) -> None:
        self.where = ERPNEXT
        self.accounts: dict[str, EmailAccount] = {account.name: account for account in accounts}
        self.domains: dict[str, EmailDomain] = {}
        self.passwords: dict[str, str] = {}
        self.named_by: dict[str, str] = {}
        self.waiting: dict[str, int] = {}

    def forget(self) -> None:
        """Everything is live here."""

    def versions(self) -> dict[str, str]:
        return {"erpnext": "15.44.0"}

    def email_domain(self, name: str) -> EmailDomain | None:
        return self.domains.get(name)

    def insert_email_domain(self, name: str, values: dict[str, Any]) -> None:
        self.domains[name] = EmailDomain.model_validate({"name": name, **values})

    def update_email_domain(self, name: str, values: dict[str, Any]) -> None:
        self.domains[name] = self.domains[name].model_copy(update=values)

    def delete_email_domain(self, name: str) -> None:
        for account in self.accounts.values():
            if account.domain == name:
                raise self._linked("Email Domain", name, f"Email Account {account.name}")
        del self.domains[name]

    def email_accounts(self) -> tuple[EmailAccount, ...]:
        return tuple(self.accounts.values())

    def email_account(self, name: str) -> EmailAccount | None:
        return self.accounts.get(name)

    def insert_email_account(self, name: str, values: dict[str, Any], *, password: Secret | None = None) -> None:
        self._save(name, EmailAccount.model_validate({"name": name, **values}), values, password)

    def update_email_account(self, name: str, values: dict[str, Any], *, password: Secret | None = None) -> None:
        self._save(name, self.accounts[name].model_copy(update=values), values, password)

    def delete_email_account(self, name: str) -> None:
        if name in self.named_by:
            raise self._linked("Email Account", name, self.named_by[name])
        del self.accounts[name]

    def mails_waiting(self, account: str) -> int:
        return self.waiting.get(account, 0)

    @staticmethod
    def _linked(doctype: str, name: str, by: str) -> ErpNextRefused:
        # contract/recordings/erpnext/links.json
        said = f"Cannot delete or cancel because {doctype} {name} is linked with {by}"
        return ErpNextRefused(said, component=ERPNEXT, kind="LinkExistsError")

    def call(self, method: str, arguments: dict[str, str]) -> None:
        account = self.accounts.pop(arguments["old_name"])
        self.accounts[arguments["new_name"]] = account.model_copy(update={"name": arguments["new_name"]})

    def _save(self, name: str, account: EmailAccount, values: dict[str, Any], password: Secret | None) -> None:
        if values.get("default_outgoing"):
            for other in self.accounts.values():
                self.accounts[other.name] = other.model_copy(update={"default_outgoing": False})
        if password is not None:
            self.passwords[name] = password.reveal()
            account = account.model_copy(update={"password_is_set": True})
        self.accounts[name] = account


class FakeListmonk:
    """Listmonk's client over its settings; it keeps a password when none is sent, and never shows one."""

    def __init__(self, *servers: Smtp, from_email: str = "listmonk <noreply@listmonk.yoursite.com>") -> None:
        self.where = LISTMONK
        self.live = MailSettings(from_email=from_email, smtp=servers)
        self.passwords: dict[str, str] = {}

    def forget(self) -> None:
        """Everything is live here."""

    def version(self) -> str:
        return "v5.0.0"

    def needs_restart(self) -> bool:
        return False

    def settings(self) -> MailSettings:
        return self.live

    def save_mail_settings(self, wanted: MailSettings) -> None:
        for server in wanted.smtp:
            if server.password is not None:
                self.passwords[server.uuid] = server.password.reveal()
        servers = [
            server.model_copy(update={"password": None, "has_password": server.uuid in self.passwords})
            for server in wanted.smtp
        ]
        self.live = MailSettings(from_email=wanted.from_email, smtp=tuple(servers))


def _provable(real: Integration, look: Callable[[], Evidence]) -> Integration:
    """Return the integration with a proof of the test's: what a mail shows is proven elsewhere, on the sandbox."""

    class Provable(type(real)):  # type: ignore[misc]
        def proofs(self, site: Site) -> Iterator[Proof]:
            yield Sees("a mail arrives", look)

    return Provable()  # type: ignore[no-any-return]


class Office:
    """One client with an application and the shared Mailu; every method is one command.

    Args:
        folder: an empty folder.
        real: the integration.
        application: the application's client.
        mailu: Mailu's client.
    """

    def __init__(self, folder: Path, real: Integration, application: Any, mailu: FakeMailu) -> None:
        self.home = Home(folder / "home", folder / "log", folder / "key")
        self.application, self.mailu = application, mailu
        self.told: dict[str, Any] = {}
        self.proven, self.proofs = True, 0
        self._integration = _provable(real, self._look)

    @property
    def name(self) -> str:
        return str(self.application.where.name)

    @property
    def sealed(self) -> SealedStore:
        return SealedStore(self.home.secrets_dir, self.home.key_file)

    def plan(self) -> IntegrationPlan:
        with self._session() as opened:
            [item] = opened.plan(opened.select(Wish())).integrations
            return item

    def integrate(self) -> Result:
        with self._session() as opened, opened.locked(["acme"]):
            [result] = opened.integrate(opened.plan(opened.select(Wish())))
            return result

    def rotate(self) -> Result:
        with self._session() as opened, opened.locked(["acme"]):
            [result] = opened.rotate(opened.select(Wish()))
            return result

    def undo(self) -> list[str]:
        """Undo, and return what was left and why."""
        with self._session() as opened, opened.locked(["acme"]):
            plans: list[UndoPlan] = opened.plan_undo(opened.select(Wish()), run=None, force=False)
            assert opened.undo(plans, run=None) == {}
            return [note for plan in plans for step in plan.steps for note in step.left]

    def planned(self) -> dict[str, tuple[str, list[str]]]:
        """What the plan changes: action and fields by resource."""
        return {
            step.resource.key: (str(step.change.action), [change.name for change in step.change.fields])
            for step in self.plan().changes
            if step.change
        }

    @contextmanager
    def _session(self) -> Iterator[Session]:
        context = Context(self.home, self.sealed, resolve=lambda _reference: Secret("a token of the stack"))
        context.connection(MAILU, lambda: self.mailu)
        context.connection(self.application.where, lambda: self.application)
        found = Found(self._integration, Path(__file__))
        opened = Session(self._stack(), Registry([found]), context, "agencystack integrate email", Watcher())
        try:
            yield opened
        finally:
            opened.close()

    def _stack(self) -> Stack:
        url, token = "https://it.acme.example", "env:TOKEN"
        application: dict[str, Any] = {
            "erpnext": {"url": url, "api_key": token, "api_secret": token, "sends_from": ["10.0.0.5/32"]},
            "listmonk": {"url": url, "api_user": "us", "api_token": token, "sends_from": ["10.0.0.5/32"]},
        }[self.name]
        client = {
            "domain": "acme.example",
            "components": {self.name: application},
            "integrations": {"email": {self.name: self.told}},
        }
        mailu = {"url": "https://mail.acme.example", "api_token": token}
        return Stack.model_validate(
            {"version": 1, "shared": {"components": {"mailu": mailu}}, "clients": {"acme": client}}
        )

    def _look(self) -> Evidence:
        self.proofs += 1
        return Evidence(ok=self.proven, reason="" if self.proven else "no mail came")


MODULES = (erpnext, listmonk)
"""Where the way to hand in mail is asked for; found out for real elsewhere."""
