"""One sandbox for all tests of this folder, brought back to a known state before each of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.sandbox import api, go_programs, keycloak_program
from tests.e2e.lab import Lab
from tests.e2e.sso_lab import SsoLab, sso_lab


@pytest.fixture(scope="session")
def _lab() -> Iterator[Lab]:
    # Not pytest's own folder: as root, the products' users must be able to enter it.
    folder = Path(tempfile.mkdtemp(prefix="e2e-"))
    folder.chmod(0o755)
    api.up(folder / "home", real="none")
    lab = Lab(folder / "home", folder / "copies")
    (folder / "copies").mkdir(mode=0o700)
    try:
        lab.save("fresh")
        lab.integrated()
        lab.save("applied")
        yield lab
    finally:
        api.down(folder / "home")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def sso() -> Iterator[SsoLab]:
    """A sandbox with a real Keycloak, as the test before left it: each brings it to where it begins."""
    obstacle = keycloak_program.obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    with sso_lab() as made:
        yield made


@pytest.fixture(scope="session")
def watched() -> Iterator[Lab]:
    """A sandbox with a real Loki and a real Alloy, whose mail is connected; each test leaves monitoring undone."""
    for program in (go_programs.LOKI, go_programs.ALLOY):
        obstacle = program.obstacle()
        if obstacle is not None:
            pytest.skip(obstacle)
    folder = Path(tempfile.mkdtemp(prefix="watched-"))
    folder.chmod(0o755)
    api.up(folder / "home", real=("auto", "loki", "alloy"))
    made = Lab(folder / "home", folder / "copies")
    try:
        made.integrated()
        yield made
    finally:
        api.down(folder / "home")
        shutil.rmtree(folder)


@pytest.fixture
def lab(_lab: Lab) -> Lab:
    """Freshly installed products, nothing integrated."""
    _lab.load("fresh")
    return _lab


@pytest.fixture
def applied(_lab: Lab) -> Lab:
    """Every application integrated and proven."""
    _lab.load("applied")
    return _lab
