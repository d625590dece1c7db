"""PHP-FPM: its own log with what its children wrote, its access log, and its log of slow requests.

Read on PHP-FPM 8.2.36. A message of several lines arrives in the log line by line, each wrapped again; two children
that fail at the same moment may interleave, and nothing but the number of the child tells their lines apart: then a
line of one ends up in the entry of the other, and none is lost.
"""

from __future__ import annotations

from agencystack.logs.formats import php, wording
from agencystack.logs.formats.web_servers import STATUS_LEVEL
from agencystack.logs.model import Case, Choose, Drop, Format, Multiline, Regex, Timestamp

_TIME = r"\d{2}-[A-Z][a-z]{2}-\d{4} \d{2}:\d{2}:\d{2}"
_LAYOUT = "02-Jan-2006 15:04:05"

_NO_CHILD = r"[^\[c]|c[^h]"
_CHILD_DOES = r"child \d+(?:[^\d ]| [^s]| s[^a])"
_SAYS_FIRST = r'child \d+ said into std(?:err|out): "(?:NOTICE: )?PHP message: '

FIRSTLINE = rf"\[{_TIME}[^\]]*\] [A-Z]+: (?:\[pool [^\]]*\] )?(?:{_NO_CHILD}|{_CHILD_DOES}|{_SAYS_FIRST})"
"""Any line but those a child's message goes on in; RE2 has no "unless", so it is written out letter by letter."""

LINE = Regex(
    rf"^\[(?P<time>{_TIME})(?:\.\d+)?\] (?P<word>[A-Z]+): (?:pid \d+, [^:\n]*: )?"
    r"(?:\[pool (?P<logger>[^\]]+)\] )?(?:child (?P<process>\d+))?"
)

TOO_SLOW = Regex(
    r"script '(?P<file>[^'\n]*)' \(request: \"(?P<method>[A-Z]+) (?P<path>[^?\" ]*)[^\"]*\"\) "
    r"(?P<slow>executing too slow|execution timed out) \((?P<seconds>[\d.]+) sec\)"
)

SLOW_EVENT = Choose("event", source="slow", cases=(Case(("",), "slow_request", prefix=True),), keep=True)

REQUEST = Regex(
    r"^(?:-|(?P<address>[^\s\"]+)) - (?P<user>\S*) (?P<time>\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}) "
    r'"(?P<method>[A-Z]+) (?P<path>[^?" ]*)[^"]*" (?P<status>\d{3})'
)
"""The access log as it is by default; the address is `-` behind a Unix socket."""

_SLOW = Regex(
    rf"^\[(?P<time>{_TIME})\]  \[pool (?P<logger>[^\]]+)\] pid (?P<process>\d+)"
    r"(?:\nscript_filename = [^\n]*)?(?:\n\[0x[0-9a-f]+\] (?P<reason>[^\n]+?\(\)) (?P<file>[^\n]+?):(?P<line>\d+))?"
)
"""The function PHP was in, and from where it was called."""


def php_fpm(component: str) -> tuple[Format, ...]:
    """Return the three logs of PHP-FPM of a component."""
    return _own(component), _access(component), _slow(component)


def _own(component: str) -> Format:
    return Format(
        component=component,
        stream="php-fpm",
        about="PHP-FPM: starts, ends and slowness of its processes, and what they wrote",
        multiline=Multiline(rf"^(?:{FIRSTLINE})"),
        stages=(
            LINE,
            Timestamp("time", _LAYOUT),
            TOO_SLOW,
            php.REST,
            wording.LEVEL,
            *php.STAGES,
            SLOW_EVENT,
        ),
        known_by=("word", "rest"),
        metadata=(*php.METADATA, "logger", "process", "seconds", "method", "path"),
        masks=php.MASKS,
        masked=php.MASKED,
        names=("php*-fpm.log", "fpm-error.log"),
    )


def _access(component: str) -> Format:
    return Format(
        component=component,
        stream="php-access",
        about="requests PHP-FPM served, by script",
        stages=(REQUEST, Timestamp("time", "02/Jan/2006:15:04:05 -0700"), STATUS_LEVEL),
        known_by=("status",),
        metadata=("address", "user", "method", "path", "status"),
        names=("*fpm*access*.log",),
    )


def _slow(component: str) -> Format:
    return Format(
        component=component,
        stream="php-slow",
        about="requests that were slow, with what PHP was doing",
        multiline=Multiline(rf"^\[{_TIME}\]  \[pool "),
        stages=(
            Drop(r"^\s*$"),
            _SLOW,
            Regex(r"^(?P<rest>\[0x[0-9a-f]+\] |script_filename = )"),
            Timestamp("time", _LAYOUT),
            Choose("level", source="process", cases=(Case(("",), "warning", prefix=True),), otherwise="info"),
            Choose("event", source="process", cases=(Case(("",), "slow_request", prefix=True),)),
        ),
        known_by=("process", "rest"),
        metadata=("event", "logger", "process", "reason", "file", "line"),
        names=("*slow*.log",),
    )
