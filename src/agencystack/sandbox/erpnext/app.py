"""The stand-in's HTTP side: who asks, which document or function is meant, and the form of the answer."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agencystack.sandbox.erpnext import health
from agencystack.sandbox.erpnext.behaviours import all_documents
from agencystack.sandbox.erpnext.birth import INTEGRATION_USER, add_settings, give_birth
from agencystack.sandbox.erpnext.browser import Sessions, Visit, session_cookies
from agencystack.sandbox.erpnext.connector import SETTINGS, Connector
from agencystack.sandbox.erpnext.documents import GUEST, Work
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
from agencystack.sandbox.erpnext.listing import rows
from agencystack.sandbox.erpnext.mail_servers import Patience
from agencystack.sandbox.erpnext.methods import Methods, from_json, versions
from agencystack.sandbox.erpnext.sending import Mail
from agencystack.sandbox.erpnext.social_login import SocialLogin
from agencystack.sandbox.erpnext.store import Store

METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
# Medians of the product with one client, in seconds (facts/erpnext.md "Speed", contract/erpnext/*.json "ms").
_LATENCY = {"ping": 0.007, "GET": 0.013, "POST": 0.03, "PUT": 0.045, "DELETE": 0.12, "make": 0.15}
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
        state_dir: where it keeps its documents and keys; a new site is born there.
        site_url: its public address, for the headers of mail.
        company: the default of new documents.
        latencies: answer no faster than the product does.
        patience: how long it waits for mail servers.
        language: what it answers in, unless a request accepts another.
        connector_app: whether our app is installed.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        site_url: str = "http://erp.localhost",
        company: str = "Sandbox GmbH",
        latencies: bool = False,
        patience: Patience | None = None,
        language: str = "en",
        connector_app: bool = True,
    ) -> None:
        self._store = Store(state_dir / "erpnext.json")
        self._company = company
        self._latencies = latencies
        self._patience = patience or Patience()
        self._language = language
        self._documents = all_documents()
        self._sessions = Sessions()
        logins = SocialLogin(self._documents, self._sessions)
        self._connector = Connector(logins) if connector_app else None
        self._gate = Gate(self._sessions, logins, self._connector)
        self._methods = Methods(self._documents, Mail(self._documents, site_url), self._connector)
        if self._store.is_empty:
            give_birth(self._store, self._documents)
        add_settings(self._store, self._documents)
        user = self._store.read_one("User", INTEGRATION_USER) or {}
        self.api_key: str = user["api_key"]
        self.api_secret: str = self._store.password(f"User/{INTEGRATION_USER}/api_secret") or ""
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=METHODS)])

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return PlainTextResponse("")
        path = request.scope.get("raw_path", request.url.path.encode()).decode().partition("?")[0]
        raw = await request.body()
        return await run_in_threadpool(self._served, request, path, raw)

    def _served(self, request: Request, path: str, raw: bytes) -> Response:
        started = time.monotonic()
        work = Work(self._store, GUEST, self._company, self._patience)
        try:
            arguments = _arguments(request, raw)
            call = _call(request, path, arguments)
            work.user = _user(work, call.authorization) if call.authorization else self._sessions.user(work, call.sid)
            if self._connector and call.path == health.PATH and call.method == "GET":
                installed = {name: about["version"] for name, about in versions(self._connector).items()}
                return health.answer(work, request.headers.get(health.TOKEN_HEADER, ""), installed)
            page = self._gate.answer(work, _visit(request, call))
            if page is not None:
                work.transaction.commit()
                return page.response()
            status, body = self._routed(work, call)
            work.transaction.commit()
            if work.messages:
                body["_server_messages"] = packed(work.messages)
        except FrappeError as error:
            # A credential is looked at after the language: what the user prefers plays no part.
            language = request.headers.get("accept-language", self._language)
            status, body = error.status, said_in(language, error.body())
        if self._latencies:
            time.sleep(max(0.0, _latency(request.method, path) - (time.monotonic() - started)))
        response = JSONResponse(body, status_code=status)
        for name, value in self._cookies(work, request).items():
            response.headers.append("set-cookie", f"{name}={value}; Path=/; SameSite=Lax")
        return response

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
        if call.method == "DELETE":
            self._documents.delete(work, doctype, name)
            return 202, {"data": "ok"}
        return 200, {"data": self._documents.get(work, doctype, name)}


def _call(request: Request, path: str, arguments: Mapping[str, Any]) -> _Call:
    credential, sid = request.headers.get("authorization", ""), request.cookies.get("sid", "")
    return _Call(request.method, path, dict(request.query_params), arguments, credential, sid)


def _visit(request: Request, call: _Call) -> Visit:
    given = {**call.params, **{name: str(value) for name, value in call.arguments.items()}}
    return Visit(call.path, given, request.cookies, request.headers.get("host", ""), request.url.scheme)


def _arguments(request: Request, raw: bytes) -> dict[str, Any]:
    if not raw or "json" not in request.headers.get("content-type", ""):
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


def _latency(method: str, path: str) -> float:
    if path.endswith("ping"):
        return _LATENCY["ping"]
    return _LATENCY["make"] if path.endswith("email.make") else _LATENCY.get(method, 0.0)
