"""Two sites, each on the stand-in and a real ERPNext: with a key our app leaves alone, and with the one it checks."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.components.erpnext.login import KEYCLOAK
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.stack.secrets import Secret
from tests.contract.erpnext_sso.sites import (
    CLIENT,
    MANAGED,
    SECRET,
    Provider,
    Site,
    client_of,
    key_of,
)
from tests.contract.test_erpnext import real_erpnext
from tests.serving import served


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider({CLIENT: SECRET})
    with served(made.app) as made.issuer:
        yield made


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def bare(request: pytest.FixtureRequest, tmp_path: Path, provider: Provider) -> Iterator[Site]:
    """A site with a key of another name than Keycloak's, which our app leaves alone."""
    suffix = secrets.token_hex(3)
    if request.param == "real":
        target = real_erpnext(Path(os.environ["AGENCYSTACK_TEST_STACK"]), {}) if _real() else pytest.skip(WHY)
        site = Site(target.url, client_of(target.url, target.key, target.secret), provider, "", suffix)
        yield from _with_key(site, f"contract_{suffix}")
        return
    stand_in = ErpNextStandIn(tmp_path / "site", connector_app=True)
    with served(stand_in.app) as url:
        site = Site(url, client_of(url, stand_in.api_key, stand_in.api_secret), provider, "", suffix)
        yield from _with_key(site, f"contract_{suffix}")


WHY = "AGENCYSTACK_TEST_STACK names no stack with a real ERPNext"


def _real() -> str | None:
    return os.environ.get("AGENCYSTACK_TEST_STACK")


def _with_key(site: Site, name: str) -> Iterator[Site]:
    site.key = name
    site.erpnext.insert("Social Login Key", {**key_of(site), "provider_name": name, "client_secret": SECRET})
    try:
        yield site
    finally:
        site.erpnext.login.delete_key(name)
        for user in site.erpnext.users.names("contract-"):
            if site.suffix in user:
                site.erpnext.users.remove(user)


@pytest.fixture
def checked(bare: Site) -> Iterator[Site]:
    """A site whose key ``keycloak`` our app looks after."""
    login = bare.erpnext.login
    if login.connector_version() is None:
        pytest.skip("the ERPNext does not have our app")
    if login.key() is not None:
        pytest.skip("the ERPNext has a key named keycloak, which is somebody's")
    before = login.connector_settings()
    issuer = bare.provider.issuer
    site = Site(bare.url, bare.erpnext, bare.provider, KEYCLOAK, bare.suffix)
    login.insert_key({**key_of(site), "api_endpoint": "/userinfo"}, client_secret=Secret(SECRET))
    login.update_connector(
        {
            "sso_enabled": True,
            "issuer": issuer,
            "jwks_url": f"{issuer}/jwks",
            "end_session_url": f"{issuer}/end-session",
            "managed_roles": MANAGED,
        }
    )
    try:
        yield site
    finally:
        login.update_connector(before.model_dump(exclude={"modified"}))
        login.delete_key()
