"""One login from the click to the answer: what ties the identity provider's answer to the browser that asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

LIFETIME = 600
_BYTES = 32


@dataclass(frozen=True)
class Attempt:
	"""What is remembered of a login that was started.

	Args:
		browser: digest of the secret in the browser's cookie.
		nonce: to be found in the ID token.
		verifier: PKCE's, to be shown for the code.
		redirect_to: where the person wanted to go, on this site; may be empty.
	"""

	browser: str
	nonce: str
	verifier: str
	redirect_to: str

	def as_dict(self) -> dict[str, str]:
		"""Return it as plain values, for the cache."""
		return asdict(self)

	def is_of(self, cookie: str) -> bool:
		"""Say whether the browser with this cookie started it."""
		return bool(cookie) and hmac.compare_digest(self.browser, digest(cookie))

	def challenge(self) -> str:
		"""Return the S256 challenge of the verifier (RFC 7636)."""
		hashed = hashlib.sha256(self.verifier.encode()).digest()
		return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


@dataclass(frozen=True)
class Started:
	"""A login just started.

	Args:
		state: goes to the provider and comes back.
		cookie: goes to the browser.
		attempt: is remembered under the state's digest.
	"""

	state: str
	cookie: str
	attempt: Attempt


def begin(redirect_to: str) -> Started:
	"""Return a new login; every value is random and used once."""
	state, cookie, nonce, verifier = (secrets.token_urlsafe(_BYTES) for _ in range(4))
	return Started(state, cookie, Attempt(digest(cookie), nonce, verifier, redirect_to))


def digest(text: str) -> str:
	"""Return the digest under which a secret is remembered, so that the cache opens no login."""
	return hashlib.sha256(text.encode()).hexdigest()


def cookie_name(state: str) -> str:
	"""Return the name of a login's cookie; each has its own, so that two tabs do not disturb each other."""
	return f"agencystack_login_{digest(state)[:16]}"


def authorize_url(address: str, started: Started, parameters: Mapping[str, str]) -> str:
	"""Return where to send the browser.

	Args:
		address: the provider's authorization endpoint.
		started: the login.
		parameters: ``client_id``, ``redirect_uri``, ``scope`` and what else the Social Login Key wants.
	"""
	ours = {
		"response_type": "code",
		"state": started.state,
		"nonce": started.attempt.nonce,
		"code_challenge": started.attempt.challenge(),
		"code_challenge_method": "S256",
	}
	joint = "&" if "?" in address else "?"
	return f"{address}{joint}{urlencode({**parameters, **ours})}"
