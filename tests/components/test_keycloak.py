"""Keycloak's client by itself, against what was recorded of the real one: how it logs in, asks, renews and fails."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from agencystack.components.keycloak import AdminLogin, Client, Keycloak, Realm
from agencystack.components.keycloak.errors import check, explained
from agencystack.stack.errors import (
    AgencyStackError,
    AuthenticationFailed,
    BadAnswer,
    ComponentError,
    ComponentRef,
    Refused,
    Unavailable,
)
from agencystack.stack.secrets import Secret
from tests.serving import free_port

RECORDINGS = Path(__file__).parents[1] / "contract" / "recordings" / "keycloak"
WHERE = ComponentRef("shared", "keycloak")
PASSWORD, CANARY = "admin-password-canary", "client-secret-canary-4711"
TOKEN = "/realms/master/protocol/openid-connect/token"
REALM = "/admin/realms/recorded"


def recorded(file: str) -> dict[str, dict[str, Any]]:
    exchanges = json.loads((RECORDINGS / f"{file}.json").read_text())["exchanges"]
    return {exchange["name"]: exchange for exchange in exchanges}


@dataclass(frozen=True)
class Answer:
    """What the server says: a recorded answer, or one made up where the real one cannot be made to."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})

    @property
    def status_code(self) -> int:
        return self.status


def answer(file: str, name: str, /, **other: Any) -> Answer:
    """Return the recorded answer, with ``other`` put into its JSON."""
    found = recorded(file)[name]["response"]
    if "json" not in found:
        return Answer(found["status"], b"", {})
    said = {**found["json"], **other} if other else found["json"]
    return Answer(found["status"], json.dumps(said).encode())


def login_answer(number: int = 1, lifetime: int = 60) -> Answer:
    tokens = {"access_token": f"access-token-{number}", "refresh_token": f"refresh-token-{number}"}
    return answer("auth", "login", **tokens, expires_in=lifetime)


