"""ERPNext's mail settings and sending, and its credentials: the recordings replayed against stand-in and real one."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from email import message_from_string
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from agencystack.sandbox.erpnext import ErpNextStandIn, Patience
from tests.mail_servers import Mailbox, imap, smtp
from tests.serving import served

RECORDINGS = Path(__file__).parent / "recordings" / "erpnext"
# The recorder's mail servers: SMTP with STARTTLS on offer, SMTP with TLS, IMAP.
PORTS = {"smtp": "8125", "smtps": "8126", "imap": "8127"}
# A real ERPNext keeps its default account and its queue, which are other people's; only what we make is touched.
NOT_ON_REAL = re.compile(r"email\.make|email_queue|Email Queue|Communication")
OUR_NAMES = ("lab.example", "tls.example", "ssl.example", "dead.example", "half.example")
OUR_ACCOUNTS = ("Lab Mailer", "Lab TLS", "Lab SSL", "Lab Awaiting", "Lab NoAuth", "Second")
# An integration that may be customised differently, and times, keys and the recorder's own user.
INSTALLATION = {"owner", "modified_by", "company", "creation", "modified", "__frappe_exc_id", "exc", "message_id"}
HASH = re.compile(r"[0-9a-z]{10}")


@dataclass
class Target:
    """An ERPNext to replay against."""

    url: str
    key: str
    secret: str
    ports: dict[str, str]
    suffix: str = ""
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        return bool(self.suffix)

    def to_ours(self, text: str) -> str:
        """Put our ports, our names and the names the product made up for us in place of the recorded ones."""
        for kind, recorded in PORTS.items():
            text = text.replace(recorded, self.ports[kind])
        for name in OUR_NAMES if self.real else ():
            text = text.replace(name, name.replace(".example", f"{self.suffix}.example"))
        for name in OUR_ACCOUNTS if self.real else ():
            for form in (name, quote(name)):
                text = re.sub(rf"{re.escape(form)}(?=[\"/\\?]|$)", form + self.suffix, text)
        for recorded, ours in self.hashes.items():
            text = text.replace(recorded, ours)
        return text

    def to_recorded(self, text: str) -> str:
        for kind, recorded in PORTS.items():
            text = re.sub(rf"\b{self.ports[kind]}\b", recorded, text)
        return text.replace(self.suffix, "") if self.real else text

    def send(self, request: dict[str, Any]) -> httpx.Response:
        headers = {"Accept": "application/json"}
        if request["authorization"]:
            headers["Authorization"] = self.credential(request["authorization"])
        body = request["json"]
        if body is not None and self.real:
            body = {name: value for name, value in body.items() if not name.startswith("default_")}
        content = None if body is None else self.to_ours(json.dumps(body))
        if request.get("language"):
            headers["Accept-Language"] = request["language"]
        if content is not None:
            headers["Content-Type"] = "application/json"
        self.client.cookies.clear()
        return self.client.request(
            request["method"], self.url + self.to_ours(request["url"]), headers=headers, content=content
        )

    def credential(self, recorded: str) -> str:
        if recorded.startswith("Basic"):
            return "Basic " + base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        return recorded.replace("<api_key>", self.key).replace("<api_secret>", self.secret)

    def replay(self, recording: str) -> list[str]:
        """Replay a recording and return where the answers differ."""
        return [difference for exchange in exchanges(recording, self.real) for difference in self.compare(exchange)]

    def compare(self, exchange: dict[str, Any]) -> list[str]:
        answer, recorded = self.send(exchange["request"]), exchange["response"]
        found = []
        if answer.status_code != recorded["status"]:
            found.append(f"status {answer.status_code} instead of {recorded['status']}: {answer.text[:300]}")
        if recorded["content_type"].split(";")[0] not in answer.headers["content-type"]:
            found.append(f"content type {answer.headers['content-type']}")
        elif "json" in recorded["content_type"]:
            got = json.loads(self.to_recorded(answer.text))
            self._learn(recorded["body"], got)
            got, wanted = self.normal(got), self.normal(recorded["body"])
            found += [] if got == wanted else [_difference(got, wanted)]
        return [f"{exchange['name']}: {difference}" for difference in found]

    def _learn(self, recorded: Any, got: Any) -> None:
        """Remember which names the product made up for what has another such name in the recording."""
        if isinstance(recorded, dict) and isinstance(got, dict):
            theirs, ours = recorded.get("name"), got.get("name")
            if isinstance(theirs, str) and isinstance(ours, str) and HASH.fullmatch(theirs) and HASH.fullmatch(ours):
                self.hashes[theirs] = ours
            for key in recorded.keys() & got.keys():
                self._learn(recorded[key], got[key])
        elif isinstance(recorded, list) and isinstance(got, list):
            for one, other in zip(recorded, got, strict=False):
                self._learn(one, other)

    def normal(self, value: Any, key: str = "") -> Any:
        """Blank what differs between any two sites: times, generated names, tracebacks, who asked."""
        if isinstance(value, dict):
            # With `logging` in its configuration a site shows the traceback of what is absent too.
            more = {"exc", "exception"} if self.real and value.get("exc_type") == "DoesNotExistError" else set()
            # A site of ours has our app besides what was recorded.
            more |= {"agencystack_connector"} if self.real else set()
            return {name: self.normal(part, name) for name, part in value.items() if name not in more}
        if isinstance(value, list):
            return sorted((self.normal(part) for part in value), key=lambda part: json.dumps(part, sort_keys=True))
        if key == "_server_messages":
            return [self.normal(json.loads(part)) for part in json.loads(value)]
        if key in INSTALLATION or (self.real and key.startswith("default_")):
            return type(value).__name__
        if key == "version":
            return re.sub(r"\d+", "N", value)
        return "HASH" if isinstance(value, str) and HASH.fullmatch(value) else value


def _difference(got: Any, wanted: Any) -> str:
    if isinstance(got, dict) and isinstance(wanted, dict):
        parts = [
            f"{key}: {_difference(got.get(key), wanted.get(key))}"
            for key in sorted(got.keys() | wanted.keys())
            if got.get(key) != wanted.get(key)
        ]
        return "; ".join(parts)
    return f"{got!r} instead of {wanted!r}"


def exchanges(recording: str, real: bool = False) -> list[dict[str, Any]]:
    """Return the exchanges of a recording; of those that may be replayed against a real ERPNext, where it is one."""
    found = json.loads((RECORDINGS / f"{recording}.json").read_text())
    return [one for one in found if not (real and NOT_ON_REAL.search(one["request"]["url"].replace("%20", " ")))]


@dataclass
class Servers:
    mailbox: Mailbox
    ports: dict[str, str]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    mailbox = Mailbox()
    with ExitStack() as stack:
        ports = {
            "smtp": str(stack.enter_context(smtp(mailbox, tmp_path / "tls"))),
            "smtps": str(stack.enter_context(smtp(mailbox, tmp_path / "tls", implicit_tls=True))),
            "imap": str(stack.enter_context(imap())),
        }
        yield Servers(mailbox, ports)


@pytest.fixture
def target(tmp_path: Path, servers: Servers) -> Iterator[Target]:
    site = ErpNextStandIn(
        tmp_path / "site",
        site_url="http://127.0.0.1:8100",
        company="Lab GmbH",
        patience=Patience(5, 5),
        connector_app=False,
    )
    with served(site.app) as url:
        yield Target(url, site.api_key, site.api_secret, servers.ports)


@pytest.mark.parametrize("recording", ["auth", "documents", "email", "links", "language", "sso"])
def test_stand_in_answers_as_recorded(target: Target, recording: str) -> None:
    assert target.replay(recording) == []


def test_stand_in_sends_what_the_recorded_smtp_server_got(target: Target, servers: Servers) -> None:
    target.replay("email")
    wanted = json.loads((RECORDINGS / "smtp_received.json").read_text())[:3]
    assert sorted(mail.to[0] for mail in servers.mailbox.received) == sorted(one["to"][0] for one in wanted)
    recorded = wanted[0]["headers"]
    for mail in servers.mailbox.received:
        assert (mail.sender, len(mail.to), mail.user) == ("mailer@lab.example", 1, "mailer@lab.example")
        headers = dict(message_from_string(mail.data).items())
        assert {name: headers.get(name) for name in recorded if name not in _CHANGING} == {
            name: value for name, value in recorded.items() if name not in _CHANGING
        }
        assert headers.keys() == recorded.keys()


_CHANGING = {"Content-Type", "Message-Id", "Date"}


def test_mail_of_a_person_leaves_as_that_person_unless_the_account_says_otherwise(
    target: Target, servers: Servers
) -> None:
    """The last mail recorded by the SMTP server: From and envelope are the caller's, not the account's."""
    recorded = json.loads((RECORDINGS / "smtp_received.json").read_text())[-1]
    target.replay("email")
    waiting = _list(target, "Email Queue", [["status", "=", "Not Sent"]])
    _method(target, "frappe.email.doctype.email_queue.email_queue.send_now", {"name": waiting[0]["name"]})
    mail = servers.mailbox.received[-1]
    assert (mail.sender, mail.to) == (recorded["from"], recorded["to"])
    headers = message_from_string(mail.data)
    assert headers["From"] == recorded["headers"]["From"]
    assert headers["Reply-To"] == recorded["headers"]["Reply-To"]


def test_a_user_without_the_role_is_refused_mail_settings_as_recorded(target: Target) -> None:
    made = {
        "email": "limited@example.com",
        "first_name": "Lim",
        "send_welcome_email": 0,
        "roles": [{"role": "Sales User"}],
    }
    assert _call(target, "POST", "/api/resource/User", made).status_code == 200
    secret = _method(target, "frappe.core.doctype.user.user.generate_keys", {"user": "limited@example.com"})
    key = _call(target, "GET", "/api/resource/User/limited@example.com").json()["data"]["api_key"]
    limited = Target(target.url, key, secret["api_secret"], target.ports)
    assert limited.replay("permissions") == []


def test_state_survives_a_restart(tmp_path: Path) -> None:
    first = ErpNextStandIn(tmp_path)
    with served(first.app) as url:
        _call(Target(url, first.api_key, first.api_secret, {}), "POST", "/api/resource/Role", {"role_name": "Kept"})
    second = ErpNextStandIn(tmp_path)
    assert (second.api_key, second.api_secret) == (first.api_key, first.api_secret)
    with served(second.app) as url:
        found = _call(Target(url, second.api_key, second.api_secret, {}), "GET", "/api/resource/Role/Kept")
    assert found.json()["data"]["role_name"] == "Kept"


def test_a_new_site_has_the_factory_accounts_and_none_can_send(target: Target) -> None:
    accounts = _list(target, "Email Account", [])
    assert [account["name"] for account in accounts] == ["Email Linking", "Notifications", "Replies"]
    refused = _call(
        target,
        "POST",
        "/api/method/frappe.core.doctype.communication.email.make",
        {"recipients": "a@b.example", "subject": "s", "content": "c", "send_email": 1},
    )
    # frappe/exceptions.py: OutgoingEmailError has status 501.
    assert (refused.status_code, refused.json()["exc_type"]) == (501, "OutgoingEmailError")
    assert _list(target, "Communication", []) == [], "a refused request leaves nothing behind"


def test_a_renamed_account_keeps_its_password_and_its_place_in_the_queue(target: Target, servers: Servers) -> None:
    target.replay("email")
    renamed = _call(
        target,
        "POST",
        "/api/method/frappe.client.rename_doc",
        {"doctype": "Email Account", "old_name": "Lab Mailer", "new_name": "Acme"},
    ).json()
    # contract/erpnext/02_customer.json, "rename via rename_doc"
    assert renamed["message"] == "Acme"
    assert "Document renamed from" in renamed["_server_messages"]
    waiting = _list(target, "Email Queue", [["status", "=", "Not Sent"]])
    _method(target, "frappe.email.doctype.email_queue.email_queue.send_now", {"name": waiting[0]["name"]})
    assert servers.mailbox.received[-1].user == "mailer@lab.example", "it logged in with the password it had"
    again = _call(target, "PUT", "/api/resource/Email%20Account/Acme", {"email_account_name": "Elsewise"}).json()
    assert again["data"]["email_account_name"] == "Acme", "the field follows the name, never the other way round"
    domain = {"doctype": "Email Domain", "old_name": "lab.example", "new_name": "x.example"}
    refused = _call(target, "POST", "/api/method/frappe.client.rename_doc", domain)
    assert (refused.status_code, "not allowed to be renamed" in refused.text) == (417, True)


def test_a_domain_in_use_is_not_deleted(target: Target) -> None:
    target.replay("email")
    refused = _call(target, "DELETE", "/api/resource/Email%20Domain/lab.example")
    assert (refused.status_code, refused.json()["exc_type"]) == (417, "LinkExistsError")
    assert _call(target, "DELETE", "/api/resource/Email%20Account/Second").status_code == 202
    assert _call(target, "DELETE", "/api/resource/Email%20Domain/lab.example").status_code == 202


def test_latencies_are_those_of_the_product(tmp_path: Path) -> None:
    site = ErpNextStandIn(tmp_path, latencies=True)
    with served(site.app) as url:
        target = Target(url, site.api_key, site.api_secret, {})
        started = time.monotonic()
        for _ in range(5):
            _list(target, "Role", [])
    assert time.monotonic() - started >= 5 * 0.013, "facts/erpnext.md, Speed: read Customer"


def _call(target: Target, method: str, path: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"token {target.key}:{target.secret}"}
    return target.client.request(method, target.url + path, headers=headers, json=body)


def _method(target: Target, name: str, arguments: object) -> Any:
    answer = _call(target, "POST", f"/api/method/{name}", arguments)
    assert answer.status_code == 200, answer.text
    return answer.json().get("message")


def _list(target: Target, doctype: str, filters: list[Any]) -> list[dict[str, Any]]:
    path = f"/api/resource/{quote(doctype)}?filters={quote(json.dumps(filters))}"
    rows: list[dict[str, Any]] = _call(target, "GET", path).json()["data"]
    return rows


@pytest.fixture
def real_target(servers: Servers) -> Iterator[Target]:
    path = os.environ.get("AGENCYSTACK_TEST_STACK")
    if not path:
        pytest.skip("AGENCYSTACK_TEST_STACK names no stack with a real ERPNext")
    target = real_erpnext(Path(path), servers.ports)
    try:
        yield target
    finally:
        for account in OUR_ACCOUNTS:
            _call(target, "DELETE", f"/api/resource/Email%20Account/{quote(account + target.suffix)}")
        for domain in OUR_NAMES:
            _call(target, "DELETE", f"/api/resource/Email%20Domain/{target.to_ours(domain)}")


def real_erpnext(path: Path, ports: dict[str, str]) -> Target:
    from agencystack.stack.load import load
    from agencystack.stack.references import SecretResolver

    class NoSealed:
        def get(self, name: str) -> None:
            return None

    for ref, component in load(path).all_components().items():
        if ref.name != "erpnext":
            continue
        url = component.reached_by_us().rstrip("/")
        if httpx.URL(url).host not in {"127.0.0.1", "localhost", "::1"}:
            pytest.skip("the mail servers of this test can be reached only by an ERPNext on this machine")
        references, resolver = component.secret_references(), SecretResolver(NoSealed())
        key, secret = (resolver.resolve(references[name]).reveal() for name in ("api_key", "api_secret"))
        verify = str(component.ca_file) if component.ca_file else True
        client = httpx.Client(timeout=60, verify=verify)
        return Target(url, key, secret, ports, suffix=f"-{secrets.token_hex(3)}", client=client)
    pytest.skip(f"{path} names no ERPNext")


@pytest.mark.real
@pytest.mark.parametrize("recording", ["auth", "documents", "email", "links", "language"])
def test_real_erpnext_answers_as_recorded(real_target: Target, recording: str) -> None:
    assert real_target.replay(recording) == []
