"""Uptime Kuma 2: `time [MODULE] LEVEL: text`, in colours whatever it writes to, or JSON (`UPTIME_KUMA_LOG_FORMAT`).

Recorded from 2.5.3; the JSON form is from its source (`src/util.ts`).
"""

from __future__ import annotations

from agencystack.logs.formats import wording
from agencystack.logs.model import Case, Choose, Format, Json, Multiline, Regex, Replace, Timestamp

_COLOUR = r"\x1b\[[0-9;]*m"

_LINE = Regex(
    r"(?s)^(?P<time>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})) \[(?P<logger>[\w-]+)\] "
    r"(?P<word>[A-Z]+): (?P<message>.*)"
)

_JSON = Json((("time", "time"), ("logger", "module"), ("word", "level"), ("message", "msg")))

_UNDATED = Regex(r"^(?:(?P<start>Welcome to Uptime Kuma|Your Node\.js version)|(?P<exception>\w*(?P<word>Error)): )")
"""Its greeting, and errors it prints without its logger."""

_LOGIN = Regex(
    r"^(?:(?P<outcome>Successfully logged in|Incorrect username or password for|Invalid token provided for"
    r"|Inactive or deleted|Too many failed requests for) user (?P<user>.*)\.|(?P<refusal>Invalid token)\.) "
    r"IP=(?P<address>\S+)$",
    source="message",
)
"""The user is what was typed, read up to the last ` IP=`."""

_CHECK = Regex(r"^Monitor #\d+ '(?P<job>.*)': (?P<verdict>Failing|Pending): (?P<reason>.*?) \| ", source="message")

_THROWN = Regex(r"(?s)(?:^|[^\w'])(?P<exception>[A-Z]?\w*Error): .*?\n +at ", source="message")

UPTIME_KUMA = Format(
    component="uptime-kuma",
    stream="server",
    about="Uptime Kuma: checks that fail, logins, errors",
    multiline=Multiline(
        rf"^(?:(?:{_COLOUR})?\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}:\d{{2}}"
        r'|\{"time":"|Welcome to Uptime Kuma|Your Node\.js version|\w*Error: )'
    ),
    stages=(
        Replace(f"({_COLOUR})", ""),
        _LINE,
        _JSON,
        _UNDATED,
        Timestamp("time", "RFC3339"),
        _LOGIN,
        _CHECK,
        _THROWN,
        wording.LEVEL,
        Choose(
            "event",
            source="outcome",
            cases=(Case(("Successfully logged in",), "login_ok"), Case(("",), "login_failed", prefix=True)),
        ),
        Choose("event", source="refusal", cases=(Case(("Invalid token",), "login_failed"),), keep=True),
        wording.EXCEPTION_EVENT,
        wording.FAILED_LOGIN_LEVEL,
    ),
    known_by=("word", "start"),
    metadata=("event", "user", "address", "job", "verdict", "reason", "logger", "exception"),
)

FORMATS = (UPTIME_KUMA,)
