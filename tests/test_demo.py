"""The tour of `make demo`: it keeps what it says, stays until Ctrl-C, and leaves nothing behind."""

from __future__ import annotations

import importlib.util
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "demo.py"
PATIENCE = 300.0


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script as a module; signals are as before afterwards."""
    spec = importlib.util.spec_from_file_location("demo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "demo", module)
    spec.loader.exec_module(module)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield module
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def folder_in(shown: str) -> Path:
    """Return the folder of the sandbox, from the first command that was shown."""
    found = re.search(r"sandbox up --dir (\S+)", shown)
    assert found, shown
    return Path(found[1])


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of programs that run in a sandbox."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            lines.append(line)
    return lines


def assert_nothing_is_left(folder: Path) -> None:
    assert not processes_of(folder)
    assert not folder.exists()


def read_until(terminal: int, words: str) -> str:
    """Return what was written to the terminal up to ``words``."""
    shown, end = "", time.monotonic() + PATIENCE
    while words not in shown:
        readable, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert readable, shown
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # the other side is closed: the tour ended
            pytest.fail(shown)
    return shown


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_the_tour_keeps_every_promise_and_stays_until_ctrl_c() -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "DEMO_EXIT"} | {"TERM": "dumb"}
    tour = subprocess.Popen([sys.executable, SCRIPT], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        shown = read_until(ours, "agencystack --help")
        folder = folder_in(shown)
        assert processes_of(folder), "the stack stays up"
        assert f"export AGENCYSTACK_HOME={folder}" in shown
        mails = [line for line in shown.splitlines() if "a mail arrives" in line]
        assert len(mails) == 12, "two tables of six proofs"
        bridged = [line for line in shown.splitlines() if line.split()[1:3] == ["data-bridge", "wordpress"]]
        assert len([line for line in bridged if "there and back" in line or "becomes a lead" in line]) == 4
        proven = [line for line in (*mails, *bridged) if "passed" in line]
        assert len(proven) == shown.count("passed") == 17
        assert "failed" not in shown
        assert [line for line in shown.splitlines() if line.startswith("checked: ")] == [
            "checked: nothing is left to change",
            "checked: status says which application drifted",
            "checked: status names the field",
            "checked: the plan shows only that field",
            "checked: the next run mends it",
            "checked: undo puts back what was there",
        ]
        tour.send_signal(signal.SIGINT)
        read_until(ours, "Taking the sandbox down")
        assert tour.wait(60) == 0
        assert_nothing_is_left(folder)
    finally:
        if tour.poll() is None:
            tour.terminate()  # takes its sandbox down
            tour.wait(60)
        os.close(ours)


def test_without_a_terminal_it_ends_after_the_proofs(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "show", lambda tour: None)
    assert demo.main() == 0
    shown = capfd.readouterr().out
    assert "All promises kept" in shown
    assert_nothing_is_left(folder_in(shown))


def test_a_broken_promise_is_said_and_nothing_is_left(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def show(tour: object) -> None:
        demo.insist(False, "the moon is cheese")

    monkeypatch.setattr(demo, "show", show)
    assert demo.main() == 1
    shown = capfd.readouterr().out
    assert "The demo failed: not true: the moon is cheese" in shown
    assert "All promises kept" not in shown
    assert_nothing_is_left(folder_in(shown))


def test_a_command_that_ends_otherwise_than_promised_ends_the_tour(demo: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(demo.NotAsPromised, match="ended with 2 instead of 3"):
        demo.Tour(tmp_path).run("plan", "email", expect=3)
