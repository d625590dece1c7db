"""What every HTTP interface of a product shares: one connection pool, one clock, and our kinds of errors."""

from __future__ import annotations

import functools
import json
import ssl
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx

from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import redact

# A product that has not answered a configuration call by then is down for our purpose; ERPNext's own mail check
# takes up to 60 s (two connections of 30 s each, facts/erpnext.md "Email") and passes its own limit.
DEFAULT_TIMEOUT = 30.0
OVERLOADED = {429, 502, 503, 504}


class HttpApi:
    """The HTTP interface of one component.

    Args:
        where: the component, for error messages.
        base_url: as we reach it, without a trailing slash.
        headers: sent with each request; may hold a credential.
        ca_file: certificate authority to trust besides none other; the system's when absent.
        auth: user name and password for HTTP Basic, where the product wants that.
        explain: turns a product's refusal body into its own words; the default takes ``message`` or ``error``.
        remedies: what the reader does about a status (401, 403, 429, ...), where the product's own remedy is known.
    """

    def __init__(
        self,
        where: ComponentRef,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        ca_file: Path | None = None,
        explain: Callable[[Any], str] | None = None,
        remedies: Mapping[int, str] | None = None,
    ) -> None:
        self.where = where
        self._remedies = dict(remedies or {})
        self.base_url = base_url.rstrip("/")
        self._explain = explain or _plain_words
        self._client = httpx.Client(
            base_url=self.base_url,
            headers=dict(headers or {}),
            auth=auth,
            verify=trust(ca_file),
            timeout=DEFAULT_TIMEOUT,
            # Every interface we use takes a credential with each call; a session beside it could only contradict it
            # (ERPNext sets the cookies of a guest in answer to a token, facts/erpnext.md "Auth").
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Any:
        """Send one request and return the JSON of the answer.

        Args:
            method: HTTP method.
            path: below the base URL, already percent-encoded.
            params: query parameters.
            body: sent as JSON when not None.
            timeout: seconds for the whole answer.

        Raises:
            AuthenticationFailed: 401 or 403.
            Unavailable: no connection, no answer in time, an untrusted certificate, or 429/502/503/504.
            Refused: another 4xx, or a 5xx with the product's own JSON explanation.
            BadAnswer: anything that is not JSON, and redirects.
        """
        answer = self.send(method, path, params=params, body=body, timeout=timeout)
        data = self.decode(answer)
        if answer.is_success:
            return data
        raise Refused(
            f"answered {answer.status_code} to {method} {path}: {redact(self._explain(data))[:500]}",
            component=self.where,
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        timeout: float = DEFAULT_TIMEOUT,
        redirects: bool = False,
        reads: bool = False,
    ) -> httpx.Response:
        """Send one request and return the answer as it is, after the errors every product shares.

        Args:
            redirects: where the product sends a browser is what is asked for; else a redirect is a BadAnswer.
            reads: it changes nothing although its method is not GET, so it may be sent twice.
        """

        def request() -> httpx.Response:
            return self._client.request(
                method, path, params=dict(params) if params else None, json=body, timeout=timeout
            )

        try:
            try:
                answer = request()
            except (httpx.ReadError, httpx.RemoteProtocolError):
                # A connection kept open across a restart of the product: worth one more read, but never a second
                # write, as the first may have been done.
                if method != "GET" and not reads:
                    raise
                answer = request()
        except httpx.TimeoutException as error:
            raise Unavailable(
                f"did not answer {method} {path} within {timeout:g} s",
                component=self.where,
                remedy=f"check that {self.base_url} is up, then run again",
            ) from error
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        if answer.status_code in {401, 403}:
            raise AuthenticationFailed(
                f"answered {answer.status_code} to {method} {path}: {redact(self._words(answer))}",
                component=self.where,
                remedy=self._remedies.get(
                    answer.status_code, "check the credential named in stack.yaml and what it is allowed to do"
                ),
            )
        if answer.status_code in OVERLOADED:
            raise Unavailable(
                f"answered {answer.status_code} to {method} {path}: {redact(self._words(answer))}",
                component=self.where,
                remedy=self._remedies.get(answer.status_code, "wait until it accepts requests again, then run again"),
            )
        if answer.is_redirect and not redirects:
            raise BadAnswer(
                f"redirected {method} {path} to {answer.headers.get('location', '')}",
                component=self.where,
                remedy="put the address it redirects to into stack.yaml as api_url",
            )
        return answer

    def _unreachable(self, error: httpx.RequestError) -> Unavailable:
        cause = redact(str(error)) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in cause:
            return Unavailable(
                f"its certificate at {self.base_url} is not trusted: {cause}",
                component=self.where,
                remedy="name the authority that signed it as ca_file in stack.yaml",
            )
        return Unavailable(
            f"cannot be reached at {self.base_url}: {cause}",
            component=self.where,
            remedy="check the address in stack.yaml (api_url is the one we use) and that the product runs",
        )

    def decode(self, answer: httpx.Response) -> Any:
        """Return the JSON of ``answer``, whatever its status; raises BadAnswer where there is none."""
        try:
            return answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            kind = answer.headers.get("content-type", "no content type")
            raise BadAnswer(
                f"answered {answer.status_code} with {kind} instead of JSON to {answer.request.method} "
                f"{answer.request.url.path}",
                component=self.where,
                remedy="check that api_url in stack.yaml leads to its interface and not to a proxy or login page",
            ) from error

    def _words(self, answer: httpx.Response) -> str:
        try:
            return str(self._explain(answer.json()))[:500]
        except (json.JSONDecodeError, UnicodeDecodeError):
            return str(answer.headers.get("content-type", "no content"))


@functools.cache
def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return what verifies certificates; made once, as it takes 20 ms and half a megabyte to load the authorities."""
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


def _plain_words(data: Any) -> str:
    if isinstance(data, dict):
        for key in ("message", "error", "errors"):
            if data.get(key):
                return str(data[key])
    return str(data)
