"""Signed calls between the bridge and its plugins: HMAC over what is asked, when, and a nonce that counts once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agencystack.stack.secrets import Secret

WINDOW = 300
"""Seconds a signed call may be old, or ahead: less refuses clocks that are a little wrong, more keeps more nonces."""

KEY, TIME, NONCE, SIGNATURE = (
    "X-AgencyStack-Key",
    "X-AgencyStack-Time",
    "X-AgencyStack-Nonce",
    "X-AgencyStack-Signature",
)


class Unsigned(Exception):
    """A call that is not signed as it must be; the text says why, and holds no secret."""


@dataclass(frozen=True)
class SigningKey:
    """One shared secret.

    Args:
        id: names it in calls, so that two can be good at a time while they are exchanged.
        secret: the secret.
    """

    id: str
    secret: Secret

    def headers(
        self,
        route: str,
        body: bytes,
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> dict[str, str]:
        """Return the headers that sign one POST.

        Args:
            route: what is called, as both sides name it: ``agencystack/v1/bridge/changes``,
                ``hooks/<pairing>/wordpress``.
            body: the body, as it is sent.
            clock: seconds since 1970.
            nonce: gives 32 hex digits that never came before.
        """
        when, once = str(int(clock())), nonce()
        return {KEY: self.id, TIME: when, NONCE: once, SIGNATURE: self.signature(route, body, when, once)}

    def signature(self, route: str, body: bytes, when: str, nonce: str) -> str:
        """Return the signature of a call, in hex."""
        told = "\n".join([route, when, nonce, hashlib.sha256(body).hexdigest()])
        return hmac.new(self.secret.reveal().encode(), told.encode(), hashlib.sha256).hexdigest()


def check(
    keys: Mapping[str, SigningKey],
    route: str,
    body: bytes,
    headers: Mapping[str, str],
    first_time: Callable[[str], bool],
    *,
    clock: Callable[[], float] = time.time,
) -> None:
    """Make sure a call was signed by a known key, lately, and never came before.

    Args:
        keys: the keys that are good, by id: the newest, and the one before while it is being exchanged.
        route: what is called.
        body: the body as it arrived.
        headers: the call's headers, by lower-case name.
        first_time: remembers a nonce for twice :data:`WINDOW` and tells whether it was new; asked last.
        clock: seconds since 1970.

    Raises:
        Unsigned: it was not.
    """
    key = keys.get(headers.get(KEY.lower(), ""))
    when, nonce = headers.get(TIME.lower(), ""), headers.get(NONCE.lower(), "")
    if key is None:
        raise Unsigned("no key of that id")
    if not when.isascii() or not when.isdigit() or abs(clock() - int(when)) > WINDOW:
        raise Unsigned(f"its time is more than {WINDOW} s from ours: are both clocks right?")
    if len(nonce) != 32:
        raise Unsigned("its nonce has not 32 characters")
    if not hmac.compare_digest(key.signature(route, body, when, nonce), headers.get(SIGNATURE.lower(), "")):
        raise Unsigned("the signature does not match")
    if not first_time(nonce):
        raise Unsigned("it came before")
