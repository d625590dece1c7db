"""The user of a person: found, made, bound to the identity provider, and given exactly its managed roles."""

from __future__ import annotations

from collections.abc import Iterable

import frappe
from frappe.integrations.doctype.social_login_key.social_login_key import provider_allows_signup

from agencystack_connector.sso.claims import Account, Person, choose
from agencystack_connector.sso.refusals import LoginRefused
from agencystack_connector.sso.settings import KEY


def user_of(who: Person, roles: frozenset[str], managed: Iterable[str]) -> str:
	"""Return the name of the person's user, with the roles it should have; saved only where something changes.

	Args:
		who: the person.
		roles: the managed roles it has.
		managed: all managed roles; others are left alone.

	Raises:
		LoginRefused: no user may be used, or Frappe did not keep its roles.
	"""
	bound = frappe.db.get_value("User Social Login", {"provider": KEY, "userid": who.subject}, "parent")
	by_email = who.email if who.email and frappe.db.exists("User", who.email) else None
	decision = choose(who, _account(bound), _account(by_email), may_create=bool(provider_allows_signup(KEY)))
	user = frappe.get_doc("User", decision.account) if decision.account else _new(who)
	changed = set_roles(user, roles, managed)
	if decision.bind:
		_bind(user, who.subject)
	if changed or decision.bind:
		user.flags.ignore_permissions = True
		user.flags.no_welcome_mail = True
		user.save()
	_check(user, roles, managed)
	return user.name


def set_roles(user, roles: frozenset[str], managed: Iterable[str]) -> bool:
	"""Give a user document the managed roles it should have, and no other managed one; say whether that changed it."""
	held = {row.role for row in user.roles}
	surplus = (set(managed) & held) - roles
	missing = sorted(roles - held)
	if surplus:
		user.set("roles", [row for row in user.roles if row.role not in surplus])
	user.append_roles(*missing)
	return bool(surplus or missing)


def _account(name: str | None) -> Account | None:
	if not name:
		return None
	user = frappe.get_doc("User", name)
	# The document's own name: the database finds "Administrator" by "administrator" too.
	if user.name in frappe.STANDARD_USERS:
		raise LoginRefused("standard-user", "This user of the system does not log in by single sign-on.")
	return Account(user.name, bool(user.enabled), user.get_social_login_userid(KEY) or "")


def _new(who: Person):
	user = frappe.new_doc("User")
	user.update(
		{
			"email": who.email,
			"first_name": who.first_name,
			"last_name": who.last_name,
			"enabled": 1,
			"send_welcome_email": 0,
		}
	)
	return user


def _bind(user, subject: str) -> None:
	user.set("social_logins", [row for row in user.social_logins if row.provider != KEY])
	user.set_social_login_userid(KEY, userid=subject)


def _check(user, roles: frozenset[str], managed: Iterable[str]) -> None:
	"""A Role Profile or a user type of its own sets the roles at each save; a disabled role is dropped."""
	if {row.role for row in user.roles} & set(managed) != roles:
		raise LoginRefused(
			"roles-not-kept",
			"Your roles could not be set: a Role Profile or User Type of your user sets them, or a role is disabled.",
		)
