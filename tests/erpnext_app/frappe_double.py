"""A double of Frappe 15 with the functions our app calls and no others: a call it does not know is an error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

STANDARD_USERS = ("Administrator", "Guest")


class Forbidden(Exception):
    """Frappe's PermissionError."""


class Row(SimpleNamespace):
    """A row of a child table, or a document without behaviour."""

    def get(self, name: str) -> Any:
        return getattr(self, name, None)


class User:
    """A User document, with Frappe's own way with roles and bindings."""

    def __init__(self, site: FrappeDouble, name: str = "") -> None:
        self._site = site
        self.name, self.email, self.enabled, self.first_name, self.last_name = name, name, 1, "", ""
        self.roles: list[Row] = []
        self.social_logins: list[Row] = []
        self.flags = SimpleNamespace()
        self.role_profile: tuple[str, ...] | None = None

    def update(self, values: dict[str, Any]) -> None:
        for field, value in values.items():
            setattr(self, field, value)

    def set(self, field: str, rows: list[Row]) -> None:
        setattr(self, field, rows)

    def append_roles(self, *roles: str) -> None:
        self.roles = [*self.roles, *(Row(role=role) for role in roles if role not in self.role_names())]

    def role_names(self) -> set[str]:
        return {row.role for row in self.roles}

    def get_social_login_userid(self, provider: str) -> str | None:
        return next((row.userid for row in self.social_logins if row.provider == provider), None)

    def set_social_login_userid(self, provider: str, userid: str, username: str | None = None) -> None:
        self.social_logins = [*self.social_logins, Row(provider=provider, userid=userid)]

    def save(self) -> None:
        assert self.flags.ignore_permissions, "a guest may not save users"
        assert self.flags.no_welcome_mail, "no mail is sent to people"
        self.name = self.name or self.email
        if self.role_profile is not None:
            self.roles = [Row(role=role) for role in self.role_profile]
        self._site.unsaved[self.name] = self


