"""The browser of a proof: redirects, forms, cookies as a person's browser keeps them, and where it must not go."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from agencystack.components.browser import Browser, Place
from agencystack.components.html_page import contents
from agencystack.stack.errors import BadAnswer, ComponentRef, Unavailable
from tests.serving import free_port, served

SHOP = ComponentRef("acme", "shop")
ENDED = "gone=; Path=/; Expires=Thu, 01 Jan 2015 00:00:00 GMT"
FORM = (
    '<title>Log in</title><form id="f" action="/in?step=2" method="post"><input name="username" value="">'
    '<input name="hidden" value="kept"></form><span id="input-error"> Wrong\n password </span>'
)


def seen(request: Request) -> Response:
    return PlainTextResponse(request.headers.get("cookie", ""))


async def took(request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode()))
    return PlainTextResponse(f"{request.query_params['step']} {form['username']} {form['hidden']}")


def sets(request: Request) -> Response:
    answer = RedirectResponse("/seen", 302)
    for cookie in ("plain=1; Path=/", "safe=2; Path=/; Secure", "deep=3; Path=/deep", "gone=4; Path=/", ENDED):
        answer.headers.append("set-cookie", cookie)
    return answer


APP = Starlette(
    routes=[
        Route("/form", lambda _request: HTMLResponse(FORM)),
        Route("/in", took, methods=["POST"]),
        Route("/sets", sets),
        Route("/seen", seen),
        Route("/deep/seen", seen),
        Route("/loop", lambda _request: RedirectResponse("/loop", 302)),
        Route("/away", lambda _request: RedirectResponse("http://evil.example/?code=secret", 302)),
        Route("/host", lambda request: PlainTextResponse(request.headers["host"])),
    ]
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(APP) as address:
        yield address


@pytest.fixture
def browser(url: str) -> Iterator[Browser]:
    with Browser([Place(SHOP, url, url)]) as made:
        yield made


def test_a_form_is_sent_with_what_it_held(browser: Browser, url: str) -> None:
    page = browser.open(f"{url}/form")
    form = page.contents.form_with("username")
    assert form is not None
    assert browser.submit(page, form, {"username": "anna"}).text == "2 anna kept"


def test_texts_of_a_page_are_found_by_id() -> None:
    found = contents(FORM)
    assert (found.title, found.texts["input-error"]) == ("Log in", "Wrong password")


def test_text_is_what_a_person_reads() -> None:
    page = "<title>T</title><style>p {}</style><script>var x</script><p>Hello <b>you</b></p><p>there"
    assert contents(page).text == "Hello you there"


def test_broken_markup_is_read_as_far_as_it_goes() -> None:
    assert contents('<div id="a">one<p id="b">two</div>three').texts == {"a": "onetwo", "b": "two"}


def test_cookies_are_kept_sent_and_ended(browser: Browser, url: str) -> None:
    assert browser.open(f"{url}/sets").text == "plain=1; safe=2"  # loopback counts as secure
    assert browser.open(f"{url}/deep/seen").text == "plain=1; safe=2; deep=3"


def test_another_browser_is_another_person(browser: Browser, url: str) -> None:
    browser.open(f"{url}/sets")
    with Browser([Place(SHOP, url, url)]) as other:
        assert other.open(f"{url}/seen").text == ""


def test_redirects_without_end_are_an_error_that_names_the_way(browser: Browser, url: str) -> None:
    with pytest.raises(BadAnswer, match=r"redirected 20 times: GET .*/loop 302"):
        browser.open(f"{url}/loop")


def test_a_login_that_leads_elsewhere_is_refused_without_its_codes(browser: Browser, url: str) -> None:
    with pytest.raises(BadAnswer, match=r"leads to http://evil\.example/,") as caught:
        browser.open(f"{url}/away")
    assert "secret" not in str(caught.value)


def test_where_nobody_gets_to_the_public_address_the_one_we_have_is_used(url: str) -> None:
    public = f"http://127.0.0.1:{free_port()}"
    with Browser([Place(SHOP, public, url)]) as browser:
        page = browser.open(f"{public}/host")
    assert (page.url, page.text) == (f"{public}/host", public.removeprefix("http://"))


def test_a_product_that_is_down_is_named() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with Browser([Place(SHOP, address, address)]) as browser, pytest.raises(Unavailable) as caught:
        browser.open(f"{address}/form?code=secret")
    assert caught.value.component == SHOP
    assert "secret" not in str(caught.value)


def test_the_page_says_the_way_without_query_strings(browser: Browser, url: str) -> None:
    assert browser.open(f"{url}/sets?code=secret").way == (f"GET {url}/sets 302", f"GET {url}/seen 200")
