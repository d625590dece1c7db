"""The stand-in's interfaces for what is watched: data sources, dashboards, alert rules, contact points."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agencystack.sandbox.grafana.alerting import Alerting
from agencystack.sandbox.grafana.answers import json_object
from agencystack.sandbox.grafana.boards import Boards
from agencystack.sandbox.grafana.mailing import Mailing
from agencystack.sandbox.grafana.sources import Sources

Answer = Callable[[Request], Awaitable[Response]]
Guard = Callable[[str, Answer], Answer]
PROVISIONING = "/api/v1/provisioning"


class Watching:
    """Data sources, dashboards and alerting of the one organisation.

    Args:
        state_dir: where they are kept.
        mailing: sends what is told by mail.
        login_of: says who asks, for the versions of a dashboard.
    """

    def __init__(self, state_dir: Path, mailing: Mailing, login_of: Callable[[Request], str]) -> None:
        self.sources = Sources(state_dir / "sources.json")
        self.boards = Boards(state_dir / "boards.json")
        self.alerting = Alerting(state_dir / "alerting.json", self.sources, mailing)
        self._login_of = login_of

    def routes(self, reads: Guard, writes: Guard) -> list[Route]:
        """Return the routes.

        Args:
            reads: lets in who may read, given the name of the permission.
            writes: lets in who may change.
        """
        return [*self._source_routes(reads, writes), *self._board_routes(reads, writes), *self._alert_routes(writes)]

    def _source_routes(self, reads: Guard, writes: Guard) -> list[Route]:
        one, create = "/api/datasources/uid/{uid}", writes("datasources:create", self._create_source)
        return [
            Route("/api/datasources", reads("datasources:read", self._list_sources), methods=["GET"]),
            Route("/api/datasources", create, methods=["POST"]),
            Route(one, reads("datasources:read", self._get_source), methods=["GET"]),
            Route(one, writes("datasources:write", self._put_source), methods=["PUT"]),
            Route(one, writes("datasources:delete", self._delete_source), methods=["DELETE"]),
            Route("/api/ds/query", reads("datasources:query", self._query), methods=["POST"]),
        ]

    def _board_routes(self, reads: Guard, writes: Guard) -> list[Route]:
        folder, board = "/api/folders/{uid}", "/api/dashboards/uid/{uid}"
        versions = writes("dashboards:write", self._versions)
        return [
            Route("/api/folders", writes("folders:create", self._create_folder), methods=["POST"]),
            Route(folder, reads("folders:read", self._get_folder), methods=["GET"]),
            Route(folder, writes("folders:write", self._put_folder), methods=["PUT"]),
            Route(folder, writes("folders:delete", self._delete_folder), methods=["DELETE"]),
            Route("/api/search", reads("dashboards:read", self._search), methods=["GET"]),
            Route("/api/dashboards/db", writes("dashboards:write", self._save_board), methods=["POST"]),
            Route(board, reads("dashboards:read", self._get_board), methods=["GET"]),
            Route(board, writes("dashboards:delete", self._delete_board), methods=["DELETE"]),
            Route(f"{board}/versions", versions, methods=["GET"]),
        ]

    def _alert_routes(self, writes: Guard) -> list[Route]:
        rule, point = f"{PROVISIONING}/alert-rules/{{uid}}", f"{PROVISIONING}/contact-points/{{uid}}"
        group = f"{PROVISIONING}/folder/{{folder}}/rule-groups/{{group}}"
        test = "/api/alertmanager/grafana/config/api/v1/receivers/test"
        told = "alert.provisioning:read"
        change = "alert.provisioning:write"
        return [
            Route(f"{PROVISIONING}/alert-rules", writes(told, self._list_rules), methods=["GET"]),
            Route(f"{PROVISIONING}/alert-rules", writes(change, self._create_rule), methods=["POST"]),
            Route(rule, writes(told, self._get_rule), methods=["GET"]),
            Route(rule, writes(change, self._put_rule), methods=["PUT"]),
            Route(rule, writes(change, self._delete_rule), methods=["DELETE"]),
            Route(group, writes(told, self._get_group), methods=["GET"]),
            Route(f"{PROVISIONING}/contact-points", writes(told, self._list_points), methods=["GET"]),
            Route(f"{PROVISIONING}/contact-points", writes(change, self._create_point), methods=["POST"]),
            Route(point, writes(change, self._put_point), methods=["PUT"]),
            Route(point, writes(change, self._delete_point), methods=["DELETE"]),
            Route(f"{PROVISIONING}/policies", writes(told, self._get_policies), methods=["GET"]),
            Route(f"{PROVISIONING}/policies", writes(change, self._put_policies), methods=["PUT"]),
            Route(test, writes("alert.notifications:read", self._test), methods=["POST"]),
            Route("/api/prometheus/grafana/api/v1/rules", writes("alert.rules:read", self._states), methods=["GET"]),
        ]

    async def _list_sources(self, _: Request) -> Response:
        return JSONResponse(self.sources.all())

    async def _get_source(self, request: Request) -> Response:
        return JSONResponse(self.sources.get(_uid(request)))

    async def _create_source(self, request: Request) -> Response:
        return JSONResponse(self.sources.create(await json_object(request)))

    async def _put_source(self, request: Request) -> Response:
        return JSONResponse(self.sources.save(_uid(request), await json_object(request)))

    async def _delete_source(self, request: Request) -> Response:
        return JSONResponse(self.sources.delete(_uid(request)))

    async def _query(self, request: Request) -> Response:
        status, answer = await self.sources.query(await json_object(request))
        return JSONResponse(answer, status_code=status)

    async def _get_folder(self, request: Request) -> Response:
        return JSONResponse(self.boards.folder(_uid(request)))

    async def _create_folder(self, request: Request) -> Response:
        return JSONResponse(self.boards.create_folder(await json_object(request)))

    async def _put_folder(self, request: Request) -> Response:
        return JSONResponse(self.boards.rename_folder(_uid(request), await json_object(request)))

    async def _delete_folder(self, request: Request) -> Response:
        self.boards.folder(_uid(request))
        if any(rule["folderUID"] == _uid(request) for rule in self.alerting.rules.values()):
            return _said("folder cannot be deleted: folder contains alert rules", 400)
        self.boards.delete_folder(_uid(request))
        return Response()

    async def _search(self, request: Request) -> Response:
        return JSONResponse(self.boards.search(request.query_params.get("folderUIDs", "")))

    async def _get_board(self, request: Request) -> Response:
        return JSONResponse(self.boards.dashboard(_uid(request)))

    async def _versions(self, request: Request) -> Response:
        limit = request.query_params.get("limit", "0")
        return JSONResponse(self.boards.versions(_uid(request), int(limit) if limit.isdecimal() else 0))

    async def _save_board(self, request: Request) -> Response:
        return JSONResponse(self.boards.save(await json_object(request), self._login_of(request)))

    async def _delete_board(self, request: Request) -> Response:
        return JSONResponse(self.boards.delete(_uid(request)))

    async def _list_rules(self, _: Request) -> Response:
        return JSONResponse(list(self.alerting.rules.values()))

    async def _get_rule(self, request: Request) -> Response:
        return _found(self.alerting.rule(_uid(request)))

    async def _create_rule(self, request: Request) -> Response:
        return JSONResponse(self.alerting.create_rule(await json_object(request)), status_code=201)

    async def _put_rule(self, request: Request) -> Response:
        return _found(self.alerting.save_rule(_uid(request), await json_object(request)))

    async def _delete_rule(self, request: Request) -> Response:
        self.alerting.delete_rule(_uid(request))
        return Response(status_code=204)

    async def _get_group(self, request: Request) -> Response:
        return JSONResponse(self.alerting.group(request.path_params["folder"], request.path_params["group"]))

    async def _list_points(self, _: Request) -> Response:
        return JSONResponse(self.alerting.points())

    async def _create_point(self, request: Request) -> Response:
        return JSONResponse(self.alerting.create_point(await json_object(request)), status_code=202)

    async def _put_point(self, request: Request) -> Response:
        return JSONResponse(self.alerting.save_point(_uid(request), await json_object(request)), status_code=202)

    async def _delete_point(self, request: Request) -> Response:
        return JSONResponse(self.alerting.delete_point(_uid(request)), status_code=202)

    async def _get_policies(self, _: Request) -> Response:
        return JSONResponse(self.alerting.policies())

    async def _put_policies(self, request: Request) -> Response:
        return JSONResponse(self.alerting.save_policies(await json_object(request)), status_code=202)

    async def _test(self, request: Request) -> Response:
        status, answer = await self.alerting.test(await json_object(request))
        return JSONResponse(answer, status_code=status)

    async def _states(self, _: Request) -> Response:
        titles = {uid: str(row["title"]) for uid, row in self.boards.folders.items()}
        return JSONResponse(await self.alerting.states(titles))


def _uid(request: Request) -> str:
    return str(request.path_params["uid"])


def _found(row: Mapping[str, Any] | None) -> Response:
    """Return a rule; where there is none Grafana answers 404 and ``null``."""
    return JSONResponse(row, status_code=200 if row is not None else 404)


def _said(message: str, status: int) -> Response:
    return JSONResponse({"message": message}, status_code=status)
