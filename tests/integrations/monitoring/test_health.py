"""An application's own account of its health: set up, proven, kept from strangers; and what a monitor asks of each."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from agencystack.components.erpnext import ErpNext
from agencystack.components.health import TOKEN_HEADER, token_hash
from agencystack.components.wordpress import HEALTH_TOKEN, WordPress
from agencystack.engine.integration import integration
from agencystack.engine.planning import Status
from agencystack.integrations.monitoring.monitored import Monitored
from agencystack.integrations.monitoring.own_health import TOLD, AppsHealth, OwnHealth
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.wordpress_stand_in import WordPressStandIn
from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef
from agencystack.stack.executors import executor_for
from agencystack.stack.model import Stack
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit, Installation
from agencystack.testing.conformance import ConformanceSuite
from tests.serving import served


@integration("monitoring", "wordpress", version=1)
class WordPressAlone(Monitored):
    """A WordPress's own account alone."""

    parts = (OwnHealth,)
    capabilities = OwnHealth.capabilities


@integration("monitoring", "erpnext", version=1)
class ErpNextAlone(Monitored):
    """An ERPNext's own account alone."""

    parts = (AppsHealth,)
    capabilities = AppsHealth.capabilities


class Proxy:
    """What stands before a product: it may be down, it may take headers out."""

    def __init__(self) -> None:
        self.app: Any = None
        self.up, self.takes, self.calls = True, "", 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        if not self.up:
            await PlainTextResponse("down", status_code=503)(scope, receive, send)
            return
        kept = [(name, value) for name, value in scope["headers"] if name.decode() != self.takes]
        await self.app({**scope, "headers": kept}, receive, send)


class HealthBench(Bench):
    """A product on a stand-in, behind a proxy; somebody else's Uptime Kuma is what the account is for."""

    def __init__(self, proxy: Proxy, url: str) -> None:
        self.proxy, self.url = proxy, url

    def describe(self, application: Mapping[str, Any]) -> None:
        name = self.integration.declaration.application
        acme = {"domain": "acme.example", "components": {name: {"url": self.url, **application}}}
        shared = {"components": {"uptime-kuma": {"url": "http://kuma.example"}}}
        described = {"version": 1, "shared": shared, "clients": {"acme": acme}}
        self.stack = Stack.model_validate_json(json.dumps(described))

    @contextlib.contextmanager
    def failing_proof(self) -> Iterator[None]:
        self.proxy.takes = TOKEN_HEADER.lower()
        yield
        self.proxy.takes = ""


class WordPressBench(HealthBench):
    """A WordPress."""

    def __init__(self, proxy: Proxy, url: str, folder: Path) -> None:
        super().__init__(proxy, url)
        self.integration = WordPressAlone()
        made = WordPressStandIn(folder / "acme", url, name="Acme", admin_email="a@acme.example")
        made.up()
        proxy.app, self.path = made.app, made.path
        self.describe({"exec": {"local": True, "path": str(made.path)}})
        where = ComponentRef("acme", "wordpress")
        executor = executor_for(where, Exec(local=True, path=str(made.path)))
        self.hand = WordPress(where, executor, str(made.path))

    def state(self) -> object:
        store = json.loads((self.path.parent / "store.json").read_text())
        return store["options"], store["plugins"]

    def calls(self) -> int:
        return self.proxy.calls

    def edit(self) -> Edit:
        theirs = token_hash(Secret("a token of somebody's"))
        self.hand.write_health_token(theirs)

        def present() -> bool:
            self.hand.forget()
            return self.hand.answer(HEALTH_TOKEN) == theirs

        return Edit("health token", "token", present)

    @contextlib.contextmanager
    def unreachable(self) -> Iterator[None]:
        self.proxy.up = False
        away = self.path.rename(self.path.with_name("away"))
        yield
        away.rename(self.path)
        self.proxy.up = True


