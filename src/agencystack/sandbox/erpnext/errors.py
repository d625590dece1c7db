"""How Frappe says no: exception class, HTTP status and the error body that carries both."""

from __future__ import annotations

import json
import secrets
import traceback
from typing import Any

FRAPPE = "frappe.exceptions"


class FrappeError(Exception):
    """A request the product declines.

    Args:
        kind: the exception class, as ``exc_type`` names it.
        text: what it was raised with.
        status: HTTP status.
        module: Python module of the class; empty for the language's own classes.
        messages: what goes into ``_server_messages``.
        error_message: ``_error_message``, which some permission errors carry.
        raised_as: the class ``exception`` names, where it is another than ``exc_type``.
        bare: leave out ``exception`` and ``exc``, as DoesNotExistError does.
    """

    def __init__(
        self,
        kind: str,
        text: str = "",
        *,
        status: int = 417,
        module: str = FRAPPE,
        messages: list[dict[str, Any]] | None = None,
        error_message: str = "",
        raised_as: str = "",
        bare: bool = False,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.status = status
        self.module = module
        self.messages = messages or []
        self.error_message = error_message
        self.raised_as = raised_as or (f"{module}.{kind}" if module else kind)
        self.bare = bare

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the answer."""
        body: dict[str, Any] = {"exc_type": self.kind}
        if not self.bare:
            body["exception"] = f"{self.raised_as}: {self.text}" if self.text else self.raised_as
            body["exc"] = json.dumps(["".join(traceback.format_exception(self))])
        if self.messages:
            body["_server_messages"] = packed(self.messages)
        if self.error_message:
            body["_error_message"] = self.error_message
        return body


def packed(messages: list[dict[str, Any]]) -> str:
    """Return messages as ``_server_messages`` holds them: JSON in JSON."""
    return json.dumps([json.dumps(message) for message in messages])


def bold(text: object) -> str:
    """Return text the way the product makes it bold."""
    return f"<strong>{text}</strong>"


def thrown(text: str, *, title: str = "Message") -> dict[str, Any]:
    """Return the message of an error that was raised to be shown."""
    return {
        "message": text,
        "title": title,
        "indicator": "red",
        "raise_exception": 1,
        "__frappe_exc_id": secrets.token_hex(28),
    }


def invalid(
    text: str, *, kind: str = "ValidationError", title: str = "Message", status: int = 417, module: str = FRAPPE
) -> FrappeError:
    """Return an error that is shown with its own text; the usual kind."""
    return FrappeError(kind, text, status=status, module=module, messages=[thrown(text, title=title)])


def not_found(doctype: str, name: str) -> FrappeError:
    """Return the error for a document that is absent."""
    return FrappeError("DoesNotExistError", status=404, messages=[thrown(f"{doctype} {name} not found")], bare=True)


def nothing_there() -> FrappeError:
    """Return the error for an unknown path, and for deleting what is absent: it says nothing."""
    return FrappeError("DoesNotExistError", status=404, bare=True)


def unauthenticated(text: str = "") -> FrappeError:
    """Return the error for a wrong key, secret or form of credential."""
    messages = [thrown(text)] if text else []
    return FrappeError("AuthenticationError", text, status=401, messages=messages)


def not_whitelisted(method: str) -> FrappeError:
    """Return the error for a function that may not be called, by this user or by anyone."""
    text = (
        "<details><summary>You are not permitted to access this resource.</summary>"
        f"Function {bold(method)} is not whitelisted.</details>"
    )
    return invalid(text, kind="PermissionError", title="Method Not Allowed", status=403)


def not_permitted(user: str, doctype: str, action: str) -> FrappeError:
    """Return the error for a doctype whose permissions the user lacks."""
    text = f"User {bold(user)} does not have doctype access via role permission for document {bold(doctype)}"
    if action != "list":
        text += f"<br>User {bold(user)} does not have access to this document"
    error_message = {
        "list": f"No permission for {doctype}",
        "create": f"Insufficient Permission for {doctype} ({bold('create')})",
        "write": f"Insufficient Permission for {doctype} ({bold('write')})",
    }.get(action, "")
    return FrappeError(
        "PermissionError", status=403, messages=[{"message": text, "title": "Message"}], error_message=error_message
    )


def broken(kind: str, text: str, *, module: str = "", messages: list[dict[str, Any]] | None = None) -> FrappeError:
    """Return the 500 for an exception the product does not expect."""
    return FrappeError(kind, text, status=500, module=module, messages=messages)


def unknown_doctype(doctype: str) -> FrappeError:
    """Return the 500 for a document of a doctype the site does not have."""
    module = doctype.lower().replace(" ", "_")
    return FrappeError("ImportError", f"No module named 'frappe.core.doctype.{module}'", status=500, raised_as="Error")
