"""The Mailu client: what it reads once, what it refuses to send, and what it makes of Mailu's stranger answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agencystack.components.mailu import Mailu
from agencystack.sandbox.mailu import MailuStandIn
from agencystack.stack.errors import (
    AgencyStackError,
    AuthenticationFailed,
    BadAnswer,
    ComponentRef,
    ConfigurationError,
    Refused,
    Unavailable,
)
from agencystack.stack.secrets import Secret
from tests.serving import free_port, served

WHERE = ComponentRef("shared", "mailu")
TOKEN = Secret("the-api-token-of-the-test")
DOMAIN = "acme.test"
ADDRESS = f"wordpress@{DOMAIN}"


class Counted:
    """Notes each call before passing it on."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self.calls: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls.append(f"{scope['method']} {scope['path']}")
        await self._app(scope, receive, send)


@pytest.fixture
def stand_in(tmp_path: Path) -> MailuStandIn:
    return MailuStandIn(
        tmp_path, TOKEN, hostname="mail.lab.test", domain="lab.test", admin_password=Secret("admin-password")
    )


@pytest.fixture
def server(stand_in: MailuStandIn) -> Iterator[tuple[str, Counted]]:
    counted = Counted(stand_in.app)
    with served(counted) as url:
        yield url, counted


@pytest.fixture
def mailu(server: tuple[str, Counted]) -> Mailu:
    client = Mailu(WHERE, server[0], TOKEN)
    client.create_domain(DOMAIN, "managed by AgencyStack")
    return client


def answering(answer: Callable[[Request], Response]) -> Starlette:
    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PATCH", "DELETE"])])


# -- domains


def test_domain_tells_comment_and_expected_dns(mailu: Mailu) -> None:
    domain = mailu.domain("ACME.test")
    assert domain is not None
    assert domain.comment == "managed by AgencyStack"
    assert not domain.has_dkim
    assert domain.expected_dns == (
        "acme.test. 600 IN MX 10 mail.lab.test.",
        'acme.test. 600 IN TXT "v=spf1 mx a:mail.lab.test ~all"',
    )


def test_unknown_domain_is_none(mailu: Mailu) -> None:
    assert mailu.domain("nope.test") is None


def test_dkim_key_is_made_once_and_never_replaced(mailu: Mailu) -> None:
    mailu.make_dkim(DOMAIN)
    made = mailu.domain(DOMAIN)
    assert made is not None
    assert made.dns_dkim is not None
    assert made.dns_dkim.startswith("dkim._domainkey.acme.test. 600 IN TXT")
    with pytest.raises(Refused, match="already has a DKIM key"):
        mailu.make_dkim(DOMAIN)
    mailu.forget()
    assert mailu.domain(DOMAIN) == made


def test_dkim_looks_again_although_the_list_is_known(mailu: Mailu, server: tuple[str, Counted]) -> None:
    assert not mailu.domains()[1].has_dkim
    Mailu(WHERE, server[0], TOKEN).make_dkim(DOMAIN)
    with pytest.raises(Refused, match="already has a DKIM key"):
        mailu.make_dkim(DOMAIN)


def test_unknown_domain_is_not_patched(mailu: Mailu, server: tuple[str, Counted]) -> None:
    with pytest.raises(Refused, match=r"does not have the domain nope\.test"):
        mailu.update_domain("nope.test", comment="x")
    assert not [call for call in server[1].calls if call.startswith("PATCH")]


def test_update_domain(mailu: Mailu) -> None:
    mailu.update_domain(DOMAIN, comment="changed", max_users=5)
    domain = mailu.domain(DOMAIN)
    assert domain is not None
    assert (domain.comment, domain.max_users) == ("changed", 5)


def test_error_inside_http_200_is_an_error(mailu: Mailu) -> None:
    with pytest.raises(Refused, match="Domain not valid is not a valid domain"):
        mailu.update_domain("not valid", comment="x")


# -- mailboxes


def test_user_from_creation_to_deletion(mailu: Mailu) -> None:
    assert mailu.user(ADDRESS) is None
    mailu.create_user("WordPress@acme.test", Secret("first-password"), "ours", quota_bytes=5_000_000)
    user = mailu.user(ADDRESS)
    assert user is not None
    assert (user.email, user.comment, user.enabled, user.quota_bytes) == (ADDRESS, "ours", True, 5_000_000)
    mailu.update_user(ADDRESS, enabled=False, displayed_name="Acme")
    user = mailu.user(ADDRESS)
    assert user is not None
    assert (user.enabled, user.displayed_name, user.comment) == (False, "Acme", "ours")
    assert mailu.delete_user(ADDRESS) is True
    assert mailu.user(ADDRESS) is None
    assert mailu.delete_user(ADDRESS) is False


