"""What Uptime Kuma is to look at for one application: which addresses and ports, how often, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from agencystack.components.mail import USUAL_WAYS
from agencystack.engine.integration import Site
from agencystack.engine.values import Fields
from agencystack.integrations import products
from agencystack.integrations.monitoring import bridge_watch
from agencystack.integrations.monitoring.health import HealthTarget, health_url
from agencystack.stack.products import Mailu

INTERVAL, RETRY_INTERVAL, RETRIES = 60, 30, 2
"""A minute, and half a minute twice more before people are told: a restart is no outage."""

SMTP, IMAPS = 25, 993
BRIDGE_WORKS = '"status":"ok"'
WITH_BACKGROUND = ("wordpress", "erpnext")
"""Products whose health, where they tell it, has more to say than that pages are answered."""


@dataclass(frozen=True)
class Check:
    """One monitor of ours.

    Args:
        mark: ``<owner>/<component>/<check>``: how it is found again.
        name: as people see it, in mails too.
        target: returns what is looked at, in the names of :data:`kuma_monitors.WIRE`; may ask the application.
        habits: how it is looked at; of monitors a person made, these are the person's.
        group: mark of the group it is in.
        public: whether it is on the status page.
    """

    mark: str
    name: str
    target: Callable[[], Fields]
    habits: Fields = field(default_factory=dict)
    group: str = ""
    public: bool = True


def group_of(owner: str) -> Check:
    """Return the group of an owner's monitors."""
    return Check(owner, owner, lambda: {"type": "group"}, public=False)


def checks_of(site: Site) -> tuple[Check, ...]:
    """Return the checks of a site's application; asks nobody."""
    return tuple(_checks(site))


def slug_of(client: str) -> str:
    """Return the slug of a client's status page: no two hyphens in a row, which Uptime Kuma refuses."""
    return "-".join(part for part in client.split("-") if part)


def _checks(site: Site) -> Iterator[Check]:
    name = site.application.ref.name
    yield _check(site, "front", "", lambda: _answered(health_url(site)), web=True)
    if name in WITH_BACKGROUND:
        yield _check(site, "health", " health", lambda: _all_well(health_url(site)), web=True, public=False)
    if name == "mailu":
        yield from _mail_ports(site)
    if name == bridge_watch.APPLICATION and bridge_watch.is_watched(site):
        yield from _bridge(site)


def _bridge(site: Site) -> Iterator[Check]:
    """Yield the check of the client's data bridge, where Uptime Kuma reaches it: it works, and some worker lives."""
    kuma = site.companion("uptime-kuma")
    url = bridge_watch.address(site.bridge, kuma) if site.bridge is not None and kuma is not None else None
    if url:
        check = _check(site, "bridge", " data bridge", lambda: _web(f"{url}/health", BRIDGE_WORKS), public=False)
        yield replace(check, mark=f"{site.client}/agencystack/bridge", name=f"{site.client} data bridge")


def _mail_ports(site: Site) -> Iterator[Check]:
    settings = products.settings_of(site.application, Mailu)
    host, given = settings.tls_name(), settings.submission
    incoming = int(site.setting("smtp_port", SMTP))
    if incoming:
        yield _check(site, "smtp", " incoming mail", lambda: _mail(host, incoming, "nostarttls"))
    ways = USUAL_WAYS if given.port is None else ((given.port, given.security or "starttls"),)
    for port, security in ways:
        wire = "secure" if security == "tls" else "starttls"
        where = given.host or host
        yield _check(site, f"submission-{port}", f" submission {port}", _later(_mail, where, port, wire))
    imap = settings.imap
    yield _check(site, "imap", " mailboxes", lambda: _port(imap.host or host, imap.port or IMAPS))


def _check(
    site: Site, check: str, label: str, target: Callable[[], Fields], *, web: bool = False, public: bool = True
) -> Check:
    ref = site.application.ref
    secure = web and urlsplit(site.application.settings.url).scheme == "https"
    habits: Fields = {
        "interval": int(site.setting("check_interval", INTERVAL)),
        "retry interval": int(site.setting("check_retry_interval", RETRY_INTERVAL)),
        "retries": int(site.setting("check_retries", RETRIES)),
        "certificate expiry": secure,
    }
    mark = f"{ref.client}/{ref.name}/{check}"
    return Check(mark, f"{ref.client} {ref.name}{label}", target, habits, ref.client, public)


def _answered(target: HealthTarget) -> Fields:
    return _web(target.url, target.keyword)


def _all_well(target: HealthTarget) -> Fields:
    return _web(target.url, target.all_well or target.keyword)


def _web(url: str, keyword: str) -> Fields:
    return {"type": "keyword", "url": url, "keyword": keyword} if keyword else {"type": "http", "url": url}


def _mail(host: str, port: int, security: str) -> Fields:
    # The certificate is looked at where one is part of the way in; on port 25 other servers take any.
    return {"type": "smtp", "hostname": host, "port": port, "security": security}


def _port(host: str, port: int) -> Fields:
    return {"type": "port", "hostname": host, "port": port}


def _later(of: Callable[[str, int, str], Fields], host: str, port: int, security: str) -> Callable[[], Fields]:
    return lambda: of(host, port, security)
