"""The checks of an ID token that OpenID Connect Core 3.1.3.7 asks for; without them anybody's token would do."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from agencystack_connector.sso.refusals import LoginRefused

# Never "none", and never a shared secret: the key set is public, so HS256 could be signed by anybody.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY = 60
_REQUIRED = ("iss", "sub", "aud", "exp", "iat")
_WORDS: tuple[tuple[type[Exception], str, str], ...] = (
	(jwt.ExpiredSignatureError, "expired", "it has expired; check the clocks of both servers"),
	(jwt.ImmatureSignatureError, "not-yet-valid", "it is of the future; check the clocks of both servers"),
	(jwt.InvalidIssuerError, "issuer", "it was issued by another provider, or one with another address"),
	(jwt.InvalidAudienceError, "audience", "it was issued to another application"),
	(jwt.MissingRequiredClaimError, "missing-claim", "a claim is missing that every ID token has"),
	(jwt.InvalidSignatureError, "signature", "its signature is not the provider's"),
)


class UnknownKey(LoginRefused):
	"""The token names a key that is not in the key set: forged, or the keys were rotated since it was fetched."""


@dataclass(frozen=True)
class Expected:
	"""What a token must say.

	Args:
		issuer: exactly as the provider writes it.
		client_id: of this application.
		nonce: of the login that was started; ``None`` where there was none (a proof's token).
	"""

	issuer: str
	client_id: str
	nonce: str | None = None


def check_id_token(token: str, key_set: Mapping[str, Any], expected: Expected) -> dict[str, Any]:
	"""Return the claims of an ID token that passes every check.

	Args:
		token: the signed token.
		key_set: the provider's key set, as JSON.
		expected: what it must say.

	Raises:
		UnknownKey: its key is not in the key set.
		LoginRefused: it fails a check; the code says which.
	"""
	header = _header(token)
	key = _key(header, key_set)
	try:
		claims: dict[str, Any] = jwt.decode(
			token,
			key.key,
			algorithms=[header["alg"]],
			audience=expected.client_id,
			issuer=expected.issuer,
			leeway=LEEWAY,
			options={"require": list(_REQUIRED)},
		)
	except (jwt.PyJWTError, TypeError, ValueError) as error:
		raise _refused(error) from error
	_check_party(claims, expected.client_id)
	_check_nonce(claims, expected.nonce)
	return claims


def _header(token: str) -> dict[str, Any]:
	try:
		header: dict[str, Any] = jwt.get_unverified_header(token)
	except jwt.PyJWTError as error:
		raise _no(code="malformed", why="it is not a signed token") from error
	if header.get("alg") not in ALGORITHMS:
		raise _no(code="algorithm", why=f"it is signed by {header.get('alg')}, which proves nothing")
	return header


def _key(header: Mapping[str, Any], key_set: Mapping[str, Any]) -> jwt.PyJWK:
	usable = list(_signing_keys(key_set))
	if "kid" in header:
		usable = [key for key in usable if key.key_id == header["kid"]]
	if len(usable) != 1:
		raise UnknownKey(
			"unknown-key", "The identity token was refused: it is signed by a key that is not the provider's"
		)
	return usable[0]


def _signing_keys(key_set: Mapping[str, Any]) -> Iterable[jwt.PyJWK]:
	for data in key_set.get("keys", ()):
		if data.get("use", "sig") != "sig":
			continue
		try:
			yield jwt.PyJWK(data)
		except jwt.PyJWTError:
			# A kind of key this version does not know, beside ones it does.
			continue


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
	several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
	if claims.get("azp", None if several else client_id) != client_id:
		raise _no(code="authorized-party", why="it was issued to another application")


def _check_nonce(claims: Mapping[str, Any], nonce: str | None) -> None:
	if nonce is None:
		return
	if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
		raise _no(code="nonce", why="it belongs to another login")


def _refused(error: Exception) -> LoginRefused:
	for kind, code, why in _WORDS:
		if isinstance(error, kind):
			return _no(code, why)
	return _no("malformed", "it cannot be read")


def _no(code: str, why: str) -> LoginRefused:
	return LoginRefused(code, f"The identity token was refused: {why}")
