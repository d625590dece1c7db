"""How a stand-in WordPress keeps single sign-on: the settings of three ways to log in, and its users.

Behaviour: components/wordpress/php/sso.php and the contract suite that runs against the real WordPress, too; miniOrange
as in contract/wordpress/miniorange.json.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agencystack.sandbox.wordpress_store import Refusal, Store, User

CONNECTOR, MINIORANGE, GENERIC = "connector", "miniorange", "openid-connect-generic"
PROBE_PREFIX = "agencystack-probe-"
ROLES = {
    "administrator": "Administrator",
    "editor": "Editor",
    "author": "Author",
    "contributor": "Contributor",
    "subscriber": "Subscriber",
}
# A person's ways to log in at a provider: option and plugin, and keys that must hold a value.
OPTIONS = {
    CONNECTOR: "agencystack_connector_sso",
    MINIORANGE: "mo_oauth_apps_list",
    GENERIC: "openid_connect_generic_settings",
}
SLUGS = {
    CONNECTOR: "agencystack-connector",
    MINIORANGE: "miniorange-login-with-eve-online-google-facebook",
    GENERIC: "daggerhart-openid-connect-generic",
}
FIXED: Mapping[str, Mapping[str, Any]] = {
    CONNECTOR: {},
    MINIORANGE: {
        "ssoprotocol": "openidconnect",
        "apptype": "openidconnect",
        "appId": "keycloak",
        "send_headers": "1",
        "send_body": "0",
        "send_state": 1,
        "username_attr": "preferred_username",
        "email_attr": "email",
    },
    GENERIC: {
        "identity_key": "preferred_username",
        "nickname_key": "preferred_username",
        "email_format": "{email}",
        "identify_with_username": 0,
        "link_existing_users": 1,
        "create_if_does_not_exist": 1,
        "no_sslverify": 0,
    },
}
INITIAL: Mapping[str, Mapping[str, Any]] = {
    CONNECTOR: {},
    MINIORANGE: {"show_on_login_page": 1},
    GENERIC: {"login_type": "button", "redirect_on_logout": 1},
}


@dataclass(frozen=True)
class Field:
    """Where a value lies: key in each way's option, and what it is where nobody set it."""

    keys: Mapping[str, str]
    default: Any = ""


def _field(connector: str, miniorange: str = "", generic: str = "", default: Any = "") -> Field:
    keys = {CONNECTOR: connector, MINIORANGE: miniorange, GENERIC: generic}
    return Field({way: key for way, key in keys.items() if key}, default)


FIELDS = {
    "login": _field("login", default=CONNECTOR),
    "issuer": _field("issuer"),
    "client_id": _field("client_id", "clientid", "client_id"),
    "client_secret": _field("client_secret", "clientsecret", "client_secret"),
    "scope": _field("scope", "scope", "scope"),
    "authorize_url": _field("authorize_url", "authorizeurl", "endpoint_login"),
    "token_url": _field("token_url", "accesstokenurl", "endpoint_token"),
    "userinfo_url": _field("userinfo_url", "resourceownerdetailsurl", "endpoint_userinfo"),
    "jwks_url": _field("jwks_url"),
    "end_session_url": _field("end_session_url", "", "endpoint_end_session"),
    "roles": _field("roles", default=()),
    "allow_admin": _field("allow_admin", "allow_admin_sso", default=False),
    "enforce": _field("enforce", default=False),
    "label": _field("label"),
    "ca": _field("ca"),
}


