"""A Mailu that behaves as the recorded one: its REST API, and the rules its mail servers ask it for."""

from __future__ import annotations

import hmac
import ipaddress
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from agencystack.sandbox.mailu_api import Api
from agencystack.sandbox.mailu_state import (
    DKIM_SELECTOR,
    DomainRow,
    State,
    StateFile,
    UserRow,
    as_written,
    dkim_public,
    domain_of,
    hash_password,
    make_dkim_key,
    password_matches,
)
from agencystack.sandbox.windows import MovingWindow
from agencystack.stack.secrets import Secret

Protocol = Literal["smtp", "imap"]
HOUR, DAY = 3600.0, 86_400.0
SHORTEST_TOKEN = 4
# Service, priority and port of the records mail programs configure themselves by.
AUTOCONFIG = (
    ("imap", 20, 143),
    ("pop3", 20, 110),
    ("submission", 20, 587),
    ("autodiscover", 10, 443),
    ("submissions", 10, 465),
    ("imaps", 10, 993),
    ("pop3s", 10, 995),
)


class DkimKey(NamedTuple):
    """What signs the mail of a domain."""

    selector: str
    private_pem: str


class MailuStandIn:
    """Mailu as ``contract/mailu/`` recorded it.

    Args:
        folder: where its state is kept.
        api_token: its ``API_TOKEN``.
        hostname: name of its mail server, in the DNS records it expects.
        domain: its own mail domain, made on the first start with ``admin@`` in it.
        admin_password: of that administrator.
        hosted: further domains it has from the first start on, each with a DKIM key.
        recipients_per_day: ``MESSAGE_RATELIMIT``, by mailbox.
        wrong_tokens_per_hour: ``AUTH_RATELIMIT_IP``, by /24 network.
        require_tokens: ``AUTH_REQUIRE_TOKENS``: mail logins by application token only.
        clock: monotonic seconds, for the rate limits, which (unlike the state) a restart forgets.
    """

    def __init__(
        self,
        folder: Path,
        api_token: Secret,
        *,
        hostname: str,
        domain: str,
        admin_password: Secret,
        hosted: Sequence[str] = (),
        recipients_per_day: int = 200,
        wrong_tokens_per_hour: int = 5,
        require_tokens: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api_token = api_token
        self.hostname = hostname
        self.domain = domain
        self._require_tokens = require_tokens
        self._mailbox_size: Callable[[str], int] | None = None
        self._clock = clock
        self._wrong_tokens = MovingWindow(wrong_tokens_per_hour, HOUR, clock)
        self._recipients = MovingWindow(recipients_per_day, DAY, clock)
        self._exempt_until: dict[str, float] = {}
        self._lock = threading.RLock()
        self._file = StateFile(folder / "mailu.json")
        self._state = self._file.load() or self._first_state(admin_password, hosted)
        self.app = Api(self).app

    def _first_state(self, admin_password: Secret, hosted: Sequence[str]) -> State:
        state = State()
        state.domains[self.domain] = DomainRow(name=self.domain)
        # One key for all of them: a key each would hold back the start of a hundred clients by many seconds.
        key = make_dkim_key() if hosted else None
        state.domains |= {name: DomainRow(name=name, dkim_key=key) for name in hosted}
        admin = f"admin@{self.domain}"
        state.users[admin] = UserRow(email=admin, password=hash_password(admin_password.reveal()), global_admin=True)
        self._file.save(state)
        return state

    @contextmanager
    def reading(self) -> Iterator[State]:
        """Give the state, held still."""
        with self._lock:
            yield self._state

    @contextmanager
    def writing(self) -> Iterator[State]:
        """Give the state to change; kept when the block ends well, as it was when it does not."""
        with self._lock:
            changed = self._state.model_copy(deep=True)
            yield changed
            self._file.save(changed)
            self._state = changed

    # -- what the mail side asks

    def authenticate(self, address: str, password: str, client_ip: str, protocol: Protocol) -> bool:
        """Decide a mail login as Mailu does.

        A disabled mailbox, IMAP switched off, or a token used from elsewhere are all refused alike; a success exempts
        the caller's address from the rate limit for a day (facts/mailu.md "API").
        """
        with self.reading() as state:
            user = state.users.get(address.lower())
            tokens = [token for token in state.tokens.values() if token.email == address.lower()]
        if user is None:
            self._note_wrong(client_ip)
            return False
        if not user.enabled or (protocol == "imap" and not user.enable_imap):
            return False
        accepted = any(token.opens_for(password, client_ip) for token in tokens)
        if not accepted and not self._require_tokens:
            accepted = password_matches(user.password, password)
        if accepted:
            self._exempt_until[client_ip] = self._clock() + DAY
        return accepted

    def may_send_as(self, login: str, sender: str) -> bool:
        """Say whether a login owns an envelope sender (its own address, with a tag, or of an alias that names it)."""
        with self.reading() as state:
            user = state.users.get(login.lower())
            if user is None:
                return False
            if user.allow_spoofing and domain_of(sender.lower()) == domain_of(user.email):
                return True
            return user.email in [owner.lower() for owner in state.owners(sender)]

    def count_recipient(self, login: str) -> bool:
        """Count one recipient of a login's mail; False when its day's recipients are used up."""
        return self._recipients.add(login.lower())

    def is_local(self, address: str) -> bool:
        """Say whether an address is in one of our domains."""
        with self.reading() as state:
            domain = domain_of(address.lower())
            return domain in state.domains or state.domain_of_alternative(domain) is not None

    def mailboxes_for(self, address: str) -> tuple[str, ...] | None:
        """Return the mailboxes mail to an address of ours ends in; None where nobody has it."""
        with self.reading() as state:
            try:
                found = state.resolve(address)
            except KeyError:
                return None
        return None if found is None else tuple(found)

    def quota(self, address: str) -> int:
        """Return the bytes a mailbox may hold; 0 for as many as it likes."""
        with self.reading() as state:
            return state.users[address.lower()].quota_bytes

    def quota_used(self, address: str) -> int:
        """Return the bytes a mailbox holds."""
        with self.reading() as state:
            return self._used(state.users[address.lower()])

    def measure_with(self, mailbox_size: Callable[[str], int]) -> None:
        """Ask ``mailbox_size`` for the bytes a mailbox holds from now on, whichever server keeps the mail."""
        self._mailbox_size = mailbox_size

    def set_quota_used(self, address: str, size: int) -> None:
        """Note the bytes a mailbox holds, where nothing measures it."""
        with self.writing() as state:
            if address.lower() in state.users:
                state.users[address.lower()].quota_bytes_used = size

    def dkim_key(self, domain: str) -> DkimKey | None:
        """Return what signs a domain's mail, or None where it has no key."""
        with self.reading() as state:
            row = state.domains.get(domain.lower())
        return DkimKey(DKIM_SELECTOR, row.dkim_key) if row and row.dkim_key else None

    def users(self) -> tuple[str, ...]:
        """Return the addresses of all mailboxes."""
        with self.reading() as state:
            return tuple(state.users)

    # -- what the API asks

    def is_rate_limited(self, client_ip: str) -> bool:
        """Say whether an address's network sent too many wrong tokens."""
        return not self._is_exempt(client_ip) and self._wrong_tokens.is_full(_network(client_ip))

    def accepts_token(self, authorization: str, client_ip: str) -> bool:
        """Compare an Authorization header with the token, and count a wrong one."""
        token = self.api_token.reveal()
        sent = authorization.removeprefix("Bearer ")
        if len(token) >= SHORTEST_TOKEN and hmac.compare_digest(sent.encode(), token.encode()):
            return True
        self._note_wrong(client_ip)
        return False

    def _note_wrong(self, client_ip: str) -> None:
        if not self._is_exempt(client_ip):
            self._wrong_tokens.add(_network(client_ip))

    def _is_exempt(self, client_ip: str) -> bool:
        return self._exempt_until.get(client_ip, 0.0) > self._clock()

    def _used(self, user: UserRow) -> int:
        return self._mailbox_size(user.email) if self._mailbox_size else user.quota_bytes_used

    def user_view(self, user: UserRow) -> dict[str, Any]:
        """Return a mailbox as the API shows it, its password's hash included."""
        shown = user.model_dump()
        return {
            "email": as_written(shown.pop("email")),
            "password": shown.pop("password"),
            "comment": shown.pop("comment"),
            "quota_bytes": shown.pop("quota_bytes"),
            **shown,
            "quota_bytes_used": self._used(user),
        }

    def domain_view(self, domain: DomainRow) -> dict[str, Any]:
        """Return a domain as the API shows it, with the DNS records it expects."""
        shown = domain.model_dump(exclude={"dkim_key"})
        return {**shown, "name": as_written(domain.name), **self._dns(domain)}

    def _dns(self, domain: DomainRow) -> dict[str, Any]:
        name, host, admin = as_written(domain.name), self.hostname, f"admin@{self.domain}"
        records: dict[str, Any] = {
            "dns_autoconfig": [
                *(
                    f"_{service}._tcp.{name}. 600 IN SRV {priority} 1 {port} {host}."
                    for service, priority, port in AUTOCONFIG
                ),
                f"autoconfig.{name}. 600 IN CNAME {host}.",
                f"autodiscover.{name}. 600 IN CNAME {host}.",
            ],
            "dns_mx": f"{name}. 600 IN MX 10 {host}.",
            "dns_spf": f'{name}. 600 IN TXT "v=spf1 mx a:{host} ~all"',
            "dns_dkim": None,
            "dns_dmarc": None,
            "dns_dmarc_report": None,
            "dns_tlsa": [],
        }
        if domain.dkim_key:
            public = dkim_public(domain.dkim_key)
            policy = f"v=DMARC1; p=reject; rua=mailto:{admin}; ruf=mailto:{admin}; adkim=s; aspf=s"
            records |= {
                "dns_dkim": f'{DKIM_SELECTOR}._domainkey.{name}. 600 IN TXT "v=DKIM1; k=rsa; p={public}"',
                "dns_dmarc": f'_dmarc.{name}. 600 IN TXT "{policy}"',
                "dns_dmarc_report": f'{name}._report._dmarc.{self.domain}. 600 IN TXT "v=DMARC1;"',
            }
        return records


def _network(client_ip: str) -> str:
    """Return what the rate limit counts by: the /24, of IPv6 the /56."""
    try:
        address = ipaddress.ip_address(client_ip)
    except ValueError:
        return client_ip
    return str(ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 56}", strict=False))
