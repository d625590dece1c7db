"""Workers as a host runs them: killed, ended, refused, and cut off from their database, while people go on working."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agencystack.bridge.record import SideName
from agencystack.bridge.store import Store
from agencystack.stack import bridge_files
from agencystack.stack.backup import backup, restore
from agencystack.stack.errors import ConfigurationError
from tests.bridge.fleet.products import Products
from tests.bridge.fleet.running import Course, run
from tests.bridge.fleet.workers import Installation, kill
from tests.bridge.postgres import postgres, server

PATIENCE = 180.0
QUICKLY = 25.0
"""Seconds for what must not wait for a silence of 30 s."""


def test_workers_on_postgresql_that_are_killed_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    with postgres() as url:
        outcome = run(tmp_path, url, Course(seconds=15, workers=2, kills=3, pairings=2), seed=1)
    assert outcome.kills == 3
    assert outcome.writes > 0
    assert not outcome.wrong, "\n".join(outcome.wrong)


@pytest.fixture
def products() -> Iterator[Products]:
    made = Products("acme")
    with made.serving():
        yield made


@contextmanager
def serving(installation: Installation) -> Iterator[subprocess.Popen[bytes]]:
    """Have `agencystack serve` run, and end it."""
    process = started(installation)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def started(installation: Installation) -> subprocess.Popen[bytes]:
    process = installation.start("serve")
    assert_eventually(lambda: health(installation) == 200, lambda: installation.log())
    return process


def health(installation: Installation) -> int:
    """Return the status of its health, 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"{installation.url}/health", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def samples(installation: Installation) -> dict[str, float]:
    """Return its metrics, read as Prometheus reads them; fails where that would refuse a line."""
    with urllib.request.urlopen(f"{installation.url}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    assert text.endswith("\n")
    told: set[tuple[str, str]] = set()
    found: dict[str, float] = {}
    for line in text.splitlines():
        if about := re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line):
            assert (about[1], about[2]) not in told, f"twice: {line}"
            assert about[1] == "HELP" or about[3] in {"gauge", "counter"}
            told.add((about[1], about[2]))
            continue
        sample = re.fullmatch(r'(([a-z_]+)(\{([a-z_]+="[^"\\]*",?)+\})?) ([-+0-9.e]+|NaN|[-+]Inf)', line)
        assert sample, f"no sample: {line}"
        assert {("HELP", sample[2]), ("TYPE", sample[2])} <= told, f"nothing said of it before: {line}"
        assert sample[1] not in found, f"twice: {line}"
        found[sample[1]] = float(sample[5])
    return found


