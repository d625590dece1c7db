"""What PHP and WordPress say when something breaks, in whichever log it ends up.

Read on PHP 8.2.36: `debug.log`, nginx's and Apache's error logs, PHP-FPM's own. Each wraps the same text in its way.
"""

from __future__ import annotations

from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Regex, Replace, Stage

FILE = r"""(?:phar://|/|[A-Z]:\\)[^\s":]+(?: : (?:eval\(\)'d code|runtime-created function))?"""

_WHERE = (
    rf"(?:(?s:.*?) in (?P<file>{FILE})(?: on line |:)(?P<line>\d+)"
    r"""(?:[\n"';,]|\\n| CONTEXT: |$))?"""
)
"""The file and line at the end of a message. In `passed in a.php on line 3 and exactly 1 expected in b.php:5` it is
the second: nothing but the end of the message, of its line or of its wrapping follows."""

_DATABASE = Regex(r"WordPress (?P<severity>database error) ")
_MESSAGE = Regex(r"PHP (?P<severity>Warning|Notice|Deprecated|Strict Standards|Unknown error):  " + _WHERE)
_FATAL = Regex(
    r"PHP (?P<severity>Fatal error|Parse error|Recoverable fatal error):  "
    r"(?:Uncaught (?P<exception>[A-Za-z_\\][\w\\]*))?" + _WHERE
)
"""The first of a chain of exceptions, which is the cause of the others, and where it was thrown."""

FATAL_WORDS = ("Fatal error", "Parse error", "Recoverable fatal error")

STAGES: tuple[Stage, ...] = (
    _DATABASE,
    _MESSAGE,
    _FATAL,
    Choose(
        "level",
        source="severity",
        cases=(
            Case(FATAL_WORDS, "critical"),
            Case(("database error", "Unknown error"), "error"),
            Case(("Warning",), "warning"),
            Case(("Notice", "Deprecated", "Strict Standards"), "info"),
        ),
        keep=True,
    ),
    Choose("event", source="severity", cases=(Case(FATAL_WORDS, "php_fatal"),)),
)
"""Stand behind the stage that sets the level by the word of the log PHP's text stands in: PHP knows better.

Of several messages in one entry (nginx puts all of one request there) the fatal one counts, else the first.
"""

METADATA = ("event", "exception", "file", "line")

_FRAME = r"#\d+ (?:[^\n]*?\(\d+\)|\[internal function\]): [^\n('\"]*\("
_FRAME_END = r"""(?:\)["']?(?:\n|\\n|$)|" while |\.\.\."|$)"""
"""The end of a frame, or of what there is of it: FastCGI and PHP-FPM cut long messages."""

MASKS = (
    Replace(rf"{_FRAME}([^)\n](?s:.*?)){_FRAME_END}", MASK),
    Replace(
        r"""WordPress database error [^\n]*? for query [^'"]*?(?: made by |(['"](?s:.*)) made by |(['"](?s:.*)))""",
        MASK,
    ),
    Replace(r"Duplicate entry '((?s:.*?))' for key", MASK),
)
"""PHP shows arguments in traces where `zend.exception_ignore_args` is off (without a php.ini it is): passwords, too."""

MASKED = "arguments of calls in PHP's traces; values in SQL of WordPress's database errors"

REST = Regex(r"^(?P<rest>#\d+ |Stack trace:|  thrown in )")
"""What is left of a trace whose beginning the collector did not see."""
