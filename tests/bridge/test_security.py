"""Who may call whom, whose records a key reaches, and what of people is kept: looked up in the bytes on disk."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog.testing
from starlette.testclient import TestClient

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.hooks import Hint, application
from agencystack.bridge.serving.keyring import Access, Keyring
from agencystack.bridge.signing import WINDOW, SigningKey
from agencystack.bridge.store import Store
from agencystack.bridge.work.forgetting import forget_person
from agencystack.stack.errors import UsageError
from agencystack.stack.secrets import Secret
from tests.bridge.together import ALL, ERP_URL, SHOP_URL, Clock, E, Together, W, sharing_of

SHOP_CALLS = ("changes", "records", "search", "find", "apply", "walk", "digest", "rows")
APP_CALLS = ("changes", "documents", "select", "find", "apply", "walk", "digest", "rows")
BAD_CREDENTIALS = ("unsigned", "old", "ahead", "replayed", "another pairing's", "the other direction's", "another body")
UNIQUE = "Zyxomma-4711"


@pytest.fixture
def it(tmp_path: Path) -> Together:
    return Together(tmp_path, plugin=True)


# Signed calls. --------------------------------------------------------------------------------------------------------


def route_of(side: SideName, call: str) -> str:
    """Return a call's route, as it is signed."""
    return f"agencystack/v1/bridge/{call}" if side is W else f"agencystack_connector.bridge.{call}"


