"""Which product does not reach the bridge is named, with the remedy; without that the bridge works, only later."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agencystack.components.bridge_settings import BridgeState
from agencystack.engine.planning import Status
from agencystack.integrations.data_bridge.reaching import ErpNextReaches
from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef
from agencystack.stack.executors import executor_for
from agencystack.stack.users import UserRule
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import BridgeBench
from tests.integrations.data_bridge.conftest import Made
from tests.serving import served

ERPNEXT = ComponentRef("acme", "erpnext")


def answering(status: int) -> Starlette:
    return Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("", status), methods=["POST"])])


def listens_at(bench: BridgeBench, url: str) -> None:
    bench.described["bridge"]["url"] = url
    bench.describe()


@pytest.fixture
def bench(make: Made) -> BridgeBench:
    return make(shares={"customer": {"direction": "both"}})


@pytest.fixture
def installed(bench: BridgeBench) -> Installation:
    return Installation(bench, bench.place.home.root.parent)


def warnings(installed: Installation) -> list[str]:
    return [one for one in installed.plan().warnings if "does not reach" in one]


def test_a_bridge_that_answers_the_unsigned_is_reached(bench: BridgeBench, installed: Installation) -> None:
    with served(answering(401)) as url:
        listens_at(bench, url)
        assert warnings(installed) == []


def test_a_wordpress_that_reaches_somebody_else_is_named(bench: BridgeBench, installed: Installation) -> None:
    with served(answering(404)) as url:
        listens_at(bench, url)
        [warning] = warnings(installed)
    assert f"WordPress does not reach the bridge at {url}/hooks/acme/wordpress: it was answered 404" in warning


def test_a_wordpress_that_reaches_nobody_is_a_warning_alone(bench: BridgeBench, installed: Installation) -> None:
    listens_at(bench, "http://127.0.0.1:9")
    result = installed.integrate()
    assert result.status is Status.APPLIED
    [warning] = warnings(installed)
    assert "cURL error 7" in warning
    assert "within half a minute" in warning


class Site:
    """An ERPNext as far as its way to the bridge goes."""

    where = ERPNEXT

    def __init__(self, failed: int) -> None:
        self._failed = failed

    def state(self) -> BridgeState:
        return BridgeState(pairing="acme", failed_hints=self._failed)

    configure = part = state


@pytest.mark.parametrize(("failed", "told"), [(0, 0), (3, 1)])
def test_without_a_way_to_the_bench_our_app_tells(bench: BridgeBench, failed: int, told: int) -> None:
    one = ErpNextReaches(Site(failed), "http://bridge.example/hooks/acme/erpnext", bench.place, None)  # type: ignore[arg-type]
    found = one.read().warnings
    assert len(found) == told
    assert all("the last 3 calls of our app failed" in warning for warning in found)


def test_the_bench_calls_itself(bench: BridgeBench, tmp_path: Path) -> None:
    python = tmp_path / "env/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath("/usr/bin/python3"))
    run = executor_for(ERPNEXT, Exec(local=True), user=UserRule(may_be_root=True))

    def read(url: str) -> list[str]:
        hook = f"{url}/hooks/acme/erpnext"
        return list(ErpNextReaches(Site(9), hook, bench.place, (run, str(tmp_path))).read().warnings)  # type: ignore[arg-type]

    with served(answering(401)) as url:
        assert read(url) == []
    [warning] = read(url)
    assert "ERPNext does not reach the bridge" in warning
    assert "refused" in warning
    assert json.dumps(warning)
