"""What gunicorn writes, and the code of Frappe that runs in it; alone, or among all that a container says."""

from __future__ import annotations

from agencystack.logs.formats import frappe, frappe_worker, web_errors, wording
from agencystack.logs.formats.frappe_requests import LOGIN
from agencystack.logs.formats.web_servers import COMBINED, STATUS_LEVEL
from agencystack.logs.model import Case, Choose, Drop, Format, Multiline, OnFailure, Regex, Timestamp

_TROUBLE = Regex(
    r"^\[[^\]]+\] \[\d+\] \[(?:CRITICAL|ERROR)\] (?:(?P<reason>WORKER TIMEOUT|Worker \(pid:\d+\) was sent SIG\w+)"
    r"|Error handling request (?P<path>[^?\s]+))"
)

_TIME = Timestamp(
    "time",
    frappe.GUNICORN_LAYOUT,
    fallbacks=(frappe.LAYOUT, "02/Jan/2006:15:04:05 -0700", *web_errors.LAYOUTS),
    on_failure=OnFailure.SKIP,
)
"""A traceback has no time of its own, and gunicorn's last line may be weeks old: it gets the time it is read."""

_STATUS_LEVEL = Choose("level", source=STATUS_LEVEL.source, cases=STATUS_LEVEL.cases, keep=True)
_TIMEOUT = Choose("event", source="reason", cases=(Case(("WORKER TIMEOUT",), "slow_request"),), keep=True)

_FIRSTLINE = Multiline(
    rf"^(?:\[\d{{4}}-\d{{2}}-\d{{2}} |{frappe.DATED}|Traceback \(most recent|[^\s:]+\.py:\d+: \w*Warning: "
    r"|\S+ \S+ [^\n]*?\[\d{2}/[A-Z][a-z]{2}/\d{4}:|\d{4}/\d{2}/\d{2} \d{2}:|Exception in thread |Booting Gunicorn"
    r"|Realtime service)"
)
"""A traceback begins an entry also where a line before announced it: most are printed without that."""

_METADATA = (
    "event", "exception", "file", "line", "process", "site", "logger", "address", "user", "method", "path", "status",
    "bytes", "agent", "reason",
)  # fmt: skip


def backend(stream: str, about: str, names: tuple[str, ...]) -> Format:
    """Return the format of one output of gunicorn; where both go to one place, either stream reads it all."""
    return Format(
        component="erpnext",
        stream=stream,
        about=about,
        multiline=_FIRSTLINE,
        stages=(
            Drop(r"^\s*$"),
            frappe.GUNICORN,
            frappe.RECORD,
            frappe.PYTHON_WARNING,
            COMBINED,
            _TROUBLE,
            frappe.REST,
            frappe.LONE_EXCEPTION,
            _TIME,
            frappe.CONTEXT,
            frappe.TRACEBACK,
            frappe.HANDLED,
            wording.LEVEL,
            _STATUS_LEVEL,
            frappe.EXCEPTION_LEVEL,
            frappe.EXCEPTION_EVENT,
            _TIMEOUT,
            Choose("event", source="handled", cases=(Case(("",), "", prefix=True),), keep=True),
        ),
        known_by=("word", "status", "rest", "exception"),
        metadata=_METADATA,
        masks=frappe.MASKS,
        masked=frappe.MASKED,
        names=names,
    )


SERVER = Format(
    component="erpnext",
    stream="server",
    about="all that a container of frappe_docker writes, whichever: requests, jobs, gunicorn, Frappe's loggers",
    multiline=_FIRSTLINE,
    stages=(
        Drop(r"^\s*$"),
        frappe.GUNICORN,
        frappe.RECORD,
        frappe.PYTHON_WARNING,
        COMBINED,
        *frappe_worker.READING,
        web_errors.NGINX_REQUEST,
        _TROUBLE,
        frappe.REST,
        frappe.LONE_EXCEPTION,
        _TIME,
        frappe.CONTEXT,
        frappe.TRACEBACK,
        wording.LEVEL,
        _STATUS_LEVEL,
        frappe.EXCEPTION_LEVEL,
        frappe.EXCEPTION_EVENT,
        _TIMEOUT,
        *frappe_worker.JUDGING,
        *LOGIN,
    ),
    known_by=("word", "said", "status", "rest", "exception"),
    metadata=(*_METADATA, "job"),
    masks=frappe_worker.MASKS,
    masked=frappe_worker.MASKED,
)
"""One stream for a container nobody named one for; `access` and `worker` say a little more of what they know."""
