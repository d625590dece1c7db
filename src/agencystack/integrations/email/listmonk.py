"""Listmonk sends its mail through Mailu."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from agencystack.components.listmonk import Listmonk, MailSettings, Smtp
from agencystack.engine.integration import Capability, Proof, Site, Support, integration
from agencystack.engine.resource import Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import DAILY_RECIPIENTS, MailAccount, MailIntegration
from agencystack.integrations.email.submission import find_submission
from agencystack.stack.secrets import Secret

TLS_TYPES = {"tls": "TLS", "starttls": "STARTTLS"}
SERVER_NAME = "email-agencystack"
"""Listmonk puts ``email-`` before every name that lacks it."""

NAMESPACE = uuid.UUID("6f6a1d0e-7d2b-5c55-9a35-3a8d3f0d7f11")
"""Our server's uuid in Listmonk is made from this and the integration's name: the mark that it is ours."""


@integration("email", "listmonk", provider="mailu", version=1)
class ListmonkEmail(MailIntegration):
    """Give Listmonk its own mailbox, and make it the one SMTP server that is switched on."""

    capabilities = (
        Capability("sends through its own mailbox", Support.SUPPORTED, proof="a mail arrives"),
        Capability("sender name and address per client", Support.SUPPORTED, proof="a mail arrives"),
        Capability(
            "campaigns to more than 200 recipients a day",
            Support.PARTIAL,
            proof="a mail arrives",
            reason="Mailu limits each mailbox (MESSAGE_RATELIMIT) and its API cannot change that",
            alternative="set MESSAGE_RATELIMIT_EXEMPTION in mailu.env to the address the plan names",
        ),
    )

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield the mailbox and the settings; then old tokens go."""
        account, listmonk = MailAccount(site), products.listmonk(site.application, site.context)
        yield from account.resources()
        yield ListmonkMail(listmonk, site, account)
        yield from account.afterwards()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Have Listmonk send a transactional mail through its saved server, and read it back."""
        listmonk = products.listmonk(site.application, site.context)

        def send(to: str, subject: str, body: str) -> Mapping[str, Any]:
            listmonk.send_saved(to, subject)
            return {}

        yield MailArrives(site, MailAccount(site), send, lambda: find_submission(site))

    def component_version(self, site: Site) -> str | None:
        """Return the version of Listmonk."""
        listmonk = products.listmonk(site.application, site.context)
        return site.context.connection(site.application.ref, listmonk.version, "version")

    def warnings(self, site: Site) -> Iterator[str]:
        """Yield what the plan should say: the limit that a campaign will meet."""
        account = MailAccount(site)
        yield from super().warnings(site)
        yield (
            f"Mailu lets {account.address} write to {DAILY_RECIPIENTS} recipients a day unless mailu.env says "
            f"MESSAGE_RATELIMIT_EXEMPTION={account.address}"
        )


class ListmonkMail(Resource):
    """Sender and SMTP servers: ours is added and switched on; others are switched off, never removed."""

    def __init__(self, listmonk: Listmonk, site: Site, account: MailAccount) -> None:
        self.component, self.key = listmonk.where, "mail settings"
        self._listmonk, self._site, self._account = listmonk, site, account
        self._uuid = str(uuid.uuid5(NAMESPACE, site.name))

    def read(self) -> Reading:
        """Return our server, the sender, and which others are on."""
        settings = self._listmonk.settings()
        ours = self._ours(settings)
        others = [server for server in settings.smtp if server.uuid != self._uuid and server.enabled]
        fields: dict[str, Value] = {name: getattr(ours, name) if ours else None for name in _PLAIN}
        fields["password"] = Marker.UNREADABLE if ours and ours.has_password else None
        fields["from_email"] = settings.from_email
        fields["other servers in use"] = tuple(f"{server.host}:{server.port}" for server in others)
        theirs = [server for server in others if not server.is_factory_default]
        foreign = None
        if theirs:
            hosts = ", ".join(server.host for server in theirs)
            foreign = Foreign(f"mail leaves through {hosts}, set by a person", Permission.REPLACE)
        fields["in use since a restart"] = not self._listmonk.needs_restart()
        return Reading(fields, {"enabled": [_name(server) for server in others]}, foreign)

    def wanted(self) -> Fields:
        """Want our server, alone, over verified TLS."""
        server = find_submission(self._site)
        return {
            "name": SERVER_NAME,
            "enabled": True,
            "host": server.host,
            "port": server.port,
            "tls_type": TLS_TYPES[server.security],
            "tls_skip_verify": False,
            "auth_protocol": "plain",
            "username": self._account.address,
            "password": self._account.password,
            "from_email": f"{self._account.sender_name} <{self._account.sender}>",
            "other servers in use": (),
            "in use since a restart": True,
        }

    def write(self, change: Change) -> None:
        """Put our server first, switch the others off, leave everything else as it is.

        Raises:
            Refused: a campaign runs, so what was saved is in use only after a restart; the next run makes that up.
        """
        if change.names == {"in use since a restart"}:
            self._listmonk.restart()
            return
        settings = self._listmonk.settings()
        ours = self._server(self._ours(settings), change.target)
        others = [s.model_copy(update={"enabled": False}) for s in settings.smtp if s.uuid != self._uuid]
        wanted = MailSettings(from_email=str(change.target["from_email"]), smtp=(ours, *others))
        self._listmonk.save_mail_settings(wanted)

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Take our server out where there was none before, and switch on again what was on."""
        settings = self._listmonk.settings()
        was_on = set(before.extra["enabled"]) if "other servers in use" in change.names else set()
        ours = self._ours(settings)
        kept: list[Smtp] = []
        if ours is not None and (before.fields or {}).get("host") is not None:
            kept.append(self._server(ours, change.target))
        kept += [
            server.model_copy(update={"enabled": server.enabled or _name(server) in was_on})
            for server in settings.smtp
            if server.uuid != self._uuid
        ]
        sender = change.target["from_email"] if "from_email" in change.names else settings.from_email
        self._listmonk.save_mail_settings(MailSettings(from_email=str(sender), smtp=tuple(kept)))

    def _ours(self, settings: MailSettings) -> Smtp | None:
        return next((server for server in settings.smtp if server.uuid == self._uuid), None)

    def _server(self, present: Smtp | None, target: Fields) -> Smtp:
        """Return our server with the wanted values; an empty password keeps the stored one."""
        password = target["password"]
        values: dict[str, Any] = {name: target[name] for name in _PLAIN}
        values["password"] = password if isinstance(password, Secret) else None
        if present is not None:
            return present.model_copy(update=values)
        return Smtp(uuid=self._uuid, **values)


def _name(server: Smtp) -> str:
    """Return what tells a server from others; the examples of a new Listmonk get a uuid only when saved."""
    return f"{server.host}:{server.port} {server.username}"


_PLAIN = (
    "name",
    "enabled",
    "host",
    "port",
    "tls_type",
    "tls_skip_verify",
    "auth_protocol",
    "username",
)
