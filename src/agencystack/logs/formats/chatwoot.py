"""Chatwoot: Rails and Puma, with lograge's JSON where it is on (`LOGRAGE_ENABLED`), and Sidekiq.

Written from its source (`config/environments/production.rb`, `config/initializers/lograge.rb`) and Rails' and
Sidekiq's own formats: not verified against the product.
"""

from __future__ import annotations

from agencystack.logs.formats import wording
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Format, Json, Multiline, Regex, Replace, Timestamp

_RUBY = Regex(
    r"(?s)^[A-Z], \[(?P<time>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+) #\d+\] +(?P<word>[A-Z]+) -- \S*: "
    r"(?:\[[\w-]+\] )*(?P<message>.*)"
)
"""Ruby's Logger; the time is the host's, without zone."""

_SIDEKIQ = Regex(
    r"(?s)^(?P<time>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+Z) pid=\d+ tid=\S+ (?:class=(?P<job>\S+) )?(?:\S+=\S+ )*"
    r"(?P<word>[A-Z]+): (?P<message>.*)"
)

_PLAIN = Regex(r"(?s)^(?P<start>=> |\* |\[\d+\] |Puma starting|Use Ctrl-C)|^(?:\[[\w-]+\] )*(?P<message>\{.*)")

_REQUEST = Json(
    (
        ("method", "method"),
        ("path", "path"),
        ("status", "status"),
        ("address", "remote_ip"),
        ("user", "user_id"),
    ),
    source="message",
)

_RAILS = Regex(
    r'^(?:Started (?P<method>[A-Z]+) "(?P<path>[^"?]*)[^"]*" for (?P<address>\S+) at '
    r"|Completed (?P<status>\d{3}) |(?P<exception>(?:\w+::)*\w+(?:Error|Exception|NotFound|Invalid)) \()",
    source="message",
)

_STATUS = Choose(
    "level",
    source="status",
    cases=(Case(("5",), "error", prefix=True), Case(("4",), "warning", prefix=True)),
    keep=True,
)

_SIGN_IN = Regex(r'"path":"/auth/sign_in[^"]*".*"status":(?:(?P<signed>200)|(?P<refused>40[01]))', source="message")

CHATWOOT = Format(
    component="chatwoot",
    stream="server",
    about="Chatwoot: requests, jobs, exceptions (from its source, not recorded)",
    multiline=Multiline(
        r"^(?:[A-Z], \[\d{4}-|\d{4}-\d{2}-\d{2}T|(?:\[[\w-]{36}\] )?\{\"|=> |\* |\[\d+\] |Puma starting|Use Ctrl-C)"
    ),
    stages=(
        _RUBY,
        _SIDEKIQ,
        _PLAIN,
        Timestamp("time", "2006-01-02T15:04:05.000000", fallbacks=("RFC3339Nano",)),
        _REQUEST,
        _RAILS,
        _SIGN_IN,
        wording.LEVEL,
        _STATUS,
        Choose("event", source="signed", cases=(Case(("200",), "login_ok"),)),
        Choose("event", source="refused", cases=(Case(("40",), "login_failed", prefix=True),), keep=True),
        wording.EXCEPTION_EVENT,
        wording.FAILED_LOGIN_LEVEL,
    ),
    known_by=("word", "start", "status"),
    metadata=("event", "user", "address", "method", "path", "status", "job", "exception"),
    masks=(
        Replace(r"Parameters: (\{[^\n]*\})", MASK),
        Replace(r'"params":(\{.*\})\}\s*$', f'"{MASK}"'),
    ),
    masked="parameters of requests: what customers and agents write",
)

FORMATS = (CHATWOOT,)
