"""Fixtures: one client, and two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.fakes import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def two_clients(tmp_path: Path) -> World:
    return World(tmp_path, ("acme", "beta"))
