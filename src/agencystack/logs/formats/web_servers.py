"""Lines that web servers write in the same form whatever runs behind them: nginx, Apache, gunicorn."""

from __future__ import annotations

from agencystack.logs.model import Case, Choose, Format, Regex, Stage, Timestamp

_QUOTED = r'(?:[^"\\]|\\.)*'

COMBINED = Regex(
    r"^(?:(?P<site>[\w.-]+):\d+ )?(?P<address>\S+) \S+ (?:-|(?P<user>.*?)) \[(?P<time>[^\]]+)\] "
    r'"(?:(?P<method>[A-Z]+) (?P<path>[^?" ]*)\S* [^"]*|' + _QUOTED + r')" '
    r"(?P<status>\d{3}) (?:-|(?P<bytes>\d+))"
    rf'(?: "{_QUOTED}" "(?:-|(?P<agent>{_QUOTED}))")?'
)
"""The combined (or common) format: address, user, time, request, status, size, referer, agent.

Apache's `vhost_combined` puts the site and its port before them. What is not an HTTP request (a TLS greeting on a plain
port) has no method and no path. `-` means none.
"""

STATUS_LEVEL = Choose(
    "level",
    source="status",
    cases=(Case(("5",), "error", prefix=True), Case(("4",), "warning", prefix=True)),
    otherwise="info",
)


def access(component: str, *more: Stage, stream: str = "access", names: tuple[str, ...] = ()) -> Format:
    """Return the access log of a component; `more` are stages after the common ones (events of its own paths)."""
    return Format(
        component=component,
        stream=stream,
        about="requests, in the combined format of nginx, Apache and gunicorn",
        stages=(COMBINED, Timestamp("time", "02/Jan/2006:15:04:05 -0700"), STATUS_LEVEL, *more),
        known_by=("status",),
        metadata=("event", "address", "user", "method", "path", "status", "bytes", "agent", "site"),
        names=names,
    )
