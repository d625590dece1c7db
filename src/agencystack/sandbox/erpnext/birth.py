"""What a new site holds: its users and roles, and the placeholders for mail that every site is born with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.documents import ADMINISTRATOR, Documents, Work
from agencystack.sandbox.erpnext.selling.books import SINGLES, has_books, open_books
from agencystack.sandbox.erpnext.store import Store

INTEGRATION_USER = "integration@example.com"
BRIDGE_USER = "bridge@example.com"
_ROLES = ("Administrator", "System Manager", "Sales Manager", "Sales User")
# What keeping a shop in step takes, without leave to change users or settings.
_BRIDGE_ROLES = (
    "Accounts Manager",
    "Accounts User",
    "Blogger",
    "Item Manager",
    "Sales Manager",
    "Sales Master Manager",
    "Sales User",
    "Stock Manager",
    "Stock User",
    "System Manager",
    "Website Manager",
)
_OTHER_ROLES = (
    "Accounts Manager",
    "Accounts User",
    "Blogger",
    "Inbox User",
    "Item Manager",
    "Manufacturing User",
    "Projects User",
    "Purchase Manager",
    "Purchase User",
    "Sales Master Manager",
    "Stock Manager",
    "Stock User",
    "Support Team",
    "Website Manager",
)
_WITHOUT_DESK = ("Customer", "Supplier")
# As the recorded site has them; the setup wizard switches sign-up off.
_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "System Settings": {"app_name": "ERPNext", "country": "Germany", "language": "en", "time_zone": "Europe/Berlin"},
    "Website Settings": {"disable_signup": 1},
}
# frappe/utils/install.py and frappe/desk/page/setup_wizard/install_fixtures.py; a default mark does not survive
# there, since none of the accounts may send or receive.
_PLACEHOLDERS = {
    "Notifications": ("notifications@example.com", "example.com"),
    "Replies": ("replies@example.com", "example.com"),
    "Email Linking": ("email_linking@example.com", None),
}


def give_birth(store: Store, documents: Documents) -> None:
    """Fill an empty store; the user for integrations gets an API key."""
    work = Work(store, ADMINISTRATOR)
    for role in (*_ROLES, *_OTHER_ROLES, *_WITHOUT_DESK):
        documents.plant(work, "Role", role, {"role_name": role, "desk_access": int(role not in _WITHOUT_DESK)})
    _plant_user(work, documents, ADMINISTRATOR, "admin@example.com", _ROLES)
    _plant_user(work, documents, INTEGRATION_USER, INTEGRATION_USER, _ROLES[1:], with_key=True)
    documents.plant(
        work,
        "Email Domain",
        "example.com",
        {
            "domain_name": "example.com",
            "email_server": "imap.example.com",
            "use_imap": 1,
            "smtp_server": "smtp.example.com",
        },
    )
    for name, (address, domain) in _PLACEHOLDERS.items():
        servers = (
            {"email_server": "imap.example.com", "use_imap": 1, "smtp_server": "smtp.example.com"} if domain else {}
        )
        documents.plant(
            work, "Email Account", name, {"email_account_name": name, "email_id": address, "domain": domain, **servers}
        )
    work.transaction.commit()


def add_settings(store: Store, documents: Documents, company: str, abbr: str) -> None:
    """Give a store what every site has, where it lacks that: settings, and since 0.3 a company's books."""
    work = Work(store, ADMINISTRATOR)
    settings = {**_SETTINGS, **SINGLES}
    for doctype in DOCTYPES.values():
        if doctype.is_single and not work.transaction.get(doctype.name, doctype.name):
            documents.plant(work, doctype.name, doctype.name, settings.get(doctype.name, {}))
    if not has_books(work):
        open_books(work, documents, company, abbr)
    for role in (*_ROLES, *_OTHER_ROLES):
        if not work.transaction.peek("Role", role):
            documents.plant(work, "Role", role, {"role_name": role, "desk_access": 1})
    if not work.transaction.peek("User", BRIDGE_USER):
        _plant_user(work, documents, BRIDGE_USER, BRIDGE_USER, _BRIDGE_ROLES, with_key=True)
    work.transaction.commit()


def _plant_user(
    work: Work, documents: Documents, name: str, address: str, roles: tuple[str, ...], *, with_key: bool = False
) -> None:
    first = {INTEGRATION_USER: "Integration", BRIDGE_USER: "Bridge"}.get(name, name)
    values: dict[str, object] = {
        "email": address,
        "first_name": first,
        "full_name": first,
        "username": first.lower(),
        "language": "en",
        "user_type": "System User",
        "send_welcome_email": 0,
        "roles": [{"role": role} for role in roles],
    }
    if with_key:
        # Frappe's own keys are 15 hexadecimal digits.
        values |= {"api_key": secrets.token_hex(8)[:15], "api_secret": secrets.token_hex(8)[:15]}
    documents.plant(work, "User", name, values)
