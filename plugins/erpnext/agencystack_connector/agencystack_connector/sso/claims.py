"""Whom the identity provider says we have, which account that is, and which roles it gets: decided, not done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agencystack_connector.sso.refusals import BAD_GATEWAY, LoginRefused


@dataclass(frozen=True)
class Person:
	"""Who logs in, as the identity provider says.

	Args:
		subject: its own, unchanging id of the person.
		email: in lower case; empty where there is none or it is not verified, since it then proves nothing.
		username: its login name.
		first_name: never empty.
		last_name: may be empty.
	"""

	subject: str
	email: str
	username: str
	first_name: str
	last_name: str


@dataclass(frozen=True)
class Account:
	"""A user of this site.

	Args:
		name: of the document.
		enabled: may log in.
		userid: what the user is bound to at the provider; empty where never bound.
	"""

	name: str
	enabled: bool
	userid: str = ""


@dataclass(frozen=True)
class Decision:
	"""What to do.

	Args:
		account: the user to log in; ``None``: make one of the person's address.
		bind: write the person's subject to it.
	"""

	account: str | None
	bind: bool


def person(token_claims: Mapping[str, Any], userinfo: Mapping[str, Any]) -> Person:
	"""Return who logs in.

	Args:
		token_claims: of the checked ID token.
		userinfo: what the provider answered at its userinfo address.

	Raises:
		LoginRefused: the two are about different persons (OpenID Connect Core 5.3.2).
	"""
	subject = token_claims["sub"]
	if not subject or userinfo.get("sub") != subject:
		raise LoginRefused("subject", "The identity provider spoke of two persons.", BAD_GATEWAY)
	verified = userinfo.get("email_verified") is True
	email = str(userinfo.get("email") or "").strip().lower() if verified else ""
	username = str(userinfo.get("preferred_username") or "")
	first = userinfo.get("given_name") or userinfo.get("name") or username or email.partition("@")[0]
	return Person(str(subject), email, username, str(first or subject), str(userinfo.get("family_name") or ""))


def granted_roles(userinfo: Mapping[str, Any], claim: str, managed: Iterable[str]) -> frozenset[str]:
	"""Return which of the managed roles the person has.

	Raises:
		LoginRefused: none; also where the claim is missing or is no list of names, so that a mapper somebody removed
			closes the door instead of opening it.
	"""
	said = userinfo.get(claim)
	names = said if isinstance(said, list) else []
	granted = frozenset(name for name in names if isinstance(name, str)) & frozenset(managed)
	if not granted:
		raise LoginRefused("no-roles", "Your account has no role in this application. Ask your administrator for one.")
	return granted


def choose(who: Person, by_subject: Account | None, by_email: Account | None, *, may_create: bool) -> Decision:
	"""Return which account the person is.

	The subject counts first: addresses change hands. An account is matched by e-mail once, by a verified address, and
	is bound from then on. Frappe itself binds Keycloak's users by login name; such an account is bound anew.

	Args:
		who: the person.
		by_subject: the user bound to the person's subject.
		by_email: the user of the person's address.
		may_create: a new user may be made.

	Raises:
		LoginRefused: no account may be used.
	"""
	account = by_subject or by_email
	if by_subject is None and not who.email:
		raise LoginRefused("email", "Your e-mail address is missing or not verified at the identity provider.")
	if account is None:
		if not may_create:
			raise LoginRefused("sign-up", "There is no user of your address, and new ones are not made at login.")
		return Decision(None, bind=True)
	if not account.enabled:
		raise LoginRefused("disabled", "Your user in this application is disabled.")
	if by_subject is not None:
		return Decision(account.name, bind=False)
	if account.userid and account.userid not in {who.subject, who.username}:
		raise LoginRefused(
			"other-person", "The user of your address belongs to another person of the identity provider."
		)
	return Decision(account.name, bind=True)
