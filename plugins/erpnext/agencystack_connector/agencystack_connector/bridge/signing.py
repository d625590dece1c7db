"""Checks that a call was signed by a known key, lately, and never came before. Imports no Frappe."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

WINDOW = 300
"""Seconds a signed call may be old, or ahead."""

REMEMBERED = 2 * WINDOW
"""Seconds a nonce is remembered: as long as a call with it could be believed."""

KEY, TIME, NONCE, SIGNATURE = (
	"X-AgencyStack-Key",
	"X-AgencyStack-Time",
	"X-AgencyStack-Nonce",
	"X-AgencyStack-Signature",
)
_NONCE_LENGTH = 32


class Unsigned(Exception):
	"""A call that is not signed as it must be.

	Args:
		code: one word for the bridge.
		says: the sentence; holds no secret.
	"""

	def __init__(self, code: str, says: str) -> None:
		super().__init__(says)
		self.code, self.says = code, says


def signature(secret: str, route: str, body: bytes, when: str, nonce: str) -> str:
	"""Return the signature of a call, in hex."""
	told = "\n".join([route, when, nonce, hashlib.sha256(body).hexdigest()])
	return hmac.new(secret.encode(), told.encode(), hashlib.sha256).hexdigest()


def headers(key_id: str, secret: str, route: str, body: bytes, nonce: str, now: float) -> dict[str, str]:
	"""Return the headers that sign a call of ours."""
	when = str(int(now))
	return {
		KEY: key_id,
		TIME: when,
		NONCE: nonce,
		SIGNATURE: signature(secret, route, body, when, nonce),
	}


def check(
	keys: Mapping[str, str],
	route: str,
	body: bytes,
	header: Callable[[str], str],
	first_time: Callable[[str], bool],
	*,
	clock: Callable[[], float] = time.time,
) -> None:
	"""Make sure that a call may be believed.

	Args:
		keys: secrets by key id: the newest, and the one before while it is being exchanged.
		route: what is called.
		body: as it arrived.
		header: gives a header of the call; empty text where it is missing.
		first_time: remembers a nonce and tells whether it was new; asked last, so that only signed calls fill it.
		clock: seconds since 1970.

	Raises:
		Unsigned: it may not.
	"""
	secret = keys.get(header(KEY))
	when, nonce = header(TIME), header(NONCE)
	if secret is None:
		raise Unsigned("agencystack_unknown_key", "no key of that id")
	if not (when.isascii() and when.isdigit()) or abs(clock() - int(when)) > WINDOW:
		raise Unsigned("agencystack_late", f"its time is more than {WINDOW} s from ours: are both clocks right?")
	if len(nonce) != _NONCE_LENGTH:
		raise Unsigned("agencystack_unsigned", f"its nonce has not {_NONCE_LENGTH} characters")
	if not hmac.compare_digest(signature(secret, route, body, when, nonce).encode(), header(SIGNATURE).encode()):
		raise Unsigned("agencystack_unsigned", "the signature does not match")
	if not first_time(nonce):
		raise Unsigned("agencystack_replayed", "it came before")
