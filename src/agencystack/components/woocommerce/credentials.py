"""How a request says who asks: an application password, or a consumer key of WooCommerce."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

import httpx

from agencystack.stack.secrets import Secret

_PLAIN_SAFE = "-._~"


@dataclass(frozen=True)
class ApplicationPassword(httpx.Auth):
    """A user's application password; WordPress takes it over TLS (or on a site marked as local) alone.

    Args:
        user: login name.
        password: the application password, with or without its spaces.
    """

    user: str
    password: Secret

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request."""
        request.headers["Authorization"] = _basic(self.user, self.password)
        yield request


@dataclass(frozen=True)
class ConsumerKey(httpx.Auth):
    """A consumer key: HTTP Basic over TLS; WooCommerce ignores that on plain HTTP and takes OAuth 1.0a (one-legged).

    Source: facts/wordpress.md "Authentication", contract/wordpress/wc-auth-*.json.

    Args:
        key: ``ck_...``.
        secret: ``cs_...``.
        home: address WordPress gives itself, where it is not the one that is called: the signature is made over it.
        clock: seconds since 1970.
    """

    key: str
    secret: Secret
    home: str = ""
    clock: Callable[[], float] = field(default=time.time, compare=False)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request."""
        if (self.home or str(request.url)).startswith("https:"):
            request.headers["Authorization"] = _basic(self.key, self.secret)
        else:
            request.url = request.url.copy_with(query=self._signed(request).encode())
        yield request

    def _signed(self, request: httpx.Request) -> str:
        given = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        signed = [
            *given,
            ("oauth_consumer_key", self.key),
            ("oauth_nonce", secrets.token_hex(16)),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", str(int(self.clock()))),
        ]
        base = self.home.rstrip("/") or str(request.url.copy_with(path="", query=None)).rstrip("/")
        text = signature_base(request.method, base + request.url.path, signed)
        return urlencode([*signed, ("oauth_signature", signature(self.secret, text))], quote_via=quote)


def credential(user: str, password: Secret) -> ApplicationPassword | ConsumerKey:
    """Return who asks: a consumer key shows itself by its first letters.

    Args:
        user: login name, or ``ck_...``.
        password: application password, or ``cs_...``.
    """
    return ConsumerKey(user, password) if user.startswith("ck_") else ApplicationPassword(user, password)


def signature_base(method: str, address: str, params: Iterable[tuple[str, str]]) -> str:
    """Return what is signed; WooCommerce orders by the name alone and escapes names and values twice."""
    pairs = "%26".join(f"{_twice(name)}%3D{_twice(value)}" for name, value in sorted(params))
    return f"{method.upper()}&{quote(address, safe=_PLAIN_SAFE)}&{pairs}"


def signature(secret: Secret, text: str, algorithm: str = "sha256") -> str:
    """Return the signature of a text, without a token's secret: there is no second leg."""
    made = hmac.new(f"{secret.reveal()}&".encode(), text.encode(), algorithm)
    return base64.b64encode(made.digest()).decode()


def hashed_key(key: str) -> str:
    """Return a consumer key as WooCommerce keeps it."""
    return hmac.new(b"wc-api", key.encode(), hashlib.sha256).hexdigest()


def _twice(text: str) -> str:
    return quote(text, safe=_PLAIN_SAFE).replace("%", "%25")


def _basic(user: str, password: Secret) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password.reveal()}".encode()).decode()
