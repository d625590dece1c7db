"""The functions the stand-in lets others call under ``/api/method``."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.sandbox.erpnext.books_calls import books_methods
from agencystack.sandbox.erpnext.bridge import Bridge
from agencystack.sandbox.erpnext.connector import APP, Connector
from agencystack.sandbox.erpnext.documents import GUEST, Documents, Work
from agencystack.sandbox.erpnext.errors import FrappeError, invalid, not_found, not_permitted, not_whitelisted
from agencystack.sandbox.erpnext.selling.calls import Body, calls
from agencystack.sandbox.erpnext.sending import Mail

Arguments = Mapping[str, Any]
Method = Callable[[Work, Arguments], Any]
# What answers without a credential.
_PUBLIC = frozenset({"ping", "frappe.ping", "frappe.client.get_time_zone"})
# Functions that exist but may not be called, under the name the refusal gives them.
_CLOSED = {
    "frappe.sendmail": "frappe.sendmail",
    "frappe.email.queue.flush": "frappe.email.queue.flush",
    "frappe.utils.now": "frappe.utils.data.now",
    "frappe.custom.doctype.custom_field.custom_field.create_custom_fields": (
        "frappe.custom.doctype.custom_field.custom_field.create_custom_fields"
    ),
}
APPS = {
    "frappe": ("Frappe Framework", "Full stack web framework with Python, Javascript, MariaDB, Redis, Node", "15.44.2"),
    "erpnext": ("ERPNext", "ERP made simple", "15.109.0"),
}
CONNECTOR_ABOUT = "Connects this site to the other components of an AgencyStack."


class Methods:
    """What can be called.

    Args:
        documents: the site's.
        mail: the site's.
        connector: our app, where it is installed.
        bridge: its part in the data bridge.
    """

    def __init__(
        self, documents: Documents, mail: Mail, connector: Connector | None = None, bridge: Bridge | None = None
    ) -> None:
        self._documents = documents
        self._mail = mail
        self._connector = connector
        self._methods: dict[str, Method] = {
            "ping": lambda *_: "pong",
            "frappe.ping": lambda *_: "pong",
            "frappe.auth.get_logged_user": lambda work, _: work.user,
            "frappe.utils.change_log.get_versions": lambda *_: versions(connector),
            "frappe.core.doctype.user.user.get_roles": _roles,
            "frappe.core.doctype.user.user.generate_keys": _generate_keys,
            "frappe.client.rename_doc": self._rename,
            "frappe.core.doctype.communication.email.make": self._make,
            "frappe.email.doctype.email_queue.email_queue.send_now": self._send_now,
        }
        self._methods |= calls(documents)
        if bridge:
            self._methods |= {
                f"{APP}.bridge.{one.__name__}": one for one in (bridge.configure, bridge.clear, bridge.state)
            }
        if connector:
            self._methods[f"{APP}.api.sso_state"] = lambda work, _: connector.state(work)
            self._methods |= books_methods(documents)
            self._methods[f"{APP}.api.check_token"] = lambda work, given: connector.check_token(work, given["token"])

    def call(self, work: Work, name: str, arguments: Arguments) -> dict[str, Any]:
        """Call a function and return the body of the answer: without ``message`` where it returns nothing.

        Raises:
            FrappeError: 403 for what may not be called, 417 for what does not exist.
        """
        if name in _CLOSED or (name in self._methods and work.user == GUEST and name not in _PUBLIC):
            raise not_whitelisted(_CLOSED.get(name, name))
        if name not in self._methods:
            module = ".".join(name.split(".")[:2])
            raise invalid(f"Failed to get method for command {name} with No module named '{module}'")
        result = self._methods[name](work, arguments)
        if isinstance(result, Body):
            return dict(result)
        return {} if result is None else {"message": result}

    def _make(self, work: Work, arguments: Arguments) -> dict[str, str]:
        return self._mail.make(work, arguments)

    def _rename(self, work: Work, arguments: Arguments) -> str:
        doctype, old, new = (str(arguments.get(key) or "") for key in ("doctype", "old_name", "new_name"))
        merge = str(arguments.get("merge") or "0") not in {"0", "false", "False"}
        return self._documents.rename(work, doctype, old, new, merge=merge)

    def _send_now(self, work: Work, arguments: Arguments) -> None:
        if "System Manager" not in work.roles():
            raise not_permitted(work.user, "Email Queue", "read")
        self._mail.send_now(work, str(arguments.get("name") or ""))


def versions(connector: Connector | None) -> dict[str, dict[str, str]]:
    """Return the installed apps as the product describes them."""
    ours = {APP: ("AgencyStack Connector", CONNECTOR_ABOUT, connector.version)} if connector else {}
    return {
        name: {"title": title, "description": about, "branch": "", "version": version}
        for name, (title, about, version) in {**APPS, **ours}.items()
    }


def _roles(work: Work, arguments: Arguments) -> list[str]:
    user = work.transaction.get("User", str(arguments.get("uid") or work.user)) or {}
    return [*(row["role"] for row in user.get("roles", [])), "All", "Guest"]


def _generate_keys(work: Work, arguments: Arguments) -> dict[str, str]:
    if "System Manager" not in work.roles():
        raise FrappeError("PermissionError", status=403)
    name = str(arguments.get("user") or "")
    user = work.transaction.get("User", name)
    if user is None:
        raise not_found("User", name)
    secret = secrets.token_hex(8)[:15]
    user["api_key"] = user.get("api_key") or secrets.token_hex(8)[:15]
    user["api_secret"] = "*" * len(secret)
    work.transaction.set_password("User", user["name"], "api_secret", secret)
    work.transaction.put(user)
    return {"api_secret": secret}


def from_json(arguments: Arguments) -> dict[str, Any]:
    """Return the document a form sends as text in ``data``, or the arguments themselves."""
    return dict(json.loads(arguments["data"])) if isinstance(arguments.get("data"), str) else dict(arguments)
