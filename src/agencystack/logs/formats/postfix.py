"""What Postfix writes: deliveries with queue id and status, refusals with their reason, logins, warnings.

Read on Postfix 3.7.11 as Mailu 2024.06 sets it up (`maillog_file = /dev/stdout`): `Nov 22 18:17:08 host postfix/...`,
with neither year nor zone. Delivery and refusal lines: https://www.postfix.org/postconf.5.html#smtp_delivery_status_filter
"""

from __future__ import annotations

from agencystack.logs.formats.wording import LEVEL
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Regex, Replace, Stage, Timestamp

SYSLOG_TIME = r"[A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}"
SYSLOG_LAYOUT = "Jan _2 15:04:05"

_QUEUE_ID = r"[0-9A-F]{6,16}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}"
"""The short form, and the long one of `enable_long_queue_ids`, which has no vowels."""

LINE = Regex(
    rf"^(?P<time>{SYSLOG_TIME}) \S+ postfix[\w-]*/(?P<process>[\w/-]+)\[\d+\]: "
    rf"(?:NOQUEUE: |(?P<queue_id>{_QUEUE_ID}): )?(?:(?P<word>warning|error|fatal|panic): )?(?P<message>.*)"
)

OUTCOME = Regex(
    r"^(?:to|from)=<.*?>, (?:.*?delay=(?P<delay>[\d.]+), .*?dsn=(?P<dsn>[\d.]+), )?"
    r"status=(?P<mail_status>[\w-]+)(?:, | \()(?P<reason>.*?)\)?$",
    source="message",
)
"""`to=<..>, relay=.., delay=.., dsn=.., status=sent (..)`, and `from=<..>, status=expired, returned to sender`."""

REFUSAL = Regex(
    r"^(?P<mail_status>(?:milter-)?reject): [\w-]+ from \S*?\[(?P<address>[^\]]+)\](?::\d+)?: (?:\d{3} )?"
    r"(?:(?P<dsn>[245]\.\d{1,3}\.\d{1,3}) )?(?:<[^>]*>: )?(?P<reason>.*?);? (?:from|to|proto)=",
    source="message",
)

PEER = Regex(
    r"^(?:client=|(?:dis)?connect from |[a-z ]+ after .* from |non-SMTP command from )?[^\s\[]*\[(?P<address>[^\]]+)\]"
    r"(?:, sasl_method=[^,]+, sasl_username=(?P<user>\S+)"
    r"|: SASL \S+ authentication (?P<sasl>failed)(?:: (?P<reason>.*))?)?",
    source="message",
)

STAGES: tuple[Stage, ...] = (
    LINE,
    Timestamp("time", SYSLOG_LAYOUT),
    OUTCOME,
    REFUSAL,
    PEER,
    LEVEL,
    Choose(
        "level",
        source="mail_status",
        cases=(Case(("deferred", "bounced", "expired", "reject", "milter-reject"), "warning"),),
        keep=True,
    ),
    Choose(
        "event",
        source="mail_status",
        cases=(
            Case(("sent",), "mail_sent"),
            Case(("deferred",), "mail_deferred"),
            Case(("bounced", "expired"), "mail_bounced"),
            Case(("reject", "milter-reject"), "mail_rejected"),
        ),
    ),
    Choose("event", source="sasl", cases=(Case(("failed",), "login_failed"),), keep=True),
)

METADATA = (
    "event", "process", "queue_id", "mail_status", "dsn", "delay", "reason", "address", "user",
)  # fmt: skip

MASKS = (Replace(r"header Subject: (.*) from \S+; from=<", MASK),)
"""Subjects, which header checks of the operator's own may log."""
