"""WordPress without our plugin: a user with a product's own role, WooCommerce's webhooks as hints, all else by REST."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.hooks import Hint, application
from agencystack.bridge.signing import SigningKey
from agencystack.cli.bridge_work import chosen
from agencystack.engine.planning import Plan, Status
from agencystack.engine.report import of_plan
from agencystack.integrations.data_bridge.watching import opened
from agencystack.integrations.data_bridge.without_plugin import LOGIN, OnceARun, rights_for
from agencystack.sandbox.wordpress_rest_user import OPTION
from agencystack.stack.errors import Unavailable, UsageError
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import HOOKS, BridgeBench
from tests.integrations.data_bridge.conftest import Made
from tests.serving import served

SHARES: Mapping[str, Any] = {
    "customer": {"direction": "both"},
    "product": {"direction": "both"},
    "submission": {"direction": "to_erpnext"},
}
UPDATED = "AgencyStack acme product.updated"


@pytest.fixture
def bench(make: Made) -> BridgeBench:
    return make(plugins_writable=False, shares=SHARES)


@pytest.fixture
def installed(bench: BridgeBench) -> Installation:
    return Installation(bench, bench.place.home.root.parent)


class Wordpress:
    """The shop's REST interface, as its administrator."""

    def __init__(self, bench: BridgeBench) -> None:
        password = bench.credentials["PASSWORD"].reveal()
        url = bench.described["clients"]["acme"]["components"]["wordpress"]["url"]
        self._http = httpx.Client(base_url=f"{url}/wp-json/wc/v3/", auth=("admin", password))

    def ask(self, method: str, route: str, **values: Any) -> Any:
        answer = self._http.request(method, route, json=values or None)
        assert answer.is_success, answer.text
        return answer.json()

    def webhooks(self) -> dict[str, Any]:
        return {one["name"]: one for one in self.ask("GET", "webhooks?per_page=100")}


class Told:
    """Notes hints down; knows the keys the workers know."""

    def __init__(self, bench: BridgeBench) -> None:
        self._bench, self.hints, self.came = bench, [Hint()][:0], threading.Event()

    def keys(self, pairing: str, side: SideName) -> Mapping[str, SigningKey]:
        return self._bench.place.keyring.hook_keys(pairing, side)

    def first_time(self, nonce: str) -> bool:
        return True

    def hint(self, pairing: str, side: SideName, hints: Iterable[Hint]) -> None:
        self.hints += hints
        self.came.set()


def user(bench: BridgeBench) -> Mapping[str, Any] | None:
    return next((one for one in bench.store()["users"] if one["login"] == LOGIN), None)


def test_it_ends_manual_with_the_steps_and_works(bench: BridgeBench, installed: Installation) -> None:
    result = installed.integrate()
    assert result.status is Status.MANUAL
    assert "/wp-content/plugins cannot be written" in result.reason
    assert "Upload Plugin" in result.reason
    assert all(proof.ok for proof in result.proofs)
    assert {proof.name for proof in result.proofs} == {
        "both sides answer",
        "a customer there and back",
        "a product there and back",
    }
    made = user(bench)
    assert made is not None
    assert made["roles"] == ["shop_manager"]
    assert bench.store()["options"][OPTION]["capabilities"] == ["delete_users", "promote_users"]
    access = bench.place.keyring.needed("acme", SideName.WORDPRESS)
    assert (access.user, access.keys) == (LOGIN, ())
    assert "agencystack-connector" not in bench.store()["plugins"]
    again = installed.plan()
    assert (again.changes, again.status) == ([], Status.MANUAL)
    assert installed.integrate().changes == []


def test_the_plan_says_beside_its_changes_what_a_person_must_do(bench: BridgeBench, installed: Installation) -> None:
    plan = installed.plan()
    assert plan.changes
    [shown] = of_plan(Plan([plan]), "run").results
    assert any(one.startswith("by hand: acme/wordpress: our plugin agencystack-conn") for one in shown.warnings)


def test_the_plan_says_that_forms_alone_are_off(bench: BridgeBench, installed: Installation) -> None:
    [warning] = [one for one in installed.plan().warnings if one.startswith("without our plugin")]
    assert "contact forms (submission) are not shared" in warning
    installed.integrate()
    with opened(bench.place, "acme") as bridge:
        assert set(bridge.context.entities) == {"customer", "product"}
        with pytest.raises(UsageError, match="contact forms need our plugin"):
            chosen(bridge, ["submission"])
        for entity in bridge.context.entities:
            bridge.preview(entity)
        bridge.run()


