"""A customer leaves: everything of theirs goes, what the others use stays."""

from __future__ import annotations

from tests.e2e.lab import Lab


def test_removing_a_client_undoes_it_and_takes_it_out_of_the_stack(applied: Lab) -> None:
    done = applied.run("client", "remove", "acme", "--auto", "--json")
    assert done.code == 0, done.out + done.err
    assert set(done.statuses().values()) == {"undone"}
    assert list(applied.stack.clients) == []
    assert [user["email"] for user in applied.mailu("GET", "/user") if "acme.example" in user["email"]] == []
    assert list((applied.folder / "integrations/state").glob("acme/*/*.json")) == []


def test_a_client_stays_while_something_of_it_cannot_be_undone(applied: Lab) -> None:
    applied.edit(lambda stack: applied.component(stack, "erpnext").update(url="http://127.0.0.1:9"))
    done = applied.run("client", "remove", "acme", "--auto", "--json")
    assert done.code == 4
    assert list(applied.stack.clients) == ["acme"]


def test_a_client_taken_out_by_hand_is_not_forgotten(applied: Lab) -> None:
    applied.edit(lambda stack: stack.update(clients={}))
    skipped = applied.run("status", "--json").json["skipped"]
    [told] = [line for line in skipped if line.startswith("acme: ")]
    assert "6 of its integrations are applied" in told
    assert "agencystack client remove acme" in told


def test_adding_a_client_leaves_the_rest_as_it_is(lab: Lab) -> None:
    before = (lab.folder / "stack.yaml").read_text()
    done = lab.run("client", "add", "globex", "--domain", "globex.example", "--json")
    assert (done.code, done.json["done"]) == (0, "added")
    assert (lab.folder / "stack.yaml").read_text() == before + "  globex:\n    domain: globex.example\n"
    assert lab.run("client", "add", "globex", "--domain", "globex.example", "--json").code == 2
