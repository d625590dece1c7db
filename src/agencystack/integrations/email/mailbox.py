"""The mailbox of an application in Mailu: domain, user, sender alias; its tokens are in ``tokens.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agencystack.components.mailu import Mailu
from agencystack.engine.integration import Blocked, Integration, Site
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.email.tokens import MARK, IssuedToken, MailToken, OldTokens
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.secrets import Secret, generate

DAILY_RECIPIENTS = 200
"""Mailu's default MESSAGE_RATELIMIT; counts recipients, not mails (facts/mailu.md)."""


class MailAccount:
    """The mailbox of one application of one client, and the resources that make it.

    Args:
        site: the application.

    The mailbox is ``<application>@<domain>``; mail is sent as ``sender`` from ``stack.yaml``, by an alias where that
    is another address.
    """

    def __init__(self, site: Site) -> None:
        if site.provider is None:
            raise ConfigurationError("has no mail server to send through", component=site.application.ref)
        self._site = site
        self.mailu = products.mailu(site.provider, site.context)
        self.address = f"{site.application.ref.name}@{site.domain}".lower()
        self.sender = str(site.setting("sender", self.address)).lower()
        self.sender_name = str(site.setting("sender_name", site.domain))
        self._issued = IssuedToken(site.sealed("mailu-token"))
        self.networks = tuple(sorted({str(network) for network in site.application.settings.sends_from}))

    def resources(self) -> Iterator[Resource]:
        """Yield what has to be there before the application is told its new login."""
        domains = dict.fromkeys((self.address.partition("@")[2], self.sender.partition("@")[2]))
        for domain in domains:
            yield MailDomain(self.mailu, domain)
        yield MailUser(self.mailu, self.address, self._site.name)
        if self.sender != self.address:
            yield SenderAlias(self.mailu, self.sender, self.address, self._site.name)
        yield MailToken(self.mailu, self.address, self._site.name, self.networks, self._issued)

    def afterwards(self) -> Iterator[Resource]:
        """Yield what is done once a mail has arrived."""
        yield OldTokens(self.mailu, self.address, self._site.name, self._issued)

    def former(self, key: str) -> Resource | None:
        """Return the Mailu resource that once had ``key``."""
        kind, _, rest = key.partition(" ")
        if kind == "domain":
            return MailDomain(self.mailu, rest)
        if kind == "user":
            return MailUser(self.mailu, rest, self._site.name)
        if kind == "alias":
            sender, _, address = rest.partition(" for ")
            return SenderAlias(self.mailu, sender, address, self._site.name)
        if kind == "token":
            return MailToken(self.mailu, rest.removeprefix("of "), self._site.name, self.networks, self._issued)
        if key.startswith("old tokens of "):
            return OldTokens(self.mailu, key.removeprefix("old tokens of "), self._site.name, self._issued)
        return None

    @property
    def password(self) -> Secret | Marker:
        """The application's password for submission; made by apply where there is none yet."""
        issued = self._issued.current
        return Marker.PENDING if issued is None else issued.secret

    def rotate(self) -> Callable[[], None]:
        """Ask for a new token at the next apply; return what goes back to the present one."""
        return self._issued.rotate()

    def warnings(self) -> Iterator[str]:
        """Yield what the plan should say about this mailbox."""
        if not self.networks:
            yield (
                f"the token of {self.address} may be used from anywhere; name the networks "
                f"{self._site.application.ref.name} sends from as `sends_from` in stack.yaml"
            )
        if self.sender != self.address:
            yield f"replies to {self.sender} land in {self.address} unless it has other destinations in Mailu"


class MailIntegration(Integration):
    """What the mail integrations of all applications share: they stand on a :class:`MailAccount`."""

    def warnings(self, site: Site) -> Iterator[str]:
        """Yield what the plan should say about the mailbox."""
        return MailAccount(site).warnings()

    def former(self, site: Site, key: str) -> Resource | None:
        """Return a resource of the mailbox that another configuration once wanted."""
        return MailAccount(site).former(key)

    def rotate(self, site: Site) -> Callable[[], None]:
        """Ask for a new token."""
        return MailAccount(site).rotate()