def test_a_record_goes_across_by_rest_and_back(bench: BridgeBench, installed: Installation) -> None:
    installed.integrate()
    shop = Wordpress(bench)
    made = shop.ask("POST", "products", name="Mug", sku="MUG-1", regular_price="9.50", type="simple")
    with opened(bench.place, "acme") as bridge:
        bridge.hint(SideName.WORDPRESS, "product", [str(made["id"])], "test")
        bridge.run()
    item = bench.erpnext.work().transaction.get("Item", "MUG-1")
    assert item is not None
    assert item["item_name"] == "Mug"


def test_woocommerces_own_webhooks_are_made_and_their_call_is_a_hint(
    bench: BridgeBench, installed: Installation
) -> None:
    installed.integrate()
    made = Wordpress(bench).webhooks()
    assert sorted(made) == sorted(
        f"AgencyStack acme {record}.{event}"
        for record, events in (("customer", ""), ("product", "restored"))
        for event in filter(None, ("created", "updated", "deleted", events))
    )
    assert made[UPDATED]["delivery_url"] == f"{HOOKS}/hooks/acme/wordpress"
    secret = json.loads((bench.path.parent / "shop.json").read_text())["webhooks"][str(made[UPDATED]["id"])]["secret"]
    body = b'{"id": 7, "type": "simple"}'
    told = Told(bench)
    client = TestClient(application(told))

    def call(key: str) -> int:
        signature = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
        headers = {"X-WC-Webhook-Signature": signature, "X-WC-Webhook-Resource": "product"}
        return int(client.post("/hooks/acme/wordpress", content=body, headers=headers).status_code)

    assert (call("another secret"), told.hints) == (401, [])
    assert (call(secret), told.hints) == (200, [Hint("product", "7")])


def test_what_somebody_saves_in_the_shop_reaches_the_listener_as_a_hint(
    bench: BridgeBench, installed: Installation
) -> None:
    told = Told(bench)
    with served(application(told)) as url:
        bench.described["bridge"]["url"] = url
        bench.describe()
        installed.integrate()
        shop = Wordpress(bench)
        told.hints.clear()
        told.came.clear()
        made = shop.ask("POST", "products", name="Cup", sku="CUP-1", type="simple")
        assert told.came.wait(10)
    assert Hint("product", str(made["id"])) in told.hints
    assert {one["status"] for one in shop.webhooks().values()} == {"active"}


def test_a_webhook_that_woocommerce_disabled_is_enabled_again(bench: BridgeBench, installed: Installation) -> None:
    installed.integrate()
    shop = Wordpress(bench)
    shop.ask("PUT", f"webhooks/{shop.webhooks()[UPDATED]['id']}", status="disabled")
    [step] = installed.plan().changes
    assert step.change is not None
    assert (step.resource.key, set(step.change.names)) == (f"webhook {UPDATED}", {"enabled"})
    installed.integrate()
    assert shop.webhooks()[UPDATED]["status"] == "active"


def test_a_role_somebody_gave_and_a_password_somebody_took_are_drift(
    bench: BridgeBench, installed: Installation
) -> None:
    installed.integrate()
    before = bench.place.keyring.needed("acme", SideName.WORDPRESS).password
    bench.wordpress_hand.write_rest_user("administrator", [], "none")
    [step] = [one for one in installed.plan().changes if one.resource.key == f"user {LOGIN}"]
    assert step.change is not None
    assert {"roles", "password known"} <= step.change.names
    assert installed.integrate().status is Status.MANUAL
    assert (user(bench) or {})["roles"] == ["shop_manager"]
    after = bench.place.keyring.needed("acme", SideName.WORDPRESS).password
    assert after is not None
    assert after != before
    assert installed.plan().changes == []


def test_rotate_gives_the_user_another_password(bench: BridgeBench, installed: Installation) -> None:
    installed.integrate()
    before = bench.place.keyring.needed("acme", SideName.WORDPRESS).password
    assert installed.rotate().status is Status.MANUAL
    after = bench.place.keyring.needed("acme", SideName.WORDPRESS).password
    assert after is not None
    assert after != before
    assert installed.plan().changes == []
    test_a_record_goes_across_by_rest_and_back(bench, installed)


def test_undo_takes_user_password_and_webhooks_away(bench: BridgeBench, installed: Installation) -> None:
    assert Wordpress(bench).webhooks() == {}
    before = bench.state()
    installed.integrate()
    _, errors = installed.undo()
    assert errors == {}
    assert bench.state() == before
    assert (user(bench), Wordpress(bench).webhooks()) == (None, {})


