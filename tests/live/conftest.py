"""The installation that AGENCYSTACK_TEST_STACK names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 900


class Live:
    """The installation a stack.yaml belongs to.

    Args:
        stack: the file.
    """

    def __init__(self, stack: Path) -> None:
        self.stack = stack
        self.environment = dict(os.environ) | {"AGENCYSTACK_HOME": str(stack.parent)}
        # A sandbox keeps the key of its sealed store to itself; every other installation has it where it usually is.
        own_key = stack.parent / "sandbox" / "key"
        if own_key.parent.is_dir():
            self.environment |= {
                "AGENCYSTACK_KEY_FILE": str(own_key),
                "AGENCYSTACK_LOG_DIR": str(stack.parent / "log"),
            }

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a command and return its exit code and object."""
        done = subprocess.run(
            [sys.executable, "-m", "agencystack", *arguments, "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="session")
def live() -> Live:
    stack = os.environ.get("AGENCYSTACK_TEST_STACK")
    if not stack:
        pytest.skip("AGENCYSTACK_TEST_STACK names no stack.yaml")
    path = Path(stack).absolute()
    assert path.name == "stack.yaml", f"{path} must be called stack.yaml: its folder is the AGENCYSTACK_HOME"
    assert path.is_file(), f"{path} does not exist"
    return Live(path)