def test_new_password_opens_the_mailbox(mailu: Mailu, stand_in: MailuStandIn) -> None:
    mailu.create_user(ADDRESS, Secret("first-password"))
    mailu.update_user(ADDRESS, password=Secret("second-password"))
    assert stand_in.authenticate(ADDRESS, "second-password", "192.0.2.1", "imap")
    assert not stand_in.authenticate(ADDRESS, "first-password", "192.0.2.1", "imap")


def test_taken_address_is_refused_in_mailus_words(mailu: Mailu) -> None:
    mailu.create_user(ADDRESS, Secret("first-password"))
    with pytest.raises(Refused, match=r"409.*User wordpress@acme\.test already exists"):
        mailu.create_user(ADDRESS, Secret("other-password"))


def test_password_hashes_go_nowhere(
    mailu: Mailu, server: tuple[str, Counted], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mailu.create_user(ADDRESS, Secret("first-password"))
    raw = httpx.get(f"{server[0]}/api/v1/user", headers={"Authorization": TOKEN.reveal()}).json()
    hashes = [user["password"] for user in raw]
    shown = repr(mailu.users()) + json.dumps([user.model_dump() for user in mailu.users()], default=list) + caplog.text
    assert hashes
    assert not [value for value in hashes if value in shown]


def test_hash_stays_out_of_the_error_about_an_unknown_form() -> None:
    user = {"email": ["not", "text"], "password": "$bcrypt-sha256$the-hash", "quota_bytes": "$bcrypt-sha256$the-hash"}
    with served(answering(lambda _: JSONResponse([user]))) as url, pytest.raises(BadAnswer) as caught:
        Mailu(WHERE, url, TOKEN).users()
    assert "email" in str(caught.value)
    assert "bcrypt" not in str(caught.value)
    assert caught.value.__suppress_context__


# -- tokens


def test_token_is_told_once_and_limited_to_its_networks(mailu: Mailu, stand_in: MailuStandIn) -> None:
    mailu.create_user(ADDRESS, Secret("first-password"))
    number, value = mailu.create_token(ADDRESS, "agencystack", ["192.0.2.0/24"])
    (token,) = mailu.tokens(ADDRESS)
    assert (token.id, token.comment, token.networks) == (number, "agencystack", ("192.0.2.0/24",))
    assert stand_in.authenticate(ADDRESS, value.reveal(), "192.0.2.9", "smtp")
    assert not stand_in.authenticate(ADDRESS, value.reveal(), "198.51.100.9", "smtp")
    assert mailu.delete_token(number) is True
    assert mailu.tokens(ADDRESS) == ()
    assert mailu.delete_token(number) is False
    assert not stand_in.authenticate(ADDRESS, value.reveal(), "192.0.2.9", "smtp")


def test_token_of_a_disabled_mailbox_opens_nothing(mailu: Mailu, stand_in: MailuStandIn) -> None:
    mailu.create_user(ADDRESS, Secret("first-password"))
    _, value = mailu.create_token(ADDRESS, "agencystack")
    mailu.update_user(ADDRESS, enabled=False)
    assert not stand_in.authenticate(ADDRESS, value.reveal(), "192.0.2.9", "smtp")


def test_update_token(mailu: Mailu) -> None:
    mailu.create_user(ADDRESS, Secret("first-password"))
    number, _ = mailu.create_token(ADDRESS, "agencystack")
    mailu.update_token(number, comment="agencystack", networks=["10.0.0.0/8"])
    assert mailu.tokens(ADDRESS)[0].networks == ("10.0.0.0/8",)


# -- aliases


def test_alias_from_creation_to_deletion(mailu: Mailu, stand_in: MailuStandIn) -> None:
    mailu.create_user(ADDRESS, Secret("first-password"))
    mailu.create_alias("shop@acme.test", [ADDRESS], "ours")
    assert stand_in.may_send_as(ADDRESS, "shop@acme.test")
    mailu.update_alias("shop@acme.test", destination=[])
    alias = mailu.alias("Shop@acme.test")
    assert alias is not None
    assert (alias.destination, alias.comment) == ((), "ours")
    assert not stand_in.may_send_as(ADDRESS, "shop@acme.test")
    assert mailu.delete_alias("shop@acme.test") is True
    assert mailu.alias("shop@acme.test") is None
    assert mailu.delete_alias("shop@acme.test") is False


def test_alias_to_an_address_elsewhere_is_refused(mailu: Mailu) -> None:
    with pytest.raises(Refused, match=r"someone@example\.com does not exist"):
        mailu.create_alias("shop@acme.test", ["someone@example.com"])


# -- reading once


def test_a_hundred_clients_cost_four_reads(mailu: Mailu, server: tuple[str, Counted]) -> None:
    server[1].calls.clear()

    def look(number: int) -> None:
        mailu.domain(DOMAIN)
        mailu.user(f"wordpress{number}@acme.test")
        mailu.tokens(ADDRESS)
        mailu.alias(f"shop{number}@acme.test")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(100)))
    assert sorted(server[1].calls) == [f"GET /api/v1/{kind}" for kind in ("alias", "domain", "token", "user")]


