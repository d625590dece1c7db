"""The proof of every mail integration: the application sends, and the mail is read back over IMAP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agencystack.components.dns import SystemResolver, compare_dns
from agencystack.components.mail import Submission
from agencystack.components.mailbox import Received
from agencystack.components.mailu import Mailu
from agencystack.engine.integration import Evidence, Proof, Site
from agencystack.integrations.email.mailbox import MailAccount
from agencystack.integrations.probe_mailbox import ARRIVAL_SECONDS, probe_mailbox
from agencystack.stack.errors import ComponentError, ConfigurationError

DNS_SECONDS = 3.0

Send = Callable[[str, str, str], Mapping[str, Any]]


class MailArrives(Proof):
    """Have the application send a mail with a nonce to a mailbox made for it, read it back, remove the mailbox.

    Args:
        site: the application.
        account: its mailbox.
        send: sends as the application does, given recipient, subject and body; returns what to show, or raises.
        submission: asks, from where the application is, how mail is handed in; its certificate must be verified.
    """

    name = "a mail arrives"

    def __init__(self, site: Site, account: MailAccount, send: Send, submission: Callable[[], Submission]) -> None:
        self._site, self._account, self._send, self._submission = site, account, send, submission

    def run(self) -> Evidence:
        """Send, wait, compare."""
        provider = self._site.provider
        if provider is None:
            raise ConfigurationError("has no mail server to read from", component=self._site.application.ref)
        with probe_mailbox(self._account.mailu, provider, self._site.domain) as probe:
            shown = self._sent(probe.address, probe.nonce)
            arrived = probe.wait()
        if arrived is None:
            return Evidence(
                ok=False,
                seen=dict(shown),
                reason=f"sent, but not in {probe.address} after {ARRIVAL_SECONDS:g} s: look at Mailu's queue and log",
            )
        return self._judge(arrived, dict(shown))

    def _sent(self, address: str, nonce: str) -> Mapping[str, Any]:
        try:
            return self._send(address, f"AgencyStack proof {nonce}", f"This mail proves {self._site.name}: {nonce}")
        except ComponentError as error:
            if self._account.networks:
                # From another address Mailu answers as to a wrong password; only its log tells (facts/mailu.md).
                networks = ", ".join(self._account.networks)
                hint = f"its token is good from {networks} only: compare sends_from in stack.yaml with Mailu's log"
                error.remedy = "; ".join(filter(None, (error.remedy, hint)))
            raise

    def _judge(self, mail: Received, shown: dict[str, Any]) -> Evidence:
        """Say what the mail shows, and what of it is wrong."""
        account, domain = self._account, self._account.sender.partition("@")[2]
        # Mailu's Received lines do not show how a mail was handed in (contract/mailu); the server's only door does.
        door = self._submission()
        signed = [signature for signature in mail.signatures if signature.domain == domain]
        seen: dict[str, Any] = {
            **shown,
            "from": mail.header_from,
            "from_name": mail.from_name,
            "envelope_sender": mail.envelope_sender,
            "dkim": f"{signed[0].selector}._domainkey.{domain}" if signed else "none",
            "submission": ", ".join(
                filter(None, (f"{door.host}:{door.port} {door.security}", door.tls_version, "certificate verified"))
            ),
            "seconds_to_arrive": round(mail.seconds, 2),
            "dns": dns_state(self._site, account.mailu, domain),
        }
        wrong = []
        if mail.header_from.lower() != account.sender:
            wrong.append(f"it comes from {mail.header_from} instead of {account.sender}")
        if mail.envelope_sender.lower() not in {account.sender, account.address}:
            wrong.append(f"its envelope sender is {mail.envelope_sender or 'empty'} instead of {account.sender}")
        if mail.from_name != account.sender_name:
            wrong.append(f"its sender is named {mail.from_name!r} instead of {account.sender_name!r}")
        if not signed:
            wrong.append(f"it carries no DKIM signature of {domain}")
        return Evidence(ok=not wrong, seen=seen, reason="; ".join(wrong))


def dns_state(site: Site, mailu: Mailu, domain: str) -> dict[str, str]:
    """Return, for each record Mailu expects, whether live DNS has it; what cannot be asked is unknown, no failure."""

    def look() -> dict[str, str]:
        try:
            found = mailu.domain(domain)
        except ComponentError:
            return {}
        if found is None:
            return {}
        compared = compare_dns(found.expected_dns, SystemResolver(lifetime=DNS_SECONDS))
        return {record.kind: record.state for record in compared if record.kind != "other"}

    return site.context.connection(mailu.where, look, ("dns", domain))
