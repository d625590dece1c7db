"""Chatwoot cannot log people in through Keycloak without a licence: it speaks SAML, in its paid edition."""

from __future__ import annotations

from collections.abc import Iterator

from agencystack.engine.integration import Capability, Integration, Proof, Site, Support, Unsupported, integration
from agencystack.engine.resource import Resource

REASON = "Chatwoot has no OpenID Connect; it logs people in by SAML, in its paid edition only"
ALTERNATIVE = (
    "with a licence: a SAML client in Keycloak and Chatwoot's Settings, Security, by hand (not in its mobile app); "
    "else its own passwords. No gate: visitors' widget and mobile apps use the same addresses"
)


@integration("sso", "chatwoot", provider="keycloak", version=1)
class ChatwootLogin(Integration):
    """Say why not, and what there is instead."""

    capabilities = (Capability("login through Keycloak", Support.UNSUPPORTED, reason=REASON, alternative=ALTERNATIVE),)

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield nothing: it cannot be done."""
        raise Unsupported(REASON, component=site.application.ref, remedy=ALTERNATIVE)

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Yield nothing: there is nothing to prove."""
        return iter(())
