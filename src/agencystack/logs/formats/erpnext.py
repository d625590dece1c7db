"""ERPNext: what Frappe, gunicorn, the workers and the scheduler write.

Recorded from ERPNext 15 with gunicorn 22 and rq 1.15. Frappe writes each of its logs twice, in `logs/` of the bench and
in `sites/<site>/logs/`: collect the first only. Any container of frappe_docker can be read as `server`; best are
`frontend` as access, `backend` as web-output, `queue-*` as worker, `scheduler` as schedule, `websocket` as websocket.
"""

from __future__ import annotations

from agencystack.logs.formats import frappe, wording
from agencystack.logs.formats.frappe_backend import SERVER, backend
from agencystack.logs.formats.frappe_requests import ACCESS, WEB
from agencystack.logs.formats.frappe_worker import WORKER
from agencystack.logs.formats.redis import redis
from agencystack.logs.model import Case, Choose, Format, Multiline, OnFailure, Regex, Timestamp

FRAPPE = Format(
    component="erpnext",
    stream="frappe",
    about="Frappe's loggers: errors with their site, tracebacks",
    multiline=Multiline(rf"^{frappe.DATED}"),
    stages=(
        frappe.RECORD,
        Timestamp("time", frappe.LAYOUT),
        frappe.CONTEXT,
        Regex(r"ERROR frappe (?P<collected>New Exception collected) in error log"),
        frappe.REST,
        wording.LEVEL,
        Choose("event", source="collected", cases=(Case(("New Exception collected",), "exception"),)),
        *frappe.EXCEPTION,
    ),
    known_by=("word", "rest"),
    metadata=("event", "site", "logger", "exception", "file", "line"),
    masks=frappe.MASKS,
    masked=frappe.MASKED,
    names=("frappe.log",),
)

DATABASE = Format(
    component="erpnext",
    stream="database",
    about="changes of tables",
    multiline=Multiline(rf"^{frappe.DATED}"),
    stages=(
        frappe.RECORD,
        Timestamp("time", frappe.LAYOUT),
        Regex(
            r"(?i)^(?P<rest>\s+\S|[`)]|(?:create|alter|drop|rename|truncate|index|parent\w*) "
            r"|[\w`]+ (?:varchar|int|text|decimal|datetime|longtext|date)\b)"
        ),
        wording.LEVEL,
    ),
    known_by=("word", "rest"),
    metadata=("logger",),
    names=("database.log",),
)

SCHEDULE = Format(
    component="erpnext",
    stream="schedule",
    about="the scheduler: jobs it could not enqueue, sites it skips (from its source; silent while all is well)",
    multiline=Multiline(rf"^(?:{frappe.DATED}|[\w.-]+: (?:Maintenance|frappe\.conf|System))"),
    stages=(
        frappe.RECORD,
        Timestamp("time", frappe.LAYOUT, on_failure=OnFailure.SKIP),
        Regex(
            r"^(?P<site>[\w.-]+): "
            r"(?P<reason>Maintenance mode is ON|frappe\.conf\.\w+ is SET|SystemSettings\.\w+ is UNSET)"
        ),
        Regex(r"^[^\n]* (?:for Site|Job on|for site:?) (?P<site>[\w.-]+)"),
        frappe.CONTEXT,
        frappe.REST,
        wording.LEVEL,
        Choose("level", source="reason", cases=(Case(("",), "warning", prefix=True),), keep=True),
        *frappe.EXCEPTION,
    ),
    known_by=("word", "reason", "rest"),
    metadata=("event", "site", "logger", "reason", "exception", "file", "line"),
    masks=frappe.MASKS,
    masked=frappe.MASKED,
    names=("schedule*.log",),
)

WEBSOCKET = Format(
    component="erpnext",
    stream="websocket",
    about="the realtime service of Node: its start, errors with their stacks",
    multiline=Multiline(r"^[^\s}]"),
    stages=(
        Regex(r"^(?P<start>Realtime service listening on: )"),
        Regex(r"^(?P<exception>[A-Z]\w*Error)\b"),
        Regex(r"^(?P<rest> {2,}at )"),
        Choose("level", source="start", cases=(), otherwise="info"),
        frappe.EXCEPTION_LEVEL,
        frappe.EXCEPTION_EVENT,
    ),
    known_by=("start", "exception", "rest"),
    metadata=("event", "exception"),
    names=("node-socketio*.log",),
)

FORMATS = (
    ACCESS,
    FRAPPE,
    WEB,
    backend(
        "web-output", "what code in gunicorn prints: tracebacks of requests that failed", ("web.log", "web.out.log")
    ),
    backend(
        "web-error", "gunicorn: starts, ends and timeouts of its processes, warnings of Python", ("web.error.log",)
    ),
    SERVER,
    WORKER,
    SCHEDULE,
    DATABASE,
    WEBSOCKET,
    redis("erpnext", names=("redis*.log",)),
)
