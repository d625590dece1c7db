"""Who may ask: consumer keys, application passwords, and what each is refused with."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from agencystack.components.woocommerce.credentials import signature, signature_base
from agencystack.sandbox.woocommerce.wire import Request, RestError
from agencystack.stack.secrets import Secret

_OAUTH = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")
_WINDOW = 15 * 60


@dataclass(frozen=True)
class Key:
    """A consumer key.

    Args:
        secret: its secret.
        writes: it may change things; one that may not answers 401 to writes, never 403.
    """

    secret: str
    writes: bool = True


@dataclass
class Access:
    """The credentials of a shop (facts/wordpress.md "Authentication", contract/wordpress/wc-auth-*.json).

    Args:
        keys: consumer keys by their name.
        passwords: application passwords by login name.
        local: the site is marked as local, where application passwords do without TLS.
    """

    keys: dict[str, Key] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    local: bool = False
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def check(self, request: Request, home: str, now: float) -> None:
        """Let a request pass, or refuse it.

        Raises:
            RestError: 401, as the product words it.
        """
        writes = request.method not in {"GET", "HEAD", "OPTIONS"}
        namespace = request.path.split("/")[2] if request.path.startswith("/wp-json/") else ""
        if namespace == "wc" and "oauth_consumer_key" in request.params and not request.secure:
            self._may(self._by_oauth(request, home, now), writes=writes)
            return
        user, password = _basic(request.headers)
        if user in self.passwords and (request.secure or self.local):
            if hmac.compare_digest(self.passwords[user].replace(" ", ""), password.replace(" ", "")):
                return
            raise RestError("incorrect_password", "The provided password is an invalid application password.", 401)
        if namespace == "wc" and request.secure and user in self.keys:
            if not hmac.compare_digest(self.keys[user].secret, password):
                raise _wrong("Consumer secret is invalid.")
            self._may(self.keys[user], writes=writes)
            return
        raise _anonymous(namespace, writes=writes)

    def _by_oauth(self, request: Request, home: str, now: float) -> Key:
        given = dict(request.params)
        if missing := [name for name in _OAUTH if not given.get(name)]:
            raise _wrong(f"Missing parameters: {', '.join(missing)}")
        key = self.keys.get(given["oauth_consumer_key"])
        if key is None:
            raise _wrong("Consumer key is invalid.")
        signed = given.pop("oauth_signature")
        algorithm = given["oauth_signature_method"].removeprefix("HMAC-").lower()
        if algorithm not in {"sha1", "sha256"}:
            raise _wrong("Invalid signature - signature method is invalid.")
        text = signature_base(request.method, home + request.path, given.items())
        if not hmac.compare_digest(signature(Secret(key.secret), text, algorithm), signed):
            raise _wrong("Invalid signature - provided signature does not match.")
        once = (given["oauth_timestamp"], given["oauth_nonce"])
        if abs(now - int(given["oauth_timestamp"])) > _WINDOW:
            raise _wrong("Invalid timestamp.")
        if once in self._seen:
            raise _wrong("Invalid nonce - nonce has already been used.")
        self._seen.add(once)
        return key

    def _may(self, key: Key, *, writes: bool) -> None:
        if writes and not key.writes:
            raise _wrong("The API key provided does not have write permissions.")


def _basic(headers: Mapping[str, str]) -> tuple[str, str]:
    kind, _, credential = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(credential).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _wrong(message: str) -> RestError:
    return RestError("woocommerce_rest_authentication_error", message, 401)


def _anonymous(namespace: str, *, writes: bool) -> RestError:
    if namespace == "wc":
        code = "woocommerce_rest_cannot_create" if writes else "woocommerce_rest_cannot_view"
        return RestError(code, "Sorry, you cannot list resources." if not writes else _MAY_NOT, 401)
    return RestError("rest_not_logged_in", "You are not currently logged in.", 401)


_MAY_NOT = "Sorry, you are not allowed to create resources."
