"""The store on SQLite and PostgreSQL: what unique constraints, leases and fences hold, and how the schema is kept."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from agencystack.bridge.merge import Agreed
from agencystack.bridge.record import LinkRef, Observed, Presence
from agencystack.bridge.side import Action, Identity
from agencystack.bridge.store import Store
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.brakes import Brake, Breaker
from agencystack.bridge.store.conflicts import Conflict, ConflictKind
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import Postponed
from agencystack.bridge.store.leases import LeaseLost
from agencystack.bridge.store.links import Link, LinkState
from agencystack.bridge.store.operations import Intended, OperationState
from agencystack.bridge.store.pairings import PairingState
from agencystack.bridge.store.shifts import Shifts
from agencystack.bridge.store.sql import millis, moment
from agencystack.bridge.store.tables import metadata
from agencystack.stack.errors import ConfigurationError, Unavailable
from tests.bridge.fakes import E, W
from tests.bridge.postgres import postgres

SHIFTS = Shifts  # imported so that its tables belong to the schema


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = Store.open(f"sqlite:///{tmp_path / 'bridge.db'}")
    else:
        opened = Store.open(request.getfixturevalue("server"))
        with opened.engine.begin() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
    yield opened
    opened.close()


def test_migrations_make_the_schema_that_the_tables_say(store: Store) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    opened = Store.open(url)
    with opened.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    opened.close()
    with pytest.raises(ConfigurationError, match="9999"):
        Store.open(url)


def test_a_store_that_does_not_answer_is_unavailable_without_its_password() -> None:
    with pytest.raises(Unavailable) as raised:
        Store.open("postgresql://bridge:hunter2@127.0.0.1:1/bridge")
    assert "hunter2" not in str(raised.value)


def test_a_record_is_linked_once_either_way(store: Store) -> None:
    with store.writing("acme") as transaction:
        assert transaction.links.add([Link("1", "product", "12", "A"), Link("2", "product", "13")], 0) == {"1", "2"}
        assert transaction.links.add([Link("3", "product", "12"), Link("4", "product", "14", "A")], 0) == set()
        assert transaction.links.add([Link("5", "category", "12", "A"), Link("6", "product", "15")], 0) == {"5", "6"}
    with store.writing("other") as transaction:
        assert transaction.links.add([Link("7", "product", "12", "A")], 0) == {"7"}
        assert transaction.links.get(["1"]) == {}


def test_links_are_found_changed_and_counted(store: Store) -> None:
    link = Link("1", "product", "12", state=LinkState.PROVISIONAL, token="t" * 32, wordpress_created="then")
    with store.writing("acme") as transaction:
        transaction.links.add([link], 0)
        transaction.links.save([link.completed(E, "A", "now")], 1)
    with store.reading("acme") as transaction:
        (found,) = transaction.links.of_records(E, "product", ["A", "B"]).values()
        assert found == Link("1", "product", "12", "A", LinkState.LINKED, "t" * 32, "then", "now")
        assert transaction.links.of_tokens(["t" * 32]) == {"t" * 32: found}
        assert transaction.links.counts() == {("product", LinkState.LINKED): 1}


def test_a_base_keeps_both_forms_and_references(store: Store) -> None:
    base = {"name": Agreed("Ada ", "Ada"), "customer": Agreed(LinkRef("customer", "9"), LinkRef("customer", "9"))}
    with store.writing("acme") as transaction:
        transaction.bases.save({"1": base})
        transaction.bases.save({"1": base, "2": {}})
    with store.reading("acme") as transaction:
        assert transaction.bases.get(["1", "2", "3"]) == {"1": base, "2": {}}


def test_a_hint_is_one_row_however_often_it_is_given(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.inbox.add(W, [("product", "1"), ("product", "1")], "changed", 10)
        transaction.inbox.add(W, [("product", "1")], "changed", 20)
        (hint,) = transaction.inbox.claim("one", ["product"], 20, 30, 10)
    assert (hint.generation, hint.since) == (2, 10)


def test_a_hint_given_again_while_it_is_followed_stays(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.inbox.add(W, [("product", "1")], "changed", 10)
        (hint,) = transaction.inbox.claim("one", ["product"], 10, 30, 10)
    with store.writing("acme") as transaction:
        transaction.inbox.add(W, [("product", "1")], "changed", 11)
    with store.writing("acme") as transaction:
        transaction.inbox.forget([hint])
        (again,) = transaction.inbox.claim("two", ["product"], 12, 30, 10)
        assert again.generation == 2
        transaction.inbox.forget([again])
        assert transaction.inbox.next_due(["product"], "two") is None


def test_what_one_worker_claimed_another_does_not_see_until_it_dies(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.inbox.add(W, [("product", "1"), ("product", "2")], "changed", 10)
        assert len(transaction.inbox.claim("one", ["product"], 10, 30, 1)) == 1
        (other,) = transaction.inbox.claim("two", ["product"], 10, 30, 5)
        assert other.record == "2"
        assert transaction.inbox.claim("three", ["product"], 29, 60, 5) == []
        assert transaction.inbox.next_due(["product"], "three") == 30
        assert len(transaction.inbox.claim("three", ["product"], 30, 60, 5)) == 2


def test_what_waits_is_woken_by_what_it_waits_for(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.inbox.add(W, [("order", "1")], "changed", 10)
        (hint,) = transaction.inbox.claim("one", ["order"], 10, 30, 5)
        transaction.inbox.postpone([Postponed(hint, 1000, 1, "waits", "wordpress:product:7")])
        assert transaction.inbox.claim("one", ["order"], 999, 2000, 5) == []
        transaction.inbox.wake(["wordpress:product:8"], 20)
        assert transaction.inbox.next_due(["order"], "one") == 1000
        transaction.inbox.wake(["wordpress:product:7"], 20)
        assert len(transaction.inbox.claim("one", ["order"], 20, 40, 5)) == 1
        assert transaction.inbox.backlog(20) == (1, 0, 10)


def test_a_lease_is_held_by_one_and_a_fence_guards_what_it_writes(store: Store) -> None:
    with store.writing("acme") as transaction:
        first = transaction.leases.next_fence()
        assert transaction.leases.take(["a", "b"], "one", first, 10, 20) == {"a", "b"}
        assert transaction.leases.take(["a", "c"], "two", transaction.leases.next_fence(), 15, 25) == {"c"}
    with store.writing("acme") as transaction:
        transaction.leases.guard(["a", "b"], first, 30)
        second = transaction.leases.next_fence()
        assert second > first
        assert transaction.leases.take(["a"], "two", second, 29, 40) == set()
        assert transaction.leases.take(["a"], "two", second, 31, 40) == {"a"}
    with pytest.raises(LeaseLost):
        _write_under(store, first)
    with store.writing("acme") as transaction:
        assert transaction.bases.get(["1"]) == {}
        transaction.leases.release(second)
        assert transaction.leases.take(["a"], "three", second + 1, 32, 40) == {"a"}


def _write_under(store: Store, fence: int) -> None:
    with store.writing("acme") as transaction:
        transaction.bases.save({"1": {}})
        transaction.leases.guard(["a", "b"], fence)


def test_of_many_workers_one_takes_each_lease(store: Store) -> None:
    taken: list[str] = []

    def work(name: str) -> None:
        for _ in range(5):
            with store.writing("acme") as transaction:
                fence = transaction.leases.next_fence()
                taken.extend(transaction.leases.take([f"k{at}" for at in range(20)], name, fence, 10, 20))

    threads = [threading.Thread(target=work, args=(f"worker {at}",)) for at in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    with store.reading("acme") as transaction:
        owners = transaction.connection.execute(text("SELECT DISTINCT owner FROM lease")).scalars().all()
    assert len(owners) == 1
    assert len(taken) == 5 * 20  # its own leases a worker may take again


def test_operations_are_kept_until_their_end_is_known(store: Store) -> None:
    one = Intended("t" * 32, "1", E, "product", "", Action.CREATE, {"name": "A"}, {"name": "a"}, 5)
    with store.writing("acme") as transaction:
        transaction.operations.add([one])
        transaction.operations.add([one])
        transaction.operations.unknown([one.token])
    with store.writing("acme") as transaction:
        ((found,),) = transaction.operations.of_links(["1", "2"]).values()
        assert (found.state, found.fields, found.across) == (OperationState.UNKNOWN, {"name": "A"}, {"name": "a"})
        transaction.operations.remove([one.token])
        assert transaction.operations.count() == 0


def test_a_conflict_is_open_again_when_its_values_are_other_ones(store: Store) -> None:
    conflict = Conflict("product", "1", "name", ConflictKind.FIELD, "1", "12", "A", "w", "e")
    with store.writing("acme") as transaction:
        transaction.conflicts.record([conflict], 5)
        (found,) = transaction.conflicts.list()
        transaction.conflicts.decide(found.id, "e", "ann")
        transaction.conflicts.record([conflict], 6)
        assert transaction.conflicts.list() == []
        assert [one.decision for one in transaction.conflicts.of_subjects(["1"])["1"]] == ["e"]
        transaction.conflicts.record(
            [Conflict("product", "1", "name", ConflictKind.FIELD, "1", "12", "A", "w2", "e")], 7
        )
        assert [one.wordpress for one in transaction.conflicts.list()] == ["w2"]
        assert transaction.conflicts.counts() == {"product": 1}


def test_of_one_subject_and_side_there_is_one_dead_letter(store: Store) -> None:
    letter = DeadLetter("product", "1", E, "12", "", ("name",), "no", "do", "x")
    with store.writing("acme") as transaction:
        transaction.dead.record([letter], 5)
        transaction.dead.record([DeadLetter("product", "1", E, "12", "", ("name",), "no!", "do", "y")], 6)
        (found,) = transaction.dead.list()
        assert (found.message, found.tried) == ("no!", "y")
        transaction.dead.release([found.id])
        assert transaction.dead.of_subjects(["1"])["1", E].tried == ""
        transaction.dead.remove([("1", E)])
        assert transaction.dead.count() == 0


def test_observations_come_back_in_the_sides_order(store: Store) -> None:
    seen = [
        Observed(f"{at}", {"name": at}, position=f"2026-11-2{at % 3} 10:00:00", row=f"{at:016x}") for at in range(6)
    ]
    gone = Observed("9", presence=Presence.GONE, position="")
    with store.writing("acme") as transaction:
        transaction.observations.save(E, "product", [*seen, gone], 5)
        found = [record for _, record, _ in transaction.observations.in_order(E, "product")]
        within = transaction.observations.in_order(E, "product", "2026-11-21", "2026-11-22")
        assert (found, [one[1] for one in within]) == (["0", "3", "1", "4", "2", "5"], ["1", "4"])
        assert sorted(transaction.observations.present(E, "product")) == ["0", "1", "2", "3", "4", "5"]
        assert transaction.observations.get(E, "product", ["9"])["9"].presence is Presence.GONE


def test_what_is_shared_is_saved_upon_the_newest_revision_only(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.pairings.create(5)
        assert transaction.pairings.save_sharing("{}", 0, 6)
        assert not transaction.pairings.save_sharing("{1}", 0, 7)
        transaction.pairings.set_identity(W, Identity("https://a.example", "i", 7), 8)
        transaction.pairings.set_state(PairingState.PAUSED, "why", 9)
        found = transaction.pairings.get()
    assert (found.sharing, found.revision, found.state, found.reason) == ("{}", 1, PairingState.PAUSED, "why")
    assert found.identities == {W: Identity("https://a.example", "i", 7)}


def test_brakes_breakers_cursors_and_marks_are_kept(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.brakes.save(Brake("product", "held", 5, 60))
        transaction.breakers.save(Breaker(W, 2, 99, "down"))
        transaction.cursors.save("changes:wordpress", "a")
        transaction.cursors.save("changes:wordpress", "b")
        transaction.marks.add(W, ["1", "2", "2"])
        transaction.marks.remove(W, ["1"])
    with store.reading("acme") as transaction:
        assert transaction.brakes.all() == {"product": Brake("product", "held", 5, 60)}
        assert transaction.breakers.all() == {W: Breaker(W, 2, 99, "down")}
        assert transaction.cursors.get("changes:wordpress") == "b"
        assert transaction.marks.stored(W) == ["2"]


def test_the_audit_tells_a_record_in_order(store: Store) -> None:
    with store.writing("acme") as transaction:
        transaction.audits.add(
            [Event("product", W, "12", "create", "1", ("name", "a")), Event("product", E, "A", "x", "1")], 5
        )
        told = transaction.audits.of_link("1")
        assert [(one.event, one.fields, one.at) for one in told] == [
            ("create", ("a", "name"), moment(5)),
            ("x", (), moment(5)),
        ]
        assert [one.event for one in transaction.audits.of_record(W, "12")] == ["create"]
        assert transaction.audits.since(5, ["create"]) == (1, 5)
        assert transaction.audits.since(6, ["create"]) == (0, 0)


def test_hundreds_of_rows_go_in_one_call(store: Store) -> None:
    many = [Link(f"{at}", "product", f"w{at}", f"e{at}") for at in range(1001)]
    with store.writing("acme") as transaction:
        assert len(transaction.links.add(many, 0)) == 1001
        transaction.links.save([one.made(W, "then") for one in many], 0)
        found = transaction.links.of_records(W, "product", [f"w{at}" for at in range(1001)])
    assert {one.wordpress_created for one in found.values()} == {"then"}
    assert len(found) == 1001


def test_times_are_milliseconds() -> None:
    when = datetime(2026, 11, 22, 12, 0, 0, 123_000, UTC)
    assert moment(millis(when)) == when


def test_a_store_that_others_could_read_is_its_owners_alone_from_now_on(tmp_path: Path) -> None:
    file = tmp_path / "bridge.db"
    file.touch(mode=0o644)
    with closing(Store.open(f"sqlite:///{file}")) as store, store.writing("acme"):
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
