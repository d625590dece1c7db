"""The calls this site makes to the identity provider itself, without the browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests

from agencystack_connector.sso.refusals import BAD_GATEWAY, LoginRefused

TIMEOUT = 15
# A logout waits for the provider; the person should not.
LOGOUT_TIMEOUT = 5


@dataclass(frozen=True)
class Tokens:
	"""What the provider gives for a code; none of it is ever logged."""

	id_token: str = field(repr=False)
	access_token: str = field(repr=False)
	refresh_token: str = field(default="", repr=False)
	refresh_expires_in: int = 0


@dataclass(frozen=True)
class Provider:
	"""The identity provider.

	Args:
		token_url: as this site reaches it, like the others.
		userinfo_url: who somebody is.
		jwks_url: its keys.
		end_session_url: ends a session for its refresh token; empty where sessions stay.
		client_id: of this application.
		client_secret: of this application.
	"""

	token_url: str
	userinfo_url: str
	jwks_url: str
	end_session_url: str
	client_id: str
	client_secret: str = field(repr=False)

	def tokens(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
		"""Return the tokens for a code.

		Raises:
			LoginRefused: the provider cannot be reached, or declines.
		"""
		asked = {
			"grant_type": "authorization_code",
			"code": code,
			"code_verifier": verifier,
			"redirect_uri": redirect_uri,
			**self._credentials(),
		}
		answer = self._json("POST", self.token_url, "the tokens", data=asked)
		if not answer.get("id_token") or not answer.get("access_token"):
			raise _failed("the tokens", "it gave no ID token; is the scope openid missing?")
		lasts = answer.get("refresh_expires_in")
		return Tokens(
			str(answer["id_token"]),
			str(answer["access_token"]),
			str(answer.get("refresh_token") or ""),
			lasts if isinstance(lasts, int) else 0,
		)

	def userinfo(self, access_token: str) -> dict[str, Any]:
		"""Return the claims of the person. Raises as :meth:`tokens`."""
		return self._json("GET", self.userinfo_url, "who you are", headers={"Authorization": f"Bearer {access_token}"})

	def key_set(self) -> dict[str, Any]:
		"""Return its keys. Raises as :meth:`tokens`."""
		return self._json("GET", self.jwks_url, "its keys")

	def end_session(self, refresh_token: str) -> bool:
		"""End the session a refresh token belongs to; ``False`` where that failed."""
		asked = {"refresh_token": refresh_token, **self._credentials()}
		try:
			return requests.post(self.end_session_url, data=asked, timeout=LOGOUT_TIMEOUT, allow_redirects=False).ok
		except requests.RequestException:
			return False

	def _credentials(self) -> dict[str, str]:
		return {"client_id": self.client_id, "client_secret": self.client_secret}

	def _json(self, method: str, url: str, wanted: str, **options: Any) -> dict[str, Any]:
		try:
			answer = requests.request(method, url, timeout=TIMEOUT, allow_redirects=False, **options)
			body = answer.json()
		except requests.JSONDecodeError:
			raise _failed(wanted, f"it answered {answer.status_code} and no JSON") from None
		except requests.RequestException as error:
			raise _failed(wanted, f"it cannot be reached from this site ({type(error).__name__})") from None
		if not isinstance(body, dict):
			raise _failed(wanted, "it answered something else")
		if not answer.ok:
			said = body.get("error_description") or body.get("error") or "nothing more"
			raise _failed(wanted, f"it answered {answer.status_code}: {said}")
		return body


def _failed(wanted: str, why: str) -> LoginRefused:
	return LoginRefused("provider", f"The identity provider did not say {wanted}: {why}", BAD_GATEWAY)
