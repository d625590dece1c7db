"""Our own logs, one JSON object a line: of runs (`engine.runlog`) and of the bridge (`bridge.logbook`).

Both let no secret through.
"""

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

BRIDGE = Format(
    component="agencystack",
    stream="bridge",
    about="the data bridge: once a minute how each pairing is, and what went wrong",
    stages=(
        Json(
            (
                ("time", "timestamp"),
                ("word", "level"),
                ("verdict", "event"),
                ("pairing", "pairing"),
                ("process", "worker"),
                ("reason", "message"),
                ("exception", "error"),
            )
        ),
        Timestamp("time", "RFC3339Nano"),
        wording.LEVEL,
        wording.EXCEPTION_EVENT,
    ),
    known_by=("verdict",),
    metadata=("event", "verdict", "pairing", "process", "reason", "exception"),
    redacted=True,
    names=("bridge.jsonl*",),
)
"""`verdict` is what we call what happened (`state`, `changes not had`), `process` the worker it happened to. The
numbers of `state` stay in the line: queries take them out of it."""

FORMATS = (RUN, BRIDGE)
