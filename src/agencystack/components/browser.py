"""A browser without a screen: follows a login from product to product over plain HTTP, as a person's would."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, Morsel, SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import httpx

from agencystack.components.html_page import Contents, Form, contents
from agencystack.components.http import trust
from agencystack.stack.errors import BadAnswer, ComponentRef, Unavailable
from agencystack.stack.secrets import redact

TIMEOUT = 30.0
"""Seconds for one page. A first login makes an account, which takes ERPNext up to 0.9 s (facts/erpnext.md)."""

MOST_REDIRECTS = 20
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


@dataclass(frozen=True)
class Place:
    """A product the browser may meet on its way.

    Args:
        where: the component, for error messages.
        url: its public address; what links and redirects say.
        reached: the address we reach it at, where nobody can go by the public one from here.
        ca_file: authority of its certificate; the system's when absent.
    """

    where: ComponentRef
    url: str
    reached: str
    ca_file: Path | None = None


@dataclass(frozen=True)
class Page:
    """Where the browser stands after the last redirect.

    Args:
        url: its address.
        status: HTTP status.
        text: the body.
        way: ``GET https://host/path 302`` of each step that led here, without query strings: those hold codes.
    """

    url: str
    status: int
    text: str = field(repr=False)
    way: tuple[str, ...]

    @property
    def contents(self) -> Contents:
        """Forms and texts of the page."""
        return contents(self.text)


class Browser:
    """One person's browser: its own cookies, no cache, no scripts.

    Args:
        places: the products on the way; an address of none of them is refused, as a login must not lead elsewhere.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._cookies = _Cookies()
        self._clients: dict[Path | None, httpx.Client] = {}
        self._by_public: dict[str, bool] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; the cookies are gone with them."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def open(self, url: str) -> Page:
        """Go to ``url`` and where it redirects to.

        Raises:
            Unavailable: a product on the way cannot be reached; the error names it.
            BadAnswer: redirects without end, or to an address of none of the places.
        """
        return self._go("GET", url, None)

    def submit(self, page: Page, form: Form, values: Mapping[str, str]) -> Page:
        """Send a form of ``page`` with ``values`` beside what it holds; raises as :meth:`open`."""
        filled = {**form.values, **values}
        url = urljoin(page.url, form.action)
        if form.method == "post":
            return self._go("POST", url, filled)
        return self._go("GET", urlunsplit(urlsplit(url)._replace(query=urlencode(filled))), None)

    def post(self, url: str, values: Mapping[str, str]) -> Page:
        """Send ``values`` to ``url`` as a form does; raises as :meth:`open`."""
        return self._go("POST", url, values)

    def ask(self, url: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Return the answer to one GET with the session's cookies, redirects not followed; raises as :meth:`open`."""
        return self._send("GET", url, None, headers or {})

    def _go(self, method: str, url: str, data: Mapping[str, str] | None) -> Page:
        way: list[str] = []
        for _ in range(MOST_REDIRECTS):
            answer = self._send(method, url, data, {})
            way.append(f"{method} {_without_query(url)} {answer.status_code}")
            if not answer.has_redirect_location:
                return Page(url, answer.status_code, answer.text, tuple(way))
            url = urljoin(url, answer.headers["location"])
            if answer.status_code not in {307, 308}:
                method, data = "GET", None
        raise BadAnswer(
            f"redirected {MOST_REDIRECTS} times: {'; '.join(way[-3:])}",
            component=self._place(url).where,
            remedy="check that the site knows its own public address (https behind a proxy is the usual cause)",
        )

    def _send(
        self, method: str, url: str, data: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        place = self._place(url)
        sent = {**headers, "cookie": self._cookies.header(url), "accept": headers.get("accept", "text/html,*/*")}
        try:
            answer = self._ask_place(place, method, url, data, sent)
        except httpx.RequestError as error:
            raise Unavailable(
                f"did not answer {method} {_without_query(url)}: {redact(str(error)) or type(error).__name__}",
                component=place.where,
                remedy="check that its url in stack.yaml can be opened from this machine, or give api_url beside it",
            ) from error
        self._cookies.keep(url, answer.headers.get_list("set-cookie"))
        return answer

    def _ask_place(
        self, place: Place, method: str, url: str, data: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Ask by the public address, and where nobody gets there from here by the one we have."""
        client = self._client(place.ca_file)
        if place.reached == place.url or self._by_public.get(place.url, True):
            try:
                answer = client.request(method, url, data=data, headers=dict(headers))
                self._by_public[place.url] = True
            except httpx.ConnectError:
                if place.reached == place.url or self._by_public.get(place.url):
                    raise
                self._by_public[place.url] = False
            else:
                return answer
        public = urlsplit(url)
        behind = {"host": public.netloc, "x-forwarded-host": public.netloc, "x-forwarded-proto": public.scheme}
        return client.request(method, _moved(url, place), data=data, headers={**headers, **behind})

    def _place(self, url: str) -> Place:
        found = next((place for place in self._places if _origin(place.url) == _origin(url)), None)
        if found is None:
            raise BadAnswer(
                f"the login leads to {_without_query(url)}, which is neither the application nor its identity provider",
                component=self._places[0].where,
                remedy="check url of both in stack.yaml against the address the product has for itself",
            )
        return found

    def _client(self, ca_file: Path | None) -> httpx.Client:
        if ca_file not in self._clients:
            self._clients[ca_file] = httpx.Client(verify=trust(ca_file), timeout=TIMEOUT, trust_env=False)
        return self._clients[ca_file]


class _Cookies:
    """The cookies of one person, by the public host that set them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], tuple[str, bool]] = {}

    def keep(self, url: str, lines: Sequence[str]) -> None:
        """Keep what an answer sets, and drop what it ends."""
        host = urlsplit(url).hostname or ""
        for line in lines:
            cookie: SimpleCookie = SimpleCookie()
            try:
                cookie.load(line)
            except CookieError:
                continue
            for name, morsel in cookie.items():
                domain = str(morsel["domain"]).lstrip(".").lower() or host
                key = (domain, str(morsel["path"]) or "/", name)
                if _ended(morsel):
                    self._kept.pop(key, None)
                else:
                    self._kept[key] = (morsel.coded_value, bool(morsel["secure"]))

    def header(self, url: str) -> str:
        """Return what a browser would send to ``url``. Loopback counts as secure, as it does in browsers."""
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path or "/"
        secure = parts.scheme == "https" or parts.netloc.rsplit(":", 1)[0] in LOOPBACK
        return "; ".join(
            f"{name}={value}"
            for (domain, below, name), (value, only_secure) in self._kept.items()
            if (host == domain or host.endswith(f".{domain}"))
            and (path == below or path.startswith(below.rstrip("/") + "/"))
            and (secure or not only_secure)
        )


def _ended(morsel: Morsel[str]) -> bool:
    if str(morsel["max-age"]).lstrip("-").isdigit():
        return int(morsel["max-age"]) <= 0
    try:
        return bool(morsel["expires"]) and parsedate_to_datetime(morsel["expires"]).timestamp() <= time.time()
    except (TypeError, ValueError):
        return False


def _moved(url: str, place: Place) -> str:
    """Return ``url`` at the address we reach the product at."""
    reached = urlsplit(place.reached)
    return urlunsplit(urlsplit(url)._replace(scheme=reached.scheme, netloc=reached.netloc))


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port


def _without_query(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
