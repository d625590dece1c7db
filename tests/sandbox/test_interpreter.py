"""A product's user who cannot read our libraries runs our programs by copies of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agencystack.sandbox import interpreter


def test_libraries_nobody_else_can_read_are_copied_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "_all_can_read", lambda _folder: False)
    copies = tmp_path / "libraries"
    command = interpreter.python_for_products("agencystack.sandbox.chatwoot", copies)
    told = f"import sys; sys.path[:0] = [{str(copies)!r}]; import agencystack.sandbox.chatwoot as m; print(m.__file__)"
    done = subprocess.run([command[0], "-I", "-c", told], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(copies / "agencystack/sandbox/chatwoot.py"), done.stderr
    assert {path.stat().st_mode & 0o777 for path in copies.rglob("*")} == {0o755, 0o644}
    assert repr(str(copies)) in command[3]