class Cache:
    """The site's cache; a key is the site's once ``make_key`` was asked."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.lifetimes: dict[str, int | None] = {}

    def make_key(self, key: str) -> str:
        return f"site|{key}"

    def set_value(self, key: str, value: Any, expires_in_sec: int | None = None) -> None:
        self.values[self.make_key(key)] = value
        self.lifetimes[key] = expires_in_sec

    def get_value(self, key: str, expires: bool = False) -> Any:
        assert expires, "without this Frappe remembers the value beyond its lifetime"
        return self.values.get(self.make_key(key))

    def delete(self, name: str) -> int:
        return int(self.values.pop(name, None) is not None)

    def delete_value(self, keys: str | list[str]) -> None:
        for key in [keys] if isinstance(keys, str) else keys:
            self.values.pop(self.make_key(key), None)


class FrappeDouble:
    """The site, as a test sees and changes it.

    Attributes:
        users: the saved users.
        unsaved: users saved by the request under way, until it commits.
        key: the Social Login Key ``keycloak``; empty where there is none.
        documents: other documents, by doctype and name.
        logged_in: who a request logged in.
        called: Frappe's own functions that were called, with their arguments.
    """

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.unsaved: dict[str, User] = {}
        self.key: dict[str, Any] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self.deleted: list[tuple[str, dict[str, str]]] = []
        self.logged_in: str | None = None
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.roles = {"System Manager"}
        self.cookies: dict[str, dict[str, Any]] = {}
        self.cache = Cache()
        self.page: dict[str, Any] = {}
        self.logged: list[str] = []
        self.module = ModuleType("frappe")
        self.visit()

    @staticmethod
    def document(**values: Any) -> Row:
        return Row(**values)

    def add_user(self, name: str, *roles: str, userid: str = "", enabled: int = 1) -> User:
        user = self.users[name] = User(self, name)
        user.enabled = enabled
        user.append_roles(*roles)
        if userid:
            user.set_social_login_userid("keycloak", userid)
        return user

    def visit(self, path: str = "/", cookies: dict[str, str] | None = None, **params: str) -> None:
        """Begin a request of a browser."""
        self.unsaved, self.page, self.logged_in, self.cookies = {}, {}, None, {}
        self.module.request = SimpleNamespace(host="erp.example", path=path, cookies=cookies or {}, args=params)
        self.module.form_dict = dict(params)
        self.module.session = SimpleNamespace(user="Guest", sid="sid-of-guest")
        self.module.local = SimpleNamespace(
            response={},
            cookie_manager=SimpleNamespace(set_cookie=self._set_cookie, delete_cookie=self._delete_cookie),
            login_manager=SimpleNamespace(login_as=self._login_as),
        )

    @property
    def location(self) -> str | None:
        return self.module.local.response.get("location")

    def _set_cookie(self, name: str, value: str, httponly: bool = False, max_age: int | None = None) -> None:
        self.cookies[name] = {"value": value, "httponly": httponly, "max_age": max_age}

    def _delete_cookie(self, name: str) -> None:
        self.cookies[name] = {"value": "", "httponly": False, "max_age": 0}

    def _login_as(self, name: str) -> None:
        self.logged_in = name
        self.module.session.user, self.module.session.sid = name, f"sid-of-{name}"
        self.module.local.response["message"] = "Logged In"

    def get_value(self, doctype: str, filters: Any, field: str) -> Any:
        if doctype == "Social Login Key":
            return self.key.get(field)
        assert (doctype, field) == ("User Social Login", "parent")
        return next(
            (
                user.name
                for user in self.users.values()
                if user.get_social_login_userid("keycloak") == filters["userid"]
            ),
            None,
        )

    def get_doc(self, doctype: str, name: str) -> User:
        assert doctype == "User"
        found = self.find_user(name)
        assert found is not None
        return found

    def find_user(self, name: str) -> User | None:
        """Return a user by name, which MariaDB compares without case."""
        return next((user for user in self.users.values() if user.name.lower() == name.lower()), None)

    def commit(self) -> None:
        self.users |= self.unsaved

    def rollback(self) -> None:
        self.unsaved = {}

    def respond_as_web_page(self, title: str, html: str, **options: Any) -> None:
        self.page = {"title": title, "html": html, **options}

    def only_for(self, role: str) -> None:
        if role not in self.roles:
            raise Forbidden(role)

    def oauth2_providers(self) -> dict[str, Any]:
        flow = {name: self.key[name] for name in ("authorize_url", "access_token_url")}
        return {
            "keycloak": {
                "flow_params": flow,
                "api_endpoint": self.key["api_endpoint"],
                "auth_url_data": self.key["auth_url_data"],
            }
        }


def _whitelist(**options: Any) -> Any:
    def mark(function: Any) -> Any:
        function.whitelisted = options
        return function

    return mark


@contextmanager
def installed() -> Iterator[FrappeDouble]:
    """Give a site, and put its ``frappe`` in place of the real one; the app's modules are loaded anew around it."""
    site = FrappeDouble()
    modules = _modules(site)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("agencystack_connector")}
    sys.modules.update(modules)
    try:
        yield site
    finally:
        for name in [*modules, *(name for name in sys.modules if name.startswith("agencystack_connector"))]:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _modules(site: FrappeDouble) -> dict[str, ModuleType]:
    core = site.module
    core.__path__ = []
    contents: dict[str, dict[str, Any]] = {
        "frappe": _core(site),
        "frappe.utils": {"escape_html": lambda text: text.replace("<", "&lt;"), "__path__": []},
        "frappe.utils.oauth": {
            "get_oauth2_providers": site.oauth2_providers,
            "get_oauth_keys": lambda _: {name: site.key[name] for name in ("client_id", "client_secret")},
            "get_redirect_uri": lambda _: "https://erp.example/callback",
            "redirect_post_login": lambda desk_user, redirect_to, provider: core.local.response.update(
                location=redirect_to or ("/app/home" if desk_user else "/me")
            ),
        },
        "frappe.utils.password": {
            "encrypt": lambda text: f"sealed:{text[::-1]}",
            "decrypt": lambda text: text[7:][::-1],
        },
        "frappe.integrations": {"__path__": []},
        "frappe.integrations.oauth2_logins": {
            "login_via_keycloak": lambda **given: site.called.append(("login_via_keycloak", given)),
            "custom": lambda **given: site.called.append(("custom", given)),
        },
        "frappe.integrations.doctype": {"__path__": []},
        "frappe.integrations.doctype.social_login_key": {"__path__": []},
        "frappe.integrations.doctype.social_login_key.social_login_key": {
            "provider_allows_signup": lambda _: site.key["sign_ups"] == "Allow"
        },
    }
    made = {name: core if name == "frappe" else ModuleType(name) for name in contents}
    for name, values in contents.items():
        made[name].__dict__.update(values)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(made[parent], last, made[name])
    return made


def _core(site: FrappeDouble) -> dict[str, Any]:
    return {
        "whitelist": _whitelist,
        "_": lambda text: text,
        "STANDARD_USERS": STANDARD_USERS,
        "cache": site.cache,
        "db": SimpleNamespace(
            get_value=site.get_value,
            exists=lambda doctype, name: site.find_user(name) is not None,
            commit=site.commit,
            rollback=site.rollback,
            delete=lambda doctype, filters: site.deleted.append((doctype, filters)),
            get_single_value=lambda doctype, field: site.documents.get(doctype, {}).get(field),
        ),
        "get_doc": site.get_doc,
        "new_doc": lambda doctype: User(site),
        "get_cached_doc": lambda doctype: site.documents[doctype][doctype],
        "get_website_settings": lambda field: 1,
        "respond_as_web_page": site.respond_as_web_page,
        "only_for": site.only_for,
        "logger": lambda name: SimpleNamespace(warning=site.logged.append),
        "setup_module_map": lambda: site.called.append(("setup_module_map", {})),
        "clear_document_cache": lambda *names: site.called.append(("clear_document_cache", {})),
    }
