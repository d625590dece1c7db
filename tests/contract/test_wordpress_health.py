"""What a WordPress with our connector says of its health: to everybody, to whoever shows the token, and in trouble."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agencystack.components.health import SIGNATURE, TOKEN_HEADER, Endpoint, Health, Word, token_hash
from agencystack.components.wordpress import HEALTH_TOKEN, WordPress
from agencystack.components.wordpress.health import HEALTH, ROOT, health
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.sandbox.wordpress_stand_in import WordPressStandIn
from agencystack.stack.component import Exec
from agencystack.stack.errors import Refused, Unavailable
from agencystack.stack.executors import executor_for
from agencystack.stack.secrets import Secret, generate
from tests.contract import wordpress_sites
from tests.contract.wordpress_sites import WHERE, Site
from tests.serving import served

TOKEN = generate()


@contextlib.contextmanager
def _stand_in() -> Iterator[Site]:
    with wordpress_sites.reachable_folder() as folder, contextlib.ExitStack() as stack:
        made = WordPressStandIn(folder / "acme", "http://acme.example", name="Acme", admin_email="a@acme.example")
        made.up()
        url = stack.enter_context(served(made.app))
        yield Site(made.path, url, executor_for(WHERE, Exec(local=True, path=str(made.path))))


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    reason = RealWordPress.available() if request.param == "real" else None
    if reason:
        pytest.skip(reason)
    with _stand_in() if request.param == "stand-in" else wordpress_sites.real() as found:
        yield found


@pytest.fixture
def wordpress(site: Site) -> Iterator[WordPress]:
    """A client of a site with the connector, which nobody has asked for some seconds."""
    client = site.wordpress()
    client.install_connector()
    yield client
    client.remove_connector()


def asked(site: Site, token: Secret | None = None) -> Health:
    endpoint = Endpoint(WHERE, site.url)
    with contextlib.closing(endpoint):
        return health(endpoint, token)


def test_everybody_gets_words_and_only_the_token_gets_numbers(site: Site, wordpress: WordPress) -> None:
    wordpress.write_health_token(token_hash(TOKEN))
    answer = httpx.get(site.url + HEALTH)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith('{"from":"agencystack-connector","status":"ok"')
    words = dict.fromkeys(("database", "cron", "disk", "mail"), "ok")
    assert answer.json() == {"from": SIGNATURE, "status": "ok", "checks": words}
    for headers in ({TOKEN_HEADER: "another"}, {"Authorization": "Bearer another"}, {TOKEN_HEADER: ""}):
        assert httpx.get(site.url + HEALTH, headers=headers).json() == answer.json()
    told = asked(site, TOKEN)
    assert (told.status, told.is_ours, told.troubles) == (Word.OK, True, ())
    assert told.detail["software"]["wordpress"][0].isdigit()
    assert told.detail["database"]["milliseconds"] >= 0
    assert told.detail["cron"].keys() == {"late_seconds", "due", "oldest", "by_visitors"}
    assert told.detail["disk"]["free_bytes"] > 0
    assert told.detail["mail"] == {"by": "php"}
    assert told.detail["updates"].keys() == {"core", "plugins", "themes", "looked_at"}
    bearer = {"Authorization": f"Bearer {TOKEN.reveal()}"}
    assert httpx.get(site.url + HEALTH, headers=bearer).json()["detail"].keys() == told.detail.keys()


def test_pretty_permalinks_are_not_needed_and_do_not_hurt(site: Site, wordpress: WordPress) -> None:
    plain = httpx.get(site.url + HEALTH).json()
    assert httpx.get(site.url + "/wp-json/agencystack/v1/health").json() == plain


def test_a_site_without_token_tells_nobody_numbers(site: Site, wordpress: WordPress) -> None:
    for token in (Secret(""), Secret("0"), TOKEN):
        assert asked(site, token).detail == {}


def test_the_site_keeps_the_hash_of_the_token_alone(site: Site, wordpress: WordPress) -> None:
    assert wordpress.answer(HEALTH_TOKEN) is None
    wordpress.write_health_token(token_hash(TOKEN))
    assert wordpress.answer(HEALTH_TOKEN) == site.wordpress().answer(HEALTH_TOKEN) == token_hash(TOKEN)
    with pytest.raises(Refused, match="as its hash"):
        wordpress.write_health_token(TOKEN)
    assert asked(site, TOKEN).detail
    wordpress.write_health_token(None)
    assert site.wordpress().answer(HEALTH_TOKEN) is None
    assert asked(site, TOKEN).detail == {}


def test_without_the_connector_a_site_that_answers_is_well(site: Site) -> None:
    assert site.wordpress().answer(HEALTH_TOKEN) is None
    assert asked(site, TOKEN) == Health(Word.OK, by=ROOT)


def test_a_site_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    endpoint = Endpoint(WHERE, "http://127.0.0.1:9")
    with contextlib.closing(endpoint), pytest.raises(Unavailable, match="did not answer"):
        health(endpoint)
