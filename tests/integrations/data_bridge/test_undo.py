"""Undo stops and disconnects, and joining again doubles nothing; ``--purge`` forgets what is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select

from agencystack.bridge.bridge import Bridge
from agencystack.bridge.record import SideName
from agencystack.bridge.sides.wordpress.records import Kind, Write
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.tables import metadata
from agencystack.engine.planning import Status
from agencystack.integrations.data_bridge.watching import opened
from agencystack.integrations.data_bridge.wordpress import WordPressWithErpNext
from agencystack.stack.errors import UsageError
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import BridgeBench
from tests.integrations.data_bridge.conftest import Made

TOKEN = "agencystack_token"


@pytest.fixture
def bench(make: Made) -> BridgeBench:
    return make(shares={"customer": {"direction": "both"}})


@pytest.fixture
def installed(bench: BridgeBench) -> Installation:
    made = Installation(bench, bench.place.home.root.parent)
    assert made.integrate().status is Status.APPLIED
    return made


@contextmanager
def at_work(bench: BridgeBench) -> Iterator[Bridge]:
    with opened(bench.place, "acme") as bridge:
        yield bridge


def settle(bench: BridgeBench) -> None:
    with at_work(bench) as bridge:
        bridge.poll()
        bridge.run()


def write(bench: BridgeBench, action: str, id_: str | None, **values: Any) -> str:
    """Write a customer in WordPress as a person does."""
    with at_work(bench) as bridge:
        shop: Any = bridge.context.form(SideName.WORDPRESS, "customer")
        token = bridge.context.token()
        [written] = shop.records.write([Write(token, Kind("customer"), action, id=id_ or "", values=values)]).values()
        assert written.native is not None
        # What is signed by the bridge makes no marks.
        bridge.hint(SideName.WORDPRESS, "customer", [str(written.native["id"])], "test")
    return str(written.native["id"])


def customers(bench: BridgeBench) -> list[Mapping[str, Any]]:
    """The customers ERPNext holds."""
    return [dict(one) for one in bench.erpnext.work().transaction.scan("Customer")]


def names(bench: BridgeBench) -> list[str]:
    return sorted(str(one["customer_name"]) for one in customers(bench))


def rows(bench: BridgeBench) -> dict[str, int]:
    """How many rows the store holds of the client, by table."""
    with bench.place.opened() as store, store.reading("acme") as reading:
        of_pairing = {t.name: t.c.id if t.name == "pairing" else t.c.get("pairing") for t in metadata.sorted_tables}
        asked = {
            name: select(func.count()).where(column == "acme")
            for name, column in of_pairing.items()
            if column is not None
        }
        asked["base"] = select(func.count()).select_from(metadata.tables["base"])
        found = {name: reading.connection.execute(one).scalar_one() for name, one in asked.items()}
    return {name: number for name, number in found.items() if number}


def test_undo_stops_and_disconnects_and_joining_again_doubles_nothing(
    bench: BridgeBench, installed: Installation
) -> None:
    ada = write(bench, "create", None, email="ada@acme.example", first_name="Ada", last_name="Lovelace")
    settle(bench)
    before = names(bench)
    assert "Ada Lovelace" in before
    _, errors = installed.undo()
    assert errors == {}
    with bench.place.opened() as store, store.reading("acme") as reading:
        assert reading.pairings.get().state is PairingState.PAUSED
    assert bench.place.keyring.get("acme", SideName.WORDPRESS) is None
    assert rows(bench)["link"] >= 1, "links stay"
    assert names(bench) == before, "records stay"
    assert installed.integrate().status is Status.APPLIED
    settle(bench)
    assert names(bench) == before
    write(bench, "update", ada, last_name="King")
    settle(bench)
    assert names(bench) == sorted({*before, "Ada King"} - {"Ada Lovelace"})
    assert [one for one in customers(bench) if one.get(TOKEN)], "and who made a record is known as before"
    assert installed.plan().changes == []


def test_purge_forgets_all_rows_and_the_contents_of_our_fields(bench: BridgeBench, installed: Installation) -> None:
    write(bench, "create", None, email="ada@acme.example", first_name="Ada", last_name="Lovelace")
    settle(bench)
    assert any(one.get(TOKEN) for one in customers(bench))
    plans, errors = installed.undo(purge=True)
    assert errors == {}
    assert "forgotten" in plans[0].purged
    assert rows(bench) == {}
    assert names(bench) == ["Ada Lovelace"], "people's own values stay"
    assert not any(one.get(TOKEN) for one in customers(bench))
    again, _ = installed.undo(purge=True)
    assert again[0].purged, "a second one has nothing to do, and says so"
    assert installed.integrate().status is Status.APPLIED
    settle(bench)
    assert names(bench) == ["Ada Lovelace"], "matched by e-mail, doubled by neither"


def test_what_keeps_nothing_refuses_to_purge(bench: BridgeBench, installed: Installation) -> None:
    bench.integration = _KeepsNothing()
    with pytest.raises(UsageError, match="keeps nothing"):
        installed.undo(purge=True)


class _KeepsNothing(WordPressWithErpNext):
    purges = False
