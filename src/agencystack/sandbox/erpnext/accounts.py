"""What ERPNext does when users, roles and Social Login Keys are saved or deleted, beyond storing their fields."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agencystack.sandbox.erpnext.documents import Behaviour, Documents, Work
from agencystack.sandbox.erpnext.errors import bold, invalid
from agencystack.sandbox.erpnext.login_doctypes import AUTOMATIC_ROLES
from agencystack.sandbox.erpnext.store import Document

STANDARD_USERS = ("Administrator", "Guest")
_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")
_KEY_ERRORS = "frappe.integrations.doctype.social_login_key.social_login_key"
# What a key needs, the error without it, and whether only an enabled one does.
_NEEDED = (
    ("authorize_url", "AuthorizeUrlNotSetError", "Please enter Authorize URL", False),
    ("access_token_url", "AccessTokenUrlNotSetError", "Please enter Access Token URL", False),
    ("redirect_url", "RedirectUrlNotSetError", "Please enter Redirect URL", False),
    ("client_id", "ClientIDNotSetError", "Please enter Client ID before social login is enabled", True),
    ("client_secret", "ClientSecretNotSetError", "Please enter Client Secret before social login is enabled", True),
)


def account_behaviours(documents: Documents) -> Mapping[str, Behaviour]:
    """Return the behaviours of users and what is around them."""
    return {
        "User": Behaviour(_user_name, _check_user, _ContactOfUser(documents), _unlink_contacts, on_rename=_readdress),
        "Role": Behaviour(lambda role: str(role["role_name"])),
        "Social Login Key": Behaviour(_key_name, _check_key),
        "AgencyStack Settings": Behaviour(lambda one: str(one["doctype"]), _check_connector),
    }


def require_address(text: str) -> None:
    """Refuse what is not an e-mail address."""
    if not _ADDRESS.fullmatch(text):
        raise invalid(f"{text} is not a valid Email Address", kind="InvalidEmailAddressError")


def _user_name(user: Document) -> str:
    user["email"] = str(user.get("email") or "").strip().lower()
    return str(user["email"])


def _check_user(work: Work, user: Document, before: Document | None) -> None:
    require_address(user["email"])
    if before is not None:
        user["email"] = user["name"] if user["name"] not in STANDARD_USERS else user["email"]
    user["full_name"] = " ".join(part for part in (user.get("first_name"), user.get("last_name")) if part)
    user["username"] = user.get("username") or re.sub(r"[ -]", "_", str(user.get("first_name") or "")).lower() or None
    user["language"] = user.get("language") or "en"
    roles = {row["role"]: work.transaction.get("Role", row["role"]) or {} for row in user["roles"]}
    user["user_type"] = "System User" if any(role.get("desk_access") for role in roles.values()) else "Website User"
    user["roles"] = [row for row in user["roles"] if not roles[row["role"]].get("disabled")]
    user["new_password"] = ""
    if not user["roles"]:
        work.messages.append(_no_roles(user["name"]))


def _readdress(work: Work, user: Document, _: str) -> None:
    """Follow a rename: a user is known by the address."""
    stored = work.transaction.get("User", user["name"])
    if stored:
        work.transaction.put({**stored, "email": stored["name"]})


def _no_roles(name: str) -> dict[str, object]:
    return {
        "message": f"Newly created user {bold(name)} has no roles enabled.",
        "title": "No Roles Specified",
        "indicator": "orange",
        "primary_action": {
            "label": "Add Roles",
            "client_action": "frappe.set_route",
            "args": ["Form", "User", name],
        },
    }


class _ContactOfUser:
    """Makes a contact for a user that has none; the product does it in a background job, a moment later."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def __call__(self, work: Work, user: Document, _: Document | None) -> None:
        contacts = work.transaction.all("Contact")
        if user["name"] in STANDARD_USERS or any(one["email_id"] == user["email"] for one in contacts):
            return
        names = {one["name"] for one in contacts}
        name = free = user["full_name"]
        number = 0
        while free in names:
            number += 1
            free = f"{name}-{number}"
        values = {key: user.get(key) for key in ("first_name", "last_name", "full_name")}
        self._documents.plant(work, "Contact", free, {**values, "email_id": user["email"], "user": user["name"]})


def _unlink_contacts(work: Work, user: Document) -> None:
    if user["name"] in STANDARD_USERS:
        raise invalid(f"User {user['name']} cannot be deleted")
    for contact in work.transaction.all("Contact"):
        if contact.get("user") == user["name"]:
            work.transaction.put({**contact, "user": None})


def _key_name(key: Document) -> str:
    return re.sub(r"[ -]", "_", str(key.get("provider_name") or "")).lower()


def _check_key(_work: Work, key: Document, _: Document | None) -> None:
    if key["custom_base_url"] and not key.get("base_url"):
        raise invalid("Please enter Base URL", kind="BaseUrlNotSetError", module=_KEY_ERRORS)
    for field, kind, text, if_enabled in _NEEDED:
        if not key.get(field) and (key["enable_social_login"] or not if_enabled):
            raise invalid(text, kind=kind, module=_KEY_ERRORS)


def _check_connector(work: Work, settings: Document, _: Document | None) -> None:
    """As ``AgencyStackSettings.validate`` of our app."""
    roles = tuple(line.strip() for line in (settings.get("managed_roles") or "").splitlines() if line.strip())
    settings["managed_roles"] = "\n".join(dict.fromkeys(roles))
    settings["roles_claim"] = settings.get("roles_claim") or "roles"
    unknown = [role for role in roles if role in AUTOMATIC_ROLES or not work.transaction.get("Role", role)]
    if unknown:
        raise invalid(f"Not roles that can be given: {', '.join(unknown)}")
    if settings["sso_enabled"]:
        _check_sign_on(settings, roles)
    kept = settings.get("health_token_hash")
    if kept and not re.fullmatch("[0-9a-f]{64}", kept):
        raise invalid("Health Token Hash must be a hash, never the token itself")


def _check_sign_on(settings: Document, roles: tuple[str, ...]) -> None:
    for field, label in (("issuer", "Issuer"), ("jwks_url", "Key Set URL"), ("end_session_url", "End Session URL")):
        address = settings.get(field) or ""
        if not address.startswith(("https://", "http://")) and (address or field != "end_session_url"):
            raise invalid(f"{label} must be an address")
    if not roles:
        raise invalid("Without managed roles nobody could log in")
