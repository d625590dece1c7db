"""Frappe's background workers: rq's lines, each job's start, end and failure.

Recorded from rq 1.15.1 under Frappe 15. A job's arguments are data of people, and are masked; which job it was shows
in `job_name` of its first line, and for scheduled jobs in its id, which every line of it has.
"""

from __future__ import annotations

from agencystack.logs.formats import frappe, wording
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Format, Multiline, Regex, Replace, Timestamp

_ID = r"(?P<site>[^\s:)\]]+)::[^\s)\]]*"

READING = (
    Regex(r"^(?P<time>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2},\d{3}) (?P<said>[^\n]*)"),
    Regex(
        r"^(?P<logger>[^\s:]+:[^\s:]+): (?:(?P<outcome>Job OK) |frappe\.utils\.background_jobs\.execute_job\()",
        source="said",
    ),
    Regex(r"job_name='(?P<job>[^',]*)", source="said"),
    Regex(r"::scheduled_job::(?P<job>[^\s)\]]+)", source="said"),
    Regex(r"\((?P<site>[^\s:()]+)::[^\s)]*\)$", source="said"),
    Regex(
        r"^(?:\[Job (?P<site>[^\s:\]]+)::[^\s\]]*\]: |Worker \S+: )?"
        r"(?P<outcome>exception raised while executing|Moving job to FailedJobRegistry|Job stopped by user|"
        r"Redis connection timeout|found an unhandled exception|Cold shut down|Killed horse|Could not connect to Redis)"
        r"(?: \((?P<reason>Work-horse.*?);? ?\)$)?",
        source="said",
    ),
)
"""Which job, and which end of it, a line of rq is about; `JUDGING` stands behind the level."""

_FAILED = ("exception raised while executing", "Moving job to FailedJobRegistry", "Job stopped by user")
_TROUBLE = (
    "Redis connection timeout",
    "found an unhandled exception",
    "Cold shut down",
    "Killed horse",
    "Could not connect to Redis",
)

JUDGING = (
    Choose("level", source="outcome", cases=(Case((*_FAILED, *_TROUBLE), "error"),), keep=True),
    Choose("event", source="outcome", cases=(Case(("Job OK",), "job_ok"), Case(_FAILED, "job_failed")), keep=True),
)

MASKS = (
    Replace(r", kwargs=(.+), method='", MASK),
    Replace(r", kwargs=([^\n]+[^)\n])(?:\n|$)", MASK),
    *frappe.MASKS,
)
MASKED = "arguments of jobs; " + frappe.MASKED

WORKER = Format(
    component="erpnext",
    stream="worker",
    about="background jobs: started, done, failed; workers that start, stop or lose Redis",
    multiline=Multiline(rf"^(?:{frappe.DATED}|Exception in thread )"),
    stages=(
        frappe.RECORD,
        *READING,
        frappe.REST,
        frappe.LONE_EXCEPTION,
        Timestamp("time", frappe.LAYOUT),
        frappe.CONTEXT,
        frappe.TRACEBACK,
        wording.LEVEL,
        frappe.EXCEPTION_LEVEL,
        frappe.EXCEPTION_EVENT,
        *JUDGING,
    ),
    known_by=("word", "said", "rest", "exception"),
    metadata=("event", "job", "site", "logger", "reason", "exception", "file", "line"),
    masks=MASKS,
    masked=MASKED,
    names=("worker*.log",),
)
