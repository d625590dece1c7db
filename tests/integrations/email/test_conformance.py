"""The four built-in e-mail integrations pass the suite every integration must pass, against the sandbox's products."""

from __future__ import annotations

from pathlib import Path

import pytest

from agencystack.testing import Bench
from agencystack.testing.conformance import ConformanceSuite
from tests.e2e.lab import Lab
from tests.integrations.email.bench import HANDS, SandboxBench


class TestConformance(ConformanceSuite):
    """Every test of the suite, for each of the four."""

    @pytest.fixture(params=HANDS)
    def bench(self, request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Bench:
        return SandboxBench(lab, request.param, tmp_path)
