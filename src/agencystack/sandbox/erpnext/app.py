"""The stand-in's HTTP side: who asks, which document or function is meant, and the form of the answer."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agencystack.sandbox.erpnext import health
from agencystack.sandbox.erpnext.behaviours import all_documents
from agencystack.sandbox.erpnext.birth import BRIDGE_USER, INTEGRATION_USER, add_settings, give_birth
from agencystack.sandbox.erpnext.bridge import ROUTE, SIGNED, Bridge
from agencystack.sandbox.erpnext.browser import Sessions, Visit, session_cookies
from agencystack.sandbox.erpnext.connector import SETTINGS, Connector
from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.documents import ADMINISTRATOR, GUEST, Documents, Work
from agencystack.sandbox.erpnext.errors import (
    FrappeError,
    broken,
    nothing_there,
    packed,
    unauthenticated,
    unknown_doctype,
)
from agencystack.sandbox.erpnext.gate import Gate
from agencystack.sandbox.erpnext.language import said_in
from agencystack.sandbox.erpnext.latency import latency
from agencystack.sandbox.erpnext.listing import rows
from agencystack.sandbox.erpnext.mail_servers import Patience
from agencystack.sandbox.erpnext.methods import Methods, from_json, versions
from agencystack.sandbox.erpnext.outbox import Outbox
from agencystack.sandbox.erpnext.sending import Mail
from agencystack.sandbox.erpnext.social_login import SocialLogin
from agencystack.sandbox.erpnext.store import Store
from agencystack.sandbox.erpnext.work import here

METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
_RESOURCE = re.compile(r"/api/resource/(?P<doctype>[^/]+)(?:/(?P<name>[^/]+))?/?")
_METHOD = re.compile(r"/api/method/(?P<method>[^/]+)/?")


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    params: Mapping[str, str]
    arguments: Mapping[str, Any]
    authorization: str
    sid: str


class ErpNextStandIn:
    """One ERPNext site.

    Args:
        state_dir: where it keeps its documents and keys; a new site is born there. Without one nothing is kept.
        site_url: its public address, for the headers of mail.
        company: the default of new documents.
        latencies: answer no faster than the product does.
        patience: how long it waits for mail servers.
        language: what it answers in, unless a request accepts another.
        connector_app: whether our app is installed.
        clock: gives the time in the site's zone.
    """

    def __init__(
        self,
        state_dir: Path | None = None,
        *,
        site_url: str = "http://erp.localhost",
        company: str = "Sandbox GmbH",
        latencies: bool = False,
        patience: Patience | None = None,
        language: str = "en",
        connector_app: bool = True,
        clock: Callable[[], datetime] = here,
    ) -> None:
        self._store = Store(state_dir / "erpnext.json" if state_dir else None)
        self._company = company
        self._clock = clock
        self._writing = threading.RLock()
        self._slow: list[tuple[str, float]] = []
        self._latencies = latencies
        self._patience = patience or Patience()
        self._language = language
        self._documents = all_documents()
        self._sessions = Sessions()
        logins = SocialLogin(self._documents, self._sessions)
        self._connector = Connector(logins) if connector_app else None
        self._bridge = Bridge(self._documents, Outbox(self._store), site_url) if connector_app else None
        self._gate = Gate(self._sessions, logins, self._connector)
        self._methods = Methods(self._documents, Mail(self._documents, site_url), self._connector, self._bridge)
        if self._store.is_empty:
            give_birth(self._store, self._documents)
        self.abbr = "".join(word[0] for word in company.split()).upper()
        add_settings(self._store, self._documents, company, self.abbr)
        self.api_key, self.api_secret = self._key_of(INTEGRATION_USER)
        self.bridge_key, self.bridge_secret = self._key_of(BRIDGE_USER)
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=METHODS)])

    def _key_of(self, name: str) -> tuple[str, str]:
        user = self._store.peek_one("User", name) or {}
        return str(user["api_key"]), self._store.password(f"User/{name}/api_secret") or ""

    def work(self) -> Work:
        """Return a request of the administrator's, for tests that change documents behind everybody's back."""
        return Work(self._store, ADMINISTRATOR, self._company, self._patience, clock=self._clock)

    @property
    def documents(self) -> Documents:
        """All documents, for the same."""
        return self._documents

    def slow_commit(self, path: str, seconds: float) -> None:
        """Let the next write whose path matches be seen by others only so much later (contract/erpnext/14)."""
        self._slow.append((path, seconds))

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        """Answer a request in the caller's thread; ``path`` percent-encoded and with its query."""
        plain, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(plain),
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "scheme": "http",
            "server": ("erp.localhost", 80),
        }
        return self._served(Request(scope), plain, body)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return PlainTextResponse("")
        path = request.scope.get("raw_path", request.url.path.encode()).decode().partition("?")[0]
        raw = await request.body()
        return await run_in_threadpool(self._served, request, path, raw)

    def _served(self, request: Request, path: str, raw: bytes) -> Response:
        started = time.monotonic()
        work = Work(self._store, GUEST, self._company, self._patience, clock=self._clock)
        # The real database lets writers wait for one another where they touch the same; here all who do business.
        with self._writing if request.method not in {"GET", "HEAD"} and _is_business(path) else nullcontext():
            response, is_page = self._done(work, request, path, raw)
        if is_page:
            return response
        if self._latencies:
            time.sleep(max(0.0, latency(request.method, path, raw) - (time.monotonic() - started)))
        for name, value in self._cookies(work, request).items():
            response.headers.append("set-cookie", f"{name}={value}; Path=/; SameSite=Lax")
        return response

    def _done(self, work: Work, request: Request, path: str, raw: bytes) -> tuple[Response, bool]:
        """Do what is asked; return the answer, and whether it is a page that sets its own cookies."""
        try:
            signed = self._called(work, request, path, raw)
            if signed is not None:
                return signed, False
            arguments = _arguments(request, raw)
            call = _call(request, path, arguments)
            work.user = _user(work, call.authorization) if call.authorization else self._sessions.user(work, call.sid)
            if self._connector and call.path == health.PATH and call.method == "GET":
                installed = {name: about["version"] for name, about in versions(self._connector).items()}
                return health.answer(work, request.headers.get(health.TOKEN_HEADER, ""), installed), True
            page = self._gate.answer(work, _visit(request, call))
            if page is not None:
                work.transaction.commit()
                return page.response(), True
            status, body = self._routed(work, call)
            self._wait_to_commit(call.path)
            work.transaction.commit()
            if work.messages:
                body["_server_messages"] = packed(work.messages)
        except FrappeError as error:
            # A credential is looked at after the language: what the user prefers plays no part.
            language = request.headers.get("accept-language", self._language)
            status, body = error.status, said_in(language, error.body())
        return JSONResponse(body, status_code=status), False

    def _called(self, work: Work, request: Request, path: str, raw: bytes) -> Response | None:
        """Answer a signed call of the bridge; ``None`` where it is none."""
        call = path.removeprefix(f"/api/method/{ROUTE}")
        if self._bridge is None or call == path or call not in SIGNED:
            return None
        status, body = self._bridge.answer(work, call, raw, lambda name: request.headers.get(name, ""))
        self._wait_to_commit(path)
        work.transaction.commit()
        return JSONResponse(body, status_code=status)

    def _wait_to_commit(self, path: str) -> None:
        for at, (part, seconds) in enumerate(self._slow):
            if part in path:
                del self._slow[at]
                self._writing.release()
                time.sleep(seconds)
                self._writing.acquire()
                return

    def _cookies(self, work: Work, request: Request) -> dict[str, str]:
        """Return a session's cookies to it; the product answers even a token with those of a guest."""
        sid = request.cookies.get("sid", "")
        name = GUEST if request.headers.get("authorization") else self._sessions.user(work, sid)
        return session_cookies(work.transaction.get("User", name), sid if name != GUEST else GUEST)

    def _routed(self, work: Work, call: _Call) -> tuple[int, dict[str, Any]]:
        method = _METHOD.fullmatch(call.path)
        if method and unquote(method["method"]) == "logout":
            self._gate.leave(work, call.sid)
            return 200, {"message": "No App", "home_page": "/login", "full_name": GUEST}
        if method:
            return 200, self._methods.call(work, unquote(method["method"]), {**call.params, **call.arguments})
        resource = _RESOURCE.fullmatch(call.path)
        if not resource:
            raise nothing_there()
        doctype, name = unquote(resource["doctype"]), unquote(resource["name"] or "")
        if doctype == SETTINGS and not self._connector:
            raise unknown_doctype(doctype)
        if name:
            return self._one(work, call, doctype, name)
        if call.method == "POST":
            return 200, {"data": self._documents.insert(work, doctype, from_json(call.arguments))}
        return 200, {"data": rows(work, doctype, call.params)}

    def _one(self, work: Work, call: _Call, doctype: str, name: str) -> tuple[int, dict[str, Any]]:
        if call.method == "PUT":
            return 200, {"data": self._documents.update(work, doctype, name, from_json(call.arguments))}
        if call.method == "POST":
            run = call.params.get("run_method", "")
            if run not in {"submit", "cancel"} or call.arguments:
                # With a body Frappe looks for the method's name in there (38_lead).
                raise broken("KeyError", "'run_method'")
            return 200, {
                "data": self._documents.update(work, doctype, name, {"docstatus": 1 if run == "submit" else 2})
            }
        if call.method == "DELETE":
            self._documents.delete(work, doctype, name)
            return 202, {"data": "ok"}
        return 200, {"data": self._documents.get(work, doctype, name)}


