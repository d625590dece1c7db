"""One sandbox for all tests of this folder, of which each test gets freshly installed products."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.sandbox import api
from tests.e2e.lab import Lab
from tests.integrations.email.fakes import DOOR, MODULES


@pytest.fixture(scope="session")
def _lab() -> Iterator[Lab]:
    # Not pytest's own folder: as root, the products' users must be able to enter it.
    folder = Path(tempfile.mkdtemp(prefix="integrations-"))
    folder.chmod(0o755)
    api.up(folder / "home", real="none")
    lab = Lab(folder / "home", folder / "copies")
    (folder / "copies").mkdir(mode=0o700)
    try:
        lab.save("fresh")
        yield lab
    finally:
        api.down(folder / "home")
        shutil.rmtree(folder)


@pytest.fixture
def lab(_lab: Lab) -> Iterator[Lab]:
    """Freshly installed products, nothing integrated."""
    _lab.load("fresh")
    yield _lab
    # These tests do not use the command line, so the lab does not see that they changed something.
    _lab.edit(lambda _stack: None)


@pytest.fixture
def known_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail is handed in at port 465; how that is found out is tested on the sandbox."""
    for module in MODULES:
        monkeypatch.setattr(module, "find_submission", lambda _site: DOOR)
