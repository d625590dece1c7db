"""The mailbox of an application in Mailu, and the proof that mail arrives there, against the Mailu stand-in.

Each test stands for something the real Mailu 2024.06 did that its stand-in once did not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.mail import Submission
from agencystack.engine.context import Component, Context
from agencystack.engine.integration import Site
from agencystack.engine.resource import Action, Change, Reading, Resource
from agencystack.engine.values import Value
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import MailAccount, MailDomain, MailUser
from agencystack.integrations.email.tokens import MailToken
from agencystack.stack import component, model, products
from agencystack.stack.errors import ComponentRef, Refused
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from tests.mail_fixtures import API_TOKEN, ERP, Mail, mail_server, message

WHERE = ComponentRef("shared", "mailu")
OWNER = "acme/email/erpnext"
ADDRESS = "erpnext@client1.test"


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    with mail_server(tmp_path) as running:
        yield running


@pytest.fixture
def strict_mail(tmp_path: Path) -> Iterator[Mail]:
    """A Mailu with AUTH_REQUIRE_TOKENS=true."""
    with mail_server(tmp_path, require_tokens=True) as running:
        yield running


def site(mail: Mail, folder: Path, **application: Any) -> Site:
    """Return an application of acme whose provider is this Mailu."""
    provider = products.Mailu.model_validate(
        {
            "url": str(mail.api.base_url).removesuffix("/api/v1/"),
            "api_token": "secret:mailu",
            "hostname": mail.host,
            "ca_file": str(mail.certificates.ca),
            "imap": {"port": mail.imap_port},
        }
    )
    home = Home(folder / "home", folder / "log", folder / "key")
    sealed = SealedStore(home.secrets_dir, home.key_file)
    settings = component.Component.model_validate({"url": "http://127.0.0.1:9", **application})
    return Site(
        client="acme",
        domain="client1.test",
        application=Component(ComponentRef("acme", "erpnext"), settings),
        provider=Component(WHERE, provider),
        settings=model.ApplicationSettings(),
        context=Context(home, sealed, resolve=lambda _reference: API_TOKEN),
        name=OWNER,
    )


def change(resource: Resource, action: Action = Action.CREATE) -> Change:
    return Change(action, (), resource.wanted(), resource.read())


def apply(resource: Resource) -> Mapping[str, Value] | None:
    """Write what the resource wants, and return what is live then."""
    resource.write(change(resource))
    return resource.read().fields


def token_of(account: MailAccount) -> MailToken:
    return next(resource for resource in account.resources() if isinstance(resource, MailToken))


def made(mail: Mail, folder: Path, **application: Any) -> MailAccount:
    """Return an account whose mailbox exists."""
    account = MailAccount(site(mail, folder, **application))
    apply(next(resource for resource in account.resources() if isinstance(resource, MailUser)))
    return account


def test_number_of_a_deleted_token_that_a_person_got_again_is_not_taken_for_ours(mail: Mail, tmp_path: Path) -> None:
    account = made(mail, tmp_path)
    token = token_of(account)
    apply(token)
    ours = mail.api.get(f"/tokenuser/{ADDRESS}").json()[0]["id"]
    mail.api.delete(f"/token/{ours}")
    theirs = mail.api.post("/token", json={"email": ADDRESS, "comment": "Anna's phone"}).json()["id"]
    assert theirs == ours, "Mailu gives the number of its last token again"
    account.mailu.forget()
    assert token.read() == Reading(None)
    apply(token)
    assert token.remove(token.read(), before=None) == ""  # type: ignore[arg-type]
    assert [left["comment"] for left in mail.api.get(f"/tokenuser/{ADDRESS}").json()] == ["Anna's phone"]


def test_a_network_named_twice_is_one(mail: Mail, tmp_path: Path) -> None:
    account = made(mail, tmp_path, sends_from=["127.0.0.1", "10.0.0.0/8", "127.0.0.1"])
    token = token_of(account)
    assert apply(token) == token.wanted() == {"networks": ("10.0.0.0/8", "127.0.0.1")}


def test_a_mail_is_read_back_where_mailu_takes_tokens_only(strict_mail: Mail, tmp_path: Path) -> None:
    mail = strict_mail
    account = made(mail, tmp_path)
    apply(MailDomain(account.mailu, "client1.test"))
    sender = mail.api.post("/token", json={"email": ERP, "comment": "the test's"}).json()["token"]

    def send(to: str, subject: str, body: str) -> dict[str, Any]:
        with mail.session() as server:
            server.login(ERP, sender)
            letter = message(subject, to=to)
            letter.set_content(body)
            server.sendmail(ERP, [to], letter.as_bytes())
        return {}

    def door() -> Submission:
        return Submission(mail.host, mail.tls_port, "tls", "TLSv1.3")

    evidence = MailArrives(account._site, account, send, door).run()
    assert evidence.seen["from"] == ERP
    assert evidence.seen["dkim"] == "dkim._domainkey.client1.test"
    assert [user["email"] for user in mail.api.get("/user").json() if "probe" in user["email"]] == []
    assert mail.api.get("/token").json() == [
        token for token in mail.api.get("/token").json() if token["email"] == ERP
    ], "the probe's token goes with its mailbox"


def test_a_refused_login_names_the_networks_the_token_works_from(mail: Mail, tmp_path: Path) -> None:
    account = made(mail, tmp_path, sends_from=["10.9.9.9"])

    def send(to: str, subject: str, body: str) -> dict[str, Any]:
        raise Refused("could not send: SMTP Error: Could not authenticate.", component=WHERE, remedy="look at the log")

    proof = MailArrives(account._site, account, send, lambda: Submission(mail.host, mail.tls_port, "tls", ""))
    with pytest.raises(Refused) as refused:
        proof.run()
    assert "10.9.9.9" in refused.value.remedy
    assert "sends_from" in refused.value.remedy
    assert "look at the log" in refused.value.remedy


@pytest.mark.parametrize("kind", ["alternative", "relay"])
def test_a_domain_that_is_something_else_in_mailu_says_so(mail: Mail, tmp_path: Path, kind: str) -> None:
    body = {"name": "other.test", "domain": "client1.test"} if kind == "alternative" else {"name": "other.test"}
    assert mail.api.post(f"/{kind}", json=body).status_code == 200
    domain = MailDomain(made(mail, tmp_path).mailu, "other.test")
    with pytest.raises(Refused) as refused:
        domain.write(change(domain))
    assert "alternative" in refused.value.remedy
    assert "relayed" in refused.value.remedy


def test_a_domain_that_is_full_says_what_to_raise(mail: Mail, tmp_path: Path) -> None:
    mail.api.patch("/domain/client1.test", json={"max_users": 2, "max_aliases": 0})
    user = MailUser(MailAccount(site(mail, tmp_path)).mailu, ADDRESS, OWNER)
    with pytest.raises(Refused) as refused:
        user.write(change(user))
    assert "max_users" in refused.value.remedy


def test_a_domain_beyond_ascii_is_found_again_as_it_was_written(mail: Mail, tmp_path: Path) -> None:
    mailu = MailAccount(site(mail, tmp_path)).mailu
    domain = MailDomain(mailu, "xn--mller-kva.test")
    assert apply(domain) == {"dkim_key": True}
    assert mail.api.get("/domain/xn--mller-kva.test").json()["name"] == "müller.test"
    found = mailu.domain("xn--mller-kva.test")
    assert found is not None
    assert found.dns_mx == "xn--mller-kva.test. 600 IN MX 10 mail.lab.test."
    user = MailUser(mailu, "erp@xn--mller-kva.test", OWNER)
    assert apply(user) == user.wanted()
