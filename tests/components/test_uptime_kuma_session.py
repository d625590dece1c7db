"""A login is kept over runs: by its token nothing is counted, and no other server ever sees it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from agencystack.components.uptime_kuma import UptimeKuma
from agencystack.components.uptime_kuma.session import Session
from agencystack.sandbox.uptime_kuma import ADMIN
from agencystack.stack.errors import AuthenticationFailed
from agencystack.stack.secrets import Secret
from tests.contract.test_uptime_kuma import Raw
from tests.uptime_kuma import PASSWORD, WHERE, Kuma, stand_in_kuma


class Kept:
    """A memory that can be looked into."""

    def __init__(self, value: Secret | None = None) -> None:
        self.value = value

    def get(self) -> Secret | None:
        return self.value

    def put(self, value: Secret) -> None:
        self.value = value

    def delete(self) -> None:
        self.value = None


def version(kuma: Kuma, memory: Kept, password: str = PASSWORD) -> str:
    """Ask as a run of its own does."""
    client = UptimeKuma(WHERE, kuma.url, user=ADMIN, password=Secret(password), memory=memory)
    with contextlib.closing(client):
        return client.version()


def test_many_runs_within_a_minute_are_no_many_logins(tmp_path: Path) -> None:
    memory = Kept()
    with stand_in_kuma(tmp_path) as kuma:
        assert version(kuma, memory) == "2.5.3"
        with contextlib.closing(Raw(kuma.url)) as stranger:
            for _ in range(20):
                stranger.log_in("wrong")
        assert version(kuma, memory) == "2.5.3"


def test_a_token_that_does_not_count_any_more_is_replaced(tmp_path: Path) -> None:
    with stand_in_kuma(tmp_path) as kuma:
        stale = json.dumps({"url": kuma.url, "user": ADMIN, "token": "of-another-time"})
        memory = Kept(Secret(stale))
        assert version(kuma, memory) == "2.5.3"
        assert memory.value is not None
        assert json.loads(memory.value.reveal())["token"] != "of-another-time"


def test_a_wrong_password_beside_a_stale_token_is_named(tmp_path: Path) -> None:
    with stand_in_kuma(tmp_path) as kuma:
        memory = Kept(Secret(json.dumps({"url": kuma.url, "user": ADMIN, "token": "of-another-time"})))
        with pytest.raises(AuthenticationFailed):
            version(kuma, memory, "wrong")
        assert memory.value is None


@pytest.mark.parametrize(("url", "user"), [("https://other.example", "admin"), ("https://status.example", "root")])
def test_another_server_or_user_never_gets_it(url: str, user: str) -> None:
    memory = Kept()
    Session("https://status.example", "admin", memory).keep("secret-token")
    assert Session("https://status.example", "admin", memory).token == "secret-token"
    assert Session(url, user, memory).token is None
