"""What the e-mail integration knows of ERPNext: Email Domain, Email Account, and a mail it sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

# A site is born with these (frappe/utils/install.py and desk/page/setup_wizard/install_fixtures.py of 15.44).
FACTORY_DOMAIN = "example.com"
FACTORY_ADDRESSES = frozenset({"notifications@example.com", "replies@example.com", "email_linking@example.com"})


def _no_null(value: object) -> object:
    return "" if value is None else value


def _port(value: object) -> object:
    return None if value in ("", 0, "0") else value


Text = Annotated[str, BeforeValidator(_no_null)]
Check = Annotated[bool, BeforeValidator(bool)]
# ERPNext keeps ports as text in some fields and as numbers in others.
Port = Annotated[int | None, BeforeValidator(_port)]


class EmailDomain(BaseModel):
    """An Email Domain: the servers that its accounts share. Fields are named as in ERPNext."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    modified: str = ""
    email_server: Text = ""
    use_imap: Check = False
    use_ssl: Check = False
    use_starttls: Check = False
    incoming_port: Port = None
    smtp_server: Text = ""
    smtp_port: Port = None
    use_tls: Check = False
    use_ssl_for_outgoing: Check = False
    append_emails_to_sent_folder: Check = False
    attachment_limit: int = 0

    @property
    def is_factory_default(self) -> bool:
        """Whether it is the placeholder every site is born with."""
        return self.name == FACTORY_DOMAIN and self.smtp_server == f"smtp.{FACTORY_DOMAIN}"


class ImapFolder(BaseModel):
    """One folder an account reads."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    folder_name: Text = ""
    append_to: Text = ""


class EmailAccount(BaseModel):
    """An Email Account, without its password: ERPNext shows only that there is one.

    Fields are named as in ERPNext. ``password_is_set`` is read from its mask, which has as many asterisks as the
    password has characters; the mask is not kept, since that number is nobody's business.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    email_id: Text = ""
    owner: Text = ""
    modified: str = ""
    domain: Text = ""
    service: Text = ""
    auth_method: Text = ""
    login_id_is_different: Check = False
    login_id: Text = ""
    password_is_set: Annotated[bool, BeforeValidator(bool)] = Field(default=False, alias="password")
    awaiting_password: Check = False
    no_smtp_authentication: Check = False
    enable_outgoing: Check = False
    default_outgoing: Check = False
    smtp_server: Text = ""
    smtp_port: Port = None
    use_tls: Check = False
    use_ssl_for_outgoing: Check = False
    always_use_account_email_id_as_sender: Check = False
    always_use_account_name_as_sender_name: Check = False
    send_unsubscribe_message: Check = True
    track_email_status: Check = True
    enable_incoming: Check = False
    default_incoming: Check = False
    use_imap: Check = False
    use_ssl: Check = False
    use_starttls: Check = False
    email_server: Text = ""
    incoming_port: Port = None
    append_emails_to_sent_folder: Check = False
    imap_folder: tuple[ImapFolder, ...] = ()

    @property
    def is_factory_default(self) -> bool:
        """Whether it is one every site is born with, that nobody has put to use: it can neither send nor receive."""
        in_use = self.enable_outgoing or self.enable_incoming or self.password_is_set
        return self.email_id in FACTORY_ADDRESSES and not in_use


class SentMail(BaseModel):
    """A mail ERPNext has handed to its mail server.

    Args:
        communication: name of the Communication that holds it.
        queue: name of its Email Queue row.
        sender: the From address it was sent with.
        message_id: its Message-Id, without angle brackets.
        seconds: how long ERPNext took from the request to the hand-over.
    """

    model_config = ConfigDict(frozen=True)

    communication: str
    queue: str
    sender: str
    message_id: str
    seconds: float
