"""Sandboxes for tests: each in a folder of its own, ended and removed whatever happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.sandbox import api


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that an unprivileged user could enter, with a path short enough for sockets."""
    made = Path(tempfile.mkdtemp(prefix="sandbox-"))
    made.chmod(0o755)
    yield made / "home"
    api.down(made / "home")
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def module_folder() -> Iterator[Path]:
    """As ``folder``, shared by the tests of a module."""
    made = Path(tempfile.mkdtemp(prefix="sandbox-"))
    made.chmod(0o755)
    yield made / "home"
    api.down(made / "home")
    shutil.rmtree(made)
