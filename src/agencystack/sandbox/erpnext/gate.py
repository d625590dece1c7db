"""What a browser asks of the stand-in: the login page, callbacks and logout, and the pages behind a login."""

from __future__ import annotations

import html
import re
from urllib.parse import urlencode

from agencystack.sandbox.erpnext.browser import Answer, Sessions, Visit, page, redirect
from agencystack.sandbox.erpnext.connector import START, Connector
from agencystack.sandbox.erpnext.documents import GUEST, Work
from agencystack.sandbox.erpnext.social_login import KEYCLOAK, SocialLogin
from agencystack.sandbox.erpnext.store import Document

_CALLBACKS = "frappe.integrations.oauth2_logins"
_METHOD = re.compile(r"/api/method/(?P<method>[^/]+)(?:/(?P<rest>[^/]*))?/?")
_BUTTON = '<a href="{}"\n\tclass="btn btn-block btn-default btn-sm btn-login-option btn-{}">\n\tLogin with {}</a>'


class Gate:
    """Everything with a session or a page.

    Args:
        sessions: the site's.
        logins: Frappe's own.
        connector: our app, where it is installed.
    """

    def __init__(self, sessions: Sessions, logins: SocialLogin, connector: Connector | None) -> None:
        self._sessions = sessions
        self._logins = logins
        self._connector = connector

    def answer(self, work: Work, visit: Visit) -> Answer | None:
        """Return the answer to a browser, or ``None`` where the request is one of the interface's."""
        method = _METHOD.fullmatch(visit.path)
        name = method["method"] if method else visit.params.get("cmd", "") if visit.path == "/" else ""
        if name:
            return self._called(work, visit, name, (method["rest"] if method else "") or "")
        if visit.path.startswith("/api/"):
            return None
        return self._page(work, visit)

    def leave(self, work: Work, sid: str) -> None:
        """Log out; our app ends the provider's session too."""
        if self._connector:
            self._connector.end(work, sid)
        self._sessions.close(sid)

    def _called(self, work: Work, visit: Visit, name: str, rest: str) -> Answer | None:
        if name == "web_logout":
            self.leave(work, visit.cookies.get("sid", ""))
            return page("Logged Out", "<p>You have been successfully logged out</p>")
        if name == START and self._connector:
            return self._connector.start(work, visit)
        if not name.startswith(f"{_CALLBACKS}."):
            return None
        function = name.removeprefix(f"{_CALLBACKS}.")
        if function == "login_via_keycloak":
            return self._back(work, visit, KEYCLOAK, function)
        if function == "custom":
            return self._back(work, visit, rest, function)
        return None

    def _back(self, work: Work, visit: Visit, provider: str, function: str) -> Answer | None:
        if provider == KEYCLOAK and self._connector and self._connector.enabled(work):
            return self._connector.callback(work, visit)
        complete = {"code", "state"} <= visit.params.keys()
        if function == "custom" and complete and not work.transaction.get("Social Login Key", provider):
            # Of an unknown provider the product says nothing at all.
            return Answer(content="{}")
        return self._logins.callback(work, visit, provider, function)

    def _page(self, work: Work, visit: Visit) -> Answer:
        user = work.transaction.get("User", work.user) if work.user != GUEST else None
        answer = self._shown(work, visit, user)
        if user and not answer.user:
            answer.user, answer.sid = user, visit.cookies.get("sid", GUEST)
        return answer

    def _shown(self, work: Work, visit: Visit, user: Document | None) -> Answer:
        if visit.path == "/login":
            return self._login_page(work, visit) if user is None else redirect(_home(user), 301)
        if visit.path == "/app" or visit.path.startswith("/app/"):
            if user is None:
                return redirect(f"/login?{urlencode({'redirect-to': visit.path})}", 301)
            desk = user["user_type"] == "System User"
            return page("Desk") if desk else page("Not Permitted", status=403)
        if visit.path == "/me":
            return page("My Account") if user else page("Not Permitted", status=403)
        return page("Page not found", status=404)

    def _login_page(self, work: Work, visit: Visit) -> Answer:
        keys = [key for key in work.transaction.all("Social Login Key") if key["enable_social_login"]]
        buttons = [
            _BUTTON.format(html.escape(self._leads(work, visit, key)), key["name"], html.escape(key["provider_name"]))
            for key in keys
            if key.get("base_url")
        ]
        return page("Login", "\n".join(buttons))

    def _leads(self, work: Work, visit: Visit, key: Document) -> str:
        wanted = visit.params.get("redirect-to")
        if key["name"] == KEYCLOAK and self._connector and self._connector.enabled(work):
            return f"/api/method/{START}?{urlencode({'redirect_to': wanted})}" if wanted else f"/api/method/{START}"
        return self._logins.authorize_url(visit, key, wanted)


def _home(user: Document) -> str:
    return "/app" if user["user_type"] == "System User" else "/me"