def _is_business(path: str) -> bool:
    resource = _RESOURCE.fullmatch(path)
    known = DOCTYPES.get(unquote(resource["doctype"])) if resource else None
    return bool(known and known.may) or "/frappe.client." in path or ROUTE in path


def _call(request: Request, path: str, arguments: Mapping[str, Any]) -> _Call:
    credential, sid = request.headers.get("authorization", ""), request.cookies.get("sid", "")
    return _Call(request.method, path, dict(request.query_params), arguments, credential, sid)


def _visit(request: Request, call: _Call) -> Visit:
    given = {**call.params, **{name: str(value) for name, value in call.arguments.items()}}
    return Visit(call.path, given, request.cookies, request.headers.get("host", ""), request.url.scheme)


def _arguments(request: Request, raw: bytes) -> dict[str, Any]:
    kind = request.headers.get("content-type", "")
    if raw and "urlencoded" in kind:
        return {name: values[-1] for name, values in parse_qs(raw.decode()).items()}
    if not raw or "json" not in kind:
        return {}
    try:
        given = json.loads(raw)
    except json.JSONDecodeError as error:
        raise broken("JSONDecodeError", str(error), module="json.decoder") from error
    return given if isinstance(given, dict) else {}


def _user(work: Work, authorization: str) -> str:
    """Return the user of a credential.

    Raises:
        FrappeError: 401 for every kind of wrong one.
    """
    if not authorization:
        return GUEST
    kind, _, credential = authorization.partition(" ")
    if kind.lower() == "basic":
        try:
            credential = base64.b64decode(credential).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise unauthenticated() from None
    elif kind.lower() != "token":
        raise unauthenticated()
    key, colon, secret = credential.partition(":")
    found = [
        user
        for user in work.transaction.all("User")
        if colon and key and user.get("api_key") == key and user["enabled"]
    ]
    for user in found:
        stored = work.transaction.password("User", user["name"], "api_secret")
        if stored and hmac.compare_digest(stored.encode(), secret.encode()):
            return str(user["name"])
    raise unauthenticated()
