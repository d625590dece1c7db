"""Keycloak sends its mail (verified addresses, forgotten passwords) through Mailu."""

from __future__ import annotations

import secrets as random_source
import time
from collections.abc import Iterator, Mapping
from typing import Any

from agencystack.components.keycloak import Realm, RealmSettings
from agencystack.components.mail import Submission
from agencystack.engine.integration import Capability, Proof, Site, Support, Unsupported, integration
from agencystack.engine.resource import Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import MailAccount, MailIntegration
from agencystack.integrations.email.submission import find_submission
from agencystack.integrations.keycloak_realm import LoginRealm
from agencystack.integrations.probe_mailbox import LIFETIME, PROBE
from agencystack.stack.products import Keycloak as KeycloakSettings
from agencystack.stack.secrets import Secret, generate

MASK = "**********"
"""What Keycloak shows of a stored password; sent back it keeps the stored one."""


@integration("email", "keycloak", provider="mailu", version=1)
class KeycloakEmail(MailIntegration):
    """Give the realm its own mailbox."""

    capabilities = (
        Capability("sends through its own mailbox", Support.SUPPORTED, proof="a mail arrives"),
        Capability("sender name and address per realm", Support.SUPPORTED, proof="a mail arrives"),
        Capability(
            "one sender per client in a realm several clients share",
            Support.UNSUPPORTED,
            reason="a realm has one mail server",
            alternative="one realm a client: `realm: agency-{client}`",
        ),
    )

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield the mailbox, the realm's mail server; then old tokens go."""
        settings = products.settings_of(site.application, KeycloakSettings)
        if "{client}" not in settings.realm and settings.mail_of not in {None, site.client}:
            raise Unsupported(
                f"the realm {settings.realm} is shared, and its mail leaves as {settings.mail_of}'s",
                component=site.application.ref,
                remedy="nothing to do; for a sender per client give each a realm: `realm: agency-{client}`",
            )
        account = MailAccount(site)
        yield LoginRealm(_realm(site))
        yield from account.resources()
        yield RealmMail(_realm(site), site, account)
        yield from account.afterwards()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Have the realm mail a link to a person made for it, and read it back."""

        def send(to: str, _subject: str, _body: str) -> Mapping[str, Any]:
            realm = _realm(site)
            until = int(time.time() + LIFETIME.total_seconds())
            username = f"{PROBE}{until}-{random_source.token_hex(4)}"
            person = realm.create_user(
                username, email=to, first_name="AgencyStack", last_name="Probe", password=generate(24)
            )
            try:
                realm.mail_link(person)
            finally:
                realm.delete_user(person)
            return {"mail": "a link to verify an address", "realm": realm.name}

        yield MailArrives(site, MailAccount(site), send, lambda: find_submission(site))

    def warnings(self, site: Site) -> Iterator[str]:
        """Yield what the mailbox has to say, and what Keycloak must trust."""
        yield from super().warnings(site)
        authority = products.ca_file(site.provider.settings) if site.provider else None
        if authority:
            yield (
                f"Keycloak verifies Mailu's certificate, so it must be started with --truststore-paths={authority} "
                "(Keycloak 24 and later), as a path where it runs"
            )

    def former(self, site: Site, key: str) -> Resource | None:
        """Return the realm or a resource of the mailbox that another configuration once wanted."""
        if key.startswith("realm "):
            return LoginRealm(products.keycloak(site.application, site.context).realm(key.removeprefix("realm ")))
        return super().former(site, key)

    def component_version(self, site: Site) -> str | None:
        """Return Keycloak's version."""
        keycloak = products.keycloak(site.application, site.context)
        return site.context.connection(site.application.ref, keycloak.version, "version")


class RealmMail(Resource):
    """The mail server of the realm. What a person set beside our fields, such as a reply address, stays."""

    def __init__(self, realm: Realm, site: Site, account: MailAccount) -> None:
        self.component, self.key = realm.where, f"mail of realm {realm.name}"
        self._realm, self._site, self._account = realm, site, account

    def read(self) -> Reading:
        """Return the mail server; one that logs in as somebody else is a person's."""
        smtp = self._settings().smtp
        fields: dict[str, Value] = {name: smtp.get(name, "") for name in _TEXTS}
        fields |= {name: smtp.get(name, "") == "true" for name in _SWITCHES}
        fields["password"] = Marker.UNREADABLE if smtp.get("password") else None
        foreign = None
        if smtp.get("host") and smtp.get("user") != self._account.address:
            what = f"mail of the realm {self._realm.name} goes through {smtp['host']}; its password cannot be read"
            foreign = Foreign(f"{what}, so undo cannot put that back", Permission.REPLACE)
        return Reading(fields, {"smtp": dict(smtp)}, foreign)

    def wanted(self) -> Fields:
        """Want Mailu, as our mailbox."""
        server = find_submission(self._site)
        return {
            **_server(server),
            "from": self._account.sender,
            "fromDisplayName": self._account.sender_name,
            "envelopeFrom": self._account.sender,
            "user": self._account.address,
            "auth": True,
            "password": self._account.password,
        }

    def write(self, change: Change) -> None:
        """Set our fields; the password only where it changes."""
        texts: dict[str, Any] = {name: str(change.target[name]) for name in _TEXTS}
        switches = {name: "true" if change.target[name] else "false" for name in _SWITCHES}
        password = change.target["password"] if "password" in change.names else None
        kept = {"password": MASK} if change.live.fields and change.live.fields["password"] else {}
        secret = {"password": password.reveal()} if isinstance(password, Secret) else kept
        self._realm.update({"smtpServer": {**self._settings().smtp, **texts, **switches, **secret}})

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put back what was there; where there was nothing, nothing is left."""
        had = dict(before.extra.get("smtp") or {})
        if not had.get("host"):
            self._realm.update({"smtpServer": had})
            return
        self.write(change)

    def _settings(self) -> RealmSettings:
        return self._realm.settings() or RealmSettings(realm=self._realm.name)


def _realm(site: Site) -> Realm:
    settings = products.settings_of(site.application, KeycloakSettings)
    return products.keycloak(site.application, site.context).realm(settings.realm.replace("{client}", site.client))


def _server(server: Submission) -> Fields:
    return {
        "host": server.host,
        "port": str(server.port),
        "ssl": server.security == "tls",
        "starttls": server.security == "starttls",
    }


_TEXTS = ("host", "port", "from", "fromDisplayName", "envelopeFrom", "user")
_SWITCHES = ("ssl", "starttls", "auth")
