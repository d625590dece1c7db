"""The data bridge passes the suite every integration must pass, with our app in ERPNext and without it."""

from __future__ import annotations

import pytest

from agencystack.testing import Bench
from agencystack.testing.conformance import ConformanceSuite
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
