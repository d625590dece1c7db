"""Marks at the ends of transactions, and groups in a batch: what is lost, kept, undone and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.erpnext_app.bridge_double import (
    BridgeDouble,
    DoesNotExistError,
    QueryDeadlockError,
    QueryTimeoutError,
    TimestampMismatchError,
    UniqueValidationError,
    ValidationError,
    installed,
)


@pytest.fixture
def site() -> Iterator[BridgeDouble]:
    hint = {"after_commit": lambda: None}
    calls = {"BadCall": ValueError, "allow": lambda doctype, right: None}
    quiet = {"mails": lambda wanted: Nothing(), "without_notifications": lambda doc: doc}
    with installed(
        agencystack_connector__bridge__hint=hint,
        agencystack_connector__bridge__calls=calls,
        agencystack_connector__bridge__quiet=quiet,
        agencystack_connector__bridge__marks={"LOOKUP": None},
        agencystack_connector__bridge__portal={"USER": "User"},
        frappe__model={"default_fields": ("owner", "modified")},
    ) as double:
        package = __import__("sys").modules["agencystack_connector.bridge"]
        for name in ("hint", "calls", "quiet", "marks", "portal"):
            setattr(package, name, __import__("sys").modules[f"agencystack_connector.bridge.{name}"])
        double.module.get_meta = lambda doctype: SimpleNamespace(has_field=lambda field: True)  # type: ignore[attr-defined]
        yield double


class Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def inserts(site: BridgeDouble) -> list[Any]:
    return [values for query, values in site.db.asked if query.startswith("insert into `tabAgencyStack Change`")]


def test_marks_are_written_once_as_the_last_thing_before_a_commit(site: BridgeDouble) -> None:
    outbox, mark = site.load("outbox"), site.load("marking").Mark
    for _ in range(3):
        outbox.pending().add([mark("product", "A"), mark("product", "B")])
    assert not inserts(site)
    site.db.commit()
    [values] = inserts(site)
    assert [value for value in values if value in {"A", "B"}] == ["A", "B"]
    site.db.commit()
    assert len(inserts(site)) == 1


def test_what_is_rolled_back_was_never_marked_and_later_work_is(site: BridgeDouble) -> None:
    outbox, mark = site.load("outbox"), site.load("marking").Mark
    outbox.pending().add([mark("product", "A")])
    site.db.rollback()
    outbox.pending().add([mark("product", "B")])
    site.db.commit()
    [values] = inserts(site)
    assert "A" not in values
    assert "B" in values


def test_a_savepoint_that_is_undone_keeps_the_mark_as_a_hint_too_many(site: BridgeDouble) -> None:
    outbox, mark = site.load("outbox"), site.load("marking").Mark
    outbox.pending().add([mark("product", "A")])
    site.db.rollback(save_point="inner")
    outbox.pending().add([mark("product", "A")])
    site.db.commit()
    assert len(inserts(site)) == 1


def test_no_business_transaction_fails_for_a_mark(site: BridgeDouble) -> None:
    outbox, mark = site.load("outbox"), site.load("marking").Mark
    site.db.answers = [("insert into", QueryTimeoutError("1205"))]
    outbox.pending().add([mark("product", "A")])
    site.db.commit()
    assert site.db.log == ["commit"]
    assert site.lost == ["marks of changed records were lost"]


def test_a_deadlock_has_undone_the_transaction_and_is_no_success(site: BridgeDouble) -> None:
    outbox, mark = site.load("outbox"), site.load("marking").Mark
    site.db.answers = [("insert into", QueryDeadlockError("1213"))]
    outbox.pending().add([mark("product", "A")])
    with pytest.raises(QueryDeadlockError):
        site.db.commit()
    assert site.db.log == []


ROWS = [(1, "product", "A"), (2, "order", "O"), (3, "product", "A"), (4, "product", "B"), (5, "order", "O")]


def test_rows_of_one_record_become_one_under_the_newest_number(site: BridgeDouble) -> None:
    site.db.answers = [("select name, entity", ROWS), ("select name from", [(1,), (2,)])]
    marks, more = site.load("outbox").oldest(5)
    assert marks == [(3, ("product", "A")), (4, ("product", "B")), (5, ("order", "O"))]
    assert not more
    [deleted] = [values for query, values in site.db.asked if query.startswith("delete")]
    assert deleted == ((1, 2),)


def test_only_rows_that_are_there_are_deleted_and_by_their_key(site: BridgeDouble) -> None:
    site.db.answers = [("select name from", [(7,)])]
    site.load("outbox").acknowledge([7, 8])
    [(query, values)] = [one for one in site.db.asked if one[0].startswith("delete")]
    assert "force index (primary)" in query
    assert values == ((7,),)
    assert site.db.log == ["commit"]


def asked(token: str) -> dict[str, Any]:
    return {"token": token, "steps": [{"action": "insert", "doctype": "Customer", "called": "main"}]}


def saved(site: BridgeDouble, monkeypatch: pytest.MonkeyPatch, work: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """Carry out one group a name; ``work`` says what its steps do."""
    groups = site.load("groups")

    def run(self: Any) -> Any:
        site.db.log.append(self.group.token)
        name = work[self.group.token]()
        return groups.Saved("done", name=name)

    monkeypatch.setattr(groups._Work, "run", run)
    found: dict[str, Any] = groups.save([asked(token) for token in work])
    return found


def failing(why: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise why

    return fail


def crossed() -> Exception:
    """Return what ERPNext raises where another order has just made the Bin of the same new Item."""
    try:
        try:
            raise UniqueValidationError("Item Code must be unique")
        except UniqueValidationError:
            raise DoesNotExistError("no Bin")  # noqa: B904 - as ERPNext does
    except DoesNotExistError as why:
        return why


@pytest.mark.parametrize(
    ("why", "result"),
    [
        (ValidationError("no"), "refused"),
        (DoesNotExistError("Item A not found"), "refused"),
        (crossed(), "later"),
        (TimestampMismatchError("old"), "stale"),
        (QueryTimeoutError("1205"), "later"),
        (KeyError("x"), "refused"),
    ],
)
def test_a_group_that_fails_is_undone_alone(
    site: BridgeDouble, monkeypatch: pytest.MonkeyPatch, why: Exception, result: str
) -> None:
    found = saved(site, monkeypatch, {"a": lambda: "A", "b": failing(why), "c": lambda: "C"})
    assert [found[token]["result"] for token in "abc"] == ["done", result, "done"]
    assert found["b"]["kind"] == type(why).__name__
    assert site.db.log == ["savepoint", "a", "savepoint", "b", "back", "savepoint", "c", "commit"]


def test_a_deadlock_undoes_what_was_not_committed_and_says_so(
    site: BridgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = saved(site, monkeypatch, {"a": lambda: "A", "b": failing(QueryDeadlockError("1213")), "c": lambda: "C"})
    assert {token: one["result"] for token, one in found.items()} == {"a": "later", "b": "later", "c": "done"}
    assert found["a"]["name"] == ""
    assert site.db.log == ["savepoint", "a", "savepoint", "b", "rollback", "savepoint", "c", "commit"]


def test_a_long_batch_is_committed_on_the_way_so_that_people_need_not_wait(
    site: BridgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = site.load("groups")
    times = iter(range(100))
    monkeypatch.setattr(groups.time, "monotonic", lambda: next(times) * groups.HELD * 1.1)
    found = saved(site, monkeypatch, {"a": lambda: "A", "b": failing(QueryDeadlockError("1213"))})
    assert [found[token]["result"] for token in "ab"] == ["done", "later"]
    assert site.db.log[:3] == ["savepoint", "a", "commit"]


def test_a_token_that_made_something_makesNothing_again(site: BridgeDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    site.db.answers = [("where `agencystack_token` in", [("a", "A")])]
    found = saved(site, monkeypatch, {"a": failing(AssertionError("twice")), "b": lambda: "B"})
    assert [(one["result"], one["name"]) for one in (found["a"], found["b"])] == [("done", "A"), ("done", "B")]


def test_of_two_at_the_same_time_the_slower_one_answers_what_the_faster_made(
    site: BridgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slower() -> Any:
        site.db.answers = [("for update", [("a", "A")])]
        raise UniqueValidationError("agencystack_token")

    found = saved(site, monkeypatch, {"a": slower})
    assert (found["a"]["result"], found["a"]["name"]) == ("done", "A")


def test_a_group_that_cannot_be_read_does_not_stop_the_others(
    site: BridgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = site.load("groups")
    monkeypatch.setattr(groups._Work, "run", lambda self: groups.Saved("done", name="G"))
    found = groups.save([{"token": "bad", "steps": []}, asked("good")])
    assert (found["bad"]["result"], found["bad"]["kind"], found["good"]["result"]) == ("refused", "BadGroup", "done")
