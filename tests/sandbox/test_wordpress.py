"""The launcher of the real WordPress, and the stand-in's folder."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from agencystack.sandbox.process import read_record
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.sandbox.wordpress_stand_in import WordPressStandIn
from agencystack.stack.component import Exec
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.executors import executor_for
from tests.contract.wordpress_browsers import run_php
from tests.contract.wordpress_sites import WHERE, Site, reachable_folder

PATIENCE = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as found:
        yield found


@pytest.mark.real
def test_sites_share_one_database_and_end_with_it(folder: Path) -> None:
    wordpress = RealWordPress(folder, ("acme", "beta"))
    reason = wordpress.available()
    if reason:
        pytest.skip(reason)
    try:
        sites = wordpress.up()
        assert wordpress.running() == {"database": True, "acme": True, "beta": True}
        names = {client: _rest(site.url)["name"] for client, site in sites.items()}
        assert names == {"acme": "Acme shop", "beta": "Beta shop"}
        pids = {name: _pid(folder, name) for name in wordpress.running()}
        assert wordpress.up() == sites
        assert {name: _pid(folder, name) for name in wordpress.running()} == pids
        assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in pids.values())
    finally:
        wordpress.down()
    assert not any(wordpress.running().values())
    assert not [pid for pid in pids.values() if Path(f"/proc/{pid}").exists() and _state(pid) != "Z"]


@pytest.mark.real
def test_planned_work_is_done_while_a_site_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agencystack.sandbox.wordpress.CRON_SECONDS", 1)
    wordpress = RealWordPress(folder)
    reason = wordpress.available()
    if reason:
        pytest.skip(reason)
    try:
        made = wordpress.up()["acme"]
        site = Site(made.path, made.url, executor_for(WHERE, Exec(local=True, path=str(made.path))))
        run_php(site, "wp_schedule_single_event( time() - 10, 'acme_nightly' );")
        waiting = "echo wp_next_scheduled( 'acme_nightly' ) ? 'waiting' : 'done';"
        end = time.monotonic() + PATIENCE
        while run_php(site, waiting) == "waiting" and time.monotonic() < end:
            time.sleep(0.2)
        assert run_php(site, waiting) == "done"
        pid = _pid(folder, "acme-cron")
    finally:
        wordpress.down()
    assert not Path(f"/proc/{pid}").exists() or _state(pid) == "Z"


@pytest.mark.real
def test_what_a_site_holds_outlives_a_restart(folder: Path) -> None:
    wordpress = RealWordPress(folder)
    reason = wordpress.available()
    if reason:
        pytest.skip(reason)
    try:
        site = wordpress.up()["acme"]
        password, config = site.admin_password_file.read_text(), (site.path / "wp-config.php").read_bytes()
        wordpress.down()
        assert wordpress.up() == {"acme": site}
        assert site.admin_password_file.read_text() == password
        assert (site.path / "wp-config.php").read_bytes() == config
        assert _rest(site.url)["url"] == site.url
    finally:
        wordpress.down()


def test_a_machine_without_the_programs_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("agencystack.sandbox.wordpress.SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert RealWordPress.available() == "not installed: php, mariadbd, mariadb-install-db"
    with pytest.raises(ConfigurationError, match=r"mariadbd.*--real none"):
        RealWordPress(tmp_path).up()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands sites to another user")
def test_a_folder_the_sites_user_cannot_enter_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match="cannot be entered by"):
        WordPressStandIn(closed / "acme", "http://127.0.0.1:9", name="A", admin_email="a@b.example").up()


def test_the_stand_in_keeps_what_it_holds_and_serves_its_root(folder: Path) -> None:
    site = WordPressStandIn(folder / "acme", "http://127.0.0.1:9", name="Acme shop", admin_email="a@acme.example")
    site.up()
    store = folder / "acme" / "store.json"
    changed = json.loads(store.read_text()) | {"options": {"kept": True}}
    store.write_text(json.dumps(changed))
    site.up()
    assert json.loads(store.read_text())["options"] == {"kept": True}
    client = TestClient(site.app)
    assert client.get("/wp-json/").json()["name"] == "Acme shop"
    assert "wp/v2" in client.get("/wp-json/").json()["namespaces"]
    assert client.get("/wp-json/nope").json()["code"] == "rest_no_route"


def _rest(url: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{url}/wp-json/") as answer:
        found: dict[str, str] = json.load(answer)
        return found


def _pid(folder: Path, name: str) -> int:
    record = read_record(folder / "run" / f"{name}.json")
    assert record is not None
    return record.pid


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.real
def test_requests_and_php_errors_are_logged_as_a_web_server_does(folder: Path) -> None:
    wordpress = RealWordPress(folder)
    reason = wordpress.available()
    if reason:
        pytest.skip(reason)
    try:
        site = wordpress.up()["acme"]
        broken = site.path / "broken.php"
        broken.write_text("<?php throw new Exception('a probe');")
        agents = {"User-Agent": 'a "probe"'}
        for path in ("/?probe=1", "/wp-login.php", "/broken.php", "/wp-includes/js/wp-emoji-release.min.js"):
            httpx.get(site.url + path, headers=agents)
    finally:
        wordpress.down()
    said = [line.partition("] ")[2] for line in site.access_log.read_text().splitlines() if "probe" in line]
    assert said == [
        '"GET /?probe=1 HTTP/1.1" 200 - "-" "a \\x22probe\\x22"',
        '"GET /wp-login.php HTTP/1.1" 200 - "-" "a \\x22probe\\x22"',
        '"GET /broken.php HTTP/1.1" 500 - "-" "a \\x22probe\\x22"',
        '"GET /wp-includes/js/wp-emoji-release.min.js HTTP/1.1" 200 - "-" "a \\x22probe\\x22"',
    ]
    assert "PHP Fatal error:  Uncaught Exception: a probe" in site.php_log.read_text()
    assert site.access_log.stat().st_uid == site.path.stat().st_uid
