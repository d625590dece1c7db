"""As much of a Docker daemon as a log collector asks for: one container, and its output.

Told from Docker's source: `WriteLogStream` writes each record behind its time, and a record that is only a part of a
line has no line break, so the next one's time stands within that line.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

PART = 16 * 1024
CONTAINER = "0123456789abcdef"
STDOUT = 1


def docker_daemon(name: str, output: str) -> Starlette:
    """Return a daemon with a running container of that name, which has written ``output`` and goes on running."""
    listed = {"Id": CONTAINER, "Names": [f"/{name}"], "State": "running", "Labels": {}, "HostConfig": {}}
    network = {"bridge": {"NetworkID": "net", "IPAddress": "172.17.0.2"}}
    listed |= {"NetworkSettings": {"Networks": network}, "Ports": []}
    inspected = {"Id": CONTAINER, "Name": f"/{name}", "Config": {"Tty": False}, "State": {"Running": True}}
    networks = [{"Name": "bridge", "Id": "net", "Scope": "local", "IPAM": {"Config": []}}]

    async def ping(request: Request) -> Response:
        return Response(headers={"Api-Version": "1.41", "Docker-Experimental": "false"})

    async def logs(request: Request) -> Response:
        return StreamingResponse(_stream(output), media_type="application/vnd.docker.multiplexed-stream")

    async def wait(request: Request) -> Response:
        return StreamingResponse(_nothing(), media_type="application/json")

    def telling(content: Any) -> Any:
        async def tell(request: Request) -> Response:
            return JSONResponse(content)

        return tell

    paths = {
        "/networks": telling(networks),
        "/containers/json": telling([listed]),
        f"/containers/{CONTAINER}/json": telling(inspected),
        f"/containers/{CONTAINER}/logs": logs,
    }
    waiting = Route(f"/{{version}}/containers/{CONTAINER}/wait", wait, methods=["POST"])
    routes = [Route("/_ping", ping), waiting]
    return Starlette(routes=[*routes, *(Route("/{version}" + path, tell) for path, tell in paths.items())])


async def _stream(output: str) -> AsyncIterator[bytes]:
    for line in output.splitlines(keepends=True):
        for start in range(0, len(line), PART):
            yield _record(line[start : start + PART])
    async for nothing in _nothing():  # a container that runs has more to say
        yield nothing


async def _nothing() -> AsyncIterator[bytes]:
    """Say nothing, without ever ending."""
    await asyncio.Event().wait()
    yield b""


def _record(text: str) -> bytes:
    written = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z {text}".encode()
    return struct.pack(">BxxxL", STDOUT, len(written)) + written