@dataclass
class FakeKeycloak:
    """Gives prepared answers by method and path, the last of them for ever, and remembers what it was asked."""

    url: str = ""
    answers: dict[str, list[Answer | None]] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str], str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, request: str, *answers: Answer | None) -> None:
        """Prepare answers; ``None`` closes the connection without one."""
        self.answers[request] = list(answers)

    def take(self, request: str, headers: Mapping[str, str], body: str) -> Answer | None:
        with self.lock:
            self.asked.append((request, headers, body))
            prepared = self.answers.get(request.partition("?")[0], [Answer(404, b'{"error":"not prepared"}')])
            return prepared.pop(0) if len(prepared) > 1 else prepared[0]

    def times(self, request: str) -> int:
        return sum(asked.partition("?")[0] == request for asked, _, _ in self.asked)

    def bodies(self, request: str) -> list[str]:
        return [body for asked, _, body in self.asked if asked == request]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeKeycloak

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        found = self.fake.take(f"{self.command} {self.path}", dict(self.headers.items()), body)
        if found is None:
            self.close_connection = True
            return
        self.send_response(found.status)
        for name, value in {**found.headers, "content-length": str(len(found.content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(found.content)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - what http.server calls

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def serving() -> Iterator[FakeKeycloak]:
    fake = FakeKeycloak()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def fake() -> Iterator[FakeKeycloak]:
    with serving() as found:
        found.say(f"POST {TOKEN}", login_answer())
        found.say(f"GET {REALM}", answer("realm", "settings"))
        found.say(f"GET {REALM}/clients", answer("clients", "all clients"))
        yield found


@pytest.fixture
def keycloak(fake: FakeKeycloak) -> Iterator[Keycloak]:
    client = Keycloak(WHERE, fake.url, AdminLogin(password=Secret(PASSWORD)), timeout=5)
    yield client
    client.close()


@pytest.fixture
def realm(keycloak: Keycloak) -> Realm:
    return keycloak.realm("recorded")


def grants(fake: FakeKeycloak) -> list[str]:
    """How the tokens were asked for."""
    return [parse_qs(body)["grant_type"][0] for body in fake.bodies(f"POST {TOKEN}")]


# Logging in


@pytest.mark.parametrize("file", ["auth", "version-21"])
def test_wrong_password_is_never_sent_again(fake: FakeKeycloak, keycloak: Keycloak, file: str) -> None:
    fake.say(f"POST {TOKEN}", answer(file, "wrong password"))
    for ask in (keycloak.version, keycloak.realm("recorded").settings, keycloak.realm("other").clients):
        with pytest.raises(AuthenticationFailed, match=r"user admin: invalid_grant: Invalid user credentials"):
            ask()
    assert grants(fake) == ["password"]


def test_service_account_logs_in_by_its_secret(fake: FakeKeycloak) -> None:
    login = AdminLogin(client_id="agencystack", client_secret=Secret(CANARY))
    own = Keycloak(WHERE, fake.url, login)
    assert own.realm("recorded").settings() is not None
    assert grants(fake) == ["client_credentials"]
    assert CANARY in fake.bodies(f"POST {TOKEN}")[0]
    own.close()


def test_unknown_service_account_is_named(fake: FakeKeycloak) -> None:
    fake.say(f"POST {TOKEN}", answer("auth", "unknown client"))
    own = Keycloak(WHERE, fake.url, AdminLogin(client_id="nobody", client_secret=Secret(CANARY)))
    with pytest.raises(AuthenticationFailed, match="service account of nobody: invalid_client") as failure:
        own.version()
    assert CANARY not in str(failure.value)


def test_token_that_runs_out_is_renewed_without_the_password(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"POST {TOKEN}", login_answer(1, lifetime=0), login_answer(2))
    assert realm.settings() is not None
    realm.forget()
    assert realm.settings() is not None
    assert grants(fake) == ["password", "refresh_token"]
    assert [headers["Authorization"] for asked, headers, _ in fake.asked if asked == f"GET {REALM}"] == [
        "Bearer access-token-1",
        "Bearer access-token-2",
    ]


def test_session_that_keycloak_forgot_is_begun_anew_and_the_write_done_once(fake: FakeKeycloak, realm: Realm) -> None:
    no_session = answer("auth", "renewal with a token of no session")
    fake.say(f"POST {TOKEN}", login_answer(1), no_session, login_answer(2))
    fake.say(f"PUT {REALM}", answer("auth", "a token that is none"), answer("realm", "change a part"))
    realm.update({"verifyEmail": True})
    assert grants(fake) == ["password", "refresh_token", "password"]
    assert fake.times(f"PUT {REALM}") == 2


def test_token_refused_again_and_again_is_no_endless_story(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"GET {REALM}", answer("auth", "a token that is none"))
    with pytest.raises(AuthenticationFailed, match="401"):
        realm.settings()
    assert fake.times(f"GET {REALM}") == 2


def test_many_threads_log_in_once_and_read_once(fake: FakeKeycloak, realm: Realm) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: realm.client("acme-wordpress"), range(32)))
    assert len(set(map(id, found))) == 1
    assert grants(fake) == ["password"]
    assert fake.times(f"GET {REALM}/clients") == 1


def test_close_ends_the_session(fake: FakeKeycloak, keycloak: Keycloak) -> None:
    fake.say("POST /realms/master/protocol/openid-connect/logout", Answer(204, b"", {}))
    assert keycloak.realm("recorded").settings() is not None
    keycloak.close()
    assert "refresh-token-1" in fake.bodies("POST /realms/master/protocol/openid-connect/logout")[0]


def test_address_with_auth_keeps_it(fake: FakeKeycloak) -> None:
    fake.say(f"POST /auth{TOKEN}", login_answer())
    fake.say(f"GET /auth{REALM}", answer("realm", "settings"))
    own = Keycloak(WHERE, f"{fake.url}/auth/", AdminLogin(password=Secret(PASSWORD)))
    assert own.realm("recorded").settings() is not None
    assert {asked.partition(" ")[2].split("/")[1] for asked, _, _ in fake.asked} == {"auth"}


@pytest.mark.parametrize("file", ["auth", "version-21"])
def test_address_without_auth_where_it_is_needed_says_so(fake: FakeKeycloak, keycloak: Keycloak, file: str) -> None:
    fake.say(f"POST {TOKEN}", answer(file, "login below /auth where there is none"))
    with pytest.raises(BadAnswer) as failure:
        keycloak.version()
    assert "/auth at its end" in failure.value.remedy


# What cannot be reached, and what is not Keycloak


def test_unreachable_says_why() -> None:
    own = Keycloak(WHERE, f"http://127.0.0.1:{free_port()}", AdminLogin(password=Secret(PASSWORD)))
    with pytest.raises(Unavailable, match="Connection refused") as failure:
        own.realm("recorded").settings()
    assert "HTTPConnectionPool" not in str(failure.value)


def test_silence_ends_at_the_limit(fake: FakeKeycloak) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        own = Keycloak(WHERE, address, AdminLogin(password=Secret(PASSWORD)), timeout=0.2)
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            own.version()


def test_redirect_is_not_followed_with_the_password(fake: FakeKeycloak, keycloak: Keycloak) -> None:
    with serving() as elsewhere:
        fake.say(f"POST {TOKEN}", Answer(307, b"", {"location": f"{elsewhere.url}{TOKEN}"}))
        with pytest.raises(BadAnswer, match="redirected us") as failure:
            keycloak.version()
        assert elsewhere.url in str(failure.value)
        assert elsewhere.asked == []


def test_page_instead_of_json(fake: FakeKeycloak, keycloak: Keycloak, realm: Realm) -> None:
    page = Answer(200, b"<html>Sign in</html>", {"content-type": "text/html"})
    fake.say(f"GET {REALM}", page)
    with pytest.raises(BadAnswer, match="text/html instead of JSON"):
        realm.settings()
    fake.say(f"POST {TOKEN}", page)
    with pytest.raises(BadAnswer, match="no token"):
        Keycloak(WHERE, fake.url, AdminLogin(password=Secret(PASSWORD))).version()


@pytest.mark.parametrize("body", [b"[]", b'"text"', b'{"realm": ["no name"]}', b"null"])
def test_json_of_another_shape(fake: FakeKeycloak, realm: Realm, body: bytes) -> None:
    fake.say(f"GET {REALM}", Answer(200, body))
    with pytest.raises(BadAnswer, match="form we do not know"):
        realm.settings()


def test_unknown_shape_does_not_quote_the_answer(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"GET {REALM}/clients", Answer(200, json.dumps([{"secret": CANARY, "id": 7}]).encode()))
    with pytest.raises(BadAnswer) as failure:
        realm.clients()
    assert CANARY not in str(failure.value)
    assert failure.value.__suppress_context__


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_overloaded(fake: FakeKeycloak, realm: Realm, status: int) -> None:
    fake.say(f"GET {REALM}", Answer(status, b"<html>", {"content-type": "text/html"}))
    with pytest.raises(Unavailable, match=str(status)):
        realm.settings()


def test_overloaded_at_login_is_no_wrong_password(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"POST {TOKEN}", Answer(503, b"", {}), login_answer())
    with pytest.raises(Unavailable, match="503"):
        realm.settings()
    assert realm.settings() is not None


def test_read_on_a_dead_connection_is_repeated_once(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"GET {REALM}", None, answer("realm", "settings"))
    assert realm.settings() is not None
    fake.say(f"GET {REALM}", None)
    realm.forget()
    with pytest.raises(Unavailable, match="cannot be reached"):
        realm.settings()


def test_write_on_a_dead_connection_is_not_repeated(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"POST {REALM}/clients", None)
    with pytest.raises(Unavailable, match="cannot be reached"):
        realm.create_client("acme-wordpress", {})
    assert fake.times(f"POST {REALM}/clients") == 1


# What it refuses


def _refusals() -> list[Any]:
    files = ("auth", "realm", "clients", "groups", "users", "version-21")
    found = [(file, name, one["response"]) for file in files for name, one in recorded(file).items()]
    return [pytest.param(said, id=f"{file}: {name}") for file, name, said in found if said["status"] >= 400]


@pytest.mark.parametrize("said", _refusals())
def test_each_recorded_refusal_is_an_error_with_keycloaks_words(said: Mapping[str, Any]) -> None:
    with pytest.raises(ComponentError) as failure:
        check(WHERE, "POST /x", Answer(said["status"], json.dumps(said["json"]).encode()))
    expected = {401: AuthenticationFailed, 403: AuthenticationFailed}.get(said["status"], Refused)
    assert isinstance(failure.value, expected)
    one = said["json"].get("errors", [said["json"]])
    words = [text for part in one for key in ("errorMessage", "error", "error_description") if (text := part.get(key))]
    assert words
    assert all(text in str(failure.value) for text in words)


def test_user_refused_for_two_reasons_names_both() -> None:
    said = recorded("users")["bad name and address"]["response"]["json"]
    words = explained(json.dumps(said).encode())
    assert words == "error-invalid-email: email, none; error-username-invalid-character: username"


def test_secret_that_keycloak_echoes_is_masked() -> None:
    Secret(CANARY)
    said = Answer(400, json.dumps({"errorMessage": f"bad value {CANARY}"}).encode())
    with pytest.raises(Refused) as failure:
        check(WHERE, "POST /x", said)
    assert CANARY not in str(failure.value)


@pytest.mark.parametrize("file", ["auth", "version-21"])
def test_forbidden_is_not_absent(fake: FakeKeycloak, realm: Realm, file: str) -> None:
    fake.say(f"GET {REALM}", answer(file, "asked by somebody without permission"))
    fake.say(f"GET {REALM}/clients", answer(file, "clients asked by somebody without permission"))
    for ask in (realm.settings, realm.clients):
        with pytest.raises(AuthenticationFailed) as failure:
            ask()
        assert "manage-clients" in failure.value.remedy


def test_absent_realm_is_absent(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"GET {REALM}", answer("realm", "absent"))
    fake.say(f"GET {REALM}/clients", answer("realm", "clients of an absent realm"))
    assert realm.settings() is None
    assert realm.clients() == {}


# Reading and writing


def test_one_request_brings_all_of_all_clients(fake: FakeKeycloak, realm: Realm) -> None:
    client = realm.client("acme-wordpress")
    assert client is not None
    assert client.attributes["pkce.code.challenge.method"] == "S256"
    assert client.mapper("roles") is not None
    assert "basic" in client.default_client_scopes
    assert not client.full_scope_allowed
    assert realm.client_secret("acme-wordpress") == Secret("<secret>")
    assert realm.client("acme-nobody") is None
    assert [asked for asked, _, _ in fake.asked] == [f"POST {TOKEN}", f"GET {REALM}/clients"]


def test_forget_asks_again(fake: FakeKeycloak, keycloak: Keycloak, realm: Realm) -> None:
    assert realm.client("acme-wordpress") is not None
    keycloak.forget()
    fake.say(f"GET {REALM}/clients", Answer(200, b"[]"))
    assert realm.client("acme-wordpress") is None


def test_client_hides_its_secret() -> None:
    client = Client.of({"id": "1", "clientId": "acme", "secret": CANARY, "registrationAccessToken": CANARY})
    assert client.secret == Secret(CANARY)
    assert CANARY not in repr(client)
    assert CANARY not in json.dumps(dict(client.raw))


def test_update_sends_neither_the_secret_nor_what_has_addresses_of_its_own(fake: FakeKeycloak, realm: Realm) -> None:
    address = f"{REALM}/clients/{_uuid(realm)}"
    fake.say(f"GET {address}", answer("clients", "one client"))
    fake.say(f"PUT {address}", answer("clients", "change without the secret"))
    realm.update_client("acme-wordpress", {"name": "new", "attributes": {"agencystack.owner": "x", "other": None}})
    sent = json.loads(fake.bodies(f"PUT {address}")[0])
    live = recorded("clients")["one client"]["response"]["json"]
    assert sent["name"] == "new"
    assert sent["redirectUris"] == live["redirectUris"]
    assert sent["attributes"] == {**live["attributes"], "agencystack.owner": "x", "other": None}
    assert not {"secret", "protocolMappers", "defaultClientScopes", "optionalClientScopes"} & set(sent)


def test_a_change_of_one_client_does_not_read_the_others_again(fake: FakeKeycloak, realm: Realm) -> None:
    address = f"{REALM}/clients/{_uuid(realm)}"
    fake.say(f"GET {address}", answer("clients", "one client", name="new"))
    fake.say(f"PUT {address}", answer("clients", "change without the secret"))
    realm.update_client("acme-wordpress", {"name": "new"})
    assert realm.clients()["acme-wordpress"].name == "new"
    assert "account" in realm.clients()
    assert fake.times(f"GET {REALM}/clients") == 1


def test_realm_update_sends_only_the_change(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"PUT {REALM}", answer("realm", "change a part"))
    realm.update({"verifyEmail": True})
    assert json.loads(fake.bodies(f"PUT {REALM}")[0]) == {"verifyEmail": True}


def test_realm_attributes_are_sent_with_all_that_keycloak_would_drop(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"PUT {REALM}", answer("realm", "change a part"))
    realm.update({"attributes": {"agencystack.owner": "acme", "cibaInterval": None}})
    sent = json.loads(fake.bodies(f"PUT {REALM}")[0])
    live = recorded("realm")["settings"]["response"]["json"]
    kept = {name: value for name, value in live["attributes"].items() if name != "cibaInterval"}
    assert sent == {**live, "attributes": {**kept, "agencystack.owner": "acme"}}


@pytest.mark.parametrize("file", ["groups", "version-21"])
def test_groups_of_a_client_come_together(fake: FakeKeycloak, realm: Realm, file: str) -> None:
    parent = recorded(file)["by path"]["response"]["json"]
    fake.say(f"GET {REALM}/group-by-path/acme", answer(file, "by path"))
    fake.say(f"GET {REALM}/groups/{parent['id']}/children", answer(file, "children"))
    assert realm.group_client_roles("/acme/staff", "acme-wordpress") == ("editor",)
    assert realm.group_client_roles("/acme/Büro & Co", "acme-wordpress") == ()
    assert realm.group("/acme/nobody") is None
    assert len(fake.asked) == (3 if file == "groups" else 2), "login, parent and, since version 23, its children"


def test_one_of_very_many_groups_is_asked_for_alone(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"GET {REALM}/group-by-path/acme", answer("groups", "by path", subGroupCount=5000))
    fake.say(f"GET {REALM}/group-by-path/acme/staff", answer("groups", "below, by path"))
    assert realm.group_client_roles("/acme/staff", "acme-wordpress") == ("editor",)
    assert not any("children" in asked for asked, _, _ in fake.asked)


def test_importing_it_loads_no_library() -> None:
    code = (
        "import sys, agencystack.components.keycloak; sys.exit('keycloak' in sys.modules or 'requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_errors_are_ours(fake: FakeKeycloak, realm: Realm) -> None:
    fake.say(f"GET {REALM}/client-scopes", Answer(500, b'{"error":"unknown_error"}'))
    with pytest.raises(AgencyStackError, match="unknown_error"):
        realm.client_scopes()


def _uuid(realm: Realm) -> str:
    found = realm.client("acme-wordpress")
    assert found is not None
    return found.id


def test_forgetting_waits_for_nobody_who_opens_the_connection() -> None:
    """A realm that is read holds its lock and wants Keycloak's; who makes all forget must not hold that meanwhile."""
    keycloak = Keycloak(WHERE, f"http://127.0.0.1:{free_port()}", AdminLogin(password=Secret(PASSWORD)))
    realm = keycloak.realm("people")
    forgetting = threading.Thread(target=keycloak.forget)

    def opens() -> None:
        forgetting.start()
        forgetting.join(0.2)  # it now waits for the realm, which this read holds
        assert keycloak._lock.acquire(timeout=5), "both wait for each other"
        keycloak._lock.release()

    realm._keep("anything", opens)
    forgetting.join(5)
    assert not forgetting.is_alive()
