"""The stand-ins of one sandbox: how each is made, for the process that serves them and for stack.yaml."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Protocol

from agencystack.sandbox.access_log import AccessLog
from agencystack.sandbox.chatwoot import ChatwootFolder, ensure_chatwoot
from agencystack.sandbox.chatwoot_http import http_app
from agencystack.sandbox.credentials import Credentials
from agencystack.sandbox.erpnext import ErpNextStandIn
from agencystack.sandbox.faults import AsgiApp
from agencystack.sandbox.grafana.machine import GrafanaMachine
from agencystack.sandbox.listmonk import ApiUser, ListmonkStandIn
from agencystack.sandbox.mail_desk import MailDesk
from agencystack.sandbox.maildir import Maildirs
from agencystack.sandbox.mailserver import MailServer
from agencystack.sandbox.mailstack import mail_owner
from agencystack.sandbox.mailu import MailuStandIn
from agencystack.sandbox.plan import SandboxFolder, SandboxPlan
from agencystack.sandbox.ports import LOOPBACK
from agencystack.sandbox.tls import MAIL_HOST
from agencystack.sandbox.uptime_kuma import UptimeKumaStandIn
from agencystack.sandbox.wordpress import unprivileged_user
from agencystack.sandbox.wordpress_stand_in import WordPressStandIn
from agencystack.stack.model import SHARED

LISTMONK_USER = "agencystack"
GRAFANA_PASSWORD = "grafana/admin-password"  # noqa: S105 - names the credential
UPTIME_KUMA_PASSWORD = "uptime-kuma/admin-password"  # noqa: S105 - names the credential
KEYCLOAK_PASSWORD = "keycloak/admin-password"  # noqa: S105 - names the credential
MAIL_DOMAIN = MAIL_HOST.partition(".")[2]


class MailSide(Protocol):
    """What is served of mail besides HTTP: all of it, or what Postfix and Dovecot ask for."""

    async def start(self) -> None:
        """Begin to answer."""

    async def stop(self) -> None:
        """Answer no more."""


class StandIns:
    """Makes the stand-ins of a sandbox, each with its state below the sandbox's folder.

    Args:
        folder: the sandbox.
        plan: what it consists of.
        ports: port by name.
    """

    def __init__(self, folder: SandboxFolder, plan: SandboxPlan, ports: Mapping[str, int]) -> None:
        self._folder = folder
        self._plan = plan
        self._ports = ports
        self._credentials = Credentials(folder.credentials)

    def http(self, mailu: MailuStandIn) -> dict[str, AsgiApp]:
        """Return what answers HTTP, by the name of its port."""
        made: dict[str, AsgiApp] = {"mailu": self._logged(SHARED, "mailu", mailu.app)}
        made["uptime-kuma"] = self.uptime_kuma()
        made["grafana"] = self.grafana()
        for client in self._plan.clients:
            made[f"{client}/erpnext"] = self._logged(client, "erpnext", self.erpnext(client).app)
            made[f"{client}/listmonk"] = self.listmonk(client)
            made[f"{client}/chatwoot"] = http_app()
            if not self._plan.real["wordpress"]:
                made[f"{client}/wordpress"] = self._logged(client, "wordpress", self.wordpress(client).app)
        return made

    def _logged(self, client: str, name: str, app: AsgiApp) -> AsgiApp:
        return AccessLog(app, self._folder.access_log(client, name))

    def mail(self, mailu: MailuStandIn) -> MailSide:
        """Return the mail side: our own servers, or the desk that Postfix and Dovecot ask."""
        if self._plan.real["mail"]:
            return MailDesk(mailu, Maildirs(self._folder.maildirs, owner=mail_owner()), self._ports)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder.tls / "server.pem", self._folder.tls / "server.key")
        return MailServer(
            LOOPBACK,
            mailu,
            Maildirs(self._folder.maildirs),
            context,
            tls_port=self._ports["smtps"],
            starttls_port=self._ports["submission"],
            imap_port=self._ports["imaps"],
        )

    def mailu(self) -> MailuStandIn:
        """Return the Mailu all clients share; it hosts their domains already, as an agency's does."""
        return MailuStandIn(
            self._folder.data / "mailu",
            self._credentials.ensure("mailu/api-token"),
            hostname=MAIL_HOST,
            domain=MAIL_DOMAIN,
            admin_password=self._credentials.ensure("mailu/admin-password"),
            hosted=[domain_of(client) for client in self._plan.clients],
        )

    def erpnext(self, client: str) -> ErpNextStandIn:
        """Return a client's ERPNext; its keys are made with it."""
        return ErpNextStandIn(
            self._folder.data / "erpnext" / client, site_url=self.url(client, "erpnext"), company=client.capitalize()
        )

    def listmonk(self, client: str) -> ListmonkStandIn:
        """Return a client's Listmonk, with one API user."""
        token = self._credentials.ensure(f"{client}/listmonk/api-token")
        return ListmonkStandIn(
            self._folder.data / "listmonk" / client,
            {LISTMONK_USER: ApiUser(token.reveal())},
            admin_password=self._credentials.ensure(f"{client}/listmonk/admin-password").reveal(),
            url=self.url(client, "listmonk"),
            ca_file=self._folder.ca_file,
        )

    def grafana(self) -> GrafanaMachine:
        """Return the Grafana all clients share; it trusts the sandbox's authority."""
        return GrafanaMachine(
            self._folder.data / "grafana",
            self._credentials.ensure(GRAFANA_PASSWORD).reveal(),
            root_url=f"http://localhost:{self._ports['grafana']}",
            has_interface=True,
            ca_file=self._folder.ca_file,
        )

    def uptime_kuma(self) -> UptimeKumaStandIn:
        """Return the Uptime Kuma all clients share; it trusts the sandbox's authority."""
        return UptimeKumaStandIn(
            self._folder.data / "uptime-kuma",
            password=self._credentials.ensure(UPTIME_KUMA_PASSWORD).reveal(),
            ca_file=self._folder.ca_file,
        )

    def chatwoot(self, client: str) -> ChatwootFolder:
        """Make a client's Chatwoot, or find it; as root it belongs to the user who runs it."""
        made = ensure_chatwoot(self._folder.chatwoot / client, ca_file=self._folder.ca_file)
        if os.geteuid() == 0 and (user := unprivileged_user()):
            for path in (made.folder, *made.folder.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        return made

    def wordpress(self, client: str) -> WordPressStandIn:
        """Return a client's WordPress."""
        return WordPressStandIn(
            self._folder.wordpress / client,
            self.url(client, "wordpress"),
            name=f"{client.capitalize()} shop",
            admin_email=f"admin@{domain_of(client)}",
            shop_password=self._credentials.ensure(f"{client}/wordpress/application-password"),
        )

    def url(self, client: str, name: str) -> str:
        """Return the address of a client's component."""
        return f"http://localhost:{self._ports[f'{client}/{name}']}"


def domain_of(client: str) -> str:
    """Return the mail domain of a client of the sandbox."""
    return f"{client}.example"
