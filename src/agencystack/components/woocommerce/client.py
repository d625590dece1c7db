"""One connection to a WordPress's REST interface, which tells "it did not happen" from "nobody knows"."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from agencystack.components.http import trust
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import redact

TIMEOUT = 60.0
"""Seconds for one answer: a batch of 100 creations took 4 to 12 s (facts/wordpress.md "Speed")."""
PER_PAGE = 100
# A connection that a server closes while we send on it leaves a write unknown: Apache closes after 5 s of silence.
_KEEP_ALIVE = 4.0
_LATER = frozenset({429, 503})
_SHOWN = 200

Params = Mapping[str, str]


class NotSent(Exception):
    """A write that surely did not happen and may be tried again.

    Args:
        message: why.
        after: seconds the site asked us to wait.
    """

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Lost(Exception):
    """A write of which nobody knows whether it happened."""


@dataclass(frozen=True)
class Answer:
    """What WordPress answered to a write that it understood.

    Args:
        status: HTTP status.
        data: the JSON.
    """

    status: int
    data: Any


@dataclass(frozen=True)
class Listing:
    """One page of a list.

    Args:
        items: its records.
        total: of all pages, records.
        pages: how many pages there are.
    """

    items: tuple[Mapping[str, Any], ...]
    total: int
    pages: int


class RestApi:
    """The REST interface of one WordPress.

    Args:
        where: the component, for error messages.
        url: the site's address as we reach it.
        auth: who asks; nobody where the requests are signed otherwise.
        ca_file: authority to trust; the system's when absent.
        pretty: the site has permalinks; without them routes are a query parameter.
        transport: instead of the network, for tests.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        where: ComponentRef,
        url: str,
        auth: httpx.Auth | None = None,
        *,
        ca_file: Path | None = None,
        pretty: bool = True,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.where = where
        self.url = url.rstrip("/")
        self.ahead = 0.0
        self._pretty = pretty
        self._clock = clock
        self._client = httpx.Client(
            auth=auth,
            verify=trust(ca_file),
            timeout=TIMEOUT,
            transport=transport,
            limits=httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
            headers={"Accept": "application/json"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # Reading. -----------------------------------------------------------------------------------------------------

    def get(self, route: str, params: Params | None = None) -> Any:
        """Return the JSON of a route.

        Raises:
            Refused: WordPress said no, with its own code in the message; :meth:`one` tells what is not there.
            AuthenticationFailed, Unavailable, BadAnswer: it is not well.
        """
        answer = self._read(route, params)
        data = self._decoded(answer)
        if answer.is_success:
            return data
        raise Refused(f"answered {answer.status_code} to GET {route}: {_words(data)}", component=self.where)

    def one(self, route: str, params: Params | None = None) -> Mapping[str, Any] | None:
        """Return a record; ``None`` only where WordPress itself says that there is none of that id."""
        answer = self._read(route, params)
        data = self._decoded(answer)
        if answer.is_success and isinstance(data, dict):
            return data
        if answer.status_code in {404, 410} and is_absent(data):
            return None
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise BadAnswer(
                f"answered 404 to GET {route}: {_words(data)}",
                component=self.where,
                remedy="check that WooCommerce is active and that the address leads to this WordPress",
            )
        raise Refused(f"answered {answer.status_code} to GET {route}: {_words(data)}", component=self.where)

    def listing(self, route: str, params: Params | None = None) -> Listing:
        """Return one page of a list."""
        answer = self._read(route, params)
        data = self._decoded(answer)
        if answer.status_code == httpx.codes.BAD_REQUEST and _code(data) == "rest_post_invalid_page_number":
            return Listing((), 0, 0)
        if not answer.is_success:
            if "rest_forbidden" in answer.text:
                # A consumer key is nobody to WordPress's own lists, and drafts are for those who may edit them.
                raise self._unauthorised(answer, "GET", route, data)
            raise Refused(f"answered {answer.status_code} to GET {route}: {_words(data)}", component=self.where)
        if not isinstance(data, list):
            raise BadAnswer(f"answered no list to GET {route}", component=self.where, remedy=_CHECK_ADDRESS)
        total, pages = (int(answer.headers.get(name, 0) or 0) for name in ("X-WP-Total", "X-WP-TotalPages"))
        return Listing(tuple(data), total, pages)

    def pages(self, route: str, params: Params) -> Iterator[Listing]:
        """Yield the pages of a list, one after the other."""
        page = 1
        while True:
            found = self.listing(route, {"per_page": str(PER_PAGE), **params, "page": str(page)})
            yield found
            if page >= found.pages or not found.items:
                return
            page += 1

    # Writing. -----------------------------------------------------------------------------------------------------

    def write(
        self,
        method: str,
        route: str,
        body: bytes | None = None,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one write, once, and return what was answered.

        Raises:
            NotSent: it did not happen: no connection, 429, or 503 (maintenance).
            Lost: nobody knows: the connection or PHP died, the answer came too late or cannot be understood.
            AuthenticationFailed: 401; nothing was written.
            BadAnswer: it was redirected, or what should answer is not active; nothing was written.
        """
        try:
            answer = self._send(method, route, params, body, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise NotSent(f"{self.where} cannot be reached: {redact(str(error))}") from error
        except httpx.RequestError as error:
            raise Lost(f"no answer of {self.where} to {method} {route}: {_cause(error)}") from error
        self._refuse_redirect(answer, method, route)
        if answer.status_code in _LATER:
            raise NotSent(f"{self.where} answered {answer.status_code} to {method} {route}", _retry_after(answer))
        try:
            data = self._decoded(answer)
        except BadAnswer as error:
            return self._undecodable(answer, error)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise self._unauthorised(answer, method, route, data)
        if _code(data) == "rest_no_route" and method == "POST":
            raise BadAnswer(
                f"does not know {method} {route}",
                component=self.where,
                remedy="check that WooCommerce and the plugin agencystack-connector are active on this WordPress",
            )
        if answer.status_code in {502, 504} or _code(data) in {"internal_server_error", "wp_die"} or not _known(data):
            raise Lost(f"{self.where} answered {answer.status_code} to {method} {route}: {_words(data)}")
        return Answer(answer.status_code, data)

    def _undecodable(self, answer: httpx.Response, error: BadAnswer) -> Answer:
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            return Answer(answer.status_code, {"code": "request_too_large", "message": "the request is too large"})
        if answer.status_code in {400, 403, 404, 405}:
            raise error
        raise Lost(str(error)) from error

    # What both share. ---------------------------------------------------------------------------------------------

    def _send(
        self, method: str, route: str, params: Params | None, body: bytes | None, headers: Mapping[str, str] | None
    ) -> httpx.Response:
        address, query = f"{self.url}/wp-json/{route}", dict(params or {})
        if not self._pretty:
            address, query = f"{self.url}/", {"rest_route": f"/{route}", **query}
        kind = {"Content-Type": "application/json"} if body is not None else {}
        answer = self._client.request(
            method, address, params=query or None, content=body, headers={**kind, **(headers or {})}
        )
        self._note_clock(answer)
        return answer

    def _read(self, route: str, params: Params | None) -> httpx.Response:
        try:
            try:
                answer = self._send("GET", route, params, None, None)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                answer = self._send("GET", route, params, None, None)
        except httpx.RequestError as error:
            raise Unavailable(
                f"did not answer GET {route}: {_cause(error)}",
                component=self.where,
                remedy=f"check that {self.url} is up",
            ) from error
        self._refuse_redirect(answer, "GET", route)
        if answer.status_code in {401, 403}:
            raise self._unauthorised(answer, "GET", route, _json(answer))
        if answer.status_code in {429, 502, 503, 504}:
            raise Unavailable(
                f"answered {answer.status_code} to GET {route}",
                component=self.where,
                remedy="wait until it accepts requests again (maintenance mode ends with an update)",
            )
        return answer

    def _note_clock(self, answer: httpx.Response) -> None:
        """Remember how far the site's clock is ahead of ours: what it made lately is looked for by its own time."""
        try:
            self.ahead = parsedate_to_datetime(answer.headers["Date"]).timestamp() - self._clock()
        except (KeyError, ValueError):
            return

    def _decoded(self, answer: httpx.Response) -> Any:
        try:
            return json.loads(answer.content)
        except ValueError as error:
            raise BadAnswer(
                f"answered {answer.status_code} to {answer.request.method} {answer.request.url.path} with "
                f"{_what_instead(answer)}",
                component=self.where,
                remedy=_CHECK_ADDRESS if "PHP" not in _what_instead(answer) else _HIDE_NOTICES,
            ) from error

    def _refuse_redirect(self, answer: httpx.Response, method: str, route: str) -> None:
        if answer.is_redirect:
            raise BadAnswer(
                f"redirected {method} {route} to {answer.headers.get('location', '')}",
                component=self.where,
                remedy="put the address it redirects to into stack.yaml as api_url (https, with or without www)",
            )

    def _unauthorised(self, answer: httpx.Response, method: str, route: str, data: Any) -> AuthenticationFailed:
        return AuthenticationFailed(
            f"answered {answer.status_code} to {method} {route}: {_words(data)}",
            component=self.where,
            remedy="check the key or application password, its user's role and that the address begins with https",
        )


_CHECK_ADDRESS = "check that the address leads to this WordPress and not to a proxy, a login or an error page"
_HIDE_NOTICES = "set WP_DEBUG_DISPLAY to false in wp-config.php, and see its error log for what PHP complains about"


def is_absent(data: Any) -> bool:
    """Tell whether an error says that there is no record of that id."""
    return _code(data).endswith("_invalid_id") or _code(data) in {"woocommerce_rest_term_invalid", "rest_term_invalid"}


def is_too_large(answer: Answer) -> bool:
    """Tell whether a server in front of WordPress refused a request for its size."""
    return answer.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE and _code(answer.data) == "request_too_large"


def _code(data: Any) -> str:
    return str(data.get("code", "")) if isinstance(data, dict) else ""


def _known(data: Any) -> bool:
    return isinstance(data, dict | list)


def _words(data: Any) -> str:
    said = f"{data.get('code', '')}: {data.get('message', '')}" if isinstance(data, dict) else str(data)
    return redact(said)[:500]


def _json(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError:
        return answer.headers.get("content-type", "no content")


def _what_instead(answer: httpx.Response) -> str:
    """Return what stands where JSON should be; never a page's whole text, which may hold anything."""
    text = answer.text.lstrip("\ufeff \r\n\t")
    kind = answer.headers.get("content-type", "no content type")
    if not text:
        return "nothing"
    for start in ("{", "["):
        before, found, _ = text.partition(f"\n{start}")
        if found and any(word in before for word in ("Warning", "Notice", "Deprecated", "Fatal error")):
            return f"a message of PHP before the JSON: {redact(before[:_SHOWN])}"
    if text[0] in "{[":
        return f"JSON that breaks off after {len(text)} characters"
    return f"{kind} instead of JSON"


def _retry_after(answer: httpx.Response) -> float:
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() else 0.0


def _cause(error: httpx.RequestError) -> str:
    return redact(str(error)) or type(error).__name__
