"""ERPNext sends its mail through Mailu."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agencystack.components.erpnext import EmailAccount, ErpNext, ErpNextRefused
from agencystack.components.mail import Submission
from agencystack.components.mailbox import IMAPS
from agencystack.engine.integration import Blocked, Capability, Proof, Site, Support, integration
from agencystack.engine.resource import ABSENT, Action, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import MailAccount, MailIntegration
from agencystack.integrations.email.submission import find_submission
from agencystack.stack.products import Mailu as MailuSettings
from agencystack.stack.secrets import Secret

RENAME = "frappe.client.rename_doc"
LINKED = "LinkExistsError"


@integration("email", "erpnext", provider="mailu", version=1)
class ErpNextEmail(MailIntegration):
    """Give ERPNext its own mailbox, and make it the default outgoing Email Account."""

    capabilities = (
        Capability("sends through its own mailbox", Support.SUPPORTED, proof="a mail arrives"),
        Capability("sender name and address per client", Support.SUPPORTED, proof="a mail arrives"),
        Capability(
            "reads its mailbox",
            Support.PARTIAL,
            proof="a mail arrives",
            reason="the proof shows sending; that ERPNext reads is shown by its own login on save",
            alternative="`settings: {incoming: true}` switches it on",
        ),
        Capability(
            "verifies the mail server's certificate",
            Support.UNSUPPORTED,
            reason="ERPNext 15 accepts any certificate for outgoing mail (measured)",
            alternative="we verify it from where ERPNext runs before every change, and block when it is not trusted",
        ),
    )

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield the mailbox, the Email Domain with its servers, the Email Account; then old tokens go."""
        account, erpnext = MailAccount(site), products.erpnext(site.application, site.context)
        yield from account.resources()
        yield MailServers(erpnext, site)
        yield OutgoingAccount(erpnext, site, account)
        yield from account.afterwards()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Have ERPNext send a mail as from any document, and read it back."""
        erpnext = products.erpnext(site.application, site.context)

        def send(to: str, subject: str, body: str) -> Mapping[str, Any]:
            sent = erpnext.send_mail(to, subject, f"<p>{body}</p>")
            return {"message_id": sent.message_id, "queue": sent.queue}

        yield MailArrives(site, MailAccount(site), send, lambda: find_submission(site))

    def component_version(self, site: Site) -> str | None:
        """Return the version of ERPNext."""
        erpnext = products.erpnext(site.application, site.context)
        return site.context.connection(site.application.ref, lambda: erpnext.versions().get("erpnext"), "version")


def domain_name(site: Site) -> str:
    """Return the name of our Email Domain; an Email Account that points to it is ours."""
    return f"AgencyStack {site.domain}"


class MailServers(Resource):
    """The Email Domain that holds Mailu's servers; ERPNext connects to both before it saves."""

    def __init__(self, erpnext: ErpNext, site: Site) -> None:
        self.component, self.key = erpnext.where, f"Email Domain {domain_name(site)}"
        self._erpnext, self._site, self._name = erpnext, site, domain_name(site)

    def read(self) -> Reading:
        """Return the servers ERPNext has under our name."""
        domain = self._erpnext.email_domain(self._name)
        if domain is None:
            return ABSENT
        return Reading({name: getattr(domain, name) for name in self.wanted()})

    def wanted(self) -> Fields:
        """Want Mailu's servers, with TLS."""
        return {**_outgoing(find_submission(self._site)), **_imap(self._site), "use_imap": True, "use_ssl": True}

    def write(self, change: Change) -> None:
        """Make it, or set what differs."""
        if change.action is Action.CREATE:
            self._erpnext.insert_email_domain(self._name, dict(change.target))
        else:
            self._erpnext.update_email_domain(self._name, {f.name: f.after for f in change.fields})

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it, unless an account that could not be deleted points to it."""
        try:
            self._erpnext.delete_email_domain(self._name)
        except ErpNextRefused as error:
            if error.kind != LINKED:
                raise
            return f"left, as it is in use ({error.message})"
        return ""


class OutgoingAccount(Resource):
    """The Email Account that sends; it is the default, and mail leaves under its address and name.

    ERPNext never shows the password, so an account somebody else made is not overwritten: ours is added beside it and
    takes the mark "default", which undo gives back.
    """

    def __init__(self, erpnext: ErpNext, site: Site, account: MailAccount) -> None:
        self.component, self.key = erpnext.where, "Email Account that sends"
        self._erpnext, self._site, self._account = erpnext, site, account

    def read(self) -> Reading:
        """Return our account, which is the one that points to our Email Domain, and who is the default beside it."""
        live, others = self._live(), self._others()
        self._refuse_taken_address(others)
        self._refuse_impossible_name(others)
        default = next((account for account in others if account.default_outgoing), None)
        image = {"default": default.name if default else None}
        foreign = None
        if default is not None and not default.is_factory_default:
            server = default.smtp_server or default.service or default.domain
            foreign = Foreign(f"mail leaves by the Email Account {default.name!r} ({server})", Permission.REPLACE)
        if live is None:
            return Reading(None, image, foreign)
        fields: dict[str, Value] = {name: getattr(live, name) for name in _PLAIN}
        fields["imap_folder"] = tuple(folder.folder_name for folder in live.imap_folder)
        return Reading(
            {
                **fields,
                "name": live.name,
                "password": Marker.UNREADABLE if live.password_is_set else None,
                "default instead of us": default.name if default else None,
            },
            image,
            foreign,
        )

    def wanted(self) -> Fields:
        """Want it to send through Mailu as itself, and to be the default."""
        different = self._account.sender != self._account.address
        return {
            "name": self._account.sender_name,
            "email_id": self._account.sender,
            "domain": domain_name(self._site),
            **_outgoing(find_submission(self._site)),
            "login_id_is_different": different,
            "login_id": self._account.address if different else "",
            "enable_outgoing": True,
            "default_outgoing": True,
            "always_use_account_email_id_as_sender": True,
            "always_use_account_name_as_sender_name": True,
            **self._incoming(),
            "password": self._account.password,
            "default instead of us": None,
        }

    def _incoming(self) -> Fields:
        """Return what reading the mailbox needs, where ``settings: {incoming: true}`` asks for it."""
        if not self._site.setting("incoming", False):
            return {}
        return {
            "enable_incoming": True,
            "use_imap": True,
            "use_ssl": True,
            **_imap(self._site),
            "imap_folder": ("INBOX",),
        }

    def write(self, change: Change) -> None:
        """Make it, or set what differs; ERPNext logs in before it saves."""
        names = set(change.target) if change.live.absent else change.names
        values: dict[str, object] = {name: change.target[name] for name in _PLAIN if name in names}
        folders = change.target.get("imap_folder")
        if "imap_folder" in names and isinstance(folders, tuple):
            values["imap_folder"] = [{"folder_name": folder} for folder in folders]
        password = change.target["password"] if "password" in names else None
        secret = password if isinstance(password, Secret) else None
        name = str(change.target["name"])
        live = self._live()
        if live is None:
            self._erpnext.insert_email_account(name, values, password=secret)
            return
        if live.name != name:
            self._erpnext.call(RENAME, {"doctype": "Email Account", "old_name": live.name, "new_name": name})
            self._erpnext.forget()
        if values or secret:
            self._erpnext.update_email_account(name, values, password=secret)

    def remove(self, live: Reading, before: Image) -> str:
        """Give the mark "default" back and delete it; where a document sends by it, switch it off instead."""
        account = self._live()
        if account is None:
            return ""
        self._give_default_back(before.extra.get("default"))
        waiting = self._erpnext.mails_waiting(account.name)
        try:
            self._erpnext.delete_email_account(account.name)
        except ErpNextRefused as error:
            if error.kind != LINKED:
                raise
            self._erpnext.update_email_account(account.name, {"enable_outgoing": False, "default_outgoing": False})
            return f"switched off and not deleted, as it is in use ({error.message})"
        # Its queue keeps the account's name and nobody may change that (contract: links.json).
        return f"mails that wait in ERPNext's queue to be sent by it, and now never are: {waiting}" if waiting else ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put back earlier values; the password stays, as nobody can read the one before."""
        self.write(change)
        if "default instead of us" in change.names:
            self._give_default_back(change.target["default instead of us"])

    def _give_default_back(self, name: object) -> None:
        if isinstance(name, str) and self._erpnext.email_account(name) is not None:
            self._erpnext.update_email_account(name, {"default_outgoing": True})

    def _live(self) -> EmailAccount | None:
        """Return our account: of those on our Email Domain, which a person may choose too, our mailbox's."""
        ours = [one for one in self._erpnext.email_accounts() if one.domain == domain_name(self._site)]
        return next(
            (
                one
                for address in (self._account.address, self._account.sender)
                for one in ours
                if address in {_login(one), one.email_id.lower()}
            ),
            None,
        )

    def _others(self) -> list[EmailAccount]:
        live = self._live()
        return [account for account in self._erpnext.email_accounts() if live is None or account.name != live.name]

    def _refuse_taken_address(self, others: list[EmailAccount]) -> None:
        taken = next((other for other in others if other.email_id.lower() == self._account.sender), None)
        if taken is not None:
            raise Blocked(
                f"the Email Account {taken.name!r} has the address {self._account.sender} and is not ours",
                component=self.component,
                remedy="name another `sender` for erpnext in stack.yaml, or delete that account in ERPNext",
            )

    def _refuse_impossible_name(self, others: list[EmailAccount]) -> None:
        name = self._account.sender_name
        taken = next((other for other in others if other.name.casefold() == name.casefold()), None)
        if taken is not None:
            raise Blocked(
                f"mail names the account it leaves by, and there is an Email Account {taken.name!r} already",
                component=self.component,
                remedy="name another `sender_name` for erpnext in stack.yaml, or rename that account in ERPNext",
            )
        if {"<", ">"} & set(name):
            raise Blocked(
                f"mail names the account it leaves by, and in ERPNext's names there is neither < nor >: {name}",
                component=self.component,
                remedy="name another `sender_name` for erpnext in stack.yaml",
            )


def _login(account: EmailAccount) -> str:
    return (account.login_id if account.login_id_is_different else account.email_id).lower()


_PLAIN = (
    "email_id",
    "domain",
    "smtp_server",
    "smtp_port",
    "use_tls",
    "use_ssl_for_outgoing",
    "login_id_is_different",
    "login_id",
    "enable_outgoing",
    "default_outgoing",
    "always_use_account_email_id_as_sender",
    "always_use_account_name_as_sender_name",
    "enable_incoming",
    "use_imap",
    "use_ssl",
    "email_server",
    "incoming_port",
)


def _imap(site: Site) -> dict[str, Value]:
    if site.provider is None:
        raise Blocked("has no mail server", component=site.application.ref)
    mailu = products.settings_of(site.provider, MailuSettings)
    return {"email_server": mailu.imap.host or mailu.tls_name(), "incoming_port": mailu.imap.port or IMAPS}


def _outgoing(server: Submission) -> dict[str, Value]:
    return {
        "smtp_server": server.host,
        "smtp_port": server.port,
        "use_ssl_for_outgoing": server.security == "tls",
        "use_tls": server.security == "starttls",
    }
