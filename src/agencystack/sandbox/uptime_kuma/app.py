"""The stand-in as one ASGI application: Socket.IO for who is logged in, HTTP for the public."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import ssl
import time
from collections import deque
from pathlib import Path
from typing import Any

import socketio  # type: ignore[import-untyped]
from starlette.applications import Starlette

from agencystack.sandbox.uptime_kuma.answers import Declined, done
from agencystack.sandbox.uptime_kuma.checks import Checker
from agencystack.sandbox.uptime_kuma.monitor_calls import Call, MonitorCalls
from agencystack.sandbox.uptime_kuma.other_calls import OtherCalls
from agencystack.sandbox.uptime_kuma.public import Public
from agencystack.sandbox.uptime_kuma.runner import Runner
from agencystack.sandbox.uptime_kuma.state import State

ADMIN = "admin"
VERSION = "2.5.3"
ROOM = "user-1"
LOGINS_A_MINUTE = 20
TOO_OFTEN = "Too frequently, try again later."


class UptimeKumaStandIn:
    """The stand-in; an instance is an ASGI application.

    Args:
        state_dir: where everything but heartbeats is kept, secrets in clear.
        password: of the user ``admin``; None for a fresh one nobody set up.
        ca_file: authority of what is checked, besides the system's (``NODE_EXTRA_CA_CERTS``).
        version: what it says it is.
        two_factor: whether the user has a second factor.
        open_to_all: whether nobody has to log in (Disable Auth).

    Attributes:
        lose_answer_of: names of calls that are done and then, once each, answered by the end of the connection.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        password: str | None,
        ca_file: Path | None = None,
        version: str = VERSION,
        two_factor: bool = False,
        open_to_all: bool = False,
    ) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        trust = ssl.create_default_context()
        if ca_file is not None:
            trust.load_verify_locations(ca_file)
        self.state = State(state_dir / "kuma.json")
        self.lose_answer_of: set[str] = set()
        self._password, self._version = password, version
        self._two_factor, self._open_to_all = two_factor, open_to_all
        self._tokens: set[str] = set()
        self._logins: deque[float] = deque()
        self._sockets = socketio.AsyncServer(async_mode="asgi", always_connect=True)
        self._other = OtherCalls(self.state, self._emit, trust)
        self._runner = Runner(self.state, Checker(trust), self._beat, self._other.alarm)
        self._monitors = MonitorCalls(self.state, self._runner, self._emit)
        self._listen()
        public = Public(self.state, self._runner, self._opens_metrics)
        self._app = socketio.ASGIApp(self._sockets, Starlette(routes=public.routes()))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection event, as ASGI asks; monitors check from the first call on."""
        self._runner.start_all()
        await self._app(scope, receive, send)

    def _listen(self) -> None:
        self._sockets.on("connect", self._connected)
        self._sockets.on("needSetup", self._needs_setup)
        self._sockets.on("setup", self._set_up)
        self._sockets.on("login", self._log_in)
        self._sockets.on("loginByToken", self._log_in_by_token)
        for name, call in {**self._monitors.calls(), **self._other.calls()}.items():
            self._sockets.on(name, self._guarded(name, call))

    def _guarded(self, name: str, call: Call) -> Any:
        async def answer(sid: str, *arguments: Any) -> dict[str, Any]:
            if not (await self._sockets.get_session(sid)).get("in"):
                return Declined("You are not logged in.").answer()
            try:
                answered = await call(*arguments)
            except Declined as declined:
                return declined.answer()
            if name in self.lose_answer_of:
                self.lose_answer_of.discard(name)
                await self._sockets.disconnect(sid)
            return answered

        return answer

    async def _connected(self, sid: str, _: Any) -> None:
        await self._sockets.save_session(sid, {})
        await self._sockets.emit("info", {"primaryBaseURL": None, "serverTimezone": "UTC"}, to=sid)
        if self._password is None:
            await self._sockets.emit("setup", to=sid)
        if self._open_to_all:
            await self._let_in(sid)
            await self._sockets.emit("autoLogin", to=sid)
        else:
            await self._sockets.emit("loginRequired", to=sid)

    async def _needs_setup(self, _: str) -> bool:
        return self._password is None

    async def _set_up(self, _: str, username: str, password: str) -> dict[str, Any]:
        if self._password is not None:
            words = "Uptime Kuma has been initialized. If you want to run setup again, please delete the database."
            return Declined(words).answer()
        if username != ADMIN or len(password) < 6:
            return Declined("passwordTooWeak", i18n=True).answer()
        self._password = password
        return done("successAdded")

    async def _log_in(self, sid: str, given: dict[str, Any]) -> dict[str, Any]:
        if not self._may_try():
            return Declined(TOO_OFTEN).answer()
        if not self._is_right(str(given.get("username")), str(given.get("password"))):
            return Declined("authIncorrectCreds", i18n=True).answer()
        if self._two_factor:
            return Declined("authInvalidToken", i18n=True).answer() if given.get("token") else {"tokenRequired": True}
        await self._let_in(sid)
        token = secrets.token_urlsafe(40)
        self._tokens.add(token)
        return {"ok": True, "token": token}

    async def _log_in_by_token(self, sid: str, token: str) -> dict[str, Any]:
        if token not in self._tokens:
            return Declined("authInvalidToken", i18n=True).answer()
        await self._let_in(sid)
        return done()

    async def _let_in(self, sid: str) -> None:
        """Push everything; the login is acknowledged after it."""
        await self._sockets.save_session(sid, {"in": True})
        await self._sockets.enter_room(sid, ROOM)
        pushed: dict[str, Any] = {
            "monitorList": self._monitors.all_shown(),
            "info": {"primaryBaseURL": None, "serverTimezone": "UTC", "version": self._version},
            "notificationList": self._other.notifications(),
            "apiKeyList": self._other.keys(),
            "statusPageList": self._other.pages(),
        }
        for event, data in pushed.items():
            await self._sockets.emit(event, data, to=sid)
        for monitor_id in self.state.monitors:
            beats = self.state.heartbeats.get(monitor_id, [])
            await self._sockets.emit("heartbeatList", (str(monitor_id), beats, False), to=sid)

    def _may_try(self) -> bool:
        """Count an attempt to log in, right or wrong, of anybody."""
        now = time.monotonic()
        while self._logins and self._logins[0] < now - 60:
            self._logins.popleft()
        if len(self._logins) >= LOGINS_A_MINUTE:
            return False
        self._logins.append(now)
        return True

    def _is_right(self, username: str, password: str) -> bool:
        return self._password is not None and username == ADMIN and secrets.compare_digest(password, self._password)

    def _opens_metrics(self, header: str | None) -> bool:
        """Say whether HTTP Basic opens the metrics: a key once there was one, else the password."""
        scheme, _, encoded = (header or "").partition(" ")
        try:
            username, _, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        if scheme.lower() != "basic":
            return False
        if self.state.uses_api_keys:
            keys = {f"uk{row['id']}_{row['key']}" for row in self.state.api_keys.values() if row["active"]}
            return password in keys
        return self._is_right(username, password)

    async def _emit(self, event: str, data: Any) -> None:
        await self._sockets.emit(event, data, room=ROOM)

    async def _beat(self, beat: dict[str, Any]) -> None:
        # What answers a call goes out before what the call set in motion.
        await asyncio.sleep(0)
        await self._emit("heartbeat", beat)
