"""The fields of the documents the stand-in knows, as Frappe 15.44 and ERPNext 15 have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["Data", "Text", "Check", "Int", "Select", "Link", "Password", "Table", "Datetime"]

# What each row has besides its own fields; nobody but the product sets them.
STANDARD = ("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx")
CHILD = ("parent", "parentfield", "parenttype")


@dataclass(frozen=True)
class Field:
    """One field of a doctype.

    Args:
        name: its name in the interface.
        kind: its type.
        default: of a new document; numbers are 0 and selects empty without one.
        options: the linked or child doctype, or the choices of a select, one a line.
        label: what messages call it.
        required: whether it must have a value.
        unique: whether two documents may not share a value.
        fetch_from: ``link.field``: taken from the linked document at each save.
    """

    name: str
    kind: Kind = "Data"
    default: str | int | None = None
    options: str = ""
    label: str = ""
    required: bool = False
    unique: bool = False
    fetch_from: str = ""

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.label or self.name.replace("_", " ").title()


@dataclass(frozen=True)
class DocType:
    """A kind of document.

    Args:
        name: such as ``Email Account``.
        fields: its own fields.
        readers: roles that may read it.
        writers: roles that may create, change and delete it.
        is_table: whether it exists only as rows of another.
        name_field: the field that always equals the name.
        may_be_renamed: whether it can get another name.
    """

    name: str
    fields: tuple[Field, ...]
    readers: frozenset[str] = frozenset({"System Manager"})
    writers: frozenset[str] = frozenset({"System Manager"})
    is_table: bool = False
    name_field: str = ""
    may_be_renamed: bool = False

    def field(self, name: str) -> Field | None:
        """Return a field by name."""
        return next((field for field in self.fields if field.name == name), None)

    def of_kind(self, kind: Kind) -> tuple[Field, ...]:
        """Return the fields of one type."""
        return tuple(field for field in self.fields if field.kind == kind)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names a list may ask for."""
        own = tuple(field.name for field in self.fields if field.kind != "Table")
        return (*STANDARD, *(CHILD if self.is_table else ()), *own)


def _checks(names: str, *, on: str = "") -> tuple[Field, ...]:
    set_by_default = on.split()
    return tuple(Field(name, "Check", int(name in set_by_default)) for name in names.split())


def _data(names: str) -> tuple[Field, ...]:
    return tuple(Field(name) for name in names.split())


