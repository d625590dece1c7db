"""The time of the recordings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.contract.erpnext_selling.test_recordings import recorded


@pytest.fixture
def recorded_day() -> Callable[[], datetime]:
    """Return a clock of the day of the recordings; prices made then are valid from it."""
    return recorded()
