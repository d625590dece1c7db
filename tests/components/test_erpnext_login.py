"""What ERPNext's client says of logins and users where something is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.components.erpnext import ErpNext, ErpNextRefused, RoleChange
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.stack.errors import AuthenticationFailed, ComponentRef, Refused
from agencystack.stack.secrets import Secret
from tests.serving import served

WHERE = ComponentRef("acme", "erpnext")
ANNA = "anna@acme.example"


@pytest.fixture
def erpnext(tmp_path: Path) -> Iterator[ErpNext]:
    stand_in = ErpNextStandIn(tmp_path)
    with served(stand_in.app) as url:
        yield ErpNext(WHERE, url, Secret(stand_in.api_key), Secret(stand_in.api_secret))


def test_settings_a_system_manager_may_not_see_are_unknown_and_not_off(erpnext: ErpNext) -> None:
    settings = erpnext.login.settings()
    assert (settings.disable_signup, settings.default_role) == (None, None)
    assert (settings.disable_user_pass_login, settings.enable_two_factor_auth) == (False, False)
    erpnext.users.apply(RoleChange(erpnext.whoami(), add=("Website Manager",)))
    settings = erpnext.login.settings()
    assert (settings.disable_signup, settings.default_role) == (True, "")


def test_the_app_tells_what_its_user_may_not_see(erpnext: ErpNext) -> None:
    state = erpnext.login.sso_state()
    assert (state["disable_signup"], state["default_role"]) == (True, "")


def test_a_wrong_key_is_no_missing_permission(erpnext: ErpNext, tmp_path: Path) -> None:
    stand_in = ErpNextStandIn(tmp_path / "other")
    with served(stand_in.app) as url:
        wrong = ErpNext(WHERE, url, Secret(stand_in.api_key), Secret("not-the-secret"))
        with pytest.raises(AuthenticationFailed):
            wrong.single("Portal Settings")


def test_a_role_that_is_not_kept_is_named(erpnext: ErpNext) -> None:
    erpnext.users.create(ANNA, "Anna")
    erpnext.update("Role", "Stock User", {"disabled": 1})
    with pytest.raises(Refused, match="did not keep the change of Stock User"):
        erpnext.users.apply(RoleChange(ANNA, add=("Stock User",)))


def test_a_change_made_meanwhile_is_not_overwritten(erpnext: ErpNext, monkeypatch: pytest.MonkeyPatch) -> None:
    erpnext.users.create(ANNA, "Anna")
    read = erpnext.document

    def changed_after(doctype: str, name: str) -> object:
        found = read(doctype, name)
        erpnext.update("User", ANNA, {"roles": [{"role": "Purchase User"}]})
        return found

    monkeypatch.setattr(erpnext, "document", changed_after)
    with pytest.raises(Refused, match="somebody changed it"):
        erpnext.users.apply(RoleChange(ANNA, add=("Stock User",)))
    monkeypatch.undo()
    user = erpnext.users.user(ANNA)
    assert user is not None
    assert user.roles == ("Purchase User",)


def test_a_user_that_documents_refer_to_is_disabled(erpnext: ErpNext, monkeypatch: pytest.MonkeyPatch) -> None:
    erpnext.users.create(ANNA, "Anna")

    def linked(doctype: str, name: str) -> bool:
        raise ErpNextRefused("is linked with ToDo 1", component=WHERE, remedy="", status=417, kind="LinkExistsError")

    monkeypatch.setattr(erpnext, "delete", linked)
    removal = erpnext.users.remove(ANNA)
    assert (removal.user, "ToDo 1" in removal.because) == ("disabled", True)
    user = erpnext.users.user(ANNA)
    assert user is not None
    assert not user.enabled


def test_leftovers_are_found_by_their_beginning_alone(erpnext: ErpNext) -> None:
    for name in ("agencystack-probe-1-a", "agencystackXprobe-1-a", "an-agencystack-probe-1"):
        erpnext.users.create(f"{name}@acme.example", "Probe")
    assert erpnext.users.names("agencystack-probe-") == ("agencystack-probe-1-a@acme.example",)
    erpnext.users.create("agencystack_probe@acme.example", "Probe")
    assert erpnext.users.names("agencystack_probe") == ("agencystack_probe@acme.example",), "no wildcard"
