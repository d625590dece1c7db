"""Find out how an application can hand in its mail, by asking from where it sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from agencystack.components.mail import (
    HERE,
    USUAL_WAYS,
    Probe,
    Security,
    Submission,
    probe_submission,
    probe_submission_inside,
)
from agencystack.components.wordpress import Outcome, SubmissionWay, WordPress, submission
from agencystack.engine.context import Component
from agencystack.engine.integration import Blocked, Site
from agencystack.integrations import products
from agencystack.stack.errors import ConfigurationError, Unavailable
from agencystack.stack.products import Mailu as MailuSettings

PROBE_SECONDS = 8.0


@dataclass(frozen=True)
class Door:
    """Where a mail server takes mail.

    Args:
        host: name that is on its certificate.
        ways: ports and how each is secured, the best first.
    """

    host: str
    ways: tuple[tuple[int, Security], ...]


IMPLICIT_TLS = 465
"""The one port on which products that do not ask take TLS from the first byte for granted."""


def door_of(provider: Component | None, *, by_port: bool = False) -> Door:
    """Return what ``stack.yaml`` says of a Mailu's submission, else what Mailu usually has: 465, then 587.

    Args:
        provider: the Mailu.
        by_port: for a product that knows TLS from the first byte on port 465 alone: of another port that speaks it,
            the one with STARTTLS beside it, where ``stack.yaml`` names that.
    """
    if provider is None:
        raise ConfigurationError("no mail server is named for this integration")
    settings = products.settings_of(provider, MailuSettings)
    given = settings.submission
    host = given.host or settings.tls_name()
    if by_port and given.starttls_port is not None and given.port != IMPLICIT_TLS:
        return Door(host, ((given.starttls_port, "starttls"),))
    if given.port is None:
        return Door(host, tuple(way for way in USUAL_WAYS if given.security in {None, way[1]}))
    securities = (given.security,) if given.security else get_args(Security)
    return Door(host, tuple((given.port, security) for security in securities))


def find_submission(site: Site, *, by_port: bool = False) -> Submission:
    """Ask from inside the application where ``exec`` leads there, else from here; once a run for each place.

    Args:
        site: the application, and its mail server.
        by_port: as for :func:`door_of`.

    Raises:
        Blocked: no way is open; says what was tried, from where, and what to do.
    """
    door = door_of(site.provider, by_port=by_port)
    provider = site.provider
    if provider is None:
        raise ConfigurationError("has no mail server to send through", component=site.application.ref)
    inside = site.application.settings.exec is not None
    kind = ("submission", site.application.ref if inside else HERE, door)
    # Not in the mail server's turn: who asks may hold another component's, and the lock of all that is shared.
    probe = site.context.connection(provider.ref, lambda: _look(site, door, inside=inside), kind)
    try:
        return probe.require(provider.ref)
    except Unavailable as error:
        raise Blocked(error.message, component=site.application.ref, remedy=error.remedy) from error


def _look(site: Site, door: Door, *, inside: bool) -> Probe:
    authority = products.ca_file(site.provider.settings) if site.provider else None
    if inside:
        executor = products.executor(site.application)
        # A path of ours means something inside only where inside is this machine.
        local = bool(site.application.settings.exec.local)
        within = str(site.setting("mail_ca_file", authority if local and authority else ""))
        probe = probe_submission_inside(executor, door.host, ca_file=within, timeout=PROBE_SECONDS, ways=door.ways)
        if not probe.unknown:
            return probe
    return probe_submission(door.host, ca_file=authority, timeout=PROBE_SECONDS, ways=door.ways)


class WordPressSubmission:
    """Asks from inside WordPress's own PHP, in the same start that reads everything else."""

    def __init__(self, site: Site, wordpress: WordPress) -> None:
        self._where, self._wordpress = site.application.ref, wordpress
        self._door = door_of(site.provider)
        self.host = self._door.host
        authority = products.ca_file(site.provider.settings) if site.provider else None
        self.authority = products.pem(authority) if authority else ""
        ways = tuple(SubmissionWay(port=port, security=security) for port, security in self._door.ways)
        self._question = submission(self._door.host, ways=ways, ca=self.authority)
        wordpress.ask(self._question)

    def find(self) -> Submission:
        """Return the first way that is open.

        Raises:
            Blocked: none is, with what each way gave.
        """
        tries = self._wordpress.answer(self._question)
        for attempt in tries:
            if attempt.outcome is Outcome.USABLE:
                security: Security = "tls" if attempt.security == "tls" else "starttls"
                return Submission(self._door.host, attempt.port, security, attempt.detail)
        seen = "; ".join(f"port {t.port} ({t.security}): {t.outcome.value} {t.detail}".strip() for t in tries)
        raise Blocked(
            f"no way to hand in mail at {self._door.host}, seen from inside PHP: {seen}",
            component=self._where,
            remedy=_remedy({attempt.outcome for attempt in tries}),
        )


def _remedy(outcomes: set[Outcome]) -> str:
    if outcomes & {Outcome.CERTIFICATE_UNTRUSTED, Outcome.CERTIFICATE_EXPIRED}:
        return "give Mailu a certificate that PHP trusts, or name its authority as ca_file in stack.yaml"
    if Outcome.CERTIFICATE_NAME in outcomes:
        return "set Mailu's `hostname` in stack.yaml to the name on its certificate"
    if Outcome.UNKNOWN_HOST in outcomes:
        return "make Mailu's name resolve inside the container (a network alias equal to its hostname)"
    return "check that 465 or 587 is in Mailu's PORTS, published, and not stopped by a firewall"
