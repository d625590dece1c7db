"""Many small writes in one transaction: a database brings a hundred to its disk as fast as one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Gathered(Generic[A, B]):
    """Hands what several threads want written to one of them, while the one before still writes.

    Args:
        write: writes all of it, and returns what became of each, in order.
    """

    def __init__(self, write: Callable[[Sequence[A]], Sequence[B]]) -> None:
        self._write = write
        self._waiting: list[tuple[A, Future[B]]] = []
        self._adding, self._writing = threading.Lock(), threading.Lock()

    def __call__(self, one: A) -> B:
        """Have one thing written; it is safe when this returns.

        Raises:
            Exception: what writing raised; nothing that was gathered with it is written then.
        """
        future: Future[B] = Future()
        with self._adding:
            self._waiting.append((one, future))
        with self._writing:
            if not future.done():
                self._write_all()
        return future.result()

    def _write_all(self) -> None:
        with self._adding:
            taken, self._waiting = self._waiting, []
        try:
            results = self._write([one for one, _ in taken])
        except Exception as error:  # noqa: BLE001 - each of them hears of it
            for _, future in taken:
                future.set_exception(error)
            return
        for (_, future), result in zip(taken, results, strict=True):
            future.set_result(result)
