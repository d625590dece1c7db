"""What Mailu's admin container writes: gunicorn and Flask, and every login to any of Mailu's services.

Read on Mailu 2024.06.57; messages that were not seen are from its source (`internal/nginx.py`, `limiter.py`,
`sso/views/base.py`). This is the one place that sees each attempt, whatever protocol it was made in.
"""

from __future__ import annotations

from agencystack.logs.formats import wording
from agencystack.logs.formats.web_servers import COMBINED
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Format, Multiline, Regex, Replace, Timestamp

_FIRSTLINE = Multiline(
    r"^(?:\[\d{4}-\d{2}-\d{2} |\S+ \S+ \S+ \[\d{2}/[A-Z][a-z]{2}/\d{4}:|[\w.]+ \([A-Z]+\): |[A-Z]+(?::[\w.]+:|  ?\[)"
    r"|/\S+:\d+: \w*Warning: )"
)
"""What begins an entry; the lines of a traceback do not."""

_LINE = Regex(
    r"(?s)^\[(?P<time>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:,\d{3}| [+-]\d{4}))\] "
    r"(?:\[\d+\] \[)?(?P<word>[A-Z]+)(?:\]| in (?P<logger>\w+):) (?P<message>.*)"
)
"""gunicorn's `[.. +0000] [pid] [INFO] ..` and Flask's `[..,123] INFO in module: ..`."""

_WARNING = Regex(r"^(?P<file>/\S+):(?P<line>\d+): (?P<logger>\w*?(?P<word>Warning)): ")

_LOGIN = Regex(
    r"^Login attempt for: (?:<User )?'?(?P<user>.*[^'>])'?>?/(?P<process>[\w-]+)/\w+ from: (?P<address>[^\s/]+)/\S*: "
    r"(?P<outcome>success|failed)(?:: (?P<reason>[^:]*))?",
    source="message",
)
"""The user is read greedily: a name may try to look like the rest of the line, the line itself comes last."""

_REFUSAL = Regex(
    r"^(?P<outcome>Authentication attempt|Invalid API token|Login (?:failed|succeeded) by proxy)(?: - [\w ]+)?"
    r"(?: provided| created user)?(?:: (?P<user>\S+))? (?:from|by) (?P<address>[^\s]*[^\s.])",
    source="message",
)

_LIMITED = Regex(r"^Authentication attempt from \S+ for (?P<user>\S+) has been rate-limited", source="message")

_EVENT = Choose(
    "event",
    source="outcome",
    cases=(
        Case(("success", "Login succeeded by proxy"), "login_ok"),
        Case(("failed", "Authentication attempt", "Invalid API token", "Login failed by proxy"), "login_failed"),
    ),
)

_REASON = Choose(
    "reason",
    source="outcome",
    cases=(
        Case(("Authentication attempt",), "rate-limited"),
        Case(("Invalid API token",), "invalid API token"),
        Case(("Login failed by proxy", "Login succeeded by proxy"), "proxy"),
    ),
    keep=True,
)

ADMIN = Format(
    component="mailu",
    stream="admin",
    about="Mailu's admin: each login to any service, API tokens, exceptions",
    multiline=_FIRSTLINE,
    stages=(
        _LINE,
        COMBINED,
        _WARNING,
        wording.PYTHON_LOGGER,
        Timestamp("time", "2006-01-02 15:04:05", fallbacks=("2006-01-02 15:04:05 -0700", "02/Jan/2006:15:04:05 -0700")),
        _LOGIN,
        _REFUSAL,
        _LIMITED,
        wording.PYTHON_TRACEBACK,
        wording.LEVEL,
        _EVENT,
        wording.EXCEPTION_EVENT,
        _REASON,
        wording.FAILED_LOGIN_LEVEL,
    ),
    known_by=("word", "status"),
    metadata=(
        "event", "user", "address", "process", "reason", "logger", "exception", "file", "line",
        "method", "path", "status", "bytes", "agent",
    ),
    masks=(Replace(r"failed: badauth: ([0-9a-f]+)", MASK),),
    masked="the piece of a hash of the wrong password",
)  # fmt: skip
