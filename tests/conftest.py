"""What holds for every test: a secret of one test masks nothing in the next."""

from __future__ import annotations

import pytest

from agencystack.stack import secrets


@pytest.fixture(autouse=True)
def secrets_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this test know the secrets known so far (those of its module's fixtures), and forget its own after it."""
    monkeypatch.setattr(secrets, "_known", secrets._known.copied())
