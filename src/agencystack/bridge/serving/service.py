"""The bridge as a process: a worker, and beside it the listener that products call."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from agencystack import __version__
from agencystack.bridge.serving.desk import Desk
from agencystack.bridge.serving.dispatch import Dispatcher, Engine
from agencystack.bridge.serving.listener import Listening, answering
from agencystack.bridge.serving.logbook import kept
from agencystack.bridge.serving.place import Place
from agencystack.bridge.serving.worker import Rhythm, Worker
from agencystack.bridge.store import Store
from agencystack.bridge.store.shifts import Shifts
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.files import private_folder

SILENCE = Rhythm().silence
_log = logging.getLogger(__name__)


def run(place: Place, listening: Listening | None, *, places: int = 4, rhythm: Rhythm | None = None) -> None:
    """Work until SIGTERM or SIGINT, then end what is being done and go.

    Args:
        place: where the bridge keeps what it knows.
        listening: where the products' calls are taken; None for a worker alone.
        places: pairings attended to at a time.
        rhythm: how often it looks.

    Raises:
        ConfigurationError: another process already serves this SQLite store, or the log cannot be written.
        Unavailable: the store does not answer.
    """
    private_folder(place.home.bridge_dir)
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    with kept(place.home.log_dir / "bridge", name), _alone(place), _opened(place) as (store, shifts):
        desk = Desk(store, place.keyring, shifts, name)
        dispatcher = Dispatcher(desk, Engine(place.dispatch_url, name, __version__))
        worker = Worker(name, shifts, desk, dispatcher, places=places, rhythm=rhythm)
        desk.wake = worker.wake

        def stop(_number: int, _frame: object) -> None:
            desk.stop()
            worker.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        dispatcher.start()
        try:
            _take_over(place, shifts, dispatcher)
            for pairing in place.restored():
                dispatcher.reconcile(pairing)
                place.compared(pairing)
            with answering(desk, store, shifts, listening):
                worker.run()
        finally:
            dispatcher.stop()
            desk.close()


def _take_over(place: Place, shifts: Shifts, dispatcher: Dispatcher) -> None:
    """Continue what workers left that are dead for certain: on SQLite every earlier one, as it serves one process."""
    for dead in shifts.dead(SILENCE) if place.database else shifts.workers():
        if shifts.bury(dead):
            _log.warning("worker %s died; %d of its workflows continue", dead, dispatcher.recover(dead))


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Keep a second process off a SQLite store: DBOS and SQLite serve one."""
    if place.database is not None:
        yield
        return
    lock = FileLock(place.home.bridge_dir / "serve.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as taken:
        raise ConfigurationError(
            f"another process serves the bridge in {place.home.bridge_dir}",
            remedy="end that one first; for several workers write `bridge: {database: ...}` into stack.yaml",
        ) from taken
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _opened(place: Place) -> Iterator[tuple[Store, Shifts]]:
    store = Store.open(place.store_url)
    try:
        yield store, Shifts(store, milliseconds)
    finally:
        store.close()


def milliseconds() -> int:
    """Return the time in milliseconds since 1970."""
    return round(time.time() * 1000)
