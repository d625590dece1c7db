"""ERPNext: what Frappe, gunicorn, the workers and the scheduler write.

Recorded from ERPNext 15 with gunicorn 22 and rq 1.15. Frappe writes each of its logs twice, in `logs/` of the bench and
in `sites/<site>/logs/`: collect the first only. Containers of frappe_docker map to streams: `backend` to web-error,
`queue-*` to worker, `scheduler` to schedule, `frontend` to access, `websocket` to websocket.
"""

from __future__ import annotations

from agencystack.logs.formats import frappe, web_errors, wording
from agencystack.logs.formats.frappe_worker import WORKER
from agencystack.logs.formats.redis import redis
from agencystack.logs.formats.web_servers import COMBINED, STATUS_LEVEL
from agencystack.logs.model import Case, Choose, Drop, Format, Multiline, OnFailure, Regex, Stage, Timestamp

_LOGIN: tuple[Stage, ...] = (
    Regex(r'"POST /(?:api/method/login|login)? HTTP/[\d.]+" (?P<refused>401) '),
    Regex(r'"POST /(?:api/method/login|login) HTTP/[\d.]+" (?P<signed>200) '),
    Regex(r'^\S+ \S+ [^-"\[\s]\S* \[[^\]]*\] "[^"]*" (?P<refused>401) '),
    Choose("event", source="signed", cases=(Case(("200",), "login_ok"),)),
    Choose("event", source="refused", cases=(Case(("401",), "login_failed"),), keep=True),
    wording.FAILED_LOGIN_LEVEL,
)
"""The login form posts to `/`, other clients to the method; a wrong API key shows as a user name with 401."""

ACCESS = Format(
    component="erpnext",
    stream="access",
    about="requests and errors of nginx, or requests of gunicorn",
    stages=(
        COMBINED,
        web_errors.NGINX,
        Timestamp("time", "02/Jan/2006:15:04:05 -0700", fallbacks=web_errors.LAYOUTS),
        web_errors.NGINX_REQUEST,
        wording.LEVEL,
        Choose("level", source=STATUS_LEVEL.source, cases=STATUS_LEVEL.cases, keep=True),
        *_LOGIN,
    ),
    known_by=("status", "word"),
    metadata=("event", "address", "user", "method", "path", "status", "bytes", "agent", "site", "reason"),
    names=("*access*.log",),
)

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

_VALUE = r"""(?:'[^']*'|"[^"]*")"""

_REQUEST = Regex(
    r"^[\d-]+ [\d:,]+ [A-Z]+ frappe\.web \{'site': '(?P<site>[^']*)', 'remote_addr': '(?P<address>[^']*)', "
    rf"'pid': (?P<process>\d+), 'user': '(?P<user>[^']*)', 'base_url': {_VALUE}, "
    r"""'full_path': (?:'(?P<path>[^?']*)[^']*'|"[^"]*"), 'method': '(?P<method>[A-Z]+)', """
    r"'scheme': '\w*', 'http_status_code': (?P<status>\d{3})"
)

_REQUEST_LOGIN = Regex(
    r"'full_path': '/(?:api/method/login|login)?\??', 'method': 'POST', 'scheme': '\w*', "
    r"'http_status_code': (?P<login>200|401)"
)

WEB = Format(
    component="erpnext",
    stream="web",
    about="Frappe's own log of requests (enable_frappe_logger), with the user",
    multiline=Multiline(rf"^{frappe.DATED}"),
    stages=(
        frappe.RECORD,
        _REQUEST,
        _REQUEST_LOGIN,
        Timestamp("time", frappe.LAYOUT),
        wording.LEVEL,
        Choose("level", source=STATUS_LEVEL.source, cases=STATUS_LEVEL.cases, keep=True),
        Choose("event", source="login", cases=(Case(("401",), "login_failed"),)),
        wording.FAILED_LOGIN_LEVEL,
    ),
    known_by=("word",),
    metadata=("event", "site", "address", "process", "user", "path", "method", "status", "logger"),
    names=("frappe.web.log",),
)
"""Only refused logins are events here: what a 200 to `POST /` was about, it does not say. `access` has the others."""

