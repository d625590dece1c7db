"""WordPress: its client, and the PHP program the client runs inside it."""

from agencystack.components.wordpress.client import WordPress, owner_of_wp_config
from agencystack.components.wordpress.models import (
    Carrier,
    CarrierState,
    MailImage,
    MailSettings,
    MailState,
    Outcome,
    Plugin,
    SentMail,
    Site,
    Source,
    SubmissionTry,
    SubmissionWay,
    Via,
    Written,
)
from agencystack.components.wordpress.queries import MAIL, OWNER, PLUGINS, SITE, Query, submission

__all__ = [
    "MAIL",
    "OWNER",
    "PLUGINS",
    "SITE",
    "Carrier",
    "CarrierState",
    "MailImage",
    "MailSettings",
    "MailState",
    "Outcome",
    "Plugin",
    "Query",
    "SentMail",
    "Site",
    "Source",
    "SubmissionTry",
    "SubmissionWay",
    "Via",
    "WordPress",
    "Written",
    "owner_of_wp_config",
    "submission",
]
