"""Uptime Kuma tells people of outages through Mailu."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.utils import formataddr
from typing import Any

from agencystack.components.uptime_kuma import UptimeKuma
from agencystack.engine.integration import Capability, Manual, Proof, Site, Support, integration
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Value
from agencystack.integrations import products
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import MailAccount, MailIntegration
from agencystack.integrations.email.submission import find_submission
from agencystack.integrations.kuma_notification import KEY, ClientNotification, notifications_of
from agencystack.stack.errors import Refused
from agencystack.stack.secrets import Secret

MAIL = "mail of "
"""How the key of :class:`NotificationMail` begins; the notification's name follows."""


@integration("email", "uptime-kuma", provider="mailu", version=1)
class UptimeKumaEmail(MailIntegration):
    """Give each client's checks a mailbox of their own to send from, in a notification that monitors can use."""

    capabilities = (
        Capability("sends through its own mailbox", Support.SUPPORTED, proof="a mail arrives"),
        Capability("sender name and address per client", Support.SUPPORTED, proof="a mail arrives"),
        Capability(
            "keeps the mailbox's password from people who log in",
            Support.UNSUPPORTED,
            reason="Uptime Kuma sends every notification's settings, passwords too, to each browser that is logged in",
            alternative="name the networks it sends from as `sends_from`: the password is good from there alone",
        ),
    )

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield the mailbox and the notification; then old tokens go.

        Raises:
            Manual: nobody is named to be told.
        """
        if not site.alerts_to:
            raise Manual(
                "nobody is named to be told of outages",
                component=site.application.ref,
                remedy=f"write `alerts_to: [ADDRESS]` for {site.client}, or for shared, in stack.yaml",
            )
        account = MailAccount(site)
        yield from account.resources()
        yield from notifications_of(site, _kuma(site))
        yield NotificationMail(_kuma(site), site, account)
        yield from account.afterwards()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Have Uptime Kuma send its test message with the saved settings, and read it back."""
        account = MailAccount(site)

        def send(to: str, subject: str, _body: str) -> Mapping[str, Any]:
            kuma = _kuma(site)
            notification = ClientNotification(kuma, site.client)
            saved = notification.saved()
            if saved is None:
                raise Refused(f"has no notification {notification.name}", component=kuma.where)
            # The name is what a test message says; a subject a person made for mails would hide it.
            config = {
                name: value for name, value in saved.config.items() if name not in {"customSubject", "customBody"}
            }
            said = kuma.test_notification({**config, "name": subject, "smtpTo": to})
            return {"uptime_kuma_said": said}

        yield MailArrives(site, account, send, lambda: find_submission(site))

    def warnings(self, site: Site) -> Iterator[str]:
        """Yield what the mailbox has to say, who sees its password, and what must be trusted."""
        yield from super().warnings(site)
        yield (
            f"whoever is logged in to Uptime Kuma can read the password of {MailAccount(site).address}: it sends all "
            "notifications' settings to the browser"
        )
        authority = products.ca_file(site.provider.settings) if site.provider else None
        if authority:
            yield (
                f"Uptime Kuma verifies Mailu's certificate: start it with NODE_EXTRA_CA_CERTS={authority}, as a path "
                "where it runs"
            )

    def former(self, site: Site, key: str) -> Resource | None:
        """Return the notification, or a resource of the mailbox that another configuration once wanted."""
        if key.startswith(KEY):
            return ClientNotification(_kuma(site), site.client)
        if key.startswith(MAIL):
            return NotificationMail(_kuma(site), site, MailAccount(site))
        return super().former(site, key)

    def component_version(self, site: Site) -> str | None:
        """Return the version of Uptime Kuma."""
        kuma = _kuma(site)
        return site.context.connection(site.application.ref, kuma.version, "version")


class NotificationMail(Resource):
    """How the notification is sent. What people add to it, such as a subject of their own, stays."""

    def __init__(self, kuma: UptimeKuma, site: Site, account: MailAccount) -> None:
        self._notification = ClientNotification(kuma, site.client)
        self.component, self.key = kuma.where, f"{MAIL}{self._notification.name}"
        self._kuma, self._site, self._account = kuma, site, account

    def read(self) -> Reading:
        """Return its settings."""
        found = self._notification.saved()
        if found is None:
            return ABSENT
        fields: dict[str, Value] = {name: found.config.get(name) for name in _PLAIN}
        password = found.config.get("smtpPassword")
        fields["smtpPassword"] = Secret(str(password)) if password else None
        return Reading(fields, {"config": dict(found.config)})

    def wanted(self) -> Fields:
        """Want Mailu, as our mailbox, over verified TLS."""
        server = find_submission(self._site)
        return {
            "type": "smtp",
            "smtpHost": server.host,
            "smtpPort": server.port,
            "smtpSecure": server.security == "tls",
            "smtpIgnoreSTARTTLS": False,
            "smtpIgnoreTLSError": False,
            "smtpUsername": self._account.address,
            "smtpPassword": self._account.password,
            "smtpFrom": formataddr((self._account.sender_name, self._account.sender)),
            "smtpTo": ",".join(self._site.alerts_to),
        }

    def write(self, change: Change) -> None:
        """Change what differs; it is saved as a whole."""
        self._save({name: _plain(change.target[name]) for name in change.names}, without=())

    def remove(self, live: Reading, before: Image) -> str:
        """Take our settings out of it; the notification itself goes with its last user."""
        self._save({}, without=[name for name in (*_PLAIN, "smtpPassword") if name != "type"])
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put back the settings it had, absent ones too."""
        had = before.extra.get("config") or {}
        self._save({name: had[name] for name in change.names if name in had}, without=change.names)

    def _save(self, settings: Mapping[str, Any], without: Iterable[str]) -> None:
        found = self._notification.saved()
        if found is not None:
            kept = {name: value for name, value in found.config.items() if name not in set(without)}
            self._kuma.save_notification({**kept, **settings}, found.id)


def _kuma(site: Site) -> UptimeKuma:
    return products.uptime_kuma(site.application, site.context)


def _plain(value: Value) -> Any:
    return value.reveal() if isinstance(value, Secret) else value


_SAID_OTHERWISE = {"customSubject", "customBody"}
_PLAIN = (
    "type",
    "smtpHost",
    "smtpPort",
    "smtpSecure",
    "smtpIgnoreSTARTTLS",
    "smtpIgnoreTLSError",
    "smtpUsername",
    "smtpFrom",
    "smtpTo",
)
