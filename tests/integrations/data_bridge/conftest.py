"""The two products of a bridge, served on loopback."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.data_bridge.bench import BridgeBench, Proxy
from tests.serving import served

Made = Callable[..., BridgeBench]


@pytest.fixture
def proxies() -> Iterator[Mapping[str, tuple[Proxy, str]]]:
    """What stands before WordPress and before ERPNext."""
    with ExitStack() as stack:
        made = {name: Proxy() for name in ("wordpress", "erpnext")}
        yield {name: (proxy, stack.enter_context(served(proxy))) for name, proxy in made.items()}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that WordPress's own user can enter; pytest's cannot be when we are root."""
    made = Path(tempfile.mkdtemp(prefix="bridge-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def make(proxies: Mapping[str, tuple[Proxy, str]], folder: Path, tmp_path: Path) -> Made:
    """Make the bench: at most one a test."""

    def made(**how: Any) -> BridgeBench:
        return BridgeBench(folder, proxies, tmp_path / "agencystack", **how)

    return made
