"""What Mailu's front container writes: nginx (requests and errors) and the proxying Dovecot, in one stream.

Dovecot's debug lines (Mailu sets `mail_debug`) are kept, at level debug: they tell which mailbox host was chosen.
A login is an event of the stream `admin`, which sees each attempt; here Dovecot says it again, once a connection.
"""

from __future__ import annotations

from agencystack.logs.formats import dovecot, web_errors, wording
from agencystack.logs.formats.postfix import SYSLOG_LAYOUT
from agencystack.logs.formats.web_servers import COMBINED
from agencystack.logs.model import Case, Choose, Format, Regex, Timestamp

_REQUEST = Regex(
    r'^(?:(?P<outcome>client login failed): "(?P<reason>[^"]*)")?.*?(?:, |\*\d+ )client:? (?P<address>[^\s,]+?)'
    r'(?:, |:\d+ connected)(?:.*?, request: "(?P<method>[A-Z]+) (?P<path>[^?" ]*))?(?:.*, login: "(?P<user>[^"]*)")?',
    source="said",
)
"""What nginx appends of the request it was about; `client login failed` is AUTH on port 25, which Mailu has none of."""

_REQUEST_LEVEL = Choose(
    "level",
    source="status",
    cases=(Case(("5",), "error", prefix=True), Case(("4",), "warning", prefix=True)),
    keep=True,
)

FRONT = Format(
    component="mailu",
    stream="front",
    about="Mailu's front: requests, nginx errors, and Dovecot's proxying of mail clients",
    stages=(
        COMBINED,
        dovecot.LINE,
        web_errors.NGINX,
        wording.PYTHON_LOGGER,
        Timestamp("time", "02/Jan/2006:15:04:05 -0700", fallbacks=(SYSLOG_LAYOUT, "2006/01/02 15:04:05")),
        dovecot.CLIENT,
        dovecot.OUTCOME,
        _REQUEST,
        wording.LEVEL,
        _REQUEST_LEVEL,
        dovecot.TROUBLE,
        Choose("event", source="outcome", cases=(Case(("client login failed",), "login_failed"),)),
        wording.FAILED_LOGIN_LEVEL,
    ),
    known_by=("status", "word"),
    metadata=("event", "address", "user", "method", "path", "status", "bytes", "agent", "process", "reason"),
    masks=dovecot.MASKS,
    masked=dovecot.MASKED,
)
