"""Writes that come together are written together, and each hears what became of it."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from agencystack.bridge.work.gathering import Gathered

PATIENCE = 10.0


def test_what_comes_while_one_writes_is_written_at_once_and_each_gets_its_own_answer() -> None:
    batches: list[list[int]] = []
    first, go = threading.Event(), threading.Event()

    def write(some: Sequence[int]) -> list[int]:
        batches.append(sorted(some))
        first.set()
        assert go.wait(PATIENCE)
        return [one * 10 for one in some]

    gathered = Gathered(write)
    with ThreadPoolExecutor(20) as pool:
        one = pool.submit(gathered, 0)
        assert first.wait(PATIENCE)
        others = [pool.submit(gathered, number) for number in range(1, 20)]
        while len(gathered._waiting) < 19:
            threading.Event().wait(0.001)
        go.set()
        assert one.result(PATIENCE) == 0
        assert [other.result(PATIENCE) for other in others] == [number * 10 for number in range(1, 20)]
    assert batches == [[0], list(range(1, 20))]


def test_what_could_not_be_written_is_told_to_everybody_and_the_next_is_tried_anew() -> None:
    fails = [True, False]

    def write(some: Sequence[str]) -> list[str]:
        if fails.pop(0):
            raise OSError("the disk is full")
        return list(some)

    gathered = Gathered(write)
    with pytest.raises(OSError, match="full"):
        gathered("a")
    assert gathered("b") == "b"
