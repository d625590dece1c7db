"""The fields of the documents the stand-in knows, as Frappe 15.44 and ERPNext 15 have them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agencystack.sandbox.erpnext import login_doctypes
from agencystack.sandbox.erpnext.meta import DocType, Field, checks, data
from agencystack.sandbox.erpnext.selling import recorded

_EMAIL_DOMAIN = DocType(
    "Email Domain",
    (
        Field("domain_name", required=True),
        Field("email_server", required=True, label="Incoming Server"),
        *checks("use_imap use_ssl use_starttls"),
        Field("incoming_port"),
        Field("attachment_limit", "Int"),
        Field("smtp_server", required=True, label="Outgoing Server"),
        *checks("use_tls use_ssl_for_outgoing"),
        Field("smtp_port"),
        *checks("append_emails_to_sent_folder"),
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
        *checks("awaiting_password ascii_encode_password login_id_is_different"),
        Field("login_id"),
        *checks("enable_incoming default_incoming"),
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
        *checks("append_emails_to_sent_folder create_contact enable_automatic_linking", on="create_contact"),
        *checks("notify_if_unreplied"),
        Field("unreplied_for_mins", "Int", 30),
        Field("send_notification_to", "Text"),
        *checks("enable_outgoing"),
        Field("use_tls", "Check", 0, fetch_from="domain.use_tls"),
        *checks("use_ssl_for_outgoing"),
        Field("smtp_server", fetch_from="domain.smtp_server"),
        Field("smtp_port", fetch_from="domain.smtp_port"),
        *checks(
            "default_outgoing always_use_account_email_id_as_sender always_use_account_name_as_sender_name "
            "send_unsubscribe_message track_email_status no_smtp_authentication add_signature enable_auto_reply",
            on="send_unsubscribe_message track_email_status",
        ),
        *(Field(name, "Text") for name in ("signature", "auto_reply_message", "footer")),
        *data("brand_logo uidvalidity connected_app connected_user"),
        Field("uidnext", "Int"),
        Field("no_failed", "Int"),
    ),
    name_field="email_account_name",
    may_be_renamed=True,
)
_IMAP_FOLDER = DocType("IMAP Folder", data("folder_name append_to uidvalidity uidnext"), is_table=True)
_COMMUNICATION = DocType(
    "Communication",
    (
        Field("subject", required=True),
        Field("communication_medium", "Select", ""),
        *data("sender recipients cc bcc"),
        Field("delivery_status", "Select", ""),
        Field("content", "Text"),
        Field("communication_type", "Select", "Communication"),
        Field("comment_type", "Select", ""),
        Field("status", "Select", "Open"),
        Field("sent_or_received", "Select", "Sent"),
        Field("communication_date", "Datetime"),
        *checks("read_receipt read_by_recipient unread_notification_sent seen has_attachment"),
        *data("sender_full_name reference_doctype reference_name company user message_id"),
        Field("email_account", "Link", options="Email Account"),
    ),
    # Read from the permissions of Frappe 15.
    may={"Inbox User": "rcd", "System Manager": "rwcd"},
)
_EMAIL_QUEUE = DocType(
    "Email Queue",
    (
        Field("sender"),
        Field("recipients", "Table", options="Email Queue Recipient"),
        *data("show_as_cc"),
        Field("message", "Text"),
        Field("status", "Select", "Not Sent", options="Not Sent\nSending\nSent\nPartially Sent\nError"),
        Field("error", "Text"),
        *data("message_id reference_doctype reference_name communication send_after expose_recipients"),
        Field("email_account", "Link", options="Email Account"),
        Field("priority", "Int", 1),
        Field("retry", "Int"),
    ),
)
_EMAIL_QUEUE_RECIPIENT = DocType(
    "Email Queue Recipient",
    (*data("recipient"), Field("status", "Select", "Not Sent"), Field("error", "Text")),
    is_table=True,
)
_NOTIFICATION = DocType(
    "Notification",
    (
        *checks("enabled is_standard", on="enabled"),
        Field("channel", "Select", "Email", options="Email\nSlack\nSystem Notification\nSMS"),
        *data("subject"),
        Field("event", "Select", ""),
        *data("document_type"),
        Field("days_in_advance", "Int"),
        Field("sender", "Link", options="Email Account"),
        *checks("send_system_notification send_to_all_assignees"),
        Field("message_type", "Select", "Markdown", options="Markdown\nHTML\nPlain Text"),
        Field("message", "Text"),
        Field("recipients", "Table", options="Notification Recipient"),
        *checks("attach_print"),
    ),
)
# contract/erpnext/12; the sandbox delivers none: a hint that is lost is what the bridge must bear anyway.
_WEBHOOK = DocType(
    "Webhook",
    (
        Field("webhook_doctype", required=True),
        Field("webhook_docevent", "Select"),
        *checks("enabled enable_security is_dynamic_url", on="enabled"),
        Field("request_url", required=True),
        Field("request_method", "Select", "POST"),
        Field("request_structure", "Select", ""),
        Field("timeout", "Int", 5),
        Field("webhook_secret", "Password"),
        Field("webhook_json", "Text"),
    ),
    autoname="prompt",
)
_NOTIFICATION_RECIPIENT = DocType("Notification Recipient", data("receiver_by_role"), is_table=True)
DOCTYPES: Mapping[str, DocType] = MappingProxyType(
    {
        one.name: one
        for one in (
            *recorded.doctypes(),
            _EMAIL_DOMAIN,
            _EMAIL_ACCOUNT,
            _IMAP_FOLDER,
            _COMMUNICATION,
            _EMAIL_QUEUE,
            _EMAIL_QUEUE_RECIPIENT,
            _NOTIFICATION,
            _NOTIFICATION_RECIPIENT,
            _WEBHOOK,
            *login_doctypes.ALL,
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
