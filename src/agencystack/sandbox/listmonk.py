"""A stand-in for Listmonk: its settings, its restarts and its mail, as recorded of Listmonk 6.2.0.

Source: ``tests/contract/recordings/listmonk``. While the real one restarts it refuses connections for some 50 ms; this
one answers 503 then, as a proxy in front of it does, and for good after values the real one cannot start with.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import re
import secrets
import smtplib
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

MASK = "•"
VERSION = "v6.2.0"
RESTART_AFTER = 0.5
GAP = 0.1
MAIL_TIMEOUT = 5.0
TX_TEMPLATE = 3
DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+\Z")
DURATIONS = ("idle_timeout", "wait_timeout", "msg_retry_delay")
# Settings that hold a secret besides those in the lists: masked in answers, kept when sent empty.
SECRETS = (
    ("upload.s3.aws_secret_access_key",),
    ("bounce.sendgrid_key",),
    ("bounce.azure", "shared_secret"),
    ("bounce.postmark", "password"),
    ("bounce.forwardemail", "key"),
    ("bounce.lettermint", "key"),
    ("security.captcha", "hcaptcha", "secret"),
    ("security.oidc", "client_secret"),
)
LISTS_WITH_PASSWORDS = ("smtp", "bounce.mailboxes", "messengers")
ALL = frozenset({"settings:get", "settings:manage", "tx:send", "templates:get"})


@dataclass(frozen=True)
class ApiUser:
    """An API user of the stand-in."""

    token: str
    permissions: frozenset[str] = ALL


class _Declined(Exception):
    """A 4xx or 5xx with Listmonk's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class _State:
    """What the real one keeps in its database, and what its process has loaded from it."""

    path: Path
    settings: dict[str, Any]
    running: dict[str, Any] | None = None
    needs_restart: bool = False
    restart_at: float | None = None
    log: list[str] = field(default_factory=list)

    def save(self) -> None:
        draft = self.path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.settings, file, indent=1)
        draft.replace(self.path)

    def start(self) -> None:
        """Load the settings, as a start of the program does; it stays down with values it cannot use."""
        now = datetime.now(UTC).strftime("%Y/%m/%d %H:%M:%S.%f")
        self.log = [f"{now} main.go:106: {VERSION}", f"{now} init.go:191: reading config: config.toml"]
        self.needs_restart, self.restart_at = False, None
        usable = all(_can_start_with(block) for block in self.settings["smtp"] if block["enabled"])
        self.running = json.loads(json.dumps(self.settings)) if usable else None


