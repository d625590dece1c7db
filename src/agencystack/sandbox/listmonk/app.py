"""The stand-in as one ASGI application: which path answers what, to whom, and when nothing answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agencystack.sandbox.listmonk.answers import Declined, credentials, data, json_body, unknown_endpoint
from agencystack.sandbox.listmonk.login import Login, NotThere, page_not_found
from agencystack.sandbox.listmonk.mail_api import MailApi
from agencystack.sandbox.listmonk.people import ApiUser, People
from agencystack.sandbox.listmonk.people_api import PeopleApi
from agencystack.sandbox.listmonk.settings import as_declared, factory_settings, masked, settle
from agencystack.sandbox.listmonk.state import VERSION, State

RESTART_AFTER = 0.5
GAP = 0.1
Answer = Callable[[Request], Awaitable[Response]]


class ListmonkStandIn:
    """The stand-in; an instance is an ASGI application.

    Args:
        state_dir: where ``listmonk.json`` is kept, with passwords in clear as the real database has them, and
            ``people.json``.
        users: API users by name.
        admin_password: of the super admin ``admin``; without one nobody logs in with a password.
        url: its public address, which a new one is told as an installer tells the real one.
        ca_file: authority its mail connections and the provider's trust besides none other (``SSL_CERT_FILE`` of the
            real one).
        restart_after: seconds between the answer to a change and the restart.
        gap: seconds it is away then.
    """

    def __init__(
        self,
        state_dir: Path,
        users: Mapping[str, ApiUser],
        *,
        admin_password: str | None = None,
        url: str = "",
        ca_file: Path | None = None,
        restart_after: float = RESTART_AFTER,
        gap: float = GAP,
    ) -> None:
        self._users = dict(users)
        self._restart_after = restart_after
        self._gap = gap
        self.campaign_running = False
        state_dir.mkdir(parents=True, exist_ok=True)
        self._state = State.kept_in(state_dir / "listmonk.json", _new_settings(url))
        self._people = People(state_dir / "people.json", self._users, admin_password)
        self._login = Login(self._people, ca_file)
        self._mail = MailApi(self._state, ca_file)
        self._start()
        self._app = Starlette(
            routes=[*self._pages(), *self._settings_api(), *self._people_api()],
            exception_handlers={404: unknown_endpoint, 405: unknown_endpoint, NotThere: page_not_found},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection event, as ASGI asks."""
        await self._app(scope, receive, send)

    def _pages(self) -> list[Route]:
        login = self._login
        return [
            Route("/health", self._public(self._health)),
            Route("/admin/login", self._public(login.page), methods=["GET"]),
            Route("/admin/login", self._public(login.with_password), methods=["POST"]),
            Route("/auth/oidc", self._public(login.start_oidc), methods=["POST"]),
            Route("/auth/oidc", self._public(login.finish_oidc), methods=["GET"]),
            Route("/admin", self._public(login.admin)),
            Route("/admin/{page:path}", self._public(login.admin)),
        ]

    def _settings_api(self) -> list[Route]:
        mail = self._mail
        return [
            Route("/api/health", self._guarded("", self._health)),
            Route("/api/about", self._guarded("", self._about)),
            Route("/api/config", self._guarded("", self._config)),
            Route("/api/logs", self._guarded("settings:get", self._logs)),
            Route("/api/settings", self._guarded("settings:get", self._get), methods=["GET"]),
            Route("/api/settings", self._guarded("settings:manage", self._put), methods=["PUT"]),
            Route("/api/settings/smtp/test", self._guarded("settings:manage", mail.test), methods=["POST"]),
            Route("/api/admin/reload", self._guarded("settings:manage", self._reload), methods=["POST"]),
            Route("/api/templates", self._guarded("templates:get", mail.templates)),
            Route("/api/tx", self._guarded("tx:send", mail.send_transactional), methods=["POST"]),
        ]

    def _people_api(self) -> list[Route]:
        api = PeopleApi(self._people)
        return [
            Route("/api/profile", self._guarded("", self._profile)),
            Route("/api/logout", self._guarded("", self._login.logout), methods=["POST"]),
            Route("/api/users", self._guarded("users:get", api.users), methods=["GET"]),
            Route("/api/users", self._guarded("users:manage", api.create), methods=["POST"]),
            Route("/api/users/{id}", self._guarded("users:get", api.user), methods=["GET"]),
            Route("/api/users/{id}", self._guarded("users:manage", api.update), methods=["PUT"]),
            Route("/api/users/{id}", self._guarded("users:manage", api.delete), methods=["DELETE"]),
            Route("/api/roles/users", self._guarded("roles:get", api.roles), methods=["GET"]),
            Route("/api/roles/users", self._guarded("roles:manage", api.create_role), methods=["POST"]),
            Route("/api/roles/lists", self._guarded("roles:get", api.list_roles), methods=["GET"]),
            Route("/api/roles/lists", self._guarded("roles:manage", api.create_list_role), methods=["POST"]),
            Route("/api/roles/{id}", self._guarded("roles:manage", api.delete_role), methods=["DELETE"]),
        ]

    def _public(self, answer: Answer) -> Answer:
        async def endpoint(request: Request) -> Response:
            if self._is_away():
                return PlainTextResponse("restarting", status_code=503)
            try:
                return await answer(request)
            except Declined as declined:
                return JSONResponse({"message": str(declined)}, status_code=declined.status)

        return endpoint

    def _guarded(self, permission: str, answer: Answer) -> Answer:
        async def checked(request: Request) -> Response:
            if not self._people.may(self._user(request), permission):
                raise Declined(403, f"permission denied: {permission}")
            return await answer(request)

        return self._public(checked)

    def _is_away(self) -> bool:
        state = self._state
        if state.restart_at is not None and time.monotonic() >= state.restart_at + self._gap:
            self._start()
        return state.running is None or (state.restart_at is not None and time.monotonic() >= state.restart_at)

    def _start(self) -> None:
        self._state.start()
        if self._state.running is not None:
            self._login.start(self._state.running)

    def _user(self, request: Request) -> dict[str, Any]:
        header = request.headers.get("authorization", "")
        # A browser's session wins over a credential of the time before there were sessions.
        if not header or "session" in request.cookies:
            return self._login.user(request)
        name, token = credentials(header)
        known, user = self._users.get(name), self._people.find(username=name, type="api", status="enabled")
        if known is None or user is None or not secrets.compare_digest(known.token, token):
            raise Declined(403, "invalid API credentials")
        return user

    async def _profile(self, request: Request) -> Response:
        return data(self._people.shown(self._user(request)))

    async def _health(self, _: Request) -> Response:
        return data(True)

    async def _about(self, _: Request) -> Response:
        return JSONResponse({"version": VERSION, "build": VERSION, "go_arch": "amd64"})

    async def _config(self, _: Request) -> Response:
        running = self._state.in_use()
        names = [block["name"] for block in running["smtp"] if block["enabled"] and block["name"]]
        return data(
            {
                "root_url": running["app.root_url"],
                "from_email": running["app.from_email"],
                "messengers": ["email", *names],
                "needs_restart": self._state.needs_restart,
                "version": VERSION,
            }
        )

    async def _logs(self, _: Request) -> Response:
        return data(self._state.log)

    async def _get(self, _: Request) -> Response:
        return data(masked(self._state.settings))

    async def _put(self, request: Request) -> Response:
        body = await json_body(request, "unexpected EOF", 400)
        changed = as_declared(body, factory_settings(), "")
        settle(changed, self._state.settings)
        self._state.settings = changed
        self._state.save()
        if self.campaign_running:
            self._state.needs_restart = True
            return data({"needs_restart": True})
        return await self._reload(request)

    async def _reload(self, _: Request) -> Response:
        self._state.restart_at = time.monotonic() + self._restart_after
        return data(True)


def _new_settings(url: str) -> dict[str, Any]:
    settings = factory_settings()
    return settings | {"app.root_url": url.rstrip("/")} if url else settings