class MailDomain(Resource):
    """A mail domain with a DKIM key; made where missing, never deleted, its key never rotated."""

    stays = "mail domains and their keys are never deleted by us"

    def __init__(self, mailu: Mailu, name: str) -> None:
        self.component, self.key = mailu.where, f"domain {name}"
        self._mailu, self._name = mailu, name

    def read(self) -> Reading:
        """Return whether the domain has a DKIM key."""
        domain = self._mailu.domain(self._name)
        return ABSENT if domain is None else Reading({"dkim_key": domain.has_dkim})

    def wanted(self) -> Fields:
        """Want the domain with a key."""
        return {"dkim_key": True}

    def write(self, change: Change) -> None:
        """Make the domain where it is absent, and its key where there is none."""
        if change.live.absent:
            self._mailu.create_domain(self._name, f"{MARK}{self._name}")
        self._mailu.make_dkim(self._name)


class MailUser(Resource):
    """The mailbox of one application. Its password is random and known to nobody: tokens open it."""

    def __init__(self, mailu: Mailu, address: str, owner: str) -> None:
        self.component, self.key = mailu.where, f"user {address}"
        self._mailu, self._address, self._mark = mailu, address, f"{MARK}{owner}"

    def read(self) -> Reading:
        """Return the mailbox; one without our mark belongs to a person."""
        user = self._mailu.user(self._address)
        if user is None:
            return ABSENT
        fields: dict[str, Value] = {"comment": user.comment, "enabled": user.enabled}
        if user.comment.startswith(MARK):
            return Reading(fields)
        return Reading(fields, foreign=Foreign(f"the mailbox {self._address} exists and is not ours", Permission.ADOPT))

    def wanted(self) -> Fields:
        """Want it enabled and marked as ours."""
        return {"comment": self._mark, "enabled": True}

    def write(self, change: Change) -> None:
        """Make the mailbox, or set mark and state of the one that is there."""
        if change.live.absent:
            self._mailu.create_user(self._address, generate(40), self._mark)
            return
        self._mailu.update_user(
            self._address, comment=str(change.target["comment"]), enabled=bool(change.target["enabled"])
        )

    def remove(self, live: Reading, before: Image) -> str:
        """Delete the mailbox, unless it holds mail: that is somebody's, so it is disabled."""
        self._mailu.forget()
        user = self._mailu.user(self._address)
        if user is not None and user.quota_bytes_used:
            self._mailu.update_user(self._address, enabled=False)
            return f"holds {user.quota_bytes_used} bytes of mail and was therefore disabled, not deleted"
        self._mailu.delete_user(self._address)
        return ""


class SenderAlias(Resource):
    """Lets a mailbox send as another address: Mailu accepts a sender that is an alias of the login."""

    def __init__(self, mailu: Mailu, sender: str, address: str, owner: str) -> None:
        self.component, self.key = mailu.where, f"alias {sender} for {address}"
        self._mailu, self._sender, self._address, self._mark = mailu, sender, address, f"{MARK}{owner}"

    def read(self) -> Reading:
        """Return whether the alias leads to our mailbox, among others perhaps."""
        if self._mailu.user(self._sender) is not None:
            raise Blocked(
                f"{self._sender} is a mailbox of its own, and an alias would take its mail away",
                component=self.component,
                remedy="name another `sender` for this application in stack.yaml",
            )
        alias = self._mailu.alias(self._sender)
        if alias is None:
            return ABSENT
        fields: dict[str, Value] = {"leads_to_us": self._address in alias.destination}
        if alias.comment.startswith(MARK):
            return Reading(fields)
        others = ", ".join(alias.destination) or "nobody"
        return Reading(
            fields,
            foreign=Foreign(f"the alias {self._sender} exists, leads to {others}, and is not ours", Permission.ADOPT),
        )

    def wanted(self) -> Fields:
        """Want our mailbox among its destinations."""
        return {"leads_to_us": True}

    def write(self, change: Change) -> None:
        """Make the alias, or add our mailbox to its destinations; the others stay."""
        alias = self._mailu.alias(self._sender)
        if alias is None:
            self._mailu.create_alias(self._sender, [self._address], self._mark)
        elif change.target["leads_to_us"]:
            self._mailu.update_alias(self._sender, destination=[*alias.destination, self._address])
        else:
            self._without_us(alias.destination)

    def remove(self, live: Reading, before: Image) -> str:
        """Take our mailbox out of it; an alias that then leads nowhere goes."""
        alias = self._mailu.alias(self._sender)
        if alias is None:
            return ""
        if [to for to in alias.destination if to != self._address]:
            self._without_us(alias.destination)
            return "leads to others too, so only our mailbox was taken out"
        self._mailu.delete_alias(self._sender)
        return ""

    def _without_us(self, destination: tuple[str, ...]) -> None:
        self._mailu.update_alias(self._sender, destination=[to for to in destination if to != self._address])
