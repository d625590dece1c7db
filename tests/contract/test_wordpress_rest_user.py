"""One suite for the stand-in and for Debian's real WordPress: the user the bridge comes as where our plugin is not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agencystack.components.wordpress import PLUGINS_FOLDER, REST_USER, RestUser, WordPress
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.sandbox.wordpress_rest_user import LOGIN
from agencystack.stack.errors import Refused
from tests.contract import wordpress_sites
from tests.contract.wordpress_browsers import run_php
from tests.contract.wordpress_sites import Site


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if request.param == "real" and (reason := RealWordPress.available()):
        pytest.skip(reason)
    with wordpress_sites.stand_in() if request.param == "stand-in" else wordpress_sites.real() as found:
        yield found


@pytest.fixture
def wordpress(site: Site) -> Iterator[WordPress]:
    """A client; the user a test made is taken away."""
    client = site.wordpress()
    yield client
    client.delete_rest_user()


def user(wordpress: WordPress) -> RestUser:
    """Ask anew, as another run does."""
    wordpress.forget()
    found = wordpress.answer(REST_USER)
    assert found is not None
    return found


def test_it_has_one_role_and_what_was_asked_for_beside_it(wordpress: WordPress) -> None:
    assert wordpress.answer(REST_USER) is None
    wordpress.write_rest_user("editor", ["promote_users"], "none")
    assert user(wordpress) == RestUser(roles=("editor",), capabilities=("promote_users",), passwords=())
    wordpress.write_rest_user("author", [], "keep")
    assert user(wordpress) == RestUser(roles=("author",), capabilities=(), passwords=())


def test_its_password_is_told_once_and_replaced_or_kept(wordpress: WordPress) -> None:
    first = wordpress.write_rest_user("editor", [], "new")
    assert first is not None
    assert len(first.password.reveal()) >= 24
    assert user(wordpress).passwords == (first.uuid,)
    assert wordpress.write_rest_user("author", [], "keep") is None
    assert user(wordpress).passwords == (first.uuid,)
    second = wordpress.write_rest_user("editor", [], "new")
    assert second is not None
    assert user(wordpress).passwords == (second.uuid,)
    wordpress.write_rest_user("editor", [], "none")
    assert user(wordpress).passwords == ()


def test_a_role_that_is_not_there_is_refused_before_anything_is_made(wordpress: WordPress) -> None:
    with pytest.raises(Refused, match="WooCommerce is not active"):
        wordpress.write_rest_user("shop_manager", [], "new")
    wordpress.forget()
    assert wordpress.answer(REST_USER) is None


def test_it_is_deleted_and_deleting_nobody_is_fine(wordpress: WordPress) -> None:
    wordpress.write_rest_user("editor", [], "new")
    wordpress.delete_rest_user()
    wordpress.delete_rest_user()
    wordpress.forget()
    assert wordpress.answer(REST_USER) is None


@pytest.fixture
def namesake(site: Site) -> Iterator[None]:
    """Somebody's user who is called as ours would be."""
    store = site.path.parent / "store.json"
    if store.exists():
        before = store.read_text()
        data = json.loads(before)
        data["users"].append({"id": 99, "login": LOGIN, "email": "p@acme.example", "roles": ["subscriber"]})
        store.write_text(json.dumps(data))
        yield
        store.write_text(before)
    else:
        run_php(site, f"wp_create_user( '{LOGIN}', 'p', 'p@acme.example' );")
        yield
        gone = f"wp_delete_user( get_user_by( 'login', '{LOGIN}' )->ID );"
        run_php(site, f"require_once ABSPATH . 'wp-admin/includes/user.php'; {gone}")


@pytest.mark.usefixtures("namesake")
def test_somebody_who_is_called_so_is_neither_changed_nor_deleted(wordpress: WordPress) -> None:
    assert wordpress.answer(REST_USER) is None
    wordpress.delete_rest_user()
    for _ in range(2):
        with pytest.raises(Refused, match="which AgencyStack did not make") as refused:
            wordpress.write_rest_user("editor", [], "new")
        assert "delete that user" in refused.value.remedy


def test_the_plugins_folder_says_whether_it_can_be_written(wordpress: WordPress) -> None:
    folder = wordpress.answer(PLUGINS_FOLDER)
    assert folder.path.endswith("/plugins")
    assert folder.writable
