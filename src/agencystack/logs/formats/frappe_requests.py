"""Requests to ERPNext, as nginx, gunicorn and Frappe itself write them down, and the logins among them."""

from __future__ import annotations

from agencystack.logs.formats import frappe, web_errors, wording
from agencystack.logs.formats.web_servers import COMBINED, STATUS_LEVEL
from agencystack.logs.model import Case, Choose, Format, Multiline, Regex, Stage, Timestamp

LOGIN: tuple[Stage, ...] = (
    Regex(r'"POST /(?:(?:api/method/login|login) HTTP/[\d.]+" (?P<signed>200|401) | HTTP/[\d.]+" (?P<refused>401) )'),
    Regex(r'^\S+ \S+ [^-"\[\s]\S* \[[^\]]*\] "[^"]*" (?P<refused>401) '),
    Choose("event", source="signed", cases=(Case(("200",), "login_ok"), Case(("401",), "login_failed")), keep=True),
    Choose("event", source="refused", cases=(Case(("401",), "login_failed"),), keep=True),
)
"""The login form posts to `/`, where a 200 can be any call, others to the method; a wrong API key shows as a user name
with 401."""

ACCESS = Format(
    component="erpnext",
    stream="access",
    about="requests and errors of nginx, or requests of gunicorn",
    stages=(
        COMBINED,
        web_errors.NGINX_REQUEST,
        Timestamp("time", "02/Jan/2006:15:04:05 -0700", fallbacks=web_errors.LAYOUTS),
        wording.LEVEL,
        Choose("level", source=STATUS_LEVEL.source, cases=STATUS_LEVEL.cases, keep=True),
        *LOGIN,
    ),
    known_by=("status", "word"),
    metadata=("event", "address", "user", "method", "path", "status", "bytes", "agent", "site", "reason"),
    names=("*access*.log",),
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
    ),
    known_by=("word",),
    metadata=("event", "site", "address", "process", "user", "path", "method", "status", "logger"),
    names=("frappe.web.log",),
)
"""Only refused logins are events here: what a 200 to `POST /` was about, it does not say. `access` has the others."""
