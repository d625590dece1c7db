"""Uptime Kuma tells people of outages through Mailu."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import formataddr
from typing import Any

from agencystack.components.uptime_kuma import Notification, UptimeKuma
from agencystack.engine.integration import Capability, Manual, Proof, Site, Support, integration
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Value
from agencystack.integrations import products
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import MailAccount, MailIntegration
from agencystack.integrations.email.submission import find_submission
from agencystack.integrations.kuma_notification import notification_name
from agencystack.stack.errors import Refused
from agencystack.stack.secrets import Secret

MARK = "agencystack"
"""A key of our own in a notification's configuration, which Uptime Kuma keeps as it is given it."""

KEY = "notification "


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
        yield KumaNotification(_kuma(site), site, account)
        yield from account.afterwards()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Have Uptime Kuma send its test message with the saved settings, and read it back."""
        account = MailAccount(site)

        def send(to: str, subject: str, _body: str) -> Mapping[str, Any]:
            kuma = _kuma(site)
            saved = KumaNotification(kuma, site, account).saved()
            if saved is None:
                raise Refused(f"has no notification {notification_name(site.client)}", component=kuma.where)
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
            return KumaNotification(_kuma(site), site, MailAccount(site))
        return super().former(site, key)

    def component_version(self, site: Site) -> str | None:
        """Return the version of Uptime Kuma."""
        kuma = _kuma(site)
        return site.context.connection(site.application.ref, kuma.version, "version")


class KumaNotification(Resource):
    """The notification. What people add to it, such as a subject of their own, stays."""

    def __init__(self, kuma: UptimeKuma, site: Site, account: MailAccount) -> None:
        self._name = notification_name(site.client)
        self.component, self.key = kuma.where, KEY + self._name
        self._kuma, self._site, self._account = kuma, site, account

    def read(self) -> Reading:
        """Return ours; one of its name that a person made is theirs."""
        found = self.saved()
        if found is None:
            return ABSENT
        fields: dict[str, Value] = {name: found.config.get(name) for name in _PLAIN}
        password = found.config.get("smtpPassword")
        fields["smtpPassword"] = Secret(str(password)) if password else None
        if found.config.get(MARK) == self._site.client:
            return Reading(fields)
        image = {"config": {name: value for name, value in found.config.items() if name != MARK}}
        what = f"there is a notification {self._name} that is not ours"
        return Reading(fields, image, Foreign(what, Permission.ADOPT))

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
            MARK: self._site.client,
        }

    def write(self, change: Change) -> None:
        """Make it, or change what differs; it is saved as a whole."""
        found = self.saved()
        new = {"name": self._name, "isDefault": False, "applyExisting": False}
        settings = {name: _plain(value) for name, value in change.target.items()}
        kept = found.config if found else new
        self._kuma.save_notification({**kept, **settings}, found.id if found else None)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it, from the monitors too."""
        found = self.saved()
        if found is not None:
            self._kuma.delete_notification(found.id)
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put back the settings a person's notification had."""
        found = self.saved()
        if found is None:
            return
        had = dict(before.extra.get("config") or {})
        kept = {name: value for name, value in found.config.items() if name not in change.names}
        back = {name: had[name] for name in change.names if name in had}
        self._kuma.save_notification({**kept, **back}, found.id)

    def saved(self) -> Notification | None:
        """Return the notification of our name, ours first."""
        named = [one for one in self._kuma.notifications() if one.name == self._name]
        ours = [one for one in named if one.config.get(MARK) == self._site.client]
        return next(iter(ours or named), None)


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
    MARK,
)
