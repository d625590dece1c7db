"""A real WordPress that fails on purpose: through a real Alloy into a real Loki, as one entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from agencystack.components.health import TOKEN_HEADER, token_hash
from agencystack.components.wordpress import WordPress
from agencystack.components.wordpress.canary import CANARY, fail
from agencystack.engine.planning import Status
from agencystack.engine.session import Wish
from agencystack.integrations.monitoring.health_token import sealed_token
from agencystack.sandbox.go_service import GoService
from agencystack.sandbox.wordpress import RealSite, RealWordPress
from agencystack.stack.component import Exec
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef
from agencystack.stack.executors import executor_for
from agencystack.stack.secrets import Secret, generate
from tests.contract.wordpress_sites import reachable_folder
from tests.integrations.monitoring.hosts import Host

pytestmark = pytest.mark.real
WHERE = ComponentRef("acme", "wordpress")
WORD = "agencystack-canary-00112233445566aa"


@dataclass
class Site:
    """A WordPress with our connector, which knows a token."""

    real: RealSite
    wordpress: WordPress
    token: Secret


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    token = generate()
    with reachable_folder() as folder:
        wordpress = RealWordPress(folder)
        try:
            real = wordpress.up()["acme"]
            where = Exec(local=True, path=str(real.path))
            client = WordPress(WHERE, executor_for(WHERE, where), str(real.path))
            client.install_connector()
            client.write_health_token(token_hash(token))
            yield Site(real, client, token)
        finally:
            wordpress.down()


def test_only_who_shows_the_token_makes_it_fail_and_only_with_our_word(site: Site) -> None:
    before = site.real.php_log.read_text() if site.real.php_log.exists() else ""
    with pytest.raises(AuthenticationFailed):
        fail(WHERE, site.real.url, WORD, generate())
    with httpx.Client(base_url=site.real.url) as person:
        assert person.post(CANARY, json={"word": WORD}).status_code == 401
        headers = {TOKEN_HEADER: site.token.reveal()}
        assert person.get(CANARY, headers=headers).status_code == 404
        assert person.post(CANARY, json={"word": "a line of\nmy own"}, headers=headers).status_code == 400
        assert person.post(CANARY, json={"word": [WORD]}, headers=headers).status_code == 400
    with pytest.raises(BadAnswer, match="answered 400 where PHP was to fail"):
        fail(WHERE, site.real.url, "anything", site.token)
    assert (site.real.php_log.read_text() if site.real.php_log.exists() else "") == before
    assert fail(WHERE, site.real.url, WORD, site.token) == 500
    assert f"Uncaught RuntimeException: {WORD}" in site.real.php_log.read_text()


def test_a_fatal_with_its_trace_is_one_entry(
    site: Site, sandbox: tuple[GoService, GoService, Path], tmp_path: Path
) -> None:
    alloy, loki, config = sandbox
    php_log = str(site.real.php_log)
    application = {
        "url": site.real.url,
        "exec": {"local": True, "path": str(site.real.path)},
        "logs": [{"stream": "access", "file": str(site.real.access_log)}, {"stream": "php", "file": php_log}],
    }
    shared = {
        "loki": {"url": loki.url},
        "alloy": {"url": alloy.url, "exec": {"local": True}, "config": str(config)},
    }
    host = Host(tmp_path, shared, {"acme": {"wordpress": application}})
    remember(host, site.token)
    [result] = host.integrate()
    assert (result.error, result.status) == (None, Status.APPLIED), result.reason
    request, fatal = result.proofs
    assert request.name == "a unique event is found in the log store"
    assert (fatal.name, fatal.ok) == ("a PHP fatal with a trace is one entry", True)
    assert (fatal.evidence["entries"], fatal.evidence["answered"]) == (1, 500)
    assert fatal.evidence["labels"]["level"] in {"error", "critical"}


def remember(host: Host, token: Secret) -> None:
    """Keep the token where the part that makes the site tell its health keeps it."""
    with host.session() as opened:
        [(_, wordpress)] = opened.select(Wish()).sites
        sealed_token(wordpress).put(token)
