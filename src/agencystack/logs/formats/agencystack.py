"""Our own run logs: one JSON object a line, written by `engine.runlog`, which lets no secret through."""

from __future__ import annotations

from agencystack.logs.formats import wording
from agencystack.logs.model import Case, Choose, Format, Json, Regex, Timestamp

_JSON = Json(
    (
        ("time", "timestamp"),
        ("word", "level"),
        ("verdict", "event"),
        ("process", "run"),
        ("job", "integration"),
        ("reason", "error"),
        ("ok", "ok"),
    )
)

FAILURES = ("integration failed", "undo failed", "taking back failed", "role not changed")
"""What the engine logs as errors, without `proof failed` and `proof broke`: `proof` follows them with its `ok`."""

RUN = Format(
    component="agencystack",
    stream="run",
    about="our own runs: what was written, proven, failed and taken back",
    stages=(
        _JSON,
        Timestamp("time", "RFC3339Nano"),
        Regex(r"^(?P<exception>\w+)\(", source="reason"),
        wording.LEVEL,
        Choose("event", source="ok", cases=(Case(("true",), "job_ok"), Case(("false",), "job_failed"))),
        Choose("event", source="verdict", cases=(Case(FAILURES, "job_failed"),), keep=True),
    ),
    known_by=("verdict",),
    metadata=("event", "verdict", "process", "job", "reason", "exception"),
    redacted=True,
    names=("*.jsonl",),
)
"""`verdict` is what we call what happened (`write`, `proof`, `integration failed`), `process` the id of the run."""

FORMATS = (RUN,)
