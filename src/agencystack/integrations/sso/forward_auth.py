"""A gate in front of a product that has no OpenID Connect: oauth2-proxy behind Traefik, ready to be copied.

Checked against the documentation and source of oauth2-proxy 7.15 (configuration/integrations/traefik.md, endpoints.md,
oauthproxy.go) and Traefik's page on ForwardAuth; not run. That an empty ``customrequestheaders`` takes a header off,
and how priorities of rules work, is as commonly known of Traefik and was not looked up.

The gate itself is an OpenID Connect application, so our ``oidc`` integration registers, configures and proves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import Template
from typing import ClassVar
from urllib.parse import quote, urlsplit

from agencystack.engine.integration import Integration, Proof, Site, Unsupported
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.sso.registration import Endpoints
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.products import Keycloak

ROLE = "user"
"""The role that lets a person through the gate."""

EMAIL_HEADER = "X-Auth-Request-Email"
"""What the gate tells the product of who came through (oauth2-proxy, ``--set-xauthrequest``)."""

_STACK = Template("""\
# 1. stack.yaml: the gate, which lets the people of this client through to $product, and to nothing else.
#    Then: agencystack integrate sso --component $gate (it registers, configures and proves the gate).
clients:
  $client:
    groups:
      GROUP:                        # a group of people that may use $product
        $gate: [$role]
    components:
      $gate:
        custom: true
        url: $url
        exec: {local: true}         # the machine the gate's container runs on
        oidc:
          redirect_uris: [$url/oauth2/callback]
          logout_uris: [$url/]
          env_file:
            path: /opt/$gate/oauth2-proxy.env
            variables:
              OAUTH2_PROXY_OIDC_ISSUER_URL: "{issuer}"
              OAUTH2_PROXY_LOGIN_URL: "{authorization}"
              OAUTH2_PROXY_REDEEM_URL: "{token}"
              OAUTH2_PROXY_PROFILE_URL: "{userinfo}"
              OAUTH2_PROXY_OIDC_JWKS_URL: "{jwks}"
              OAUTH2_PROXY_CLIENT_ID: "{client_id}"
              OAUTH2_PROXY_CLIENT_SECRET: "{client_secret}"
              OAUTH2_PROXY_REDIRECT_URL: "{redirect_uri}"
              OAUTH2_PROXY_SCOPE: "{scopes}"
          restart: [docker, compose, --project-directory, /opt/$gate, up, -d]
          proof:
            start: /oauth2/start?rd=/oauth2/userinfo
            who: {url: /oauth2/userinfo, name: /preferredUsername, email: /email, roles: /groups}
            logout: $logout
""")

_ENVIRONMENT = Template("""\
# 2. /opt/$gate/oauth2-proxy.env, before the first run; the variables above are added to it. Mode 600.
OAUTH2_PROXY_PROVIDER=oidc
OAUTH2_PROXY_SKIP_OIDC_DISCOVERY=true
OAUTH2_PROXY_CODE_CHALLENGE_METHOD=S256
OAUTH2_PROXY_OIDC_GROUPS_CLAIM=roles
OAUTH2_PROXY_ALLOWED_GROUPS=$role
OAUTH2_PROXY_EMAIL_DOMAINS=*
# openssl rand -base64 32 | tr -- '+/' '-_'
OAUTH2_PROXY_COOKIE_SECRET=
OAUTH2_PROXY_COOKIE_SECURE=$secure
OAUTH2_PROXY_HTTP_ADDRESS=0.0.0.0:4180
OAUTH2_PROXY_REVERSE_PROXY=true
# The address or network of Traefik, whose X-Forwarded- headers alone may be believed.
OAUTH2_PROXY_TRUSTED_PROXY_IPS=
OAUTH2_PROXY_UPSTREAMS=static://202
OAUTH2_PROXY_SET_XAUTHREQUEST=true
OAUTH2_PROXY_SKIP_PROVIDER_BUTTON=true
OAUTH2_PROXY_WHITELIST_DOMAINS=$keycloak
""")

_GATE = Template("""\
# 3. /opt/$gate/compose.yaml, in the network Traefik is in; no port of it is published. Give all routers here the entry
#    points and TLS settings your others have.
services:
  $gate:
    image: quay.io/oauth2-proxy/oauth2-proxy:v7.15.3
    restart: unless-stopped
    env_file: [oauth2-proxy.env]
    networks: [$gate]
    labels:
      traefik.enable: "true"
      traefik.http.routers.$gate.rule: "Host(`$host`) && PathPrefix(`/oauth2/`)"
      traefik.http.routers.$gate.priority: "1000"
      traefik.http.routers.$gate.service: "$gate"
      traefik.http.services.$gate.loadbalancer.server.port: "4180"
      traefik.http.middlewares.$gate.forwardauth.address: "http://$gate:4180/"
      traefik.http.middlewares.$gate.forwardauth.trustForwardHeader: "false"
      traefik.http.middlewares.$gate.forwardauth.authResponseHeaders: "$header"