def called(it: Together, side: SideName, call: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
    """Send a call as whoever has found its address."""
    wire: httpx.BaseTransport = it.shop_wire if side is W else it.erp_wire
    place = f"{SHOP_URL}/wp-json/" if side is W else f"{ERP_URL}/api/method/"
    with httpx.Client(transport=wire) as client:
        sent = {**headers, "Content-Type": "application/json"}
        return client.post(place + route_of(side, call), content=body, headers=sent)


@pytest.mark.parametrize("wrong", BAD_CREDENTIALS)
@pytest.mark.parametrize(
    ("side", "call"), [*((W, call) for call in SHOP_CALLS), *((E, call) for call in APP_CALLS)], ids=str
)
def test_no_call_is_answered_that_is_not_signed_for_it(it: Together, side: SideName, call: str, wrong: str) -> None:
    body, key, route = b'{"limit": 0, "acknowledge": []}', it.keys[side], route_of(side, call)
    stranger = SigningKey(key.id, Secret("0" * 64))
    headers = {
        "unsigned": {},
        "old": key.headers(route, body, clock=lambda: time.time() - WINDOW - 5),
        "ahead": key.headers(route, body, clock=lambda: time.time() + WINDOW + 5),
        "replayed": key.headers(route, body),
        "another pairing's": stranger.headers(route, body),
        "the other direction's": key.headers(f"hooks/{it.pairing}/{side}", body),
        "another body": key.headers(route, b"{}"),
    }[wrong]
    if wrong == "replayed":
        called(it, side, call, headers, body)

    answer = called(it, side, call, headers, body)

    assert answer.status_code == 401
    assert answer.json()["code"].startswith("agencystack_")
    assert (answer.json()["code"] == "agencystack_replayed") is (wrong == "replayed")


def test_a_key_is_changed_without_a_moment_in_which_none_is_good(it: Together) -> None:
    old, new = it.keys[E], SigningKey("new", Secret("n" * 64))

    def good(*keys: SigningKey) -> list[str]:
        work = it.erp.work()
        told = [{"id": one.id, "secret": one.secret.reveal()} for one in keys]
        assert it.erp._bridge is not None
        it.erp._bridge.configure(
            work, {"pairing": it.pairing, "hook_url": "", "keys": told, "entities": dict.fromkeys(ALL, "both")}
        )
        work.transaction.commit()
        body, route = b'{"limit": 0, "acknowledge": []}', route_of(E, "changes")
        answers = {one.id: called(it, E, "changes", one.headers(route, body), body) for one in (old, new)}
        return [id_ for id_, answer in answers.items() if answer.status_code == 200]

    assert good(old) == [old.id]
    assert good(new, old) == [old.id, new.id]
    assert good(new) == [new.id]


class Ears:
    """Takes the products' calls with the keys of a real keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.told: list[tuple[str, SideName]] = []
        self._nonces: set[str] = set()

    def keys(self, pairing: str, side: SideName) -> Mapping[str, SigningKey]:
        return self._keyring.hook_keys(pairing, side)

    def first_time(self, nonce: str) -> bool:
        new = nonce not in self._nonces
        self._nonces.add(nonce)
        return new

    def hint(self, pairing: str, side: SideName, hints: Iterable[Hint]) -> None:
        self.told.append((pairing, side))


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    key = tmp_path / "key"
    key.write_bytes(base64.b64encode(b"k" * 32))
    key.chmod(0o600)
    ring = Keyring(tmp_path / "keyring", key)
    for pairing in ("acme", "bell"):
        for side in SideName:
            # One id for all of them: the secret tells them apart.
            key = SigningKey("k", Secret(f"{pairing}-{side}-secret"))
            ring.put(pairing, side, Access("http://x", "http://x", (key,)))
    return ring


@pytest.mark.parametrize("pairing", ["acme", "bell"])
@pytest.mark.parametrize("side", list(SideName))
def test_a_sites_key_wakes_its_own_pairing_alone(keyring: Keyring, pairing: str, side: SideName) -> None:
    ears, body = Ears(keyring), b'{"epoch": 1}'
    http = TestClient(application(ears))
    key = keyring.hook_keys(pairing, side)["k"]

    for target in ("acme", "bell"):
        for at in SideName:
            route = f"hooks/{target}/{at}"
            http.post(f"/{route}", content=body, headers=key.headers(route, body))

    assert ears.told == [(pairing, side)]


# Two clients. ---------------------------------------------------------------------------------------------------------


def test_two_clients_in_one_store_never_see_each_others_records(tmp_path: Path) -> None:
    store, clock = Store.open(f"sqlite:///{tmp_path / 'both.sqlite'}"), Clock()
    acme, bell = (Together(tmp_path, plugin=True, pairing=name, store=store, clock=clock) for name in ("acme", "bell"))
    ids = []
    for it in (acme, bell):
        it.run()
        ids.append(it.product(sku=f"SKU-{it.pairing}", name=f"Of {it.pairing}"))
        # A question and a refusal each.
        it.make("Customer", {"customer_name": "No mail", "customer_type": "Individual", **GROUPS})
        twice(it)
        it.run()
    assert ids[0] == ids[1], "ids of two sites are the same, which is what must not mix them up"

    for it, other in ((acme, bell), (bell, acme)):
        story = json.dumps(it.bridge.history(W, ids[0]), default=repr)
        assert f"SKU-{it.pairing}" in story
        assert f"SKU-{other.pairing}" not in story
        mine, theirs = ({one.id for one in each.bridge.dead_letters()} for each in (it, other))
        assert mine
        assert not mine & theirs
        mine, theirs = ({one.id for one in each.bridge.conflicts()} for each in (it, other))
        assert mine
        assert not mine & theirs
        assert it.bridge.retry([one.id for one in other.bridge.dead_letters()]) == 0
        with pytest.raises(UsageError):
            it.bridge.resolve(other.bridge.conflicts()[0].id, "new")
    assert acme.docs("Item", item_code="SKU-bell") == bell.docs("Item", item_code="SKU-acme") == []


GROUPS = {"customer_group": "Individual", "territory": "All Territories"}


def twice(it: Together) -> None:
    """Make two Customers with one e-mail address, and a user who has it too."""
    for name in ("Eins", "Zwei"):
        customer = it.make("Customer", {"customer_name": name, "customer_type": "Individual", **GROUPS})
        links = [{"link_doctype": "Customer", "link_name": customer}]
        mail = [{"email_id": "twice@example.test", "is_primary": 1}]
        it.make("Contact", {"first_name": name, "email_ids": mail, "links": links})
    it.customer("twice@example.test")


# What is kept. --------------------------------------------------------------------------------------------------------


def kept(it: Together) -> bytes:
    """Return all bytes of the store: what was removed is gone from them only after VACUUM."""
    copy = it.database.with_name(f"{time.monotonic_ns()}.vacuumed")
    connection = sqlite3.connect(it.database)
    connection.execute("VACUUM INTO ?", [str(copy)])
    connection.close()
    return copy.read_bytes()


TABLES = ("link", "base", "observation", "inbox", "operation", "conflict", "dead", "audit", "breaker", "cursor")


def held(it: Together, table: str) -> list[tuple[Any, ...]]:
    """Return the rows of a table."""
    connection = sqlite3.connect(it.database)
    known = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    rows = connection.execute(f"SELECT * FROM {table}").fetchall() if table in known else []
    connection.close()
    return rows


def test_a_field_that_is_not_shared_is_never_kept(tmp_path: Path) -> None:
    off = {"fields": {name: {"direction": "off"} for name in ("phone", "company")}}
    sharing = sharing_of(entities={"customer": {"direction": "both", **off}})
    it = Together(tmp_path, plugin=True, sharing=sharing)
    it.run()
    with structlog.testing.capture_logs() as logs:
        person = it.customer("a@example.test", billing={"phone": f"+49 {UNIQUE}", "company": f"{UNIQUE} AG"})
        it.run()
        it.in_shop("PUT", f"wc/v3/customers/{person}", {"last_name": "Shared-0815"})
        it.run()

    assert b"Shared-0815" in kept(it)
    assert UNIQUE.encode() not in kept(it)
    assert UNIQUE not in repr(logs)
    assert UNIQUE not in json.dumps(it.docs("Customer") + it.docs("Contact") + it.docs("Address"), default=str)


def test_logs_of_a_run_full_of_trouble_hold_no_value_and_no_secret(tmp_path: Path) -> None:
    it = Together(tmp_path, plugin=True)
    it.run()
    with structlog.testing.capture_logs() as logs:
        mug = it.product(sku=f"SKU {UNIQUE}", name=UNIQUE, description=UNIQUE)
        it.customer(f"{UNIQUE}@example.test", first_name=UNIQUE, billing={"address_1": UNIQUE})
        it.order({"product_id": int(mug), "quantity": 1}, customer_note=UNIQUE, currency="BTC")
        broken = it.product(sku="BROKEN", name=UNIQUE)
        it.shop.state.data.products[broken]["attributes"] = UNIQUE  # no form can read that
        it.erp_wire.misbehaves = failing()
        it.run()
        it.make("Customer", {"customer_name": UNIQUE, "customer_type": "Individual", **GROUPS})
        it.run()

    assert logs, "trouble is logged"
    assert UNIQUE not in repr(logs)
    for key in it.keys.values():
        assert key.secret.reveal() not in repr(logs)
        assert key.secret.reveal().encode() not in kept(it)


def failing() -> Any:
    """Return what lets the first calls fail, each in another way."""
    ways = iter(["lost before", "lost after", "broken after", 503, 429, "unreachable", 500])
    return lambda method, path: next(ways, None)


def test_every_write_is_in_the_audit_with_ids_and_names_of_fields_alone(it: Together) -> None:
    it.run()
    # Names stand in ids: ERPNext calls a Customer as the person is called.
    person = it.customer("anna@example.test", billing={"address_1": UNIQUE})
    mug = it.product(sku="MUG", name=UNIQUE, description=UNIQUE)
    it.order({"product_id": int(mug), "quantity": 1}, customer_id=int(person), customer_note=UNIQUE)
    done = it.run()
    it.in_shop("PUT", f"wc/v3/customers/{person}", {"billing": {"address_1": f"{UNIQUE} again"}})
    done += it.run()

    with it.store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM audit").mappings().all()
    written = [one for one in rows if one["event"] in {"create", "update", "retire"}]

    assert done.written > 3
    assert len([one for one in written if one["token"]]) >= done.written
    assert UNIQUE not in repr(rows)
    assert {"first_name", "billing"} <= {name for one in rows for name in json.loads(one["fields"])}


def test_a_person_who_is_forgotten_is_nowhere_in_the_store(it: Together) -> None:
    email, street = "weg@example.test", "Vergissmeinnichtweg 9"
    it.run()
    address = {"first_name": "Vera", "last_name": "Vergessen", "address_1": street, "country": "DE", "email": email}
    person = it.customer(email, first_name="Vera", last_name="Vergessen", billing=address, shipping=address)
    other = it.customer("bleibt@example.test", first_name="Bleibt", last_name="Hier")
    mug = it.product(sku="MUG")
    line = {"product_id": int(mug), "quantity": 1}
    it.order(line, customer_id=int(person), billing=address, customer_note=f"Ring at {street}")
    it.order(line, billing=address, currency="BTC")  # refused, and kept as a dead letter
    it.order(line, customer_id=int(other))
    it.fill_in("Vera Vergessen", email, f"Write to {street}")
    it.run()
    before = kept(it)
    assert email.encode() in before
    assert street.encode() in before

    count = forget_person(it.bridge.context, email, "tester")

    assert count >= 3
    rows = {table: [row for row in held(it, table) if email in repr(row) or street in repr(row)] for table in TABLES}
    assert {table: some for table, some in rows.items() if some} == {}
    left = kept(it)
    for value in (email, street, "Vera"):
        assert value.encode() not in left, f"{value} is still in the store"
    assert b"bleibt@example.test" in left
    for told in (it.bridge.history(W, person), it.bridge.history(E, "Vera Vergessen")):
        assert {"create", "forgotten"} <= {one.event for one in told.events}, "who knows the name finds what happened"


def test_a_guest_who_is_forgotten_leaves_no_more_than_digests(it: Together) -> None:
    email, street = "gast-weg@example.test", "Nirgendwo 3"
    it.run()
    mug = it.product(sku="MUG")
    address = {"first_name": "Gert", "last_name": "Gastweg", "address_1": street, "country": "DE", "email": email}
    it.order({"product_id": int(mug), "quantity": 1}, billing=address)
    it.run()
    assert it.docs("Customer", customer_name="Gert Gastweg")
    assert street.encode() in kept(it)

    forget_person(it.bridge.context, email, "tester")

    left = kept(it)
    for value in (email, street, "Gastweg"):
        assert value.encode() not in left, f"{value} is still in the store"
    assert [one.event for one in it.bridge.history(W, f"guest:{email}").events][-1] == "forgotten"


def test_what_was_about_to_be_written_of_a_forgotten_person_goes_too(it: Together) -> None:
    email = "unterwegs@example.test"
    it.run()
    mug = it.product(sku="MUG")
    line = {"product_id": int(mug), "quantity": 1}
    address = {"first_name": "Uwe", "email": email, "country": "DE"}
    it.order(line, billing=address)
    it.run()
    it.erp_wire.misbehaves = lambda _method, path: "lost after" if path.endswith("apply") else None
    it.order(line, billing=address, customer_note="ring twice")
    it.bridge.run()
    assert [row for row in held(it, "operation") if email in repr(row) and "ring twice" in repr(row)]

    forget_person(it.bridge.context, email, "tester")

    assert email.encode() not in kept(it)


def test_who_is_forgotten_and_comes_back_is_the_same_customer(it: Together) -> None:
    email = "wieder@example.test"
    it.run()
    mug = it.product(sku="MUG")
    line = {"product_id": int(mug), "quantity": 1}
    address = {"first_name": "Gert", "last_name": "Wieder", "country": "DE", "email": email}
    user = it.customer("vera@example.test", first_name="Vera", last_name="Vergessen")
    it.order(line, billing=address)
    it.order(line, customer_id=int(user))
    it.run()
    known = {one["name"] for one in it.docs("Customer")}
    for person in (email, "vera@example.test"):
        forget_person(it.bridge.context, person, "tester")

    it.order(line, billing=address)
    it.order(line, customer_id=int(user))
    it.run()

    assert {one["name"] for one in it.docs("Customer")} == known
    assert it.refused() == []
    assert sorted(one["customer"] for one in it.docs("Sales Order")) == [*["Gert Wieder"] * 2, *["Vera Vergessen"] * 2]


def test_who_is_forgotten_and_renamed_in_erpnext_is_found_again(it: Together) -> None:
    it.run()
    user = it.customer("vera@example.test", first_name="Vera", last_name="Vergessen")
    it.run()
    forget_person(it.bridge.context, "Vera Vergessen", "tester")

    work = it.erp.work()
    it.erp.documents.rename(work, "Customer", "Vera Vergessen", "Erased 17")
    work.transaction.commit()
    it.in_shop("PUT", f"wc/v3/customers/{user}", {"billing": {"phone": "0123"}})
    it.run()

    assert [one["name"] for one in it.docs("Customer")] == ["Erased 17"]
    assert [one.erpnext for one in it.bridge.history(W, user).links] == ["Erased 17"]
    assert [one["phone"] for one in it.docs("Contact")] == ["0123"]


def test_who_is_forgotten_and_gone_from_erpnext_is_neither_made_anew_nor_removed(it: Together) -> None:
    it.run()
    user = it.customer("vera@example.test", first_name="Vera", last_name="Vergessen")
    it.run()
    forget_person(it.bridge.context, "Vera Vergessen", "tester")
    work = it.erp.work()
    work.transaction.delete("Customer", "Vera Vergessen")  # without a word to anybody
    work.transaction.commit()

    it.in_shop("PUT", f"wc/v3/customers/{user}", {"first_name": "Verena"})
    it.run_later()

    assert it.docs("Customer") == []
    assert it.in_shop("GET", f"wc/v3/customers/{user}")["first_name"] == "Verena"


def test_another_person_of_a_forgotten_name_is_no_more_than_shown(it: Together) -> None:
    it.run()
    user = it.customer("vera@example.test", first_name="Vera", last_name="Vergessen")
    it.run()
    forget_person(it.bridge.context, "Vera Vergessen", "tester")
    it.delete("Customer", "Vera Vergessen")
    it.clock.forward(seconds=5)
    it.make("Customer", {"customer_name": "Vera Vergessen", "customer_type": "Individual", **GROUPS})

    it.run()

    (told,) = it.refused()
    assert "one that was forgotten -> rename it" in told
    assert it.in_shop("GET", f"wc/v3/customers/{user}")["email"] == "vera@example.test"
