"""Debian's real WordPress whose plugins folder cannot be written: content goes across by REST, undo leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agencystack.components.wordpress import PLUGINS, PLUGINS_FOLDER, REST_USER
from agencystack.engine.planning import Status
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.testing import Installation
from tests.contract import wordpress_sites
from tests.contract.wordpress_sites import Site
from tests.integrations.data_bridge.conftest import Made

pytestmark = pytest.mark.real


@pytest.fixture
def site() -> Iterator[Site]:
    if reason := RealWordPress.available():
        pytest.skip(reason)
    with wordpress_sites.real() as found:
        plugins = found.path / "wp-content" / "plugins"
        plugins.chmod(0o555)
        yield found
        plugins.chmod(0o755)


def test_content_goes_across_by_rest(make: Made, site: Site) -> None:
    bench = make(shares={name: {"direction": "both"} for name in ("post", "page")}, books=False)
    wordpress = bench.described["clients"]["acme"]["components"]["wordpress"]
    wordpress |= {"url": site.url, "exec": {"local": True, "path": str(site.path)}}
    bench.describe()
    installed = Installation(bench, bench.place.home.root.parent)
    client = site.wordpress()
    assert not client.answer(PLUGINS_FOLDER).writable
    before = client.answer(PLUGINS)
    result = installed.integrate()
    assert result.status is Status.MANUAL, result.reason
    assert "cannot be written" in result.reason
    assert {proof.name: proof.ok for proof in result.proofs} == {
        "both sides answer": True,
        "a post there and back": True,
        "a page there and back": True,
    }
    client.forget()
    made = client.answer(REST_USER)
    assert made is not None
    assert (made.roles, made.capabilities, len(made.passwords)) == (("editor",), (), 1)
    assert installed.integrate().changes == []
    _, errors = installed.undo()
    assert errors == {}
    client.forget()
    assert (client.answer(REST_USER), client.answer(PLUGINS)) == (None, before)
