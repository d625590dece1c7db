"""Users that killed proofs left in an application: the plan names those whose time is over, and only they go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from agencystack.components.grafana import Grafana
from agencystack.components.wordpress import SSO, WordPress
from agencystack.engine.resource import Action, Change, FieldChange
from agencystack.integrations.sso import grafana, wordpress
from agencystack.integrations.sso.probe import LeftUsers
from agencystack.sandbox.grafana import ADMIN, GrafanaStandIn
from agencystack.sandbox.grafana.people import People
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.sandbox.wordpress_store import Store, User
from agencystack.stack.errors import ComponentRef, Unavailable
from agencystack.stack.secrets import Secret
from tests.contract import wordpress_sites
from tests.contract.test_wordpress_multisite import make_network
from tests.contract.wordpress_browsers import make_user, run_php
from tests.contract.wordpress_sites import Site
from tests.serving import free_port, served

WHERE = ComponentRef("acme", "listmonk")
OLD, OLDER = "agencystack-probe-1700000000-dead", "agencystack-probe-1600000000-gone"
# Tests are collected long before they run.
FRESH = f"agencystack-probe-{int(time.time()) + 86_400}-alive"
OTHERS = ("agencystack-probed-by-hand", "agencystack-probe-soon-x", "my-agencystack-probe-1600000000-x")


def swept(left: LeftUsers) -> tuple[Any, Any]:
    """Carry out what a plan would hold, and return what was left before and after."""
    before = left.read()
    assert before.fields is not None
    fields = (FieldChange("left", before.fields["left"], ()),)
    left.write(Change(Action.UPDATE, fields, left.wanted(), before))
    after = left.read()
    assert after.fields is not None
    return before.fields["left"], after.fields["left"]


@pytest.mark.parametrize("name", ["{}", "{}@acme.example"])
def test_of_all_users_only_expired_probes_are_removed(name: str) -> None:
    users = [name.format(one) for one in (OLD, FRESH, *OTHERS, OLDER)]
    left = LeftUsers(WHERE, lambda: {user: lambda user=user: users.remove(user) for user in users})
    assert swept(left) == ((OLDER, OLD), ())
    assert users == [name.format(one) for one in (FRESH, *OTHERS)]
    assert swept(left) == ((), ())


def test_an_application_that_does_not_answer_is_not_one_without_leftovers() -> None:
    def find() -> dict[str, Callable[[], object]]:
        raise Unavailable("refuses connections", component=WHERE)

    with pytest.raises(Unavailable):
        LeftUsers(WHERE, find).read()


@pytest.fixture(params=["stand-in", "real"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    reason = RealWordPress.available() if request.param == "real" else None
    if reason:
        pytest.skip(reason)
    with wordpress_sites.real() if request.param == "real" else wordpress_sites.stand_in() as made:
        yield made


def add(site: Site, *names: str) -> None:
    if (site.path.parent / "store.json").is_file():
        with Store.locked(site.path) as store:
            store.data.users += [User(id=number, login=name, email="") for number, name in enumerate(names, 10)]
            store.save()
        return
    for name in names:
        make_user(site, name, "author")


def test_wordpress_tells_them_with_everything_else_and_deletes_them(site: Site) -> None:
    add(site, OLD, FRESH, *OTHERS, OLDER)
    client = site.wordpress()
    started: list[object] = []
    start = client._transport.start
    client._transport.start = lambda *a, **k: (started.append(a), start(*a, **k))[1]  # type: ignore[method-assign]
    left = wordpress.left_users(client)
    assert client.answer(SSO).roles
    assert left.read().fields == {"left": (OLDER, OLD)}
    assert len(started) == 1, "reading them costs no start of PHP"
    assert swept(left) == ((OLDER, OLD), ())
    assert all(client.sso_user(name) for name in (FRESH, *OTHERS, "admin"))
    assert client.sso_user(OLD) is client.sso_user(OLDER) is None


@pytest.mark.real
def test_in_a_network_those_go_too_who_are_on_no_site_yet() -> None:
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    with wordpress_sites.real() as site:
        make_network(site)
        for name in (OLD, FRESH):
            made = f"$id = wp_create_user( '{name}', 'p', '{name}@acme.example' ); remove_user_from_blog( $id, 1 );"
            run_php(site, made, url=site.url)
        client = WordPress(site.wordpress().where, site.executor, str(site.path), url=site.url)
        assert swept(wordpress.left_users(client)) == ((OLD,), ())
        assert client.sso_user(FRESH) is not None
        left = "SELECT COUNT(*) FROM $wpdb->usermeta LEFT JOIN $wpdb->users ON ID = user_id WHERE ID IS NULL"
        assert run_php(site, f'echo $wpdb->get_var( "{left}" );', url=site.url) == "0"


def test_grafana_deletes_them_and_nobody_whose_name_only_resembles(tmp_path: Path) -> None:
    password = "a-password-of-the-admin"
    everybody = (OLD, FRESH, *OTHERS, OLDER)
    people = People(tmp_path / "people.json", password)
    for name in everybody:
        person = {"auth_id": name, "login": name, "email": f"{name}@acme.example", "name": "AgencyStack Probe"}
        people.sync(person, allow_sign_up=True)
    app = GrafanaStandIn(tmp_path, root_url="http://grafana.acme.example", admin_password=password)
    with ExitStack() as stack:
        url = stack.enter_context(served(app))
        client = stack.enter_context(closing(Grafana(WHERE, url, user=ADMIN, password=Secret(password))))
        assert swept(grafana.left_users(client)) == ((OLDER, OLD), ())
        assert [name for name in (*everybody, ADMIN) if client.user(name)] == [FRESH, *OTHERS, ADMIN]


def test_more_users_than_one_answer_holds_are_all_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agencystack.components.grafana.client.PAGE", 2)
    password = "a-password-of-the-admin"
    people = People(tmp_path / "people.json", password)
    names = [f"agencystack-probe-{number}-x" for number in range(4)]
    for name in names:
        people.sync({"auth_id": name, "login": name, "email": name, "name": "Probe"}, allow_sign_up=True)
    with served(GrafanaStandIn(tmp_path, root_url="http://g.example", admin_password=password)) as url:
        client = Grafana(WHERE, url, user=ADMIN, password=Secret(password))
        assert [user.login for user in client.users_with_prefix("agencystack-probe-")] == names
        client.close()


def test_a_grafana_that_is_away_is_not_one_without_leftovers() -> None:
    client = Grafana(WHERE, f"http://127.0.0.1:{free_port()}", user=ADMIN, password=Secret("x"))
    with closing(client), pytest.raises(Unavailable):
        grafana.left_users(client).read()
