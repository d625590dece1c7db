"""Keys are exchanged without a gap: old and new are good until the proof has passed, and only the new one after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from agencystack.bridge.record import SideName
from agencystack.bridge.sides.erpnext.app import AppCalls
from agencystack.bridge.sides.erpnext.exchange import Exchange
from agencystack.bridge.sides.wordpress.calls import PluginCalls
from agencystack.bridge.signing import SigningKey
from agencystack.components.woocommerce import RestApi
from agencystack.engine.integration import Evidence
from agencystack.engine.planning import Status
from agencystack.integrations.data_bridge.joined import ErpNextKeeper, WordPressKeeper
from agencystack.integrations.data_bridge.proofs import SidesAnswer
from agencystack.stack.errors import AgencyStackError, ComponentRef
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import BridgeBench
from tests.integrations.data_bridge.conftest import Made

Keys = Mapping[SideName, Sequence[SigningKey]]


@pytest.fixture
def bench(make: Made) -> BridgeBench:
    return make(shares={"customer": {"direction": "both"}})


@pytest.fixture
def installed(bench: BridgeBench, tmp_path: object) -> Installation:
    made = Installation(bench, bench.place.home.root.parent)
    assert made.integrate().status is Status.APPLIED
    return made


def known(bench: BridgeBench) -> Keys:
    """The keys the workers know, by side; the first is the one they sign with."""
    return {side: bench.place.keyring.needed("acme", side).keys for side in SideName}


def answers(bench: BridgeBench, side: SideName, key: SigningKey) -> bool:
    """Say whether a product takes a call that is signed with a key."""
    urls = {name: settings.url for name, (_, settings) in bench.stack.components("acme").items()}
    try:
        if side is SideName.WORDPRESS:
            api = RestApi(ComponentRef("acme", "wordpress"), urls["wordpress"])
            PluginCalls(api, key).ask("changes", {"acknowledge": [], "limit": 0})
        else:
            exchange = Exchange(ComponentRef("acme", "erpnext"), urls["erpnext"])
            AppCalls(exchange, key).ask("changes", {"acknowledge": [], "limit": 0})
    except AgencyStackError:
        return False
    return True


def test_both_keys_are_good_until_the_proof_has_passed(
    bench: BridgeBench, installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, seen = known(bench), []
    proof = SidesAnswer.run

    def watching(self: SidesAnswer) -> Evidence:
        now = known(bench)
        for side in SideName:
            assert now[side][0].id != old[side][0].id, "the workers sign with the new key by now"
            seen.append((side, answers(bench, side, old[side][0]), answers(bench, side, now[side][0])))
            assert {key.id for key in now[side]} == {old[side][0].id, now[side][0].id}, "hints signed with either pass"
        return proof(self)

    monkeypatch.setattr(SidesAnswer, "run", watching)
    assert installed.rotate().status is Status.APPLIED
    assert seen == [(side, True, True) for side in SideName]
    for side in SideName:
        [new] = known(bench)[side]
        assert (answers(bench, side, old[side][0]), answers(bench, side, new)) == (False, True)
    assert installed.plan().changes == []


def test_no_call_is_refused_while_keys_change(
    bench: BridgeBench, installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each write of the run, what the workers sign with is good."""
    checked: list[bool] = []

    def watched(side: SideName, real: Callable[..., None]) -> Callable[..., None]:
        def configure(self: object, settings: object) -> None:
            checked.append(answers(bench, side, known(bench)[side][0]))
            real(self, settings)
            checked.append(answers(bench, side, known(bench)[side][0]))

        return configure

    for keeper, side in ((WordPressKeeper, SideName.WORDPRESS), (ErpNextKeeper, SideName.ERPNEXT)):
        monkeypatch.setattr(keeper, "configure", watched(side, keeper.configure))
    assert installed.rotate().status is Status.APPLIED
    assert len(checked) == 8, "each side was joined twice: with both keys, and with the new one"
    with monkeypatch.context() as patch:
        patch.setattr(SidesAnswer, "run", lambda _: Evidence(False, {}, "one side is silent"))
        assert installed.rotate().status is Status.UNVERIFIED
    assert len(checked) == 16, "and twice more: with both keys, and taken back"
    assert all(checked)


def test_a_proof_that_fails_takes_back(
    bench: BridgeBench, installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = known(bench)
    with monkeypatch.context() as patch:
        patch.setattr(SidesAnswer, "run", lambda _: Evidence(False, {}, "one side is silent"))
        assert installed.rotate().status is Status.UNVERIFIED
    assert {side: [key.id for key in keys] for side, keys in known(bench).items()} == {
        side: [keys[0].id] for side, keys in old.items()
    }
    assert all(answers(bench, side, old[side][0]) for side in SideName)
    assert installed.integrate().status is Status.APPLIED
    assert installed.plan().changes == []
