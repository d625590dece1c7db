"""What Rspamd writes: its verdict on each mail, with score and symbols, and what its workers do.

Read on Rspamd 3.4 logging to the console. A line says no level unless `log_severity` is on.
"""

from __future__ import annotations

from agencystack.logs.formats.wording import LEVEL
from agencystack.logs.model import Case, Choose, Regex, Stage, Timestamp

LINE = Regex(
    r"^(?P<time>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) #\d+\((?P<process>\w+)\) (?:\[(?P<word>\w+)\] )?(?:<[^>]*>; )?"
    r"(?:(?P<logger>\w+); )?(?P<message>.*)"
)

VERDICT = Regex(
    r"^rspamd_task_write_log: id: <.*>, qid: <(?P<queue_id>[^>]*)>, ip: (?:undef|(?P<address>[^,]+)), "
    r"(?:user: (?P<user>[^,]+), )?(?:from: <.*?>, )?\([^:]+: \S+ \((?P<verdict>[^)]+)\): \[(?P<score>-?[\d.]+)/[^\]]*\]"
    r'(?:.*, forced: [\w ]+ "(?P<reason>[^"]*)")?',
    source="message",
)
"""Greedy after `id`, which is the sender's own text. The symbols after the score stay in the line, to be searched."""

REJECTED = Case(("reject",), "spam_rejected")

STAGES: tuple[Stage, ...] = (
    LINE,
    Timestamp("time", "2006-01-02 15:04:05"),
    VERDICT,
    LEVEL,
    Choose("level", source="verdict", cases=(Case(("reject",), "warning"),), keep=True),
    Choose("event", source="verdict", cases=(REJECTED,)),
)

METADATA = ("event", "process", "logger", "queue_id", "address", "user", "verdict", "score", "reason")
