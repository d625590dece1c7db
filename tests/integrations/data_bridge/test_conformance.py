"""The data bridge passes the suite every integration must pass: with plugin and app, and without each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agencystack.testing import Bench
from agencystack.testing.conformance import ConformanceSuite
from tests.integrations.data_bridge.bench import BenchWithoutPlugin, Proxy
from tests.integrations.data_bridge.conftest import Made


class TestConforms(ConformanceSuite):
    """With plugin and app."""

    @pytest.fixture
    def bench(self, make: Made) -> Bench:
        return make()


class TestConformsWithoutTheApp(ConformanceSuite):
    """By ERPNext's REST interface alone, as a user of its own."""

    @pytest.fixture
    def bench(self, make: Made) -> Bench:
        return make(connector_app=False)


class TestConformsWithoutThePlugin(ConformanceSuite):
    """By WordPress's REST interface alone, as a user of its own."""

    @pytest.fixture
    def bench(self, folder: Path, proxies: Mapping[str, tuple[Proxy, str]], tmp_path: Path) -> Bench:
        return BenchWithoutPlugin(folder, proxies, tmp_path / "agencystack")
