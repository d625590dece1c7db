"""What answers at the address of the Chatwoot stand-in; all else of it is a folder (``chatwoot.py``)."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agencystack.sandbox.chatwoot import VERSION


def http_app() -> Starlette:
    """Return the application: ``/api`` says the version, as Chatwoot's app/controllers/api_controller.rb."""

    async def index(_: Request) -> JSONResponse:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return JSONResponse({"version": VERSION, "timestamp": now, "queue_services": "ok", "data_services": "ok"})

    return Starlette(routes=[Route("/api", index)])