def test_a_write_forgets_only_what_it_touches(mailu: Mailu, server: tuple[str, Counted]) -> None:
    mailu.users(), mailu.domains(), mailu.aliases(), mailu.tokens()
    server[1].calls.clear()
    mailu.create_user(ADDRESS, Secret("first-password"))
    mailu.users(), mailu.domains(), mailu.aliases(), mailu.tokens()
    assert server[1].calls == ["POST /api/v1/user", "GET /api/v1/user"]


def test_forget_reads_everything_again(mailu: Mailu, server: tuple[str, Counted]) -> None:
    mailu.users()
    server[1].calls.clear()
    mailu.forget()
    mailu.users()
    assert server[1].calls == ["GET /api/v1/user"]


# -- authentication


def test_a_wrong_token_is_sent_once_however_many_ask(server: tuple[str, Counted]) -> None:
    client = Mailu(WHERE, server[0], Secret("not-the-right-token"))

    def ask(_: int) -> str:
        with pytest.raises(AuthenticationFailed) as caught:
            client.users()
        return caught.value.remedy

    with ThreadPoolExecutor(8) as pool:
        remedies = set(pool.map(ask, range(20)))
    assert len(server[1].calls) == 1
    assert len(remedies) == 1
    assert "AUTH_RATELIMIT_IP" in remedies.pop()


def test_locked_out_network_says_what_to_wait_for(server: tuple[str, Counted]) -> None:
    for _ in range(5):
        httpx.get(f"{server[0]}/api/v1/user", headers={"Authorization": "wrong"})
    with pytest.raises(Unavailable, match="429") as caught:
        Mailu(WHERE, server[0], TOKEN).users()
    assert "AUTH_RATELIMIT_IP" in caught.value.remedy


def test_too_short_a_token_is_never_sent() -> None:
    with pytest.raises(ConfigurationError, match="less than 4"):
        Mailu(WHERE, "http://127.0.0.1:1", Secret("abc"))


# -- what is not Mailu's API


def test_html_404_means_the_api_is_switched_off() -> None:
    off = answering(lambda _: HTMLResponse("<h1>404 Not Found</h1>", 404))
    with served(off) as url, pytest.raises(BadAnswer, match="404 with text/html") as caught:
        Mailu(WHERE, url, TOKEN).user(ADDRESS)
    assert "API=true" in caught.value.remedy


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"message": "Internal Server Error"}, 500),
        HTMLResponse("<p>Error: API_TOKEN is not configured</p>", 500),
    ],
)
def test_500_names_the_missing_api_token(answer: Response) -> None:
    with served(answering(lambda _: answer)) as url, pytest.raises(BadAnswer, match="500") as caught:
        Mailu(WHERE, url, TOKEN).users()
    assert "API_TOKEN" in caught.value.remedy


def test_json_that_is_no_list_is_a_bad_answer() -> None:
    other = answering(lambda _: JSONResponse({"status": "ok"}))
    with served(other) as url, pytest.raises(BadAnswer, match="without a list"):
        Mailu(WHERE, url, TOKEN).users()


def test_nothing_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        Mailu(WHERE, f"http://127.0.0.1:{free_port()}", TOKEN).users()


# -- lost connections


class BrokenOff:
    """Promises more than it sends, the first times, so that the connection ends within the answer."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.calls: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls.append(scope["method"])
        self.left -= 1
        if self.left < 0:
            await JSONResponse([])(scope, receive, send)
            return
        headers = [(b"content-length", b"100"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"[", "more_body": False})


def test_a_read_is_tried_once_more_after_a_lost_connection() -> None:
    app = BrokenOff(1)
    with served(app) as url:
        assert Mailu(WHERE, url, TOKEN).users() == ()
    assert app.calls == ["GET", "GET"]


def test_a_read_is_not_tried_a_third_time() -> None:
    app = BrokenOff(9)
    with served(app) as url, pytest.raises(Unavailable):
        Mailu(WHERE, url, TOKEN).users()
    assert app.calls == ["GET", "GET"]


def test_a_write_is_never_repeated_and_what_it_touched_is_read_again() -> None:
    app = BrokenOff(0)
    with served(app) as url:
        client = Mailu(WHERE, url, TOKEN)
        client.users()
        app.left = 1
        with pytest.raises(Unavailable):
            client.create_user(ADDRESS, Secret("first-password"))
        client.users()
    assert app.calls == ["GET", "POST", "GET"]


def test_errors_name_the_component(mailu: Mailu) -> None:
    with pytest.raises(AgencyStackError) as caught:
        mailu.create_user("x@nope.test", Secret("a-password"))
    assert str(caught.value).startswith("shared/mailu: answered 404 to POST /api/v1/user: Domain nope.test does not")
