"""ERPNext's client: its documents, and the mail settings and sending the e-mail integration needs."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from agencystack.components.erpnext.bridge import ErpNextBridge
from agencystack.components.erpnext.login import ErpNextLogin
from agencystack.components.erpnext.models import EmailAccount, EmailDomain, SentMail
from agencystack.components.erpnext.refusals import MailServer, Refusal, mail_error
from agencystack.components.erpnext.sending import Sending, hanging
from agencystack.components.erpnext.site import FrappeSite, Model, Values, resource
from agencystack.components.erpnext.users import ErpNextUsers
from agencystack.stack.errors import ComponentRef, Unavailable
from agencystack.stack.secrets import Secret

# ERPNext itself waits up to 120 s for a mail server and then gives no answer at all (facts/erpnext.md "Email").
MAIL_LIMIT = 45.0


class ErpNext(FrappeSite):
    """One ERPNext site.

    Args:
        where: the component, for messages.
        api_url: its address as we reach it.
        api_key: API key of a user with the role System Manager.
        api_secret: the secret to it.
        ca_file: authority that signed the certificate of ``api_url``, if the system does not know it.
        host_header: the site's name, where ``api_url`` is an address and the bench holds several sites.
        mail_limit: seconds ERPNext may take for whatever makes it talk to a mail server.
    """

    def __init__(
        self,
        where: ComponentRef,
        api_url: str,
        api_key: Secret,
        api_secret: Secret,
        *,
        ca_file: Path | None = None,
        host_header: str | None = None,
        mail_limit: float = MAIL_LIMIT,
    ) -> None:
        super().__init__(where, api_url, api_key, api_secret, ca_file=ca_file, host_header=host_header)
        self.bridge = ErpNextBridge(self)
        self.login = ErpNextLogin(self)
        self.users = ErpNextUsers(self)
        self._mail_limit = mail_limit
        self._accounts: tuple[EmailAccount, ...] | None = None
        self._accounts_lock = threading.RLock()

    def email_domain(self, name: str) -> EmailDomain | None:
        """Return an Email Domain, or ``None``."""
        found = self.document("Email Domain", name)
        return None if found is None else self.model(EmailDomain, found)

    def email_accounts(self) -> tuple[EmailAccount, ...]:
        """Return all Email Accounts by name; asked once.

        The methods below that change one make it ask again; after a change by :meth:`update`, :meth:`call` and the
        like, call :meth:`forget`.
        """
        with self._accounts_lock:
            if self._accounts is None:
                names = [str(row["name"]) for row in self.documents("Email Account", order_by="name asc")]
                # The list leaves out the folder rows, and only a single document is known to mask the password.
                found = (self.document("Email Account", name) for name in names)
                self._accounts = tuple(self.model(EmailAccount, one) for one in found if one is not None)
            return self._accounts

    def email_account(self, name: str) -> EmailAccount | None:
        """Return one of :meth:`email_accounts`, or ``None``."""
        return next((account for account in self.email_accounts() if account.name == name), None)

    def forget(self) -> None:
        """Make the next :meth:`email_accounts` ask again."""
        with self._accounts_lock:
            self._accounts = None

    def insert_email_domain(self, name: str, values: Values) -> EmailDomain:
        """Create an Email Domain. ERPNext connects to its incoming and its outgoing server before it saves.

        Args:
            name: the domain.
            values: fields of :class:`EmailDomain`.

        Raises:
            Refused: a server cannot be reached, or ERPNext did not keep a value; says which and what to do.
            Unavailable: ERPNext did not answer within the mail limit.
            ComponentError: as :meth:`document`.
        """
        return self._save_mail(EmailDomain, "Email Domain", name, {**values, "domain_name": name}, new=True)

    def update_email_domain(self, name: str, values: Values, *, modified: str = "") -> EmailDomain:
        """Change an Email Domain; ERPNext then also saves, and tests, each Email Account that uses it.

        Raises as :meth:`insert_email_domain`.
        """
        return self._save_mail(EmailDomain, "Email Domain", name, values, modified=modified)

    def insert_email_account(self, name: str, values: Values, *, password: Secret | None = None) -> EmailAccount:
        """Create an Email Account. ERPNext logs in to its servers before it saves.

        Args:
            name: its name, which mail shows as the sender's name.
            values: fields of :class:`EmailAccount`; ``default_outgoing`` takes that mark from the account that has it.
            password: of the mailbox.

        Raises:
            Refused: the login fails, a server cannot be reached, the address is taken, or ERPNext did not keep a value.
            Unavailable: ERPNext did not answer within the mail limit.
            ComponentError: as :meth:`document`.
        """
        wanted = {**values, "email_account_name": name}
        return self._save_mail(EmailAccount, "Email Account", name, wanted, password=password, new=True)

    def update_email_account(
        self, name: str, values: Values, *, password: Secret | None = None, modified: str = ""
    ) -> EmailAccount:
        """Change an Email Account; without ``password`` the stored one stays. Raises as the insert does."""
        return self._save_mail(EmailAccount, "Email Account", name, values, password=password, modified=modified)

    def delete_email_account(self, name: str) -> bool:
        """Delete an Email Account; ``False`` where it was absent already."""
        try:
            return self.delete("Email Account", name)
        finally:
            self.forget()

    def mails_waiting(self, account: str) -> int:
        """Return how many mails wait to be sent by an Email Account; they never are once it is gone (links.json)."""
        waiting: list[list[object]] = [
            ["email_account", "=", account],
            ["status", "in", ["Not Sent", "Partially Sent", "Sending"]],
        ]
        return len(self.documents("Email Queue", filters=waiting))

    def delete_email_domain(self, name: str) -> bool:
        """Delete an Email Domain; ``False`` where it was absent already; refused while an account uses it."""
        return self.delete("Email Domain", name)

    def _save_mail(
        self,
        model: type[Model],
        doctype: str,
        name: str,
        values: Values,
        *,
        password: Secret | None = None,
        modified: str = "",
        new: bool = False,
    ) -> Model:
        doing = f'save {doctype} "{name}"'
        body = _as_sent(values)
        if password is not None:
            body["password"] = password.reveal()
        if modified:
            body["modified"] = modified
        server = replace(_server({**self._known(name), **values}), other=self._also_saved(name, values))
        try:
            answer, data = self.send(
                "POST" if new else "PUT",
                resource(doctype) if new else resource(doctype, name),
                body=body,
                timeout=self._mail_limit,
            )
        except Unavailable as error:
            raise hanging(self.where, error, doing, server.either, self._mail_limit) from error
        finally:
            # A refused or unanswered save may have been done all the same, and a save may change other accounts.
            self.forget()
        if not answer.is_success:
            raise mail_error(self.where, doing, Refusal.from_body(answer.status_code, data), server)
        saved = self.model(model, self.stored(data))
        self.check_kept(doing, model, values, saved, data)
        return saved

    def _known(self, name: str) -> dict[str, object]:
        """Return what is already known of an account, for messages about a save that sends only what changes."""
        with self._accounts_lock:
            accounts = self._accounts or ()
        return next((account.model_dump() for account in accounts if account.name == name), {})

    def _also_saved(self, name: str, values: Values) -> str:
        """Return the server of the account that loses the mark "default" to this one: ERPNext saves it as well."""
        if not values.get("default_outgoing"):
            return ""
        others = (account for account in self.email_accounts() if account.default_outgoing and account.name != name)
        return next((f'{_server(other.model_dump()).outgoing} of Email Account "{other.name}"' for other in others), "")

    def send_mail(
        self, to: str, subject: str, html: str, *, sender: str | None = None, limit: float | None = None
    ) -> SentMail:
        """Let ERPNext send a mail now, as it sends any other, and return once its mail server has taken it.

        Args:
            to: the recipient.
            subject: plain text.
            html: the body.
            sender: From address; ERPNext uses that of our key's user when absent, unless the Email Account says
                otherwise (``always_use_account_email_id_as_sender``).
            limit: seconds for all of it; the client's mail limit when absent.

        Raises:
            Refused: ERPNext has no account to send with, or its mail server refused; says which and what to do.
            Unavailable: it was not sent within ``limit``.
            ComponentError: as :meth:`document`.
        """
        return Sending(self, to, self._mail_limit if limit is None else limit).send(subject, html, sender)


def _as_sent(values: Values) -> dict[str, object]:
    return {field: int(value) if isinstance(value, bool) else value for field, value in values.items()}


def _server(values: Values) -> MailServer:
    def address(host: str, port: str) -> str:
        return f"{values[host]}:{values[port]}" if values.get(host) and values.get(port) else str(values.get(host, ""))

    unnamed = MailServer()
    return MailServer(
        outgoing=address("smtp_server", "smtp_port") or unnamed.outgoing,
        incoming=address("email_server", "incoming_port") or unnamed.incoming,
        login=str(values.get("login_id") or values.get("email_id") or unnamed.login),
    )