def test_the_plugin_that_comes_later_takes_over(bench: BridgeBench, installed: Installation) -> None:
    installed.integrate()
    store = bench.path.parent / "store.json"
    held = json.loads(store.read_text())
    store.write_text(json.dumps({**held, "plugins_writable": True}))
    result = installed.integrate()
    assert result.status is Status.APPLIED, result.reason
    access = bench.place.keyring.needed("acme", SideName.WORDPRESS)
    assert (access.has_plugin, access.user, access.password) == (True, "", None)
    assert (user(bench), Wordpress(bench).webhooks()) == (None, {})
    assert installed.plan().changes == []
    plans, errors = installed.undo()
    assert errors == {}
    assert not any("webhook" in note for plan in plans for step in plan.steps for note in step.left)


def test_an_undo_before_the_plugin_was_proven_takes_the_user_away(bench: BridgeBench, installed: Installation) -> None:
    installed.integrate()
    store = bench.path.parent / "store.json"
    store.write_text(json.dumps({**json.loads(store.read_text()), "plugins_writable": True}))
    with bench.failing_proof():
        assert installed.integrate().status is Status.UNVERIFIED
    assert user(bench) is not None
    _, errors = installed.undo()
    assert errors == {}
    assert (user(bench), Wordpress(bench).webhooks()) == (None, {})


def test_who_says_that_it_stays_so_is_not_reminded(bench: BridgeBench, installed: Installation) -> None:
    settings = {"data-bridge": {"wordpress": {"settings": {"wordpress_plugin": False}}}}
    bench.described["clients"]["acme"]["integrations"] = settings
    bench.describe()
    assert installed.integrate().status is Status.APPLIED
    assert any(one.startswith("without our plugin") for one in installed.plan().warnings)


def test_a_plugin_that_comes_while_a_run_is_at_work_is_the_next_ones() -> None:
    answers: list[bool | Exception] = [Unavailable("down"), False, True]

    def ask() -> bool:
        said = answers.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    once = OnceARun(ask)
    with pytest.raises(Unavailable):
        once()
    assert [once(), once()] == [False, False]


@pytest.mark.parametrize(
    ("shared", "wanted"),
    [
        ({"post": "both", "page": "to_erpnext", "submission": "to_erpnext"}, ("editor", ())),
        ({"order": "both"}, ("shop_manager", ())),
        ({"customer": "to_erpnext"}, ("shop_manager", ())),
        ({"customer": "both", "post": "both"}, ("shop_manager", ("delete_users", "promote_users"))),
        ({"submission": "both"}, ("subscriber", ())),
    ],
)
def test_the_user_has_no_more_than_what_is_shared_needs(
    shared: Mapping[str, str], wanted: tuple[str, tuple[str, ...]]
) -> None:
    assert rights_for(shared) == wanted


class TestNobodyLeadsInside:
    """Nothing leads to WordPress's PHP: stack.yaml names a user, and nothing is made but webhooks."""

    @pytest.fixture
    def bench(self, make: Made) -> BridgeBench:
        return make(inside=False, shares=SHARES)

    def test_it_works_as_the_user_of_stack_yaml(self, bench: BridgeBench, installed: Installation) -> None:
        result = installed.integrate()
        assert result.status is Status.MANUAL
        assert "does not lead to this WordPress's PHP" in result.reason
        assert "wordpress_plugin: false" in result.reason
        assert all(proof.ok for proof in result.proofs)
        access = bench.place.keyring.needed("acme", SideName.WORDPRESS)
        assert (access.user, access.password) == ("admin", bench.credentials["PASSWORD"])
        assert user(bench) is None
        assert UPDATED in Wordpress(bench).webhooks()
        assert installed.integrate().changes == []
        _, errors = installed.undo()
        assert errors == {}
        assert Wordpress(bench).webhooks() == {}

    def test_without_a_user_the_steps_are_told_and_nothing_is_planned(
        self, bench: BridgeBench, installed: Installation
    ) -> None:
        described = bench.described["clients"]["acme"]["components"]["wordpress"]
        del described["api_user"], described["api_password"]
        bench.describe()
        plan = installed.plan()
        assert (plan.status, plan.changes) == (Status.MANUAL, [])
        assert "role Shop manager; on its page, Application Passwords" in plan.reason
        assert "agencystack secret set acme/wordpress/api-password" in plan.reason

    def test_a_consumer_key_does_not_open_posts(self, bench: BridgeBench, installed: Installation) -> None:
        acme = bench.described["clients"]["acme"]
        acme["components"]["wordpress"]["api_user"] = "ck_" + "0" * 40
        acme["data_bridge"]["entities"]["post"] = {"direction": "both"}
        bench.describe()
        plan = installed.plan()
        assert (plan.status, plan.changes) == (Status.BLOCKED, [])
        assert "posts and pages are WordPress's own" in plan.reason
