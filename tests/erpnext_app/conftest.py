"""Makes the app importable, as a bench does, and gives tests a Frappe that is only what the app uses of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.erpnext_app.frappe_double import FrappeDouble, installed
from tests.oidc_provider import OidcProvider
from tests.serving import served

APP = Path(__file__).parents[2] / "plugins" / "erpnext" / "agencystack_connector"
if str(APP) not in sys.path:
    sys.path.append(str(APP))


@pytest.fixture(scope="session")
def served_provider() -> Iterator[OidcProvider]:
    provider = OidcProvider({"acme-erpnext": "the-client-secret"})
    with served(provider.app) as provider.issuer:
        yield provider


@pytest.fixture
def provider(served_provider: OidcProvider) -> OidcProvider:
    """A provider at which Anna is logged in."""
    served_provider.id_token, served_provider.forge = {}, False
    served_provider.person = {
        "sub": "s-anna",
        "email": "Anna@acme.example",
        "email_verified": True,
        "preferred_username": "anna",
        "given_name": "Anna",
        "roles": ["Sales User"],
    }
    return served_provider


@pytest.fixture
def frappe(provider: OidcProvider) -> Iterator[FrappeDouble]:
    """A site whose key ``keycloak`` leads to the provider, with the app's single sign-on switched on."""
    with installed() as site:
        site.documents["AgencyStack Settings"] = {
            "AgencyStack Settings": site.document(
                sso_enabled=1,
                issuer=provider.issuer,
                jwks_url=f"{provider.issuer}/jwks",
                end_session_url=f"{provider.issuer}/logout",
                roles_claim="roles",
                managed_roles="Sales User\nStock User",
            )
        }
        site.key = {
            "enable_social_login": 1,
            "authorize_url": f"{provider.issuer}/authorize",
            "access_token_url": f"{provider.issuer}/token",
            "api_endpoint": f"{provider.issuer}/userinfo",
            "auth_url_data": {"response_type": "code", "scope": "openid email profile"},
            "client_id": "acme-erpnext",
            "client_secret": "the-client-secret",
            "sign_ups": "Allow",
        }
        yield site