class ListmonkStandIn:
    """The stand-in; an instance is an ASGI application.

    Args:
        state_dir: where ``listmonk.json`` is kept, with passwords in clear as the real database has them.
        users: API users by name.
        ca_file: authority its mail connections trust besides none other (``SSL_CERT_FILE`` of the real one).
        restart_after: seconds between the answer to a change and the restart.
        gap: seconds it is away then.
    """

    def __init__(
        self,
        state_dir: Path,
        users: Mapping[str, ApiUser],
        *,
        ca_file: Path | None = None,
        restart_after: float = RESTART_AFTER,
        gap: float = GAP,
    ) -> None:
        self._users = dict(users)
        self._ca_file = ca_file
        self._restart_after = restart_after
        self._gap = gap
        self.campaign_running = False
        state_dir.mkdir(parents=True, exist_ok=True)
        path = state_dir / "listmonk.json"
        known = json.loads(path.read_text()) if path.exists() else factory_settings()
        self._state = _State(path, known)
        self._state.save()
        self._state.start()
        self._app = Starlette(
            routes=[
                Route("/health", self._public(self._health)),
                Route("/api/health", self._guarded("", self._health)),
                Route("/api/about", self._guarded("", self._about)),
                Route("/api/config", self._guarded("", self._config)),
                Route("/api/logs", self._guarded("settings:get", self._logs)),
                Route("/api/settings", self._guarded("settings:get", self._get), methods=["GET"]),
                Route("/api/settings", self._guarded("settings:manage", self._put), methods=["PUT"]),
                Route("/api/settings/smtp/test", self._guarded("settings:manage", self._test), methods=["POST"]),
                Route("/api/admin/reload", self._guarded("settings:manage", self._reload), methods=["POST"]),
                Route("/api/templates", self._guarded("templates:get", self._templates)),
                Route("/api/tx", self._guarded("tx:send", self._tx), methods=["POST"]),
            ],
            exception_handlers={404: _unknown_endpoint, 405: _unknown_endpoint},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection event, as ASGI asks."""
        await self._app(scope, receive, send)

    def _public(self, answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            if self._is_away():
                return PlainTextResponse("restarting", status_code=503)
            try:
                return cast(Response, await answer(request))
            except _Declined as declined:
                return JSONResponse({"message": str(declined)}, status_code=declined.status)

        return endpoint

    def _guarded(self, permission: str, answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def checked(request: Request) -> Response:
            user = self._user(request.headers.get("authorization", ""))
            if permission and permission not in user.permissions:
                raise _Declined(403, f"permission denied: {permission}")
            return cast(Response, await answer(request))

        return self._public(checked)

    def _is_away(self) -> bool:
        state = self._state
        if state.restart_at is not None and time.monotonic() >= state.restart_at + self._gap:
            state.start()
        return state.running is None or (state.restart_at is not None and time.monotonic() >= state.restart_at)

    def _user(self, header: str) -> ApiUser:
        if not header:
            raise _Declined(403, "invalid session")
        name, token = _credentials(header)
        user = self._users.get(name)
        if user is None or not secrets.compare_digest(user.token, token):
            raise _Declined(403, "invalid API credentials")
        return user

    def _in_use(self) -> dict[str, Any]:
        return self._state.running or {}

    async def _health(self, _: Request) -> Response:
        return _data(True)

    async def _about(self, _: Request) -> Response:
        return JSONResponse({"version": VERSION, "build": VERSION, "go_arch": "amd64"})

    async def _config(self, _: Request) -> Response:
        names = [block["name"] for block in self._in_use()["smtp"] if block["enabled"] and block["name"]]
        return _data(
            {
                "root_url": self._in_use()["app.root_url"],
                "from_email": self._in_use()["app.from_email"],
                "messengers": ["email", *names],
                "needs_restart": self._state.needs_restart,
                "version": VERSION,
            }
        )

    async def _logs(self, _: Request) -> Response:
        return _data(self._state.log)

    async def _get(self, _: Request) -> Response:
        return _data(_masked(self._state.settings))

    async def _put(self, request: Request) -> Response:
        body = await _json(request, "unexpected EOF", 400)
        changed = _as_declared(body, factory_settings(), "")
        _settle(changed, self._state.settings)
        self._state.settings = changed
        self._state.save()
        if self.campaign_running:
            self._state.needs_restart = True
            return _data({"needs_restart": True})
        return await self._reload(request)

    async def _reload(self, _: Request) -> Response:
        self._state.restart_at = time.monotonic() + self._restart_after
        return _data(True)

    async def _test(self, request: Request) -> Response:
        body = await _json(request, "Internal server error", 400)
        if any(not DURATION.match(str(body.get(name, "1s"))) for name in DURATIONS):
            raise _Declined(400, "Internal server error")
        if not body.get("email"):
            raise _Declined(400, "Missing field(s): email")
        mail = self._mail(body["email"], "Test connection", "<h2>Test connection</h2>", _headers(body))
        await asyncio.to_thread(self._send, body, mail, body["email"])
        return _data(self._state.log)

    async def _templates(self, _: Request) -> Response:
        return _data(
            [
                {"id": 1, "name": "Default campaign template", "type": "campaign", "is_default": True},
                {"id": TX_TEMPLATE, "name": "Sample transactional template", "type": "tx", "is_default": False},
            ]
        )

    async def _tx(self, request: Request) -> Response:
        body = await _json(request, "unexpected EOF", 400)
        if body.get("template_id") != TX_TEMPLATE:
            raise _Declined(400, f"template {body.get('template_id')} not found")
        subject = body.get("subject") or "Welcome "
        block = secrets.choice([block for block in self._in_use()["smtp"] if block["enabled"]])
        to = body["subscriber_emails"]
        mails = [(self._mail(address, subject, "<p>Order</p>", _headers(block)), address) for address in to]
        return JSONResponse({"data": True}, background=BackgroundTask(self._deliver, block, mails))

    async def _deliver(self, block: dict[str, Any], mails: Sequence[tuple[EmailMessage, str]]) -> None:
        for mail, address in mails:
            try:
                await asyncio.to_thread(self._send, block, mail, address)
            except _Declined as declined:
                self._state.log.append(f"error sending message: {declined}")

    def _mail(self, to: str, subject: str, body: str, headers: Mapping[str, str]) -> EmailMessage:
        name, address = parseaddr(self._in_use()["app.from_email"])
        mail = EmailMessage(policy=SMTP_POLICY)
        own = {
            "From": formataddr((name, address)),
            "To": formataddr(parseaddr(to)) if "<" in to else f"<{to}>",
            "Subject": subject,
            "Date": format_datetime(datetime.now(UTC)),
            "Message-Id": make_msgid(domain=address.rpartition("@")[2] or "localhost"),
        }
        for key, value in (own | dict(headers)).items():
            mail[key] = value
        mail.set_content(f"<!doctype html>\n<html><body>{body}</body></html>\n", subtype="html")
        return mail

    def _send(self, block: Mapping[str, Any], mail: EmailMessage, to: str) -> None:
        sender = parseaddr(self._in_use()["app.from_email"])[1]
        recipient = parseaddr(to)[1]
        if "@" not in recipient:
            raise _Declined(500, "mail: missing '@' or angle-addr")
        if block["auth_protocol"] not in {"", "none", "plain", "login", "cram"}:
            raise _Declined(400, f"Error creating SMTP: unknown SMTP auth type '{block['auth_protocol']}'")
        try:
            with _connected(block, self._ca_file) as server:
                _log_in(server, block)
                server.send_message(mail, from_addr=sender, to_addrs=[recipient])
        except (OSError, smtplib.SMTPException) as error:
            raise _Declined(500, _words_of(error, block)) from error


def factory_settings() -> dict[str, Any]:
    """Return the settings of a fresh install (settings.json, "factory settings"), passwords in clear."""
    text = files("agencystack.sandbox").joinpath("listmonk-factory.json").read_text()
    return cast(dict[str, Any], json.loads(text))


def _can_start_with(block: Mapping[str, Any]) -> bool:
    known = block["auth_protocol"] in {"", "none", "plain", "login", "cram"}
    return known and block["max_conns"] >= 1 and all(DURATION.match(block[name]) for name in DURATIONS)


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    elif scheme.lower() != "token":
        raise _Declined(403, "code=400, message=unknown Authorization scheme")
    name, separator, token = value.partition(":")
    if not separator:
        raise _Declined(403, "code=400, message=api_key:token missing")
    return name, token


async def _json(request: Request, message: str, status: int) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise _Declined(status, message) from None
    if not isinstance(body, dict):
        raise _Declined(status, message)
    return body


def _as_declared(given: Any, declared: Any, path: str) -> Any:
    """Return ``given`` in the form of ``declared``: unknown fields go, missing ones become zero values."""
    if given is None:
        return _zero(declared)
    if declared is None:
        return given
    if type(given) is not type(declared):
        raise _Declined(400, f"Unmarshal type error: expected={_go(declared)}, got={_go(given)}, field={path}")
    if isinstance(declared, dict) and path != "bounce.actions":
        return {
            key: _as_declared(given.get(key), value, f"{path}.{key}".lstrip(".")) for key, value in declared.items()
        }
    if path == "smtp":
        return [_as_declared(item, declared[0], path) for item in given]
    return given


def _zero(declared: Any) -> Any:
    if isinstance(declared, dict):
        return {key: _zero(value) for key, value in declared.items()}
    return declared if declared is None else type(declared)()


def _go(value: Any) -> str:
    names = {bool: "bool", int: "int", str: "string", list: "[]struct", dict: "object", float: "number"}
    return names.get(type(value), "null")


def _settle(changed: dict[str, Any], current: Mapping[str, Any]) -> None:
    """Do what Listmonk does with sent settings before it stores them."""
    names: set[str] = set()
    for block in changed["smtp"]:
        block["name"] = _messenger_name(block["name"])
        if block["name"] and block["name"] in names:
            raise _Declined(400, f"Duplicate messenger name: {block['name']}")
        names.add(block["name"])
        block["host"] = block["host"].strip()
        if block["enabled"]:
            block["from_addresses"] = [a.strip().lower() for a in block["from_addresses"] if a.strip()]
    if not any(block["enabled"] for block in changed["smtp"]):
        raise _Declined(400, "At least one SMTP block should be enabled")
    for name in LISTS_WITH_PASSWORDS:
        _keep_passwords(changed[name], current[name])
    for path in SECRETS:
        _keep_secret(changed, current, path)


def _messenger_name(name: str) -> str:
    clean = re.sub(r"[^a-z0-9\-]", "-", name.strip().lower())
    return clean if not clean or clean.startswith("email-") else f"email-{clean}"


def _keep_passwords(rows: Sequence[dict[str, Any]], stored: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        if not row.get("password"):
            same = [known.get("password", "") for known in stored if known.get("uuid", "") == row.get("uuid", "")]
            row["password"] = same[-1] if same else ""
        row["uuid"] = row.get("uuid") or str(uuid.uuid4())


def _keep_secret(changed: dict[str, Any], current: Mapping[str, Any], path: tuple[str, ...]) -> None:
    *parents, last = path
    for parent in parents:
        changed, current = changed[parent], current[parent]
    if not changed.get(last) and current.get(last):
        changed[last] = current[last]


def _masked(settings: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(json.dumps(settings))
    for name in LISTS_WITH_PASSWORDS:
        for row in shown[name]:
            row["password"] = MASK * len(row.get("password", ""))
            if not row["password"]:
                del row["password"]
    for *parents, last in SECRETS:
        holder = shown
        for parent in parents:
            holder = holder[parent]
        if holder.get(last):
            holder[last] = MASK * len(holder[last])
    # Go's "omitempty": absent where there is none.
    if not shown["upload.s3.aws_secret_access_key"]:
        del shown["upload.s3.aws_secret_access_key"]
    return shown


def _headers(block: Mapping[str, Any]) -> dict[str, str]:
    given = block.get("email_headers") or {}
    rows = given if isinstance(given, list) else [given]
    return {key: value for row in rows for key, value in row.items()}


def _connected(block: Mapping[str, Any], ca_file: Path | None) -> smtplib.SMTP:
    host, port, hello = block["host"], block["port"], block.get("hello_hostname") or "localhost"
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if block.get("tls_skip_verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if block.get("tls_type") == "TLS":
        return smtplib.SMTP_SSL(host, port, local_hostname=hello, timeout=MAIL_TIMEOUT, context=context)
    server = smtplib.SMTP(host, port, local_hostname=hello, timeout=MAIL_TIMEOUT)
    if block.get("tls_type") == "STARTTLS":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _log_in(server: smtplib.SMTP, block: Mapping[str, Any]) -> None:
    protocol = block["auth_protocol"]
    if protocol in {"", "none"}:
        return
    server.ehlo_or_helo_if_needed()
    if not server.has_extn("auth"):
        raise smtplib.SMTPNotSupportedError("SMTP AUTH extension not found")
    server.user, server.password = block.get("username", ""), block.get("password", "")
    if not server.password.isascii():
        # smtplib cannot encode such a password; a mask, which is one, is never right.
        raise smtplib.SMTPAuthenticationError(535, b"5.7.8 Authentication credentials invalid")
    name, method = {
        "plain": ("PLAIN", server.auth_plain),
        "login": ("LOGIN", server.auth_login),
        "cram": ("CRAM-MD5", server.auth_cram_md5),
    }[protocol]
    server.auth(name, cast(Any, method))


def _words_of(error: Exception, block: Mapping[str, Any]) -> str:
    """Return what the real one, a Go program, says where Python said ``error`` (smtp_test.json)."""
    host, port = block["host"], block["port"]
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode() if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f'{error.smtp_code} "{text}"'
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "SMTP AUTH extension not found" if "AUTH" in str(error) else "SMTP STARTTLS extension not found"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "tls: first record does not look like a TLS handshake"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {host}:{port}: connect: connection refused"
    return str(error) or "EOF"


def _data(value: Any) -> Response:
    return JSONResponse({"data": value})


async def _unknown_endpoint(_: Request, __: Exception) -> Response:
    return JSONResponse({"message": "404 unknown endpoint"}, status_code=404)