def state(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer everything about single sign-on."""
    url = store.data.url
    application = next(iter(store.get_option(OPTIONS[MINIORANGE], {})), "keycloak")
    return {
        "ways": {way: _way(store, way) for way in OPTIONS},
        "foreign": None,
        "roles": ROLES,
        "redirect_uris": {way: redirect_uri(store, way) for way in OPTIONS},
        "start_urls": {
            CONNECTOR: redirect_uri(store, CONNECTOR),
            MINIORANGE: f"{url}/?option=oauthredirect&app_name={application}",
            GENERIC: None,
        },
        "logged_out_uri": logged_out_uri(store),
        "probe_users": sorted(user.login for user in store.data.users if user.login.startswith(PROBE_PREFIX)),
    }


def redirect_uri(store: Store, way: str) -> str:
    """Return where the provider sends people back to."""
    paths = {
        CONNECTOR: "/wp-login.php?action=agencystack-sso",
        MINIORANGE: "",
        GENERIC: "/wp-admin/admin-ajax.php?action=openid-connect-authorize",
    }
    return store.data.url + paths[way]


def logged_out_uri(store: Store) -> str:
    """Return where the provider sends people after a logout."""
    return f"{store.data.url}/wp-login.php?loggedout=true"


def is_active(store: Store, way: str) -> bool:
    """Say whether a way's plugin is switched on."""
    plugin = store.data.plugins.get(SLUGS[way])
    return plugin is not None and plugin.active


def settings(store: Store, way: str) -> dict[str, Any]:
    """Return the effective values of a way; what its plugin does not hold is the connector's."""
    return {name: value(store, way if way in field.keys else CONNECTOR, name) for name, field in FIELDS.items()}


def value(store: Store, way: str, name: str) -> Any:
    """Return what takes effect."""
    field = FIELDS[name]
    found = _stored(store, way).get(field.keys[way])
    if found is None:
        return list(field.default) if isinstance(field.default, tuple) else field.default
    if (way, name) == (CONNECTOR, "client_secret"):
        return store.decrypt(found) or ""
    return bool(found) if isinstance(field.default, bool) else found


def _way(store: Store, way: str) -> dict[str, Any]:
    plugin, stored = store.data.plugins.get(SLUGS[way]), _stored(store, way)
    holders = {name: way if way in field.keys else CONNECTOR for name, field in FIELDS.items()}
    set_by = {name: FIELDS[name].keys[holder] in _stored(store, holder) for name, holder in holders.items()}
    return {
        "slug": SLUGS[way],
        "installed": plugin is not None,
        "active": plugin is not None and plugin.active,
        "version": plugin.version if plugin else None,
        "configured": bool(stored.get(FIELDS["client_id"].keys[way])),
        "fields": settings(store, way),
        "sources": {name: "option" if there else "default" for name, there in set_by.items()},
        "wrong": _wrong(store, way),
        "image": image(store, way),
    }


def _wrong(store: Store, way: str) -> list[str]:
    stored = _stored(store, way)
    wrong = [key for key, needed in _fixed(store, way).items() if str(needed) != str(stored.get(key, ""))]
    if way == CONNECTOR:
        return wrong
    shared = [name for name, field in FIELDS.items() if way in field.keys and name != "client_secret"]
    return wrong + [f"connector.{name}" for name in shared if value(store, way, name) != value(store, CONNECTOR, name)]


def _fixed(store: Store, way: str) -> dict[str, Any]:
    return {**FIXED[way], **({"redirecturi": store.data.url} if way == MINIORANGE else {})}


def _stored(store: Store, way: str) -> dict[str, Any]:
    option: dict[str, Any] = store.get_option(OPTIONS[way], {})
    return next(iter(option.values()), {}) if way == MINIORANGE else option


def _store(store: Store, way: str, stored: dict[str, Any]) -> None:
    if way == MINIORANGE and stored:
        stored = {next(iter(store.get_option(OPTIONS[way], {})), "keycloak"): stored}
    store.set_option(OPTIONS[way], stored or None)


def image(store: Store, way: str) -> dict[str, Any]:
    """Return all an undo puts back."""
    return {OPTIONS[one]: _row(store.get_option(OPTIONS[one])) for one in (way, CONNECTOR)}


def _row(option: Any) -> dict[str, str] | None:
    if option is None:
        return None
    return {"value": base64.b64encode(json.dumps(option).encode()).decode(), "autoload": "yes"}


def _option(row: Mapping[str, str] | None) -> Any:
    return json.loads(base64.b64decode(row["value"])) if row else None


def write(store: Store, args: Mapping[str, Any]) -> Any:
    """Write fields where they are held, when the expected values are still live."""
    way = args["way"]
    for needed in (CONNECTOR, way):
        if not is_active(store, needed):
            raise Refusal("not-active", f"{SLUGS[needed]} is not active")
    live = settings(store, way)
    changed = [name for name, expected in args["expected"].items() if live[name] != expected]
    if changed:
        raise Refusal("changed", f"changed since it was read: {', '.join(changed)}", {"fields": changed})
    for holder in dict.fromkeys((way, CONNECTOR)):
        elsewhere = {"client_secret": ""} if holder == CONNECTOR != way else {}
        _store(store, holder, _with_fields(store, holder, {**args["fields"], **elsewhere}))
    return {"left": []}


def _with_fields(store: Store, way: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    stored = _stored(store, way)
    wanted = _fixed(store, way)
    for name, field in FIELDS.items():
        if way in field.keys:
            wanted[field.keys[way]] = _for_storage(store, way, name, fields[name])
    return {**INITIAL[way], **stored, **wanted}


def _for_storage(store: Store, way: str, name: str, wanted: Any) -> Any:
    if (way, name) == (CONNECTOR, "client_secret"):
        same = "client_secret" in _stored(store, way) and value(store, way, name) == wanted
        return _stored(store, way)["client_secret"] if same else store.encrypt(wanted)
    return int(wanted) if way == MINIORANGE and isinstance(wanted, bool) else wanted


def restore(store: Store, args: Mapping[str, Any]) -> Any:
    """Put an image back; what a person changed since stays and is named."""
    way, live, left = args["way"], image(store, args["way"]), []
    for holder in dict.fromkeys((way, CONNECTOR)):
        name = OPTIONS[holder]
        before = _option(args["image"][name])
        if args["force"] or (args["applied"] and live[name] == args["applied"][name]):
            store.set_option(name, before)
        else:
            left += _restore_fields(store, holder, before or {}, args["fields"])
    return {"left": list(dict.fromkeys(left))}


def _restore_fields(store: Store, way: str, before: Mapping[str, Any], applied: Mapping[str, Any]) -> list[str]:
    old = next(iter(before.values()), {}) if way == MINIORANGE else before
    stored, left = _stored(store, way), []
    for name, field in FIELDS.items():
        if way not in field.keys:
            continue
        elsewhere = (way, name) == (CONNECTOR, "client_secret") and applied["login"] != CONNECTOR
        if value(store, way, name) == ("" if elsewhere else applied[name]):
            _key_back(stored, old, field.keys[way])
        else:
            left.append(name)
    for key, needed in {**_fixed(store, way), **INITIAL[way]}.items():
        if str(stored.get(key)) == str(needed):
            _key_back(stored, old, key)
    _store(store, way, stored)
    return left


def _key_back(stored: dict[str, Any], old: Mapping[str, Any], key: str) -> None:
    stored.pop(key, None)
    if key in old:
        stored[key] = old[key]


# Users


def find_user(store: Store, who: str) -> User | None:
    """Return a user by login, else by e-mail."""
    users = store.data.users
    return next((user for user in users if user.login == who), None) or next(
        (user for user in users if who and user.email.lower() == who.lower()), None
    )


def user(store: Store, args: Mapping[str, Any]) -> Any:
    """Answer who somebody is here."""
    found = find_user(store, args["who"])
    if found is None:
        return None
    sessions = [session for session in store.data.sessions.values() if session.user == found.id]
    return {
        "id": found.id,
        "login": found.login,
        "email": found.email,
        "name": found.name,
        "roles": found.roles,
        "made_by_sso": found.made_by_sso,
        "linked": bool(found.subject),
        "sessions": len(sessions),
    }


def forget_user(store: Store, args: Mapping[str, Any]) -> Any:
    """Delete a probe user with its sessions."""
    login = args["login"]
    if not login.startswith(PROBE_PREFIX):
        raise Refusal("not-a-probe", f"{login} is not a probe user, and only those are deleted")
    found = next((one for one in store.data.users if one.login == login), None)
    if found is None:
        return {"deleted": False}
    store.data.users.remove(found)
    for token in [token for token, session in store.data.sessions.items() if session.user == found.id]:
        del store.data.sessions[token]
    return {"deleted": True}
