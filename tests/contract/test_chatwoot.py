"""Chatwoot's mail: what its SMTP_ variables mean, held to config/initializers/mailer.rb; no real one was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.components.chatwoot import Chatwoot
from agencystack.sandbox.chatwoot import ensure_chatwoot
from agencystack.sandbox.tls import ensure_certificates
from agencystack.stack.errors import ComponentRef, Refused
from agencystack.stack.local import LocalExecutor
from agencystack.stack.secrets import Secret
from tests.contract.test_listmonk import LOGIN, PASSWORD, MailServer
from tests.serving import free_port, in_loop

# The mail gem refuses TLS at once together with STARTTLS, which is Chatwoot's default.
NO_STARTTLS = {"SMTP_ENABLE_STARTTLS_AUTO": "false"}


@pytest.fixture(scope="module")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    server = MailServer(ensure_certificates(tmp_path_factory.mktemp("certificates")))
    with in_loop(server.start, server.stop):
        yield server


@pytest.fixture
def chatwoot(tmp_path: Path, mail_server: MailServer) -> Chatwoot:
    made = ensure_chatwoot(tmp_path / "chatwoot", ca_file=mail_server.certificates.ca)
    executor = LocalExecutor(folder=str(made.folder))
    return Chatwoot(ComponentRef("acme", "chatwoot"), executor, str(made.env_file), made.restart)


def login() -> dict[str, str | Secret | None]:
    return {
        "MAILER_SENDER_EMAIL": f"Acme Support <{LOGIN}>",
        "SMTP_ADDRESS": "localhost",
        "SMTP_USERNAME": LOGIN,
        "SMTP_PASSWORD": Secret(PASSWORD),
        "SMTP_AUTHENTICATION": "plain",
        "SMTP_DOMAIN": "acme.example",
    }


@pytest.mark.parametrize("name", ["SMTP_TLS", "SMTP_SSL"])
def test_implicit_tls(chatwoot: Chatwoot, mail_server: MailServer, name: str) -> None:
    chatwoot.apply(login() | {"SMTP_PORT": str(mail_server.tls), name: "true"} | NO_STARTTLS)
    chatwoot.send_mail("probe@acme.example", f"over {name}", "body")
    user, mail = mail_server.wait_for(f"over {name}")
    assert (user, mail["From"], mail.get_content().strip()) == (LOGIN, f"Acme Support <{LOGIN}>", "body")


@pytest.mark.parametrize("kind", ["plain", "login"])
def test_starttls_where_it_is_offered(chatwoot: Chatwoot, mail_server: MailServer, kind: str) -> None:
    chatwoot.apply(login() | {"SMTP_PORT": str(mail_server.starttls), "SMTP_AUTHENTICATION": kind})
    chatwoot.send_mail("probe@acme.example", f"starttls {kind}", "body")
    assert mail_server.wait_for(f"starttls {kind}")[0] == LOGIN


def test_no_starttls_when_switched_off(chatwoot: Chatwoot, mail_server: MailServer) -> None:
    port = str(mail_server.starttls)
    chatwoot.apply(login() | {"SMTP_PORT": port, "SMTP_ENABLE_STARTTLS_AUTO": "false"})
    with pytest.raises(Refused, match="its mailer says"):
        chatwoot.send_mail("probe@acme.example", "never sent", "body")


def test_wrong_password(chatwoot: Chatwoot, mail_server: MailServer) -> None:
    wrong = {
        "SMTP_PORT": str(mail_server.tls),
        "SMTP_TLS": "true",
        "SMTP_PASSWORD": Secret("wrong-password"),
    } | NO_STARTTLS
    chatwoot.apply(login() | wrong)
    with pytest.raises(Refused, match="Net::SMTPAuthenticationError"):
        chatwoot.send_mail("probe@acme.example", "never sent", "body")


def test_nobody_listens(chatwoot: Chatwoot) -> None:
    chatwoot.apply(login() | {"SMTP_PORT": str(free_port()), "SMTP_TLS": "true"} | NO_STARTTLS)
    with pytest.raises(Refused, match="ECONNREFUSED"):
        chatwoot.send_mail("probe@acme.example", "never sent", "body")


@pytest.mark.parametrize(("mode", "arrives"), [("peer", False), ("none", True)])
def test_certificate_is_verified_as_set(chatwoot: Chatwoot, tmp_path: Path, mode: str, arrives: bool) -> None:
    other = MailServer(ensure_certificates(tmp_path / "other"))
    with in_loop(other.start, other.stop):
        chatwoot.apply(
            login() | {"SMTP_PORT": str(other.tls), "SMTP_TLS": "true", "SMTP_OPENSSL_VERIFY_MODE": mode} | NO_STARTTLS
        )
        if arrives:
            chatwoot.send_mail("probe@acme.example", "unverified", "body")
        else:
            with pytest.raises(Refused, match="OpenSSL::SSL::SSLError"):
                chatwoot.send_mail("probe@acme.example", "unverified", "body")
    assert len(other.received) == arrives


def test_mail_leaves_with_the_environment_of_the_last_start(chatwoot: Chatwoot, mail_server: MailServer) -> None:
    chatwoot.apply(login() | {"SMTP_PORT": str(mail_server.tls), "SMTP_TLS": "true"} | NO_STARTTLS)
    chatwoot.set({"MAILER_SENDER_EMAIL": "Later <later@acme.example>"})
    chatwoot.send_mail("probe@acme.example", "before the restart", "body")
    assert mail_server.wait_for("before the restart")[1]["From"] == f"Acme Support <{LOGIN}>"


@pytest.mark.parametrize("starttls", ["true", None])
def test_tls_and_starttls_exclude_each_other(chatwoot: Chatwoot, mail_server: MailServer, starttls: str | None) -> None:
    both = {"SMTP_PORT": str(mail_server.tls), "SMTP_TLS": "true", "SMTP_ENABLE_STARTTLS_AUTO": starttls}
    chatwoot.apply(login() | both)
    with pytest.raises(Refused, match="mutually exclusive"):
        chatwoot.send_mail("probe@acme.example", "never sent", "body")
