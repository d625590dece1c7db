"""WooCommerce's own logs, `wp-content/uploads/wc-logs/<source>-<date>-<hash>.log`.

Recorded from WooCommerce 10.5.2. Messages are not escaped and may have any number of lines; `webhooks-delivery` holds
whole requests and answers. What is known of a person is masked, whatever source wrote it.
"""

from __future__ import annotations

from agencystack.logs.formats import php, wording
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Format, Multiline, Regex, Replace, Timestamp

_TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:[+-]\d{2}:\d{2}|Z)"
_WORDS = "EMERGENCY|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG"
_PERSON = r"e_?mail|first_?name|last_?name|phone|address|city|postcode|company|customer|user_?(?:name|login)|note"

_LINE = Regex(rf"^(?P<time>{_TIME}) (?P<word>{_WORDS}) ")

_FATAL = Regex(
    rf"^{_TIME} (?P<fatal>CRITICAL) (?:Uncaught (?P<exception>[A-Za-z_\\][\w\\]*))?(?s:.*?)"
    rf" in (?P<file>{php.FILE})(?: on line |:)(?P<line>\d+)(?:\n|\\n| CONTEXT: |$)"
)
"""`fatal-errors` gets every fatal error of PHP, also where PHP's own log is off."""

_SOURCE = Regex(r"^.*/(?P<logger>[^/]+)-\d{4}-\d{2}-\d{2}-[0-9a-f]+\.log$", source="filename")

_LEVEL = Choose("level", source="word", cases=(Case(("EMERGENCY",), "critical"),), keep=True)

WOOCOMMERCE = Format(
    component="wordpress",
    stream="woocommerce",
    about="WooCommerce: payments, webhooks, fatal errors, and whatever extensions log with it",
    multiline=Multiline(rf"^{_TIME} (?:{_WORDS}) "),
    stages=(
        _LINE,
        Timestamp("time", "RFC3339"),
        _FATAL,
        _SOURCE,
        php.REST,
        wording.LEVEL,
        _LEVEL,
        Choose("event", source="fatal", cases=(Case(("CRITICAL",), "php_fatal"),)),
    ),
    known_by=("word", "rest"),
    metadata=("event", "exception", "file", "line", "logger"),
    masks=(
        Replace(r"\[Body\] => (?:((?s:.*?))\n\s*\[Response\] => |((?s:.*)))", MASK),
        Replace(rf'"(?i:[\w-]*(?:{_PERSON})[\w-]*)\\*"\s*:\s*\\*"((?:[^"\\]|\\.)*)', MASK),
        Replace(rf"\[(?i:[\w-]*(?:{_PERSON})[\w-]*)\] => ([^\n]+)", MASK),
        Replace(r"([\w.+-]+@[\w-]+(?:\.[\w-]+)+)", MASK),
        *php.MASKS,
    ),
    masked="bodies of webhooks, e-mail addresses, and members named like a person's data; " + php.MASKED,
)
