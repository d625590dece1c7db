"""The user the bridge comes as where a stand-in WordPress cannot have our plugin; its application password with it.

Behaviour: components/wordpress/php/rest_user.php, and the contract suite that runs against both.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from agencystack.sandbox.wordpress_store import Refusal, Store, User

LOGIN = "agencystack-bridge-rest"
OPTION = "agencystack_rest_user"
_OF_WORDPRESS = frozenset({"administrator", "editor", "author", "contributor", "subscriber"})
_OF_WOOCOMMERCE = frozenset({"shop_manager", "customer"})


def rest_user(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer how the user is."""
    user = _found(store)
    if user is None:
        return {"there": False}
    kept = store.get_option(OPTION, {})
    return {
        "there": True,
        "roles": user.roles,
        "capabilities": kept.get("capabilities", []),
        "passwords": list(kept.get("passwords", {})),
    }


def write_rest_user(store: Store, args: Mapping[str, Any]) -> Any:
    """Make the user, or change it."""
    roles = _OF_WORDPRESS | (_OF_WOOCOMMERCE if store.data.woocommerce else frozenset())
    if args["role"] not in roles:
        raise Refusal("no-role", f"there is no role {args['role']}: WooCommerce is not active")
    if any(one.login == LOGIN for one in store.data.users) and _found(store) is None:
        raise Refusal("not-ours", f"there is a user {LOGIN} already, which AgencyStack did not make")
    user = _found(store)
    if user is None:
        user = User(id=max(one.id for one in store.data.users) + 1, login=LOGIN, email="", name="AgencyStack Bridge")
        store.data.users.append(user)
    user.roles, how = [args["role"]], args["password"]
    passwords = store.get_option(OPTION, {}).get("passwords", {}) if how == "keep" else {}
    made = {}
    if how == "new":
        made = {"uuid": str(uuid.uuid4()), "password": secrets.token_urlsafe(18)}
        passwords = {made["uuid"]: made["password"]}
    store.set_option(OPTION, {"capabilities": list(args["capabilities"]), "passwords": passwords})
    return made


def delete_rest_user(store: Store, _args: Mapping[str, Any]) -> None:
    """Delete the user."""
    if _found(store) is not None:
        store.data.users = [one for one in store.data.users if one.login != LOGIN]
    store.set_option(OPTION, None)


def passwords_of(store: Store) -> Mapping[str, str]:
    """Return the application passwords that open the site's REST interface, by login name."""
    kept = store.get_option(OPTION, {}).get("passwords", {})
    return {LOGIN: next(iter(kept.values()))} if kept else {}


def _found(store: Store) -> User | None:
    """Return the user we made; somebody's who is called so is none."""
    if not store.get_option(OPTION, {}):
        return None
    return next((one for one in store.data.users if one.login == LOGIN), None)
