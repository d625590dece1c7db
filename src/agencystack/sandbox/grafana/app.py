"""The stand-in as one ASGI application: which path answers what, and to whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agencystack.sandbox.grafana.answers import Declined, forbidden, json_object
from agencystack.sandbox.grafana.login import Login
from agencystack.sandbox.grafana.mailing import Mailing
from agencystack.sandbox.grafana.people import ORGANISATION, People, hit, members, memberships, profile
from agencystack.sandbox.grafana.sso import PROVIDER, SsoSettings
from agencystack.sandbox.grafana.watching import Watching

VERSION = "12.2.0"
PAGE = 1000
Answer = Callable[[Request], Awaitable[Response]]


class GrafanaStandIn:
    """The stand-in; an instance is an ASGI application.

    Args:
        state_dir: where users and saved settings are kept, the secret in clear.
        root_url: its public address (``[server] root_url``).
        admin_password: of the server administrator ``admin``.
        ca_file: authority of the provider; the system's when absent.
        system: ``[auth.generic_oauth]`` of file and environment, over the defaults.
        has_sso_settings: whether it has the interface for SSO settings, as versions from 10.4 on.
        smtp: ``[smtp]`` of file and environment, as text over the defaults.
        version: it says it has; from 12 on a rule can name its contact point.

    Attributes:
        watching: its data sources, dashboards and alerting, for a test to meddle with.
        people: its users, likewise.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        root_url: str,
        admin_password: str,
        ca_file: Path | None = None,
        system: Mapping[str, Any] | None = None,
        has_sso_settings: bool = True,
        smtp: Mapping[str, str] | None = None,
        version: str = VERSION,
    ) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self._root_url = root_url.rstrip("/")
        self._has_sso_settings = has_sso_settings
        self.people = People(state_dir / "people.json", admin_password)
        self._sso = SsoSettings(state_dir / "sso.json", system)
        self._login = Login(self.people, self._sso, self._root_url, ca_file)
        self._version, self._mailing = version, Mailing(smtp, ca_file)
        self.watching = Watching(state_dir, self._mailing, lambda request: str(self._login.user(request)["login"]))
        watched = self.watching.routes(self._by_anybody, self._by_admins)
        self._app = Starlette(
            routes=[*self._pages(), *self._own_api(), *self._admin_api(), *watched],
            exception_handlers={404: _unknown, 405: _unknown},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection event, as ASGI asks."""
        await self._app(scope, receive, send)

    def _pages(self) -> list[Route]:
        return [
            Route("/", self._open(self._home)),
            Route("/login", self._open(self._login.page), methods=["GET"]),
            Route("/login", self._open(self._login.with_password), methods=["POST"]),
            Route(f"/login/{PROVIDER}", self._open(self._login.oauth)),
            Route("/logout", self._open(self._login.logout)),
            Route("/api/health", self._open(self._health)),
        ]

    def _own_api(self) -> list[Route]:
        return [
            Route("/api/login/ping", self._open(self._login.ping)),
            Route("/api/frontend/settings", self._open(self._frontend)),
            Route("/api/user", self._open(self._me)),
            Route("/api/user/orgs", self._open(self._my_organisations)),
        ]

    def _admin_api(self) -> list[Route]:
        settings = f"/api/v1/sso-settings/{PROVIDER}"
        return [
            Route(settings, self._ruled("settings:read", self._get_sso), methods=["GET"]),
            Route(settings, self._ruled("settings:write", self._put_sso), methods=["PUT"]),
            Route(settings, self._ruled("settings:write", self._delete_sso), methods=["DELETE"]),
            Route("/api/users/lookup", self._ruled("users:read", self._lookup)),
            Route("/api/users/search", self._ruled("users:read", self._search)),
            Route("/api/users/{id:int}/orgs", self._ruled("users:read", self._organisations_of)),
            Route("/api/admin/users/{id:int}", self._ruled("users:delete", self._delete_user), methods=["DELETE"]),
            Route("/api/admin/settings", self._ruled("settings:read", self._settings)),
            Route("/api/orgs", self._ruled("orgs:read", self._organisations)),
            Route("/api/orgs/1/users", self._ruled("org.users:read", self._members)),
        ]

    def _open(self, answer: Answer) -> Answer:
        async def endpoint(request: Request) -> Response:
            try:
                return await answer(request)
            except Declined as declined:
                return declined.answer()

        return endpoint

    def _ruled(self, permission: str, answer: Answer) -> Answer:
        async def checked(request: Request) -> Response:
            if not self._login.user(request)["is_admin"]:
                raise forbidden(permission)
            return await answer(request)

        return self._open(checked)

    def _by_anybody(self, _: str, answer: Answer) -> Answer:
        async def checked(request: Request) -> Response:
            self._login.user(request)
            return await answer(request)

        return self._open(checked)

    def _by_admins(self, permission: str, answer: Answer) -> Answer:
        async def checked(request: Request) -> Response:
            user = self._login.user(request)
            if user["role"] != "Admin" and not user["is_admin"]:
                raise forbidden(permission)
            return await answer(request)

        return self._open(checked)

    async def _settings(self, _: Request) -> Response:
        return JSONResponse({"smtp": self._mailing.shown()})

    async def _home(self, request: Request) -> Response:
        try:
            self._login.user(request)
        except Declined:
            return RedirectResponse("/login", status_code=302)
        return HTMLResponse("<!DOCTYPE html><title>Grafana</title>")

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"database": "ok", "version": self._version, "commit": "stand-in"})

    async def _frontend(self, request: Request) -> Response:
        self._login.user(request)
        return JSONResponse(
            {
                "appUrl": f"{self._root_url}/",
                "buildInfo": {"version": self._version, "commit": "stand-in", "env": "production"},
                "disableLoginForm": False,
            }
        )

    async def _me(self, request: Request) -> Response:
        return JSONResponse(profile(self._login.user(request)))

    async def _my_organisations(self, request: Request) -> Response:
        return JSONResponse(memberships(self._login.user(request)))

    async def _get_sso(self, _: Request) -> Response:
        self._must_have_sso()
        return JSONResponse(self._sso.shown())

    async def _put_sso(self, request: Request) -> Response:
        self._must_have_sso()
        self._sso.save(await json_object(request))
        return Response(status_code=204)

    async def _delete_sso(self, _: Request) -> Response:
        self._must_have_sso()
        self._sso.remove()
        return Response(status_code=204)

    async def _lookup(self, request: Request) -> Response:
        return JSONResponse(profile(self.people.named(request.query_params.get("loginOrEmail", ""))))

    async def _search(self, request: Request) -> Response:
        size, page = (_positive(request, name, default) for name, default in (("perpage", PAGE), ("page", 1)))
        found = self.people.search(request.query_params.get("query", ""))
        rows = [hit(row) for row in found[size * (page - 1) : size * page]]
        return JSONResponse({"totalCount": len(found), "users": rows, "page": page, "perPage": size})

    async def _organisations_of(self, request: Request) -> Response:
        return JSONResponse(memberships(self.people.get(request.path_params["id"])))

    async def _delete_user(self, request: Request) -> Response:
        self.people.delete(request.path_params["id"])
        return JSONResponse({"message": "User deleted"})

    async def _organisations(self, _: Request) -> Response:
        return JSONResponse([ORGANISATION])

    async def _members(self, _: Request) -> Response:
        return JSONResponse(members(self.people.all()))

    def _must_have_sso(self) -> None:
        if not self._has_sso_settings:
            raise Declined(404, "Not found")


def _positive(request: Request, name: str, default: int) -> int:
    """Return a number of the query as Grafana takes it: what is none, or less than one, is the default."""
    said = request.query_params.get(name, "")
    return int(said) if said.isdecimal() and int(said) > 0 else default


async def _unknown(_: Request, __: Exception) -> Response:
    return JSONResponse({"message": "Not found"}, status_code=404)
