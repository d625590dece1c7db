"""Secrets that are opened again and again: redaction knows them all, and learns each once."""

import pytest

from agencystack.stack import secrets
from agencystack.stack.secrets import MASK, Secret, redact


def test_a_secret_that_is_opened_again_is_learnt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    learn = secrets._quoted
    monkeypatch.setattr(secrets, "_quoted", lambda value: asked.append(value) or learn(value))
    value = 'a "secret" that a worker opens\tevery second'
    for _ in range(3):
        assert Secret(value).reveal() == value
    assert asked.count(value) == 1
    assert value not in redact(f"log: {value!r} and {value}")
    assert MASK in redact(value)
