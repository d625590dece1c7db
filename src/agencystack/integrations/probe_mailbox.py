"""A mailbox made for one proof in Mailu: what was sent is read back over IMAP, and the mailbox goes."""

from __future__ import annotations

import secrets as random_source
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agencystack.components.mailbox import IMAPS, Mailbox, Received
from agencystack.components.mailu import Mailu
from agencystack.engine.context import Component
from agencystack.integrations import products
from agencystack.stack.products import Mailu as MailuSettings
from agencystack.stack.secrets import generate

PROBE = "agencystack-probe-"
"""Begins the local part of every probe mailbox; its comment says until when it may stand."""

COMMENT = "agencystack probe, may be deleted after "
LIFETIME = timedelta(hours=1)
ARRIVAL_SECONDS = 90.0


@dataclass(frozen=True)
class ProbeMailbox:
    """A mailbox of a proof.

    Args:
        address: of it.
        nonce: unique; what is sent carries it.
        mailbox: it, over IMAP.
    """

    address: str
    nonce: str
    mailbox: Mailbox

    def wait(self) -> Received | None:
        """Return the mail with the nonce, None where it has not come within :data:`ARRIVAL_SECONDS`."""
        return self.mailbox.wait_for(self.nonce, ARRIVAL_SECONDS)


@contextmanager
def probe_mailbox(mailu: Mailu, provider: Component, domain: str) -> Iterator[ProbeMailbox]:
    """Make a mailbox in a domain, and remove it whatever happens; those that killed proofs left go too.

    Args:
        mailu: where.
        provider: the same, as stack.yaml says it.
        domain: one that Mailu has.

    Raises:
        Refused: Mailu has no such domain.
    """
    sweep(mailu)
    nonce = random_source.token_hex(8)
    address = f"{PROBE}{nonce}@{domain}"
    until = (datetime.now(UTC) + LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ")
    mailu.create_user(address, generate(32), f"{COMMENT}{until}")
    try:
        # A token opens it also where mailu.env says AUTH_REQUIRE_TOKENS; it goes with the mailbox.
        _, password = mailu.create_token(address, f"{COMMENT}{until}")
        settings = products.settings_of(provider, MailuSettings)
        host, port = settings.imap.host or settings.tls_name(), settings.imap.port or IMAPS
        mailbox = Mailbox(provider.ref, host, address, password, port=port, ca_file=products.ca_file(settings))
        yield ProbeMailbox(address, nonce, mailbox)
    finally:
        mailu.delete_user(address)


def sweep(mailu: Mailu) -> None:
    """Remove probe mailboxes that a killed run left; those of a run that is still going stay."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for user in mailu.users():
        ours = user.email.startswith(PROBE) and user.comment.startswith(COMMENT)
        if ours and user.comment.removeprefix(COMMENT) < now:
            mailu.delete_user(user.email)
