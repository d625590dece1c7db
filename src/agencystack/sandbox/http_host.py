"""Serve many stand-ins from one process: one uvicorn server, one port each, told apart by the port that was called."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from agencystack.sandbox.faults import AsgiApp, FaultInjector, Receive, Scope, Send
from agencystack.sandbox.ports import LOOPBACK

# A call that a fault keeps hanging must not keep the process from ending.
SHUTDOWN_SECONDS = 1
BACKLOG = 512


class _Server(uvicorn.Server):
    """Leaves signals to the process around it, which ends the mail servers as well."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpHost:
    """HTTP side of the sandbox.

    Args:
        apps: stand-in by the loopback port it answers on.

    Raises:
        OSError: a port is taken.
    """

    def __init__(self, apps: Mapping[int, AsgiApp]) -> None:
        self._apps = {port: FaultInjector(app, self._disconnect) for port, app in apps.items()}
        self._sockets = [_listen(port) for port in apps]
        config = uvicorn.Config(
            self._dispatch,
            interface="asgi3",
            http="h11",
            ws="wsproto",
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self._server = _Server(config)

    async def serve(self) -> None:
        """Answer calls until :meth:`stop`."""
        await self._server.serve(sockets=self._sockets)

    def stop(self) -> None:
        """Take no more calls and let :meth:`serve` return."""
        self._server.should_exit = True

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[scope["server"][1]](scope, receive, send)

    def _disconnect(self, scope: Scope) -> None:
        for connection in list(self._server.server_state.connections):
            if not isinstance(connection, H11Protocol):
                continue
            if connection.client == scope["client"] and connection.server == scope["server"]:
                connection.transport.abort()


def _listen(port: int) -> socket.socket:
    # Named as TCP, asyncio switches Nagle's algorithm off; unnamed, each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener
