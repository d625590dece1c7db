"""Frappe's background workers: rq's lines, each job's start, end and failure.

Recorded from rq 1.15.1 under Frappe 15. A job's arguments are data of people, and are masked; which job it was shows
in `job_name` of its first line, and for scheduled jobs in its id, which every line of it has.
"""

from __future__ import annotations

from agencystack.logs.formats import frappe, wording
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Format, Multiline, Regex, Replace, Timestamp

_ID = r"(?P<site>[^\s:)\]]+)::[^\s)\]]*"

_RQ = Regex(r"^(?P<time>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2},\d{3}) (?P<said>[^\n]*)")
_QUEUE = Regex(
    r"^(?P<logger>[^\s:]+:[^\s:]+): (?:(?P<outcome>Job OK) |frappe\.utils\.background_jobs\.execute_job\()",
    source="said",
)
_STARTED = Regex(r"job_name='(?P<job>[^',]*)", source="said")
_SCHEDULED = Regex(r"::scheduled_job::(?P<job>[^\s)\]]+)", source="said")
_OF_SITE = Regex(rf"\({_ID}\)$", source="said")
_FAILED = Regex(rf"^\[Job {_ID}\]: (?P<outcome>exception raised) while executing", source="said")
_KILLED = Regex(
    r"^(?P<outcome>Moving job to FailedJobRegistry|Job stopped by user)(?:, moving.*| \((?P<reason>.*?);? ?\))?$",
    source="said",
)
_TROUBLE = Regex(
    r"^(?:Worker \S+: )?(?P<trouble>Redis connection timeout|found an unhandled exception|Cold shut down|"
    r"Killed horse|Warm shut down requested, no horse|raising ShutDown|Imminent shutdown|Could not connect to Redis)",
    source="said",
)

WORKER = Format(
    component="erpnext",
    stream="worker",
    about="background jobs: started, done, failed; workers that start, stop or lose Redis",
    multiline=Multiline(rf"^(?:{frappe.DATED}|Exception in thread )"),
    stages=(
        frappe.RECORD,
        _RQ,
        Timestamp("time", frappe.LAYOUT),
        _QUEUE,
        _STARTED,
        _SCHEDULED,
        _OF_SITE,
        _FAILED,
        _KILLED,
        _TROUBLE,
        Regex(r"^(?P<start>Traceback \(most recent call last\):|Exception in thread )"),
        frappe.REST,
        frappe.LONE_EXCEPTION,
        frappe.CONTEXT,
        frappe.TRACEBACK,
        wording.LEVEL,
        Choose("level", source="trouble", cases=(Case(("",), "error", prefix=True),), keep=True),
        Choose(
            "level",
            source="outcome",
            cases=(Case(("exception raised", "Moving job to FailedJobRegistry", "Job stopped by user"), "error"),),
            keep=True,
        ),
        frappe.EXCEPTION_LEVEL,
        frappe.EXCEPTION_EVENT,
        Choose(
            "event",
            source="outcome",
            cases=(
                Case(("Job OK",), "job_ok"),
                Case(("exception raised", "Moving job to FailedJobRegistry", "Job stopped by user"), "job_failed"),
            ),
            keep=True,
        ),
    ),
    known_by=("word", "said", "start", "rest", "exception"),
    metadata=("event", "job", "site", "logger", "reason", "exception", "file", "line"),
    masks=(
        Replace(r", kwargs=(.+), method='", MASK),
        Replace(r", kwargs=([^\n]+[^)\n])(?:\n|$)", MASK),
        *frappe.MASKS,
    ),
    masked="arguments of jobs; " + frappe.MASKED,
    names=("worker*.log",),
)
