"""Run histories: one after the other on one store, by seed, on both cores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import structlog

from .history import History, history, shrunk
from .invariants import Violation
from .machine import Machine
from .tables import MemoryStore

T = TypeVar("T")
R = TypeVar("R")


def quiet() -> None:
    """Let the bridge say nothing in this process: it reports every fault that a history has."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50), cache_logger_on_first_use=False)


@contextmanager
def silently() -> Iterator[None]:
    """Let the bridge say nothing for a while."""
    before = structlog.get_config()
    quiet()
    try:
        yield
    finally:
        structlog.configure(**before)


@cache
def tables() -> MemoryStore:
    """Return this process's store."""
    return MemoryStore()


def run(one: History) -> Machine:
    """Run one history.

    Raises:
        Violation: an invariant does not hold; the history is in its notes.
    """
    machine = Machine(one.setup, tables())
    try:
        machine.run(one)
    except Violation as error:
        error.add_note(str(one))
        raise
    return machine


def violation(one: History) -> str:
    """Return which invariant a history breaks and how; empty when none."""
    try:
        Machine(one.setup, tables()).run(one)
    except Violation as error:
        return str(error)
    return ""


def violation_of_seed(seed: int) -> str:
    """Return which invariant the history of a seed breaks; empty when none."""
    return violation(history(seed))


def everywhere(function: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[R]:
    """Yield what a function answers to each task, in any order, run by several processes."""
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=quiet) as pool:
        yield from pool.imap_unordered(function, tasks, chunksize=10)


def failures(seeds: Sequence[int], jobs: int) -> Iterator[tuple[int, str]]:
    """Yield seed and violation (empty when none) of each history, run by several processes."""
    return everywhere(_tried, seeds, jobs)


def _tried(seed: int) -> tuple[int, str]:
    return seed, violation_of_seed(seed)


def explained(seed: int) -> str:
    """Return the shortest history found that breaks the same invariant as the one of a seed."""
    failing = history(seed)
    number = violation(failing)[:2]
    smallest = shrunk(failing, lambda fewer: violation(fewer)[:2] == number)
    return f"seed {seed}: {violation(smallest)}\n{smallest}"
