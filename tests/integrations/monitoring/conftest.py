"""A real Loki and a real Alloy for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.sandbox.alloy import PORTS as ALLOY_PORTS
from agencystack.sandbox.alloy import config_folder, real_alloy
from agencystack.sandbox.go_programs import ALLOY, LOKI
from agencystack.sandbox.go_service import GoService
from agencystack.sandbox.loki import PORTS as LOKI_PORTS
from agencystack.sandbox.loki import real_loki
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import ensure_ports


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GoService, GoService, Path]]:
    """Yield Alloy, Loki, and the folder of Alloy's files."""
    for program in (ALLOY, LOKI):
        if not program.path().exists():
            pytest.skip(f"the real {program.name} is not here: run {program.script}")
    folder = SandboxFolder(tmp_path_factory.mktemp("sandbox"))
    for path in (folder.run, folder.log, folder.data):
        path.mkdir(parents=True)
    ports = ensure_ports(folder.ports_file, (*ALLOY_PORTS, *LOKI_PORTS))
    alloy, loki = real_alloy(folder, ports), real_loki(folder, ports)
    loki.start()
    try:
        alloy.start()
        try:
            yield alloy, loki, config_folder(folder)
        finally:
            alloy.stop()
    finally:
        loki.stop()
