"""A site, a browser and a provider for tests of ERPNext's logins."""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agencystack.components.erpnext import ErpNext, User
from agencystack.components.erpnext.login import CALLBACK, KEYCLOAK
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret
from tests.oidc_provider import OidcProvider

WHERE = ComponentRef("acme", "erpnext")
CLIENT, SECRET = "acme-erpnext", "the-client-secret"
START = "/api/method/agencystack_connector.sso.login.start"
MANAGED = ("Sales User", "Stock User")
DESK = "Sales User"


@dataclass
class Site:
    """An ERPNext, our client of it, and an identity provider it can reach."""

    url: str
    erpnext: ErpNext
    provider: Provider
    key: str
    suffix: str

    def email(self, name: str) -> str:
        return f"contract-{name}{self.suffix}@lab.example"

    def person(self, name: str = "anna", **changes: object) -> dict[str, Any]:
        """Return the claims of a person the provider knows."""
        claims = {
            "sub": f"s-{name}{self.suffix}",
            "email": self.email(name),
            "email_verified": True,
            "preferred_username": f"{name}{self.suffix}",
            "given_name": name.title(),
            "roles": [DESK],
        }
        return {key: value for key, value in (claims | changes).items() if value is not None}

    def user(self, name: str = "anna") -> User | None:
        return self.erpnext.users.user(self.email(name))

    def set_key(self, **changes: object) -> None:
        self.erpnext.login.update_key(changes, name=self.key)

    @property
    def callback(self) -> str:
        return CALLBACK if self.key == KEYCLOAK else f"/api/method/frappe.integrations.oauth2_logins.custom/{self.key}"


class Browser:
    """A browser that follows redirects by hand and stops at the site's own pages."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.client = httpx.Client(base_url=site.url, timeout=60)
        self.last: httpx.Response | None = None

    def button(self, query: str = "") -> str:
        found = re.search(rf'href="([^"]*)"\s+class="[^"]*btn-{self.site.key}"', self.client.get(f"/login{query}").text)
        assert found, "the login page has no button of our key"
        return html.unescape(found[1])

    def login(self, query: str = "") -> httpx.Response:
        return self.go(self.answer(self.button(query)))

    def answer(self, start: str) -> str:
        """Go to the provider, and return the address it sends the browser back to."""
        at = self.client.get(start)
        while "code=" not in at.headers.get("location", ""):
            assert at.is_redirect, f"{at.status_code} at {at.url}: {at.text[:300]}"
            at = self.client.get(at.headers["location"])
        return str(at.headers["location"])

    def go(self, url: str) -> httpx.Response:
        self.last = self.client.get(url)
        return self.last

    def who(self) -> str | None:
        answer = self.client.get("/api/method/frappe.auth.get_logged_user")
        return answer.json().get("message") if answer.is_success else None

    def refusal(self) -> str | None:
        found = re.search(r'data-refusal="([^"]*)"', self.last.text if self.last else "")
        return found[1] if found else None


class Provider(OidcProvider):
    """A provider that keeps sessions: it gives refresh tokens, and ends a session for one, as Keycloak does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ended: list[str] = []
        self.app.router.routes.insert(0, Route("/end-session", self._end, methods=["POST"]))

    async def _token(self, request: Request) -> Response:
        answer = await super()._token(request)
        body = json.loads(bytes(answer.body))
        if answer.status_code == 200:
            body |= {"refresh_token": f"refresh-{body['access_token']}", "refresh_expires_in": 1800}
        return JSONResponse(body, answer.status_code)

    async def _end(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode()))
        right = (given["client_id"], given["client_secret"]) == (CLIENT, SECRET)
        self.ended += [given["refresh_token"]] if right else []
        return Response(status_code=204 if right else 400)


def client_of(url: str, key: str, secret: str) -> ErpNext:
    return ErpNext(WHERE, url, Secret(key), Secret(secret))


def key_of(site: Site) -> dict[str, object]:
    issuer = site.provider.issuer
    return {
        "social_login_provider": "Custom",
        "enable_social_login": 1,
        "client_id": CLIENT,
        "custom_base_url": 0,
        "base_url": issuer,
        "authorize_url": f"{issuer}/authorize",
        "access_token_url": f"{issuer}/token",
        "redirect_url": site.callback,
        "api_endpoint": f"{issuer}/userinfo",
        "auth_url_data": '{"response_type": "code", "scope": "openid email profile"}',
        "user_id_property": "sub",
        "sign_ups": "Allow",
    }


def forged_state(redirect_to: str | None = None) -> str:
    state = {"site": "http://elsewhere.example", "token": "forged", "redirect_to": redirect_to}
    return base64.b64encode(json.dumps(state).encode()).decode()


def stolen_code(site: Site) -> str:
    """Return a code of whoever is logged in at the provider, asked for without any browser of ours."""
    asked = {"client_id": CLIENT, "redirect_uri": site.url + site.callback}
    back = httpx.get(f"{site.provider.issuer}/authorize", params=asked).headers["location"]
    return str(httpx.URL(back).params["code"])


def fetched_token(site: Site) -> Secret:
    asked = {"grant_type": "authorization_code", "code": stolen_code(site), "redirect_uri": site.url + site.callback}
    answer = httpx.post(f"{site.provider.issuer}/token", data={**asked, "client_id": CLIENT, "client_secret": SECRET})
    return Secret(answer.json()["id_token"])
