"""The shell that runs first elsewhere: sudo where we are not root, and noise around our lines."""

from __future__ import annotations

import subprocess
from pathlib import Path

from agencystack.stack.execution import Finished
from agencystack.stack.guard import Guard
from agencystack.stack.users import UserRule

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Stands in front of the real programs: we are user 1000, and sudo does what its rules say.
NOT_ROOT = """#!/bin/sh
case "$*" in -u) echo 1000 ;; "-u web") echo 33 ;; *) exit 1 ;; esac
"""
SUDO = """#!/bin/sh
[ "$1" = -n ] || exit 9
if [ "$2" = -l ]; then exit {allowed}; fi
[ "$2 $3 $4" = "-u web --" ] || exit 9
shift 4
echo "sudo became web"
exec "$@"
"""


def _run(guard: Guard, argv: list[str], path: Path | None = None) -> Finished:
    environment = {"PATH": f"{path}:{SYSTEM_PATH}" if path else SYSTEM_PATH}
    done = subprocess.run(guard.wrap(argv, 5), env=environment, capture_output=True, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


def _programs(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def test_sudo_becomes_the_user(tmp_path: Path) -> None:
    guard = Guard(UserRule(name="web"))
    finished = _run(guard, ["echo", "hello"], _programs(tmp_path, id=NOT_ROOT, sudo=SUDO.format(allowed=0)))
    started = guard.started(finished)
    assert started is not None
    assert started.stdout == b"sudo became web\nhello\n"


def test_sudo_that_would_ask_is_not_started(tmp_path: Path) -> None:
    guard = Guard(UserRule(name="web"))
    finished = _run(guard, ["echo", "hello"], _programs(tmp_path, id=NOT_ROOT, sudo=SUDO.format(allowed=1)))
    assert guard.started(finished) is None
    assert guard.refusal(finished) == "no-sudo"


def test_place_without_timeout_still_runs(tmp_path: Path) -> None:
    for name in ("sh", "id", "printf"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    guard = Guard(UserRule(may_be_root=True))
    done = subprocess.run(guard.wrap(["printf", "x"], 5), env={"PATH": str(tmp_path)}, capture_output=True, check=False)
    started = guard.started(Finished(done.returncode, done.stdout, done.stderr))
    assert started == Finished(0, b"x", b"")


def test_the_place_itself_ends_a_program_we_lost() -> None:
    guard = Guard(UserRule(may_be_root=True))
    done = subprocess.run(guard.wrap(["sleep", "30"], 0.1), capture_output=True, check=False, timeout=10)
    assert done.returncode != 0


def test_what_a_login_shell_prints_is_cut_off() -> None:
    guard = Guard(UserRule(), nonce="n")
    noisy = Finished(3, b"Welcome!\nn:started\nanswer", b"motd\nn:started\noops")
    assert guard.started(noisy) == Finished(3, b"answer", b"oops")


def test_a_product_cannot_pass_for_the_guard() -> None:
    guard = Guard(UserRule(may_be_root=True))
    finished = _run(guard, ["echo", "agencystack-0000:root"])
    assert guard.refusal(finished) is None
    assert guard.started(finished) is not None


def test_two_starts_never_share_a_mark() -> None:
    assert Guard(UserRule()).nonce != Guard(UserRule()).nonce
