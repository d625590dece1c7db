"""What ERPNext does when documents are saved, beyond storing their fields; here for mail settings."""

from __future__ import annotations

import re

from agencystack.sandbox.erpnext.accounts import account_behaviours, require_address
from agencystack.sandbox.erpnext.doctypes import DOMAIN_FIELDS
from agencystack.sandbox.erpnext.documents import Behaviour, Documents, Work
from agencystack.sandbox.erpnext.errors import FrappeError, bold, invalid, thrown
from agencystack.sandbox.erpnext.mail_servers import check_domain, check_incoming, check_outgoing
from agencystack.sandbox.erpnext.selling.behaviours import selling_behaviours
from agencystack.sandbox.erpnext.store import Document

# With these as its server an account is tested even without a password.
_LOCAL = ("127.0.0.1", "localhost")


def all_documents() -> Documents:
    """Return the documents of a site with everything they do."""
    documents = Documents()
    documents.behave("Email Domain", Behaviour(_domain_name, _check_domain, _DomainSaved(documents)))
    documents.behave("Email Account", Behaviour(_account_name, _check_account, _OneDefault(documents)))
    documents.behave("Notification", Behaviour(lambda notification: str(notification["name"])))
    for doctype, behaviour in account_behaviours(documents).items():
        documents.behave(doctype, behaviour)
    for doctype, behaviour in selling_behaviours(documents).items():
        documents.behave(doctype, behaviour)
    return documents


def _domain_name(domain: Document) -> str:
    return str(domain.get("domain_name") or "")


def _check_domain(work: Work, domain: Document, _: Document | None) -> None:
    domain["use_starttls"] = int(bool(domain["use_imap"] and domain["use_starttls"] and not domain["use_ssl"]))
    check_domain(domain, work.patience)


class _DomainSaved:
    """Hands the servers of a domain to its accounts, which tests them."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def __call__(self, work: Work, domain: Document, _: Document | None) -> None:
        for account in work.transaction.all("Email Account"):
            if account.get("domain") != domain["name"]:
                continue
            changed = {**account, **{name: domain.get(name) for name in DOMAIN_FIELDS}}
            try:
                self._documents.save(work, changed, account)
            except FrappeError as error:
                text = f"Error has occurred in {account['name']}"
                raise FrappeError(
                    error.kind, text, module=error.module, messages=[*error.messages, thrown(text)]
                ) from error


def _account_name(account: Document) -> str:
    if not account.get("email_account_name"):
        local = str(account.get("email_id") or "").partition("@")[0]
        account["email_account_name"] = re.sub(r"[_.-]", " ", local).title()
    return str(account["email_account_name"])


def _check_account(work: Work, account: Document, _: Document | None) -> None:
    if account.get("email_id"):
        require_address(str(account["email_id"]))
    if not account["login_id_is_different"]:
        account["login_id"] = None
    elif not account.get("login_id"):
        raise invalid("Login Id is required")
    if account["enable_incoming"] and account["use_imap"] and not account["imap_folder"]:
        raise invalid(f"You need to set one IMAP folder for {bold(account['email_id'])}")
    account["use_starttls"] = int(bool(account["use_imap"] and account["use_starttls"] and not account["use_ssl"]))
    if not account["awaiting_password"]:
        _check_connections(work, account)
    _drop_impossible_defaults(work, account)


def _check_connections(work: Work, account: Document) -> None:
    if account.get("password") or account.get("smtp_server") in _LOCAL:
        if account["enable_incoming"]:
            check_incoming(account, work.transaction, work.patience)
        if account["enable_outgoing"]:
            check_outgoing(account, work.transaction, work.patience)
    elif account["enable_incoming"] or (account["enable_outgoing"] and not account["no_smtp_authentication"]):
        raise invalid("Password is required or select Awaiting Password")


def _drop_impossible_defaults(work: Work, account: Document) -> None:
    dropped = []
    for default, enable in (("default_incoming", "enable_incoming"), ("default_outgoing", "enable_outgoing")):
        if account[default] and not account[enable]:
            account[default] = 0
            names = (bold(name.replace("_", " ").title()) for name in (default, enable))
            dropped.append("{} has been disabled. It can only be enabled if {} is checked.".format(*names))
    if dropped:
        message = dropped[0] if len(dropped) == 1 else dropped
        work.messages.append({"message": message, "title": "Defaults Updated", "indicator": "orange"})


class _OneDefault:
    """Takes the default mark from the account that had it, by saving that, which tests its servers."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def __call__(self, work: Work, account: Document, _: Document | None) -> None:
        self.there_must_be_only_one_default(work, account)

    def there_must_be_only_one_default(self, work: Work, account: Document) -> None:
        """Named as in the product: the traceback of a failure is the only place that tells whose check failed."""
        for default in ("default_incoming", "default_outgoing"):
            others = work.transaction.all("Email Account") if account[default] else []
            for other in others:
                if other[default] and other["name"] != account["name"]:
                    self._documents.save(work, {**other, default: 0}, other)
