"""Sandboxes for tests: each in a folder of its own, ended and removed whatever happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
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
def module_folder_of() -> Iterator[Callable[[], Path]]:
    """Makes folders as ``folder``, kept for all tests of a module."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="sandbox-")))
        made[-1].chmod(0o755)
        return made[-1] / "home"

    yield make
    for path in made:
        api.down(path / "home")
        shutil.rmtree(path)
