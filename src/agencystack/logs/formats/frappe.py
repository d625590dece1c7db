"""How Frappe and the Python programs round it write: loggers, tracebacks, form data, gunicorn.

Read on Frappe 15 (`frappe/utils/logger.py`, `frappe/app.py`) and gunicorn 22. Times of Frappe's loggers are the
host's, without a zone: ERPNext's hosts and containers run in UTC unless told.
"""

from __future__ import annotations

from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Regex, Replace, Stage

DATED = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2},\d{3} "
LAYOUT = "2006-01-02 15:04:05.000"
GUNICORN_LAYOUT = "2006-01-02 15:04:05 -0700"

RECORD = Regex(
    r"^(?P<time>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2},\d{3}) (?P<word>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<logger>\S+) "
)
"""`frappe.logger(name)`."""

CONTEXT = Regex(r"\nSite: (?P<site>[^\n]*)")
"""What the logger without a name adds; the next line, `Form Dict:`, is masked."""

GUNICORN = Regex(
    r"^\[(?P<time>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{4})\] \[(?P<process>\d+)\] \[(?P<word>[A-Z]+)\] "
)

PYTHON_WARNING = Regex(r"^(?P<file>[^\s:]+\.py):(?P<line>\d+): (?P<logger>\w*?(?P<word>Warning)): ")

TRACEBACK = Regex(
    r"Traceback \(most recent call last\):\n(?s:(?:.*\n)?)"
    r'  File "(?P<file>[^"\n]+)", line (?P<line>\d+), in [^\n]*(?:\n    [^\n]*)*'
    r"\n(?P<exception>(?:\w+\.)+\w+|\w+(?:Error|Exception|Exit|Interrupt))(?::[^\n]*)?(?:\n|$)"
)
"""The exception that ends a traceback, and where it was raised: of a chain the last, which nobody caught."""

LONE_EXCEPTION = Regex(r"^(?P<exception>(?:[a-z_]\w*\.)+[A-Z]\w+|[A-Z]\w*(?:Error|Exception)): ")
"""The end of a traceback whose beginning the collector did not see."""

REST = Regex(
    r'^(?P<rest>Traceback \(most recent call last\):|Exception in thread |  File "| {4,}\S|'
    r"During handling of the above|The above exception was|Booting Gunicorn with)"
)
"""Other lines of such a traceback, and what else has no time."""

HANDLED = Regex(r"\n(?P<handled>During handling of the above|The above exception was the direct cause)")
"""Undated tracebacks are entries of their own: what another one follows from is not told as an event twice."""

EXCEPTION_LEVEL = Choose("level", source="exception", cases=(Case(("",), "error", prefix=True),), keep=True)
EXCEPTION_EVENT = Choose("event", source="exception", cases=(Case(("",), "exception", prefix=True),), keep=True)

EXCEPTION: tuple[Stage, ...] = (TRACEBACK, EXCEPTION_LEVEL, EXCEPTION_EVENT)

MASKS = (
    Replace(r"Form Dict: (?:(\{[^\n]*)'cmd': '[\w.]+'\}(?:\n|$)|([^\n]+))", MASK),
    Replace(r"Duplicate entry '((?s:.*?))' for key", MASK),
    Replace(r"Duplicate entry \\'((?s:.*?))\\' for key", MASK),
)
MASKED = "form data of requests (but the name of the called method), values of duplicate keys"
