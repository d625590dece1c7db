"""People: WordPress's users, as WooCommerce shows them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.orders import ADDRESS
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.texts import folded, person
from agencystack.sandbox.woocommerce.wire import Json, RestError

_ADDRESS = schema.item(**dict.fromkeys((*ADDRESS, "phone"), schema.string))
_CHECKS: Mapping[str, schema.Check] = {
    "email": schema.string,
    "first_name": schema.string,
    "last_name": schema.string,
    "username": schema.string,
    "password": schema.string,
    "billing": _ADDRESS,
    "shipping": _ADDRESS,
    "meta_data": schema.items(key=schema.string),
}

Tell = Callable[[str, str], None]


class Customers:
    """The users of a shop.

    Args:
        state: the shop's data.
        tell: sends a mail.
    """

    def __init__(self, state: State, tell: Tell) -> None:
        self._state = state
        self._tell = tell

    def get(self, id_: object, status: int = 404) -> Json:
        """Return a user.

        Raises:
            RestError: there is none of that id.
        """
        user = self._state.data.users.get(str(id_))
        if user is None:
            raise RestError("wc_user_invalid_id", "Invalid user ID.", status)
        return user

    def create(self, body: Mapping[str, Any]) -> Json:
        """Make a customer, and greet them by mail."""
        schema.check_all(_CHECKS, body)
        if body.get("email") is None:
            raise RestError("rest_missing_callback_param", "Missing parameter(s): email", params=["email"])
        if not body["email"]:
            raise RestError("registration-error-invalid-email", "Please provide a valid email address.")
        email = str(body["email"]).strip()
        if not schema.is_email(email):
            raise RestError("customer_invalid_email", "Invalid email address")
        if self.with_email(email):
            said = f"An account is already registered with {email}. Please log in or use a different email address."
            raise RestError("registration-error-email-exists", said)
        if body.get("username") and self._with_login(body["username"]):
            said = "An account is already registered with that username. Please choose another."
            raise RestError("registration-error-username-exists", said)
        user = self.add(email, str(body.get("username") or ""), "customer")
        self.take(user, body)
        self._tell(email, "Your account has been created!")
        return user

    def add(self, email: str, login: str, role: str) -> Json:
        """Make a user, without a word to anybody."""
        now, id_ = self._state.second(), self._state.number("user")
        user: Json = {
            "id": id_,
            "created": now,
            "modified": now,
            "email": email,
            "login": login or self._free_login(email),
            "role": role,
            "first_name": "",
            "last_name": "",
            "billing": dict.fromkeys((*ADDRESS, "email", "phone"), ""),
            "shipping": dict.fromkeys((*ADDRESS, "phone"), ""),
            "meta_data": [],
        }
        self._state.data.users[str(id_)] = user
        return user

    def update(self, user: Json, body: Mapping[str, Any]) -> None:
        """Change a user; the address that was is told of a new one."""
        schema.check_all(_CHECKS, body)
        schema.check_all(
            {"email": schema.email}, {name: value for name, value in body.items() if name == "email" and value}
        )
        email = "" if body.get("_emptied") else str(body.get("email") or user["email"]).strip()
        other = self.with_email(email) if email else None
        if other is not None and other["id"] != user["id"]:
            raise RestError("woocommerce_rest_customer_invalid_email", "Email address is invalid.")
        if body.get("username") and body["username"] != user["login"]:
            raise RestError("woocommerce_rest_customer_invalid_argument", "Username isn't editable.")
        if email != user["email"]:
            self._tell(user["email"], "Email Changed")
        user["email"] = email
        self.take(user, body)
        user["modified"] = self._state.second()

    def take(self, user: Json, body: Mapping[str, Any]) -> None:
        """Put what was sent into a user."""
        for name in ("first_name", "last_name"):
            if body.get(name) is not None:
                user[name] = person(body[name])
        for name in ("billing", "shipping"):
            given = body.get(name) or {}
            user[name] = {**user[name], **{key: value for key, value in given.items() if key in user[name]}}
        # Keys that begin with an underscore are neither kept nor shown of users (recordings/woocommerce/batch.json).
        open_keys = [one for one in body.get("meta_data") or () if not str(one.get("key", "")).startswith("_")]
        user["meta_data"] = self._state.merged_meta(user["meta_data"], open_keys)

    def with_email(self, email: str) -> Json | None:
        """Return the user of an address."""
        return next((one for one in self._state.data.users.values() if folded(one["email"]) == folded(email)), None)

    def show(self, user: Json) -> Json:
        """Return a user as WooCommerce's REST shows them."""
        collection = f"{self._state.url}/wp-json/wc/v3/customers"
        avatar = hashlib.sha256(user["email"].strip().lower().encode()).hexdigest()
        return {
            "id": user["id"],
            **self._state.both("created", user["created"]),
            **self._state.both("modified", user["modified"]),
            "email": user["email"],
            "first_name": user["first_name"],
            "last_name": user["last_name"],
            "role": user["role"],
            "username": user["login"],
            "billing": dict(user["billing"]),
            "shipping": dict(user["shipping"]),
            "is_paying_customer": False,
            "avatar_url": f"https://secure.gravatar.com/avatar/{avatar}?s=96&d=mm&r=g",
            "meta_data": [dict(one) for one in user["meta_data"]],
            "_links": {"self": [{"href": f"{collection}/{user['id']}"}], "collection": [{"href": collection}]},
        }

    def _with_login(self, login: str) -> bool:
        return any(folded(one["login"]) == folded(login) for one in self._state.data.users.values())

    def _free_login(self, email: str) -> str:
        stem = re.sub(r"[^a-z0-9._-]", "", email.partition("@")[0].lower()) or "user"
        if not self._with_login(stem):
            return stem
        number = 2
        while self._with_login(f"{stem}-{number}"):
            number += 1
        return f"{stem}-{number}"
