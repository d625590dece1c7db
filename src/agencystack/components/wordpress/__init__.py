"""WordPress: its client, and the PHP program the client runs inside it."""

from agencystack.components.wordpress.client import WordPress
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
from agencystack.components.wordpress.queries import HEALTH_TOKEN, MAIL, OWNER, PLUGINS, SITE, SSO, Query, submission
from agencystack.components.wordpress.sso import (
    Login,
    LoginState,
    SsoImage,
    SsoSettings,
    SsoState,
    SsoUser,
    TokenVerdict,
)
from agencystack.components.wordpress.wp_config import owner_of_wp_config

__all__ = [
    "HEALTH_TOKEN",
    "MAIL",
    "OWNER",
    "PLUGINS",
    "SITE",
    "SSO",
    "Carrier",
    "CarrierState",
    "Login",
    "LoginState",
    "MailImage",
    "MailSettings",
    "MailState",
    "Outcome",
    "Plugin",
    "Query",
    "SentMail",
    "Site",
    "Source",
    "SsoImage",
    "SsoSettings",
    "SsoState",
    "SsoUser",
    "SubmissionTry",
    "SubmissionWay",
    "TokenVerdict",
    "Via",
    "WordPress",
    "Written",
    "owner_of_wp_config",
    "submission",
]