_EMAIL_DOMAIN = DocType(
    "Email Domain",
    (
        Field("domain_name", required=True),
        Field("email_server", required=True, label="Incoming Server"),
        *_checks("use_imap use_ssl use_starttls"),
        Field("incoming_port"),
        Field("attachment_limit", "Int"),
        Field("smtp_server", required=True, label="Outgoing Server"),
        *_checks("use_tls use_ssl_for_outgoing"),
        Field("smtp_port"),
        *_checks("append_emails_to_sent_folder"),
    ),
    name_field="domain_name",
)
_EMAIL_ACCOUNT = DocType(
    "Email Account",
    (
        Field("email_id", label="Email Address", required=True, unique=True),
        Field("company", "Link", options="Company"),
        Field("email_account_name"),
        Field("domain", "Link", options="Email Domain"),
        Field("service", "Select", "", options="GMail\nSendgrid\nSparkPost\nYahoo Mail\nOutlook.com\nYandex.Mail"),
        Field("auth_method", "Select", "Basic", options="Basic\nOAuth"),
        Field("password", "Password"),
        *_checks("awaiting_password ascii_encode_password login_id_is_different"),
        Field("login_id"),
        *_checks("enable_incoming default_incoming"),
        Field("use_imap", "Check", 0, fetch_from="domain.use_imap"),
        Field("use_ssl", "Check", 0, fetch_from="domain.use_ssl"),
        Field("use_starttls", "Check", 0, fetch_from="domain.use_starttls"),
        Field("email_server", fetch_from="domain.email_server"),
        Field("incoming_port"),
        Field("attachment_limit", "Int", fetch_from="domain.attachment_limit"),
        Field("append_to", "Link", options="DocType"),
        Field("email_sync_option", "Select", "UNSEEN", options="ALL\nUNSEEN"),
        Field("initial_sync_count", "Select", "250", options="100\n250\n500"),
        Field("imap_folder", "Table", options="IMAP Folder"),
        *_checks("append_emails_to_sent_folder create_contact enable_automatic_linking", on="create_contact"),
        *_checks("notify_if_unreplied"),
        Field("unreplied_for_mins", "Int", 30),
        Field("send_notification_to", "Text"),
        *_checks("enable_outgoing"),
        Field("use_tls", "Check", 0, fetch_from="domain.use_tls"),
        *_checks("use_ssl_for_outgoing"),
        Field("smtp_server", fetch_from="domain.smtp_server"),
        Field("smtp_port", fetch_from="domain.smtp_port"),
        *_checks(
            "default_outgoing always_use_account_email_id_as_sender always_use_account_name_as_sender_name "
            "send_unsubscribe_message track_email_status no_smtp_authentication add_signature enable_auto_reply",
            on="send_unsubscribe_message track_email_status",
        ),
        *(Field(name, "Text") for name in ("signature", "auto_reply_message", "footer")),
        *_data("brand_logo uidvalidity connected_app connected_user"),
        Field("uidnext", "Int"),
        Field("no_failed", "Int"),
    ),
    name_field="email_account_name",
    may_be_renamed=True,
)
_IMAP_FOLDER = DocType("IMAP Folder", _data("folder_name append_to uidvalidity uidnext"), is_table=True)
_COMMUNICATION = DocType(
    "Communication",
    (
        Field("subject", required=True),
        Field("communication_medium", "Select", ""),
        *_data("sender recipients cc bcc"),
        Field("delivery_status", "Select", ""),
        Field("content", "Text"),
        Field("communication_type", "Select", "Communication"),
        Field("comment_type", "Select", ""),
        Field("status", "Select", "Open"),
        Field("sent_or_received", "Select", "Sent"),
        *_checks("read_receipt read_by_recipient unread_notification_sent seen has_attachment"),
        *_data("sender_full_name reference_doctype reference_name company user message_id"),
        Field("email_account", "Link", options="Email Account"),
    ),
)
_EMAIL_QUEUE = DocType(
    "Email Queue",
    (
        Field("sender"),
        Field("recipients", "Table", options="Email Queue Recipient"),
        *_data("show_as_cc"),
        Field("message", "Text"),
        Field("status", "Select", "Not Sent", options="Not Sent\nSending\nSent\nPartially Sent\nError"),
        Field("error", "Text"),
        *_data("message_id reference_doctype reference_name communication send_after expose_recipients"),
        Field("email_account", "Link", options="Email Account"),
        Field("priority", "Int", 1),
        Field("retry", "Int"),
    ),
)
_EMAIL_QUEUE_RECIPIENT = DocType(
    "Email Queue Recipient",
    (*_data("recipient"), Field("status", "Select", "Not Sent"), Field("error", "Text")),
    is_table=True,
)
_USER = DocType(
    "User",
    (
        Field("enabled", "Check", 1),
        Field("email", required=True),
        Field("first_name", required=True, label="First Name"),
        *_data("last_name full_name username language time_zone api_key"),
        Field("api_secret", "Password"),
        Field("send_welcome_email", "Check", 1),
        Field("user_type", "Data", "Website User"),
        Field("new_password", "Password"),
        Field("roles", "Table", options="Has Role"),
    ),
)
_NOTIFICATION = DocType(
    "Notification",
    (
        *_checks("enabled is_standard", on="enabled"),
        Field("channel", "Select", "Email", options="Email\nSlack\nSystem Notification\nSMS"),
        *_data("subject"),
        Field("event", "Select", ""),
        *_data("document_type"),
        Field("days_in_advance", "Int"),
        Field("sender", "Link", options="Email Account"),
        *_checks("send_system_notification send_to_all_assignees"),
        Field("message_type", "Select", "Markdown", options="Markdown\nHTML\nPlain Text"),
        Field("message", "Text"),
        Field("recipients", "Table", options="Notification Recipient"),
        *_checks("attach_print"),
    ),
)
_NOTIFICATION_RECIPIENT = DocType("Notification Recipient", _data("receiver_by_role"), is_table=True)
_HAS_ROLE = DocType("Has Role", (Field("role", "Link", options="Role"),), is_table=True)
_ROLE = DocType(
    "Role", (Field("role_name", required=True), Field("desk_access", "Check", 1), Field("disabled", "Check", 0))
)

DOCTYPES: Mapping[str, DocType] = MappingProxyType(
    {
        one.name: one
        for one in (
            _EMAIL_DOMAIN,
            _EMAIL_ACCOUNT,
            _IMAP_FOLDER,
            _COMMUNICATION,
            _EMAIL_QUEUE,
            _EMAIL_QUEUE_RECIPIENT,
            _NOTIFICATION,
            _NOTIFICATION_RECIPIENT,
            _USER,
            _HAS_ROLE,
            _ROLE,
        )
    }
)
# The servers an Email Domain hands to its accounts when it is saved.
DOMAIN_FIELDS = (
    "email_server",
    "use_imap",
    "use_ssl",
    "use_starttls",
    "use_tls",
    "attachment_limit",
    "smtp_server",
    "smtp_port",
    "use_ssl_for_outgoing",
    "append_emails_to_sent_folder",
    "incoming_port",
)