def assert_eventually(
    true: Callable[[], bool], why: Callable[[], str] = lambda: "", patience: float = PATIENCE
) -> float:
    """Wait until something is true, and return how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < patience, f"it did not come: {why()}"
        time.sleep(0.05)
    return time.monotonic() - began


def product(products: Products, sku: str) -> None:
    products.in_shop("POST", "products", {"sku": sku, "name": sku, "type": "simple", "regular_price": "10.00"})


def items(products: Products) -> list[str]:
    return [one["name"] for one in products.documents("Item")]


def test_a_killed_service_goes_on_within_seconds_of_its_next_start_and_a_second_one_is_refused(
    tmp_path: Path, products: Products
) -> None:
    installation = Installation(tmp_path, [products])
    first = started(installation)
    for number in range(30):
        product(products, f"S-{number}")
    assert_eventually(lambda: "S-0" in items(products) or "S-1" in items(products), installation.log)
    kill(first)
    product(products, "S-LATE")
    with serving(installation):
        assert_eventually(lambda: set(items(products)) >= {"S-LATE", *(f"S-{n}" for n in range(30))}, patience=QUICKLY)
        codes = items(products)
        assert len(codes) == len(set(codes))
        assert 'agencystack_bridge_active{client="acme"}' in samples(installation)
        second = installation.start("serve", "--listen", "127.0.0.1:1", name="second")
        assert second.wait(PATIENCE) not in (0, None)
        assert health(installation) == 200
    said = " ".join((tmp_path / "second.out").read_text().split())
    assert "another process serves the bridge" in said
    assert "Traceback" not in said


def test_a_terminated_service_ends_its_batch_gives_up_its_claims_and_says_goodbye(
    tmp_path: Path, products: Products
) -> None:
    installation = Installation(tmp_path, [products])
    process = started(installation)
    for number in range(300):
        product(products, f"S-{number}")
    assert_eventually(lambda: len(items(products)) > 2, installation.log)
    process.terminate()
    assert process.wait(PATIENCE) == 0
    with installation.place.opened() as store, store.reading("acme") as reading:
        held = reading.connection.exec_driver_sql("select count(*) from lease").scalar()
        claims = reading.connection.exec_driver_sql("select count(*) from shift where owner <> ''").scalar()
        workers = reading.connection.exec_driver_sql("select count(*) from worker").scalar()
        taken = reading.connection.exec_driver_sql("select count(*) from inbox where claimed_until > 0").scalar()
    assert (held, claims, workers, taken) == (0, 0, 0, 0)
    assert len(items(products)) < 302, "it ended after a batch, not after all"


def test_a_database_that_restarts_ends_no_worker(tmp_path: Path, products: Products) -> None:
    with server() as database:
        installation = Installation(tmp_path, [products], database.url)
        with serving(installation) as process:
            product(products, "S-1")
            assert_eventually(lambda: "S-1" in items(products), installation.log)
            database.stop()
            assert_eventually(lambda: health(installation) == 503)
            product(products, "S-2")
            database.start()
            assert_eventually(lambda: "S-2" in items(products), installation.log)
            assert_eventually(lambda: health(installation) == 200)
            assert process.poll() is None


def test_a_side_that_is_down_and_a_broken_pairing_hold_up_no_other(tmp_path: Path) -> None:
    clients = [Products(name) for name in ("down", "broken", "well")]
    down, broken, well = clients
    with down.serving(), broken.serving(), well.serving():
        installation = Installation(tmp_path, clients)
        down.up[SideName.ERPNEXT] = False
        with installation.place.opened() as store, store.writing("broken") as writing:
            assert writing.pairings.save_sharing("{this is no sharing", 1, 1)
        with serving(installation):
            product(down, "D-1")
            for number in range(5):
                product(well, f"W-{number}")
                assert_eventually(lambda sku=f"W-{number}": sku in items(well), installation.log, QUICKLY)
            down.up[SideName.ERPNEXT] = True
            assert_eventually(lambda: "D-1" in items(down), installation.log)
    assert "what broken shares cannot be read" in installation.log()


def test_a_call_of_a_product_is_followed_at_once(tmp_path: Path) -> None:
    address: list[str] = []
    products = Products("acme", lambda: address[0] if address else "")
    with products.serving():
        installation = Installation(tmp_path, [products])
        with serving(installation):
            product(products, "S-0")
            assert_eventually(lambda: "S-0" in items(products), installation.log)
            address.append(installation.url)
            waits = []
            for number in range(1, 6):
                product(products, f"S-{number}")
                waits.append(assert_eventually(lambda sku=f"S-{number}": sku in items(products), installation.log))
    assert products.hinters[SideName.WORDPRESS].lost == 0
    assert sorted(waits)[2] < 2.0, f"asking every 5 s alone takes longer: {waits}"


def test_a_restored_backup_is_compared_and_finds_what_came_after_it(tmp_path: Path) -> None:
    products = Products("acme")
    with products.serving():
        installation = Installation(tmp_path, [products])
        with serving(installation):
            for number in range(3):
                product(products, f"S-{number}")
            assert_eventually(lambda: len(items(products)) == 5 and not products.untold(), installation.log)
            packed = backup(installation.home, tmp_path / "packed.tar.gz").path
            product(products, "S-AFTER")
            rename(products, "S-0", "renamed after the backup")
            assert_eventually(
                lambda: name(products, "S-0") == "renamed after the backup" and "S-AFTER" in items(products)
            )
            assert_eventually(lambda: not products.untold())
            with pytest.raises(ConfigurationError, match="at work"):
                restore(installation.home, packed)
        restore(installation.home, packed)
        rename(products, "S-1", "found again")
        products.shop.state.data.marks.clear()  # nobody tells of it
        with serving(installation):
            assert_eventually(lambda: name(products, "S-1") == "found again", installation.log)
            with installation.place.opened() as store:
                assert_eventually(lambda: linked(store) == 4, installation.log)
        assert sorted(items(products)) == ["FEE", "S-0", "S-1", "S-2", "S-AFTER", "SHIPPING"], "nothing is there twice"
        assert name(products, "S-0") == "renamed after the backup"
        assert len(products.shop.state.data.products) == 4
        assert bridge_files.asked(installation.home.bridge_dir) == []


def linked(store: Store) -> int:
    """Return how many products are linked."""
    with store.reading("acme") as reading:
        query = "select count(*) from link where entity = 'product' and wordpress_id is not null and erpnext_id <> ''"
        return int(reading.connection.exec_driver_sql(query).scalar() or 0)


def rename(products: Products, sku: str, name: str) -> None:
    (id_,) = [id_ for id_, one in products.shop.state.data.products.items() if one["sku"] == sku]
    products.in_shop("PUT", f"products/{id_}", {"name": name})


def name(products: Products, sku: str) -> str:
    return next((str(one["item_name"]) for one in products.documents("Item") if one["name"] == sku), "")
