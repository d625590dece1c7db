"""One HTTP request to ERPNext, and what is known of it afterwards: done, refused, not sent, or nobody knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from agencystack.components.erpnext.refusals import Refusal
from agencystack.components.http import trust
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret, redact

# gunicorn ends a request after 120 s (facts/erpnext.md); a longer wait would only wait for nothing.
LIMIT = 125.0
CONNECT_LIMIT = 10.0
CONNECTIONS = 16
_OVERLOADED = frozenset({429, 502, 503, 504})
_REMEDY_KEY = "put a working API key and secret of the bridge's ERPNext user into the place stack.yaml names"
_REMEDY_ROLE = "give the bridge's ERPNext user a role that may do this"


@dataclass(frozen=True)
class Answer:
    """What came back, if anything did.

    Args:
        status: HTTP status; 0 without an answer.
        body: the JSON object of the answer; ``None`` where it was none.
        sent: the request may have reached ERPNext.
        trouble: why there is no answer.
        after: seconds it asked us to wait.
    """

    status: int = 0
    body: Mapping[str, Any] | None = None
    sent: bool = True
    trouble: str = ""
    after: float = 0.0

    @property
    def done(self) -> bool:
        """Whether it says that it was done."""
        return 200 <= self.status < 300 and self.body is not None

    @property
    def refusal(self) -> Refusal:
        """Its error body."""
        return Refusal.from_body(self.status, self.body if self.body is not None else {})

    @property
    def data(self) -> Any:
        """What it holds, under ``data`` (documents) or ``message`` (methods)."""
        body = self.body or {}
        return body.get("data", body.get("message"))


@dataclass
class Exchange:
    """Sends requests to one ERPNext site, without ever sending one twice.

    It speaks through a transport and not through a client: ERPNext answers a token with the cookies of a guest, which
    would contradict the next token, and a client's work on cookies, redirects and merged defaults is a quarter of what
    a record costs.

    Args:
        where: the component, for messages.
        api_url: its address as we reach it.
        authorization: the header ``Authorization`` of a user; empty where each call is signed.
        ca_file: authority that signed its certificate, if the system does not know it.
        host_header: the site's name, where ``api_url`` is an address and the bench holds several sites.
        transport: another way than the network; for tests.
        limit: seconds for an answer.
    """

    where: ComponentRef
    api_url: str
    authorization: Secret | None = None
    ca_file: Path | None = None
    host_header: str | None = None
    transport: httpx.BaseTransport | None = None
    limit: float = LIMIT
    _through: httpx.BaseTransport = field(init=False, repr=False)
    _headers: Mapping[str, str] = field(init=False, repr=False)
    _timeout: Mapping[str, float | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._through = self.transport or httpx.HTTPTransport(
            verify=trust(self.ca_file), limits=httpx.Limits(max_connections=CONNECTIONS), proxy=_proxy(self.api_url)
        )
        # In English, as causes are known by their texts there.
        headers = {"Accept": "application/json", "Accept-Language": "en", "Accept-Encoding": "gzip, deflate"}
        headers["User-Agent"] = "agencystack"
        self._headers = headers | ({"Host": self.host_header} if self.host_header else {})
        self._timeout = httpx.Timeout(self.limit, connect=CONNECT_LIMIT, pool=self.limit).as_dict()

    def close(self) -> None:
        """Close the connections."""
        self._through.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request once.

        Args:
            method: HTTP method.
            path: below the base URL, percent-encoded.
            content: a JSON body.
            params: of the query.
            headers: further ones.
        """
        sent = {**self._headers, **(headers or {})}
        if self.authorization is not None:
            sent["Authorization"] = self.authorization.reveal()
        if content is not None:
            sent["Content-Type"] = "application/json"
        url = _url(self.api_url.rstrip("/") + path)
        extensions = {"timeout": self._timeout}
        request = httpx.Request(method, url, params=params, headers=sent, content=content, extensions=extensions)
        try:
            answer = self._through.handle_request(request)
            try:
                answer.read()
            finally:
                answer.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Answer(sent=False, trouble=f"cannot be reached at {self.api_url}: {_words(error)}")
        except httpx.TimeoutException:
            return Answer(trouble=f"did not answer within {self.limit:g} s")
        except httpx.RequestError as error:
            return Answer(trouble=f"ended the connection without an answer: {_words(error)}")
        return Answer(answer.status_code, _object(answer), after=_after(answer))

    def ask(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Send one request that changes nothing, twice where the connection broke, and return what it holds.

        Args:
            doing: what it does, for errors: ``list Customer``.

        Raises:
            AuthenticationFailed: 401 or 403.
            Unavailable: no connection, no answer, overloaded.
            BadAnswer: another answer than the interface gives.
            Refused: it declined; the message holds its words.
        """
        answer = self.send(method, path, content=content, params=params)
        if not answer.status and answer.sent:
            answer = self.send(method, path, content=content, params=params)
        if answer.done:
            return answer.data
        raise self.error(answer, doing)

    def error(self, answer: Answer, doing: str) -> AuthenticationFailed | Unavailable | BadAnswer | Refused:
        """Return what to raise for an answer that is none of those hoped for."""
        if not answer.status:
            remedy = f"check that ERPNext runs and that {self.api_url} leads to it"
            return Unavailable(f"{answer.trouble} ({doing})", component=self.where, remedy=remedy)
        said = f"answered {answer.status} to {doing}: {redact(answer.refusal.words)[:500]}"
        if answer.status == 401:
            return AuthenticationFailed(said, component=self.where, remedy=_REMEDY_KEY)
        if answer.status == 403:
            return AuthenticationFailed(said, component=self.where, remedy=_REMEDY_ROLE)
        if answer.status in _OVERLOADED:
            return Unavailable(said, component=self.where, remedy="wait until ERPNext takes requests again")
        if answer.body is None:
            text = f"answered {answer.status} to {doing} with something else than its interface does"
            remedy = "check that api_url leads to ERPNext and not to a proxy's page or a login"
            return BadAnswer(text, component=self.where, remedy=remedy)
        return Refused(said, component=self.where, remedy="look it up in ERPNext's Error Log")


def _proxy(api_url: str) -> str | None:
    """Return the proxy that the environment names for an address."""
    address = urlsplit(api_url)
    return None if proxy_bypass(address.netloc) else getproxies().get(address.scheme)


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    """Return a parsed address; most requests go to a few of them."""
    return httpx.URL(text)


def with_key(key: Secret, secret: Secret) -> Secret:
    """Return what authorizes a request by a user's API key and secret."""
    return Secret(f"token {key.reveal()}:{secret.reveal()}")


def encoded(value: object) -> bytes:
    """Return a body; in ASCII, as half a character (a lone surrogate) could not be sent otherwise."""
    return json.dumps(value, separators=(",", ":")).encode()


def resource(doctype: str, name: str | None = None) -> str:
    """Return the path of a doctype or of one document; any name may be in a path when it is encoded whole."""
    path = f"/api/resource/{quote(doctype, safe='')}"
    return path if name is None else f"{path}/{quote(name, safe='')}"


def _object(answer: httpx.Response) -> Mapping[str, Any] | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _after(answer: httpx.Response) -> float:
    said = answer.headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else 0.0


def _words(error: httpx.RequestError) -> str:
    return redact(str(error)) or type(error).__name__
