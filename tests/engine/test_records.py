"""Records and ledger: readable, written only when they move, refused when they are newer or damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agencystack.engine.planning import Status
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.secrets import Secret
from tests.engine.fakes import Thing, World


@pytest.fixture
def applied(world: World) -> World:
    world.app.things["mail"] = {"host": "old", "password": Secret("of-a-person-4711")}
    world.wants(Thing(world.app, "mail", {"host": "mail", "password": Secret("ours-4711-canary")}))
    world.integrate()
    return world


def record(world: World) -> Path:
    return world.home.state_dir / "acme" / "email" / "app.json"


def entry(world: World) -> Path:
    [path] = (world.home.state_dir / "acme" / "resources" / "app").glob("*.json")
    return path


FILES = pytest.mark.parametrize("file", [record, entry], ids=["record", "ledger entry"])


@FILES
def test_one_of_a_newer_version_is_refused_whatever_else_it_holds(applied: World, file: Callable[..., Path]) -> None:
    data = json.loads(file(applied).read_text()) | {"schema_version": 2, "something_new": True}
    file(applied).write_text(json.dumps(data))
    with pytest.raises(ConfigurationError, match=r"newer version \(schema 2, we know 1\)") as refused:
        applied.plan()
    assert refused.value.remedy == "update agencystack"
    assert applied.app.things["mail"]["host"] == "mail"


DAMAGES = ["", "{", "[]", "null", '"text"', '{"schema_version": "x"}', '{"schema_version": 1, "key": 5}', "\x00\xff"]


@FILES
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_named_with_what_to_do(applied: World, file: Callable[..., Path], damage: str) -> None:
    file(applied).write_bytes(damage.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="cannot read the record") as refused:
        applied.plan()
    assert str(file(applied)) in refused.value.message
    assert "agencystack restore" in refused.value.remedy
    applied.app.calls.clear()
    try:
        _, errors = applied.undo()
    except ConfigurationError as error:
        errors = {"acme/email/app": error}
    assert "cannot read the record" in str(errors["acme/email/app"])
    assert applied.app.writes == []


def test_a_sealed_image_put_in_another_place_is_refused(applied: World) -> None:
    data = json.loads(entry(applied).read_text())
    data["key"] = "another"
    entry(applied).write_text(json.dumps(data))
    _, errors = applied.undo()
    assert errors
    assert applied.app.things["mail"]["host"] == "mail"


def test_images_are_sealed_and_the_rest_is_readable(applied: World) -> None:
    text = entry(applied).read_text()
    assert "4711" not in text
    data = json.loads(text)
    assert (data["component"], data["key"], data["users"]) == ("acme/app", "mail", ["acme/email/app"])
    [deed] = data["deeds"]
    assert (deed["action"], deed["fields"], deed["state"]) == ("update", ["host", "password"], "applied")
    assert deed["before"].startswith("agencystack-sealed:")


def test_what_did_not_move_is_not_written(applied: World) -> None:
    before = {path: path.stat().st_mtime_ns for path in applied.home.state_dir.rglob("*.json*")}
    applied.integrate()
    applied.plan()
    assert {path: path.stat().st_mtime_ns for path in applied.home.state_dir.rglob("*.json*")} == before


def test_the_history_only_grows(applied: World) -> None:
    history = applied.home.state_dir / "history.jsonl"
    said = history.read_bytes()
    acts: list[Callable[[], Any]] = [applied.integrate, applied.undo, applied.integrate, applied.undo]
    for act in acts:
        act()
        now = history.read_bytes()
        assert now.startswith(said)
        said = now
    lines = [json.loads(line) for line in said.decode().splitlines()]
    assert [(line["command"], line["status"]) for line in lines] == [
        ("integrate", "applied"), ("undo", "undone"), ("integrate", "applied"), ("undo", "undone"),
    ]  # fmt: skip
    assert all(line["by"] and line["run"] and line["at"] for line in lines)


def test_two_resources_of_like_names_do_not_share_a_file(world: World) -> None:
    names = ["user a@b", "user a_b", "user a/b", "user a b", "USER A B", "user " + "x" * 300, "user " + "x" * 301]
    world.wants(*(Thing(world.app, name, {"a": 1}) for name in names))
    world.integrate()
    assert len(list((world.home.state_dir / "acme/resources/app").glob("*.json"))) == len(names)
    world.undo()
    assert world.app.things == {}


def test_a_key_never_leaves_the_folder(world: World) -> None:
    world.wants(Thing(world.app, "../../../etc/passwd", {"a": 1}))
    world.integrate()
    assert all(world.home.state_dir in path.parents for path in world.folder.rglob("*passwd*"))
    assert list(world.folder.rglob("*passwd*"))


def test_losing_the_state_folder_loses_history_and_not_the_product(applied: World) -> None:
    for path in applied.home.state_dir.rglob("*.json*"):
        path.unlink()
    item = applied.plan().integrations[0]
    assert (item.status, item.changes) == (Status.UNVERIFIED, [])
    assert applied.undo() == ([], {})
    assert applied.app.things["mail"]["host"] == "mail"


def test_an_entry_that_another_run_removes_meanwhile_is_no_entry(world: World) -> None:
    world.wants(Thing(world.app, "first", {"a": 1}), Thing(world.app, "second", {"a": 1}))
    world.integrate()
    with world.session() as opened:
        reading = opened.ledger.of_client("acme")
        read = next(reading)
        for path in (world.home.state_dir / "acme" / "resources" / "app").glob("*.json"):
            path.unlink()
        assert read.key in {"first", "second"}
        assert list(reading) == []
