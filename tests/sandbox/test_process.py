"""Programs are ended by who they are, not by a number alone."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from agencystack.sandbox.process import is_running, read_record, start_detached, stop

SLEEP = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun', flush=True); time.sleep(60)",
]


def begin(folder: Path, argv: list[str]) -> int:
    started = start_detached(argv, log=folder / "log", record=folder / "record.json", cwd=folder)
    deadline = time.monotonic() + 10
    while "begun" not in (folder / "log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return started.pid


def test_a_program_is_detached_recorded_and_ended(tmp_path):
    pid = begin(tmp_path, SLEEP)
    record = read_record(tmp_path / "record.json")
    assert record is not None
    assert record.pid == pid
    assert os.getsid(pid) == pid
    assert is_running(record)
    assert stop(tmp_path / "record.json")
    assert not is_running(record)
    assert not (tmp_path / "record.json").exists()
    assert not stop(tmp_path / "record.json")


def test_one_that_ignores_the_request_is_killed(tmp_path):
    begin(tmp_path, STUBBORN)
    record = read_record(tmp_path / "record.json")
    assert stop(tmp_path / "record.json", timeout=0.3)
    assert not is_running(record)


def test_an_ended_child_that_nobody_waited_for_does_not_count_as_running(tmp_path):
    pid = begin(tmp_path, SLEEP)
    record = read_record(tmp_path / "record.json")
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while is_running(record):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_another_process_with_the_same_number_is_not_touched(tmp_path):
    pid = begin(tmp_path, SLEEP)
    record = read_record(tmp_path / "record.json")
    other = record.model_copy(update={"started": "1"})
    (tmp_path / "other.json").write_text(other.model_dump_json())
    assert not stop(tmp_path / "other.json", timeout=0.1)
    assert is_running(record)
    assert stop(tmp_path / "record.json")
    assert record.pid == pid


@pytest.mark.parametrize("content", ["", "{", '{"pid": "x"}'])
def test_a_record_cut_off_counts_as_none(tmp_path, content):
    (tmp_path / "record.json").write_text(content)
    assert read_record(tmp_path / "record.json") is None
    assert not stop(tmp_path / "record.json")
