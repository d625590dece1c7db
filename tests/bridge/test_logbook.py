"""What the bridge tells of itself: its log, in which no value of a record ever stands, and its numbers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import structlog

from agencystack.bridge.record import SideName
from agencystack.bridge.serving import logbook
from agencystack.bridge.serving.logbook import FILE, kept, told
from agencystack.bridge.serving.metrics import Count, counts, exposition
from agencystack.bridge.store import Store
from agencystack.bridge.store.conflicts import Conflict, ConflictKind
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import Postponed
from agencystack.bridge.store.pairings import PairingState
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.secrets import Secret

MINUTE = 60_000
NOW = 1_795_424_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(f"sqlite:///{tmp_path}/bridge.db")
    yield made
    made.close()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text("utf-8").splitlines()]


def test_a_line_says_what_happened_when_and_to_whom(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with kept(tmp_path / "bridge", "host-1-abc"):
        structlog.get_logger("agencystack.bridge").error("pairing paused", pairing="acme", reason="the site was copied")
        logging.getLogger("agencystack.bridge.serving.worker").warning("pairing %s: %s", "acme", "it is away")
    paused, away = lines(tmp_path / "bridge")
    assert {name: paused[name] for name in ("event", "pairing", "level", "worker")} == {
        "event": "pairing paused",
        "pairing": "acme",
        "level": "error",
        "worker": "host-1-abc",
    }
    assert paused["timestamp"].endswith("Z")
    assert (away["event"], away["level"], away["logger"]) == (
        "pairing acme: it is away",
        "warning",
        "agencystack.bridge.serving.worker",
    )
    assert "it is away" in capfd.readouterr().err, "who runs it by hand sees what goes wrong"
    assert (tmp_path / "bridge" / FILE).stat().st_mode & 0o777 == 0o600
    assert logging.getLogger().handlers == [one for one in logging.getLogger().handlers if one.name != FILE]


def test_neither_a_secret_nor_a_record_s_value_reaches_the_log(tmp_path: Path) -> None:
    secret = Secret("canary-secret-of-the-side")
    with kept(tmp_path, "one"):
        structlog.get_logger("agencystack.bridge").warning("changes not had", message=f"said {secret.reveal()}")
        try:
            raise ValueError("mara@canary.example")
        except ValueError:
            logging.getLogger("agencystack.bridge.serving.worker").exception(
                "pairing %s could not be attended to", "acme"
            )
            logging.getLogger("another.library").error("it broke\nwith mara@canary.example")
    assert "canary" not in (tmp_path / FILE).read_text("utf-8")
    _, broken, other = lines(tmp_path)
    assert broken["error"] == "ValueError"
    assert broken["at"][0].startswith("test_neither_a_secret")
    assert other["event"] == "it broke"


def test_a_long_file_is_put_aside_under_a_name_that_is_not_collected_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "MOST_BYTES", 2_000)
    log = structlog.get_logger("agencystack.bridge")
    with kept(tmp_path, "one"), kept(tmp_path, "two"):
        for number in range(20):
            log.warning("changes not had", number=number)
    aside = [json.loads(line) for line in (tmp_path / f"{FILE}.1").read_text("utf-8").splitlines()]
    assert {one["number"] for one in (*aside, *lines(tmp_path))} >= {19}
    assert [path.name for path in tmp_path.glob("*.jsonl")] == [FILE]
    assert (tmp_path / FILE).stat().st_size < 3_000


def test_a_file_that_was_taken_away_is_made_again_for_its_owner_alone(tmp_path: Path) -> None:
    log = structlog.get_logger("agencystack.bridge")
    with kept(tmp_path, "one"):
        log.warning("changes not had", number=1)
        (tmp_path / FILE).rename(tmp_path / "kept by logrotate")
        log.warning("changes not had", number=2)
    assert [line["number"] for line in lines(tmp_path)] == [2]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bridge").mkdir()
    (tmp_path / "bridge" / FILE).mkdir()
    with pytest.raises(ConfigurationError, match=r"cannot write .*bridge\.jsonl"), kept(tmp_path / "bridge", "one"):
        pass


def test_the_state_of_each_pairing_is_told_again_after_the_store_was_away(tmp_path: Path) -> None:
    asked, enough = 0, Event()

    def found() -> list[Count]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError("the database restarts")
        if asked == 3:
            enough.set()
        return [Count("acme", True, False, 3, 1, 61.5, 2, 1, 7.0, 40, 5)]

    with kept(tmp_path, "one"), told(found, lambda: 1, every=0.01):
        assert enough.wait(10)
    unknown, state = lines(tmp_path)[:2]
    assert (unknown["event"], unknown["error"]) == ("state unknown", "OSError")
    assert (state["event"], state["pairing"], state["oldest"], state["workers"]) == ("state", "acme", 61.5, 1)


def test_what_is_counted(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.pairings.create(NOW)
        transaction.inbox.add(SideName.WORDPRESS, [("order", "1")], "changed", NOW - 20 * MINUTE)
        transaction.inbox.add(SideName.WORDPRESS, [("product", "7")], "changed", NOW - 2 * MINUTE)
        (parked,) = transaction.inbox.claim("one", ["order"], NOW, NOW + MINUTE, 5)
        transaction.inbox.postpone([Postponed(parked, NOW + MINUTE, 1, "waits", "wordpress:product:7")])
        letter = DeadLetter("product", "link", SideName.ERPNEXT, "7", "", ("sku",), "no SKU", "write one")
        transaction.dead.record([letter], NOW - 90 * MINUTE)
        transaction.conflicts.record([Conflict("product", "link", "name", ConflictKind.FIELD)], NOW - 30 * MINUTE)
    with store.writing("beta") as transaction:
        transaction.pairings.create(NOW, PairingState.PAUSED)
    acme, beta = counts(store, NOW)
    assert acme == Count(
        "acme",
        active=True,
        paused=False,
        due=1,
        waiting=1,
        oldest=120.0,
        conflicts=1,
        dead=1,
        undecided=5400.0,
        written=0,
        refused=0,
    )
    assert beta == Count("beta", False, True, 0, 0, 0.0, 0, 0, 0.0, 0, 0)


def test_a_record_whose_side_is_away_counts_however_often_it_is_put_off(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.pairings.create(NOW)
        transaction.inbox.add(SideName.WORDPRESS, [("order", "1")], "changed", NOW - 20 * MINUTE)
        (hint,) = transaction.inbox.claim("one", ["order"], NOW, NOW + MINUTE, 5)
        transaction.inbox.postpone([Postponed(hint, NOW + 5 * MINUTE, 3, "not well")])
    (acme,) = counts(store, NOW)
    assert (acme.due, acme.waiting, acme.oldest) == (0, 1, 1200.0)


def test_numbers_as_prometheus_reads_them() -> None:
    text = exposition([Count("acme", True, False, 3, 1, 1200.5, 2, 1, 86_400_123.0, 40, 5)], ["one", "two"])
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert 'agencystack_bridge_active{client="acme"} 1' in rows
    assert 'agencystack_bridge_oldest_seconds{client="acme"} 1200.5' in rows
    assert 'agencystack_bridge_undecided_seconds{client="acme"} 86400123' in rows
    assert "agencystack_bridge_workers 2" in rows
    assert len(rows) == 11
