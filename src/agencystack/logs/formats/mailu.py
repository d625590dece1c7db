"""Mailu: one format per service of its compose file, read as its containers write or as journald keeps the same text.

Recorded from Mailu 2024.06.57 (Postfix, Dovecot, Rspamd, nginx, Redis, admin). Each service's start program writes
lines of Python's `logging` between those of the daemon it runs.
"""

from __future__ import annotations

from agencystack.logs.formats import dovecot, postfix, rspamd, web_errors, wording
from agencystack.logs.formats.mailu_admin import ADMIN
from agencystack.logs.formats.mailu_front import FRONT
from agencystack.logs.formats.redis import redis
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Format, Multiline, Regex, Replace, Timestamp

_DATED = Multiline(
    rf"^(?:{postfix.SYSLOG_TIME} |[\w.]+ \([A-Z]+\): |[A-Z]+:[\w.]+:|(?:Debug|Info|Warning|Error|Fatal|Panic): )"
)
"""What begins an entry of Postfix or Dovecot, or of the start program, whose tracebacks are one entry."""

SMTP = Format(
    component="mailu",
    stream="smtp",
    about="Postfix: deliveries, deferrals, bounces, refusals",
    multiline=_DATED,
    stages=(
        *postfix.STAGES[:2],
        wording.PYTHON_LOGGER,
        *postfix.STAGES[2:],
        wording.PYTHON_TRACEBACK,
        wording.EXCEPTION_EVENT,
    ),
    known_by=("process", "word"),
    metadata=(*postfix.METADATA, "exception"),
    masks=postfix.MASKS,
    masked="subjects, where header checks log them",
)

IMAP = Format(
    component="mailu",
    stream="imap",
    about="Dovecot: logins to mailboxes, deliveries into them, Sieve",
    multiline=_DATED,
    stages=(
        dovecot.LINE,
        wording.PYTHON_LOGGER,
        Timestamp("time", postfix.SYSLOG_LAYOUT),
        dovecot.CLIENT,
        dovecot.OUTCOME,
        wording.PYTHON_TRACEBACK,
        wording.LEVEL,
        dovecot.TROUBLE,
        dovecot.OBSTACLE,
        dovecot.LOGIN_EVENT,
        dovecot.FAILED_LOGIN_EVENT,
        wording.EXCEPTION_EVENT,
    ),
    known_by=("word",),
    metadata=("event", *dovecot.METADATA, "exception"),
    masks=dovecot.MASKS,
    masked=dovecot.MASKED,
)

ANTISPAM = Format(
    component="mailu",
    stream="antispam",
    about="Rspamd: the verdict on each mail, with its score",
    stages=(*rspamd.STAGES[:2], wording.PYTHON_LOGGER, *rspamd.STAGES[2:]),
    known_by=("process", "word"),
    metadata=rspamd.METADATA,
)

_FPM = Regex(r"^\[(?P<time>\d{2}-[A-Z][a-z]{2}-\d{4} \d{2}:\d{2}:\d{2})(?:\.\d+)?\] (?P<word>[A-Z]+): (?P<message>.*)")

# `NAME: <beginning of the session id> TEXT` (program/lib/Roundcube/rcube.php, write_log; Mailu sets log_driver=stdout),
# which PHP-FPM puts into a line of its own.
_ROUNDCUBE = Regex(
    r"(?:^|\")(?P<logger>errors|userlogins|sendmail|imap|smtp|sql): (?:<\w+> )?"
    r"(?:.*?(?P<outcome>Login failed|Successful login|Failed login) for (?P<user>\S+) "
    r".* from (?P<address>[\da-fA-F.:]*[.:][\da-fA-F]+)\b)?"
)

WEBMAIL = Format(
    component="mailu",
    stream="webmail",
    about="Roundcube or SnappyMail: PHP-FPM, nginx errors, failed logins (from their sources, not recorded)",
    stages=(
        web_errors.NGINX,
        _FPM,
        wording.PYTHON_LOGGER,
        _ROUNDCUBE,
        Timestamp("time", "02-Jan-2006 15:04:05", fallbacks=("2006/01/02 15:04:05",)),
        wording.LEVEL,
        Choose(
            "event",
            source="outcome",
            cases=(Case(("Login failed", "Failed login"), "login_failed"), Case(("Successful login",), "login_ok")),
        ),
        wording.FAILED_LOGIN_LEVEL,
    ),
    known_by=("word", "logger"),
    metadata=("event", "user", "address", "logger"),
    masks=(Replace(r" in session (\w+)", MASK),),
    masked="Roundcube's session ids",
)

RESOLVER = Format(
    component="mailu",
    stream="resolver",
    about="Unbound: starts, and names it could not validate or resolve",
    stages=(
        Regex(r"^\[(?P<time>\d+)\] unbound\[\d+:\w+\] (?P<word>\w+): "),
        wording.PYTHON_LOGGER,
        Timestamp("time", "Unix"),
        wording.LEVEL,
    ),
    known_by=("word",),
    metadata=(),
)

FORMATS = (FRONT, ADMIN, IMAP, SMTP, ANTISPAM, WEBMAIL, redis("mailu"), RESOLVER)
