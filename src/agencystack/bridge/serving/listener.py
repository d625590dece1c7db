"""The listener that products call, and that tells how the bridge is: in a thread beside the worker."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from agencystack.bridge.serving.desk import Desk
from agencystack.bridge.serving.hooks import application
from agencystack.bridge.serving.logbook import told
from agencystack.bridge.serving.metrics import CONTENT_TYPE, counts, exposition
from agencystack.bridge.store import Store
from agencystack.bridge.store.shifts import Shifts
from agencystack.bridge.work.context import broken_at
from agencystack.stack.errors import ConfigurationError

ALIVE = 30.0
"""Seconds within which a living worker is heard of."""

MOST_CONNECTIONS = 512
LONGEST = 60.0
"""Seconds a connection may last, whatever it waits for: who sends a byte a minute holds nobody else up."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listening:
    """Where the products' calls are taken.

    Args:
        host: address to listen at.
        port: and port.
    """

    host: str
    port: int

    @classmethod
    def at(cls, text: str) -> Listening:
        """Read ``HOST:PORT``; a version 6 address stands in brackets."""
        host, _, port = text.rpartition(":")
        return cls(host.strip("[]"), int(port))


@contextmanager
def answering(desk: Desk, store: Store, shifts: Shifts, listening: Listening | None) -> Iterator[None]:
    """Take the products' calls.

    Raises:
        ConfigurationError: it cannot listen there.
    """
    if listening is None:
        yield
        return

    def now() -> int:
        return round(time.time() * 1000)

    def health() -> Response:
        alive = len(shifts.living(ALIVE))
        return JSONResponse({"status": "ok" if alive else "down", "workers": alive}, 200 if alive else 503)

    def metrics() -> Response:
        return PlainTextResponse(exposition(counts(store, now()), shifts.living(ALIVE)), media_type=CONTENT_TYPE)

    app = application(desk, [Route("/health", _from_store(health)), Route("/metrics", _from_store(metrics))])
    config = uvicorn.Config(
        app,
        host=listening.host,
        port=listening.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        http=_Mortal,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, name="hooks", daemon=True)
    thread.start()
    try:
        server.wait(thread)
        with told(lambda: counts(store, now()), lambda: len(shifts.living(ALIVE))):
            yield
    finally:
        server.should_exit = True
        thread.join(10)


def _from_store(answer: Callable[[], Response]) -> Callable[[Request], Any]:
    """Return a route that says so where the store does not answer."""

    async def answered(_request: Request) -> Response:
        try:
            return await run_in_threadpool(answer)
        except Exception as error:  # noqa: BLE001 - whatever a database throws while it restarts
            _log.warning("how the bridge is cannot be told: %s", broken_at(error)["error"])
            return JSONResponse({"status": "the store does not answer"}, status_code=503)

    return answered


class _Mortal(H11Protocol):
    """A connection that ends after a while, whatever its client does or leaves."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end = self.loop.call_later(LONGEST, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """A server in a thread: signals are the worker's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def wait(self, thread: threading.Thread) -> None:
        """Return when it answers.

        Raises:
            ConfigurationError: it cannot listen there.
        """
        while not self.started:
            if not thread.is_alive():
                raise ConfigurationError(
                    f"cannot listen at {self.config.host}:{self.config.port}",
                    remedy="is the port taken? write another into `bridge: {listen: HOST:PORT}` in stack.yaml",
                )
            time.sleep(0.01)
