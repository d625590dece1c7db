"""What ERPNext gives a browser: sessions in cookies, pages, redirects."""

from __future__ import annotations

import html
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from agencystack.sandbox.erpnext.documents import GUEST, Work
from agencystack.sandbox.erpnext.store import Document

_LIFETIME = 612000


@dataclass(frozen=True)
class Visit:
    """One request of a browser.

    Args:
        path: without the query.
        params: query, and a form's fields where it sends some.
        cookies: the browser's.
        host: of the request, with the port.
        scheme: ``http`` or ``https``.
    """

    path: str
    params: Mapping[str, str]
    cookies: Mapping[str, str]
    host: str
    scheme: str = "http"

    def url(self, path: str) -> str:
        """Return the public address of a path."""
        return f"{self.scheme}://{self.host}{path}"


class Sessions:
    """Who is logged in; kept in memory, as the product keeps it in its cache."""

    def __init__(self) -> None:
        self._users: dict[str, str] = {}
        self._lock = threading.Lock()

    def open(self, user: str) -> str:
        """Log a user in and return the new session's id."""
        sid = secrets.token_hex(28)
        with self._lock:
            self._users[sid] = user
        return sid

    def close(self, sid: str) -> None:
        """End a session."""
        with self._lock:
            self._users.pop(sid, None)

    def user(self, work: Work, sid: str) -> str:
        """Return whose session it is; ``Guest`` where it is none, or its user is gone or disabled."""
        with self._lock:
            name = self._users.get(sid, GUEST)
        user = work.transaction.get("User", name)
        return name if user and user["enabled"] else GUEST


@dataclass
class Answer:
    """A page or a redirect, before it becomes an HTTP answer.

    Args:
        status: of the answer.
        content: HTML.
        location: where a redirect leads.
        user: whose session the answer opens or shows; ``None``: a guest's.
        sid: of that session.
        cookies: others, by name, which last as long as a login under way.
        dropped: names of cookies to be forgotten.
    """

    status: int = 200
    content: str = ""
    location: str = ""
    user: Document | None = None
    sid: str = GUEST
    cookies: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    def response(self, lasts: int = 600) -> Response:
        """Return it as sent."""
        response: Response = HTMLResponse(self.content, status_code=self.status)
        if self.location:
            response.headers["location"] = self.location
        for name, value in session_cookies(self.user, self.sid).items():
            response.set_cookie(name, value, httponly=name == "sid", max_age=_LIFETIME if name == "sid" else None)
        for name, value in self.cookies.items():
            response.set_cookie(name, value, httponly=True, max_age=lasts)
        for name in self.dropped:
            response.delete_cookie(name)
        return response


def session_cookies(user: Document | None, sid: str) -> dict[str, str]:
    """Return the cookies that go with a session."""
    shown = user or {"name": GUEST, "full_name": GUEST, "user_type": "Website User"}
    return {
        "sid": sid,
        "system_user": "yes" if shown["user_type"] == "System User" else "no",
        "full_name": quote(str(shown["full_name"])),
        "user_id": quote(str(shown["name"])),
        "user_image": "",
    }


def page(title: str, body: str = "", status: int = 200) -> Answer:
    """Return a page; ``body`` is HTML."""
    shown = html.escape(title)
    return Answer(
        status,
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta name="title" content="{shown}">\n<title>{shown}</title>\n'
        f"</head>\n<body>\n<h1>{shown}</h1>\n{body}\n</body>\n</html>\n",
    )


def redirect(location: str, status: int = 302) -> Answer:
    """Return a redirect."""
    shown = html.escape(location)
    text = "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n"
    return Answer(status, f'{text}<p>You should be redirected to: <a href="{shown}">{shown}</a>.\n', location)