networks:
  $gate:
    name: TRAEFIK_NETWORK
    external: true
""")


@dataclass(frozen=True)
class Gate:
    """The gate of one product.

    Args:
        site: the product, and Keycloak.
    """

    site: Site

    @property
    def name(self) -> str:
        """What the gate is called: component, service, middleware."""
        return f"{self.site.application.ref.name}-gate"

    @property
    def host(self) -> str:
        """The product's public host, as Traefik matches it: without a port."""
        return urlsplit(self.site.application.settings.url).hostname or ""

    @property
    def logout(self) -> str:
        """The path that logs out of the gate, and by its redirect of Keycloak."""
        back = f"{self._url}/"
        end = (
            f"{self._endpoints.end_session}?id_token_hint={{id_token}}&post_logout_redirect_uri={quote(back, safe='')}"
        )
        return f"/oauth2/sign_out?rd={quote(end, safe='')}"

    def snippet(self, product: str) -> str:
        """Return the gate's three files, followed by what the product itself needs."""
        words = {
            "product": self.site.application.ref.name,
            "gate": self.name,
            "client": self.site.client,
            "role": ROLE,
            "url": self._url,
            "host": self.host,
            "logout": self.logout,
            "secure": str(self._url.startswith("https:")).lower(),
            "keycloak": urlsplit(self._endpoints.issuer).netloc,
            "header": EMAIL_HEADER,
        }
        parts = (_STACK, _ENVIRONMENT, _GATE, Template(product))
        return "\n".join(part.substitute(words) for part in parts)

    @property
    def _url(self) -> str:
        return str(self.site.application.settings.url).rstrip("/")

    @property
    def _endpoints(self) -> Endpoints:
        if self.site.provider is None:
            raise ConfigurationError("has no Keycloak to log in through", component=self.site.application.ref)
        settings = products.settings_of(self.site.provider, Keycloak)
        realm = settings.realm.replace("{client}", self.site.client)
        return Endpoints.of(settings.url, settings.reached_by_components(), realm)


def see_snippet(site: Site) -> str:
    """Return how to see the snippet."""
    return f"agencystack integration snippet sso {site.application.ref.name} --client {site.client}"


class Gated(Integration):
    """A product that has no OpenID Connect: says so, and prints the gate that can stand in front of it.

    Attributes:
        reason: why it cannot be done.
        product: the last part of the snippet, with what the product itself needs.
    """

    reason: ClassVar[str]
    product: ClassVar[str]

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield nothing: it cannot be done."""
        raise Unsupported(
            self.reason, component=site.application.ref, remedy=f"put a gate in front: {see_snippet(site)}"
        )

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Yield nothing: there is nothing to prove."""
        return iter(())

    def snippet(self, site: Site) -> str:
        """Return the gate, followed by what the product needs."""
        return Gate(site).snippet(self.product)
