"""Forms somebody filled in on WordPress: a Lead in ERPNext, and one Communication for each submission."""

from __future__ import annotations

from agencystack.bridge.entity import Deletion, Direction, Entity, Field
from agencystack.bridge.record import SideName

_WORDPRESS, _ERPNEXT = SideName.WORDPRESS, SideName.ERPNEXT
_TO, _BACK = Direction.TO_ERPNEXT, Direction.TO_WORDPRESS

SUBMISSION = Entity(
    name="submission",
    title="Form submissions",
    fields=(
        Field("name", _WORDPRESS, "sender.name", "Lead.first_name, last_name", _TO, personal=True),
        Field("email", _WORDPRESS, "sender.email", "Lead.email_id", _TO, personal=True),
        Field("phone", _WORDPRESS, "sender.phone", "Lead.phone", _TO, personal=True),
        Field("subject", _WORDPRESS, "sender.subject, form.title", "Communication.subject", _TO, personal=True),
        Field("content", _WORDPRESS, "fields, files, page", "Communication.content", _TO, personal=True),
        Field("consent", _WORDPRESS, "consent", "Communication.content", _TO, personal=True),
        Field("sent", _WORDPRESS, "date_created_gmt", "Communication.communication_date", _TO),
        Field("lead_status", _ERPNEXT, "status", "Lead.status", _BACK),
        Field("lead_owner", _ERPNEXT, "owner", "Lead.lead_owner", _BACK),
        Field("lead_notes", _ERPNEXT, "notes", "Lead.notes that begin with 'Public:'", _BACK, personal=True),
    ),
    deletion=Deletion.KEEP,
    creates=(_ERPNEXT,),
)
"""Nothing is made in WordPress: a Lead born in ERPNext is no submission. The record that is linked is the
Communication, so that a person who writes twice has one Lead and two Communications."""

PUBLIC = "public:"
"""A note of a Lead that begins so (in any case) is shown with the submission; the others stay in ERPNext."""
