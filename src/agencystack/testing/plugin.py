"""Makes pytest show the values behind a failed assertion of the conformance suite, as it does for a test's own."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("agencystack.testing.conformance")
