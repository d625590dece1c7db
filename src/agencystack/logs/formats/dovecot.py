"""What Dovecot writes: logins, deliveries, errors; as mail store and as the proxy in front of it.

Read on Dovecot 2.3.19.1 under Mailu's configuration (`log_path = /dev/stderr`): neither year nor zone. Lines from
before the log is set up have no time at all. What a refused login is called differs between 2.3.19 and 2.4.
"""

from __future__ import annotations

from agencystack.logs.formats.postfix import SYSLOG_TIME
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Regex, Replace

LINE = Regex(
    rf"^(?:(?P<time>{SYSLOG_TIME}) (?P<process>[\w-]+)(?:\((?:\d+|(?P<user>[^()]+))\))?(?:<[^<>]*>)*: )?"
    r"(?P<word>Debug|Info|Warning|Error|Fatal|Panic): (?P<message>.*)"
)

CLIENT = Regex(
    r"^.*[ :]user=<(?P<user>[^>]*)>(?:, method=(?P<method>[^,\s]+))?, rip=(?P<address>[^,\s]+)", source="message"
)
"""Greedy on purpose: a user name may try to look like the fields after it, what Dovecot says of itself comes last."""

OUTCOME = Regex(
    r"^(?:(?P<outcome>Login): |(?:Disconnected|Login aborted|Aborted login)\b.*?\((?P<reason>[a-z][^(),]*?)(?:,| in )"
    r"|sieve: .*? failed to store into mailbox '[^']*'(?:: (?P<obstacle>.*))?)",
    source="message",
)
"""`Login: ..`, `Disconnected: .. (auth failed, 2 attempts in 13 secs)`, and mail that could not be stored."""

LOGIN_EVENT = Choose("event", source="outcome", cases=(Case(("Login",), "login_ok"),))
FAILED_LOGIN_EVENT = Choose("event", source="reason", cases=(Case(("auth failed",), "login_failed"),), keep=True)
TROUBLE = Choose("level", source="reason", cases=(Case(("auth failed",), "warning"),), keep=True)
OBSTACLE = Choose("level", source="obstacle", cases=(Case(("",), "warning", prefix=True),), keep=True)
"""Dovecot calls both information."""

METADATA = ("process", "user", "address", "method", "reason")

MASKS = (Replace(r"\bsubject=(.*?)(?:, \w+=|$)", MASK),)
MASKED = "subjects, where the plugin mail_log logs them"