_BACKEND_STAGES: tuple[Stage, ...] = (
    Drop(r"^\s*$"),
    frappe.GUNICORN,
    frappe.RECORD,
    frappe.PYTHON_WARNING,
    COMBINED,
    Regex(
        r"^\[[^\]]+\] \[\d+\] \[(?:CRITICAL|ERROR)\] (?:(?P<reason>WORKER TIMEOUT|Worker \(pid:\d+\) was sent SIG\w+)"
        r"|Error handling request (?P<path>[^?\s]+))"
    ),
    Regex(r"^(?P<start>Booting Gunicorn with|Traceback \(most recent call last\):)"),
    frappe.REST,
    frappe.LONE_EXCEPTION,
    Timestamp(
        "time",
        frappe.GUNICORN_LAYOUT,
        fallbacks=(frappe.LAYOUT, "02/Jan/2006:15:04:05 -0700"),
        on_failure=OnFailure.SKIP,
    ),
    frappe.CONTEXT,
    frappe.TRACEBACK,
    frappe.HANDLED,
    wording.LEVEL,
    Choose("level", source="warning", cases=(Case(("",), "warning", prefix=True),), keep=True),
    Choose("level", source=STATUS_LEVEL.source, cases=STATUS_LEVEL.cases, keep=True),
    frappe.EXCEPTION_LEVEL,
    frappe.EXCEPTION_EVENT,
    Choose("event", source="reason", cases=(Case(("WORKER TIMEOUT",), "slow_request"),), keep=True),
    Choose("event", source="handled", cases=(Case(("",), "", prefix=True),), keep=True),
)


"""A traceback has no time of its own, and gunicorn's last line may be weeks old: it gets the time it is read."""


def _backend(stream: str, about: str, names: tuple[str, ...]) -> Format:
    """What gunicorn and the code in it write; where both outputs go to one place, either stream reads it all.

    A traceback begins an entry also where gunicorn announced it on the line before: most are printed without that.
    """
    return Format(
        component="erpnext",
        stream=stream,
        about=about,
        multiline=Multiline(
            rf"^(?:\[\d{{4}}-\d{{2}}-\d{{2}} |{frappe.DATED}|Traceback \(most recent|[^\s:]+\.py:\d+: \w*Warning: "
            r"|\S+ \S+ \S+ \[\d{2}/|Booting Gunicorn)"
        ),
        stages=_BACKEND_STAGES,
        known_by=("word", "warning", "status", "start", "rest", "exception"),
        metadata=(
            "event", "exception", "file", "line", "process", "site", "logger", "address", "user", "method", "path",
            "status", "bytes", "agent", "reason",
        ),
        masks=frappe.MASKS,
        masked=frappe.MASKED,
        names=names,
    )  # fmt: skip


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
        Regex(r"^(?P<start>Traceback \(most recent call last\):)"),
        Regex(r"^[^\n]* (?:for Site|Job on|for site:?) (?P<site>[\w.-]+)"),
        frappe.REST,
        wording.LEVEL,
        Choose("level", source="reason", cases=(Case(("",), "warning", prefix=True),), keep=True),
        *frappe.EXCEPTION,
    ),
    known_by=("word", "reason", "start", "rest"),
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
    _backend(
        "web-output", "what code in gunicorn prints: tracebacks of requests that failed", ("web.log", "web.out.log")
    ),
    _backend(
        "web-error", "gunicorn: starts, ends and timeouts of its processes, warnings of Python", ("web.error.log",)
    ),
    WORKER,
    SCHEDULE,
    DATABASE,
    WEBSOCKET,
    redis("erpnext", names=("redis*.log",)),
)
