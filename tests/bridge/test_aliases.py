"""Aliases: who a forgotten person was is told nowhere, and found again by whoever knows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.bridge.record import SideName
from agencystack.bridge.store import Store
from agencystack.bridge.store.aliases import alias, is_alias, tells_who, without
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.brakes import Breaker
from agencystack.bridge.store.conflicts import Conflict, ConflictKind
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import Postponed
from agencystack.bridge.store.links import Link
from agencystack.bridge.store.tables import metadata
from tests.bridge.postgres import postgres

W, E = SideName.WORDPRESS, SideName.ERPNEXT
MAX = "Max"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    where = f"sqlite:///{tmp_path}/bridge.db" if request.param == "sqlite" else request.getfixturevalue("server")
    opened = Store.open(where)
    yield opened
    with opened.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    opened.close()


@pytest.mark.parametrize(
    ("entity", "id_", "told"),
    [
        ("customer", "Vera Vergessen", True),
        ("customer", "guest:vera@example.test", True),
        ("customer", "12", False),
        ("customer", "", False),
        ("product", "Vera Vergessen", False),
        ("customer", alias("acme", E, "Vera Vergessen"), False),
    ],
)
def test_only_names_and_addresses_of_people_tell_who_they_are(entity: str, id_: str, told: bool) -> None:
    assert tells_who(entity, id_) is told


def test_an_alias_is_each_pairings_own_and_stands_for_itself() -> None:
    of_acme = alias("acme", E, "Vera")
    assert len({of_acme, alias("other", E, "Vera"), alias("acme", W, "Vera"), alias("acme", E, "Vera B.")}) == 4
    assert alias("acme", E, of_acme) == of_acme
    assert "Vera" not in of_acme


def test_words_are_exchanged_where_they_stand_alone() -> None:
    words = {MAX: "forgotten:1", "a.b@example.test": "forgotten:2"}
    assert without("max, Maximilian and (Max)", words) == "forgotten:1, Maximilian and (forgotten:1)"
    assert without("mail to A.B@example.test failed; axb@example.test", words) == (
        "mail to forgotten:2 failed; axb@example.test"
    )


def test_a_link_is_found_by_the_name_its_alias_stands_for(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.links.add([Link("1", "customer", "12", MAX)], 0)
        hidden = transaction.erasing.ids(E, "customer", [MAX])
        assert is_alias(hidden[MAX])
        assert transaction.links.get(["1"])["1"].erpnext == hidden[MAX]
        found = transaction.links.of_records(E, "customer", [MAX, "Maxi"])
        assert {id_: (one.erpnext, one.recalled) for id_, one in found.items()} == {MAX: (MAX, True)}
        assert transaction.links.of_records(E, "customer", [hidden[MAX]])[hidden[MAX]].recalled is False
        transaction.links.save(list(found.values()), 1)
        assert transaction.links.of_records(E, "customer", [MAX])[MAX].recalled is False


def test_what_is_noted_for_people_names_nobody_who_was_forgotten(store: Store) -> None:
    with store.writing("acme") as transaction:
        letter = DeadLetter("order", "order-key", E, "7", "", (), "no Customer Max, but Maximilian", "make Max")
        transaction.dead.record([letter], 0)
        transaction.breakers.save(Breaker(E, 1, 0, "Max broke it"))
        transaction.inbox.add(W, [("order", "7")], "changed", 0)
        (hint,) = transaction.inbox.of_records(W, "order", ["7"])
        transaction.inbox.postpone([Postponed(hint, 9, 1, "waits for customer Max", "erpnext:customer:Max")])
        transaction.cursors.save("backfill:erpnext:customer", MAX)
        transaction.cursors.save("backfill:erpnext:product", "Maxi")
        asked = Conflict("customer", "x", "", ConflictKind.AMBIGUOUS, wordpress_id="12", candidates=(MAX, "Moritz"))
        transaction.conflicts.record([asked], 0)

        transaction.erasing.texts(transaction.erasing.ids(E, "customer", [MAX]))

        known = alias("acme", E, MAX)
        (told,) = transaction.dead.list()
        assert (told.message, told.remedy) == (f"no Customer {known}, but Maximilian", f"make {known}")
        assert transaction.breakers.all()[E].message == f"{known} broke it"
        (hint,) = transaction.inbox.of_records(W, "order", ["7"])
        assert (hint.reason, hint.waits_for) == (f"waits for customer {known}", "")
        assert transaction.cursors.get("backfill:erpnext:customer") == ""
        assert transaction.cursors.get("backfill:erpnext:product") == "Maxi"
        assert transaction.conflicts.list() == []


def test_a_hint_at_a_linked_person_is_kept_and_one_at_a_stranger_is_not(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.links.add([Link("1", "customer", "12", MAX)], 0)
        transaction.inbox.add(E, [("customer", MAX), ("customer", "Moritz")], "changed", 0)
        transaction.audits.add([Event("customer", E, MAX, "create", "1")], 0)

        hidden = transaction.erasing.ids(E, "customer", [MAX, "Moritz"])

        assert [one.record for one in transaction.inbox.of_records(E, "customer", [*hidden, *hidden.values()])] == [
            hidden[MAX]
        ]
        assert [one.record for one in transaction.audits.of_record(E, MAX)] == [hidden[MAX]]
