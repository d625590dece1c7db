"""Leads, as recorded (contract/erpnext/38): the site whose fields were read had no CRM module."""

from __future__ import annotations

from agencystack.sandbox.erpnext.meta import DocType, Field, checks, data

_CRM = {"Sales User": "rwc", "Sales Manager": "rwcd", "System Manager": "rwcd"}
_STATES = "Lead\nOpen\nReplied\nOpportunity\nQuotation\nLost Quotation\nInterested\nConverted\nDo Not Contact"
LEAD = DocType(
    "Lead",
    (
        Field("naming_series", "Select", "CRM-LEAD-.YYYY.-", options="CRM-LEAD-.YYYY.-"),
        *data("salutation first_name middle_name last_name lead_name job_title gender source"),
        Field("lead_owner", "Link", options="User"),
        Field("status", "Select", "Lead", options=_STATES, required=True),
        Field("customer", "Link", options="Customer"),
        *data("type request_type"),
        Field("email_id", label="Email"),
        *data("website mobile_no whatsapp_no phone phone_ext company_name no_of_employees"),
        Field("annual_revenue", "Float", digits="currency"),
        *data("industry market_segment territory fax city state"),
        Field("country", "Link", options="Country"),
        *data("qualification_status title language image"),
        Field("company", "Link", options="Company"),
        *checks("disabled unsubscribed blog_subscriber"),
        Field("notes", "Table", options="CRM Note"),
    ),
    may=_CRM,
    autoname="naming_series:",
)
CRM_NOTE = DocType("CRM Note", (Field("note", "Text"), *data("added_by added_on")), is_table=True)