class ErpNextBench(HealthBench):
    """An ERPNext."""

    def __init__(self, proxy: Proxy, url: str, folder: Path, *, connector_app: bool = True) -> None:
        super().__init__(proxy, url)
        self.integration = ErpNextAlone()
        made = ErpNextStandIn(folder / "site", connector_app=connector_app)
        proxy.app = made.app
        self.credentials = {"KEY": Secret(made.api_key), "SECRET": Secret(made.api_secret)}
        self.secrets = tuple(self.credentials.values())
        self.describe({"api_key": "env:KEY", "api_secret": "env:SECRET"})
        self.hand = ErpNext(ComponentRef("acme", "erpnext"), url, *self.secrets)

    def resolve(self, reference: Any) -> Secret:
        return self.credentials[reference.name]

    def state(self) -> object:
        return self.hand.login.connector_settings().model_dump(exclude={"modified"})

    def calls(self) -> int:
        return self.proxy.calls

    def edit(self) -> Edit:
        theirs = token_hash(Secret("a token of somebody's")).reveal()
        self.hand.login.update_connector({"health_token_hash": theirs})
        return Edit("health token", "token", lambda: self.hand.login.connector_settings().health_token_hash == theirs)

    @contextlib.contextmanager
    def unreachable(self) -> Iterator[None]:
        self.proxy.up = False
        yield
        self.proxy.up = True


@pytest.fixture
def proxy() -> Iterator[tuple[Proxy, str]]:
    made = Proxy()
    with served(made) as url:
        yield made, url


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that WordPress's own user can enter; pytest's cannot be when we are root."""
    made = Path(tempfile.mkdtemp(prefix="health-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def wordpress(proxy: tuple[Proxy, str], folder: Path) -> WordPressBench:
    return WordPressBench(*proxy, folder)


@pytest.fixture
def erpnext(proxy: tuple[Proxy, str], folder: Path) -> ErpNextBench:
    return ErpNextBench(*proxy, folder)


class TestWordPressConforms(ConformanceSuite):
    @pytest.fixture
    def bench(self, wordpress: WordPressBench) -> WordPressBench:
        return wordpress


class TestErpNextConforms(ConformanceSuite):
    @pytest.fixture
    def bench(self, erpnext: ErpNextBench) -> ErpNextBench:
        return erpnext


def test_the_proof_says_what_was_told(wordpress: WordPressBench, tmp_path: Path) -> None:
    installed = Installation(wordpress, tmp_path)
    installed.integrate()
    [proof] = installed.verify()
    assert (proof.name, proof.ok) == (TOLD, True)
    checks = dict.fromkeys(("cron", "database", "disk", "mail"), "ok")
    assert proof.evidence == {"status": "ok", "by": "agencystack-connector", "checks": checks, "look at": []}


def test_a_proxy_that_takes_the_token_out_is_named(wordpress: WordPressBench, tmp_path: Path) -> None:
    installed = Installation(wordpress, tmp_path)
    installed.integrate()
    with wordpress.failing_proof():
        [proof] = installed.verify()
    assert not proof.ok
    assert "let the proxy before it pass the header X-AgencyStack-Token on" in proof.reason


def test_a_site_that_shows_numbers_to_strangers_fails(wordpress: WordPressBench, tmp_path: Path) -> None:
    installed = Installation(wordpress, tmp_path)
    installed.integrate()
    token = sealed(installed).get("acme/monitoring/wordpress/health-token")
    assert token is not None
    inner = wordpress.proxy.app

    async def shown(scope: Any, receive: Any, send: Any) -> None:
        given = (TOKEN_HEADER.lower().encode(), token.reveal().encode())
        await inner({**scope, "headers": [*scope["headers"], given]}, receive, send)

    wordpress.proxy.app = shown
    [proof] = installed.verify()
    assert not proof.ok
    assert "to people without the token" in proof.reason


def sealed(installed: Installation) -> SealedStore:
    return SealedStore(installed.home.secrets_dir, installed.home.key_file)


def test_a_lost_token_is_made_anew(erpnext: ErpNextBench, tmp_path: Path) -> None:
    installed = Installation(erpnext, tmp_path)
    installed.integrate()
    before = erpnext.hand.login.connector_settings().health_token_hash
    sealed(installed).delete("acme/monitoring/erpnext/health-token")
    assert installed.integrate().status is Status.APPLIED
    assert erpnext.hand.login.connector_settings().health_token_hash not in {before, ""}
    assert all(proof.ok for proof in installed.verify())


def test_an_erpnext_without_the_app_is_seen_to_answer_and_the_plan_says_what_is_missed(
    proxy: tuple[Proxy, str], folder: Path, tmp_path: Path
) -> None:
    bench = ErpNextBench(*proxy, folder, connector_app=False)
    installed = Installation(bench, tmp_path)
    [warning] = installed.plan().warnings
    assert "scheduler, workers and mail are not looked at" in warning
    assert (installed.integrate().status, installed.integrate().changes) == (Status.APPLIED, [])
    [proof] = installed.verify()
    assert proof.ok
    assert proof.evidence["by"] == "/api/method/ping"
