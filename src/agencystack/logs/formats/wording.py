"""What products write alike: words for levels, Python's loggers and tracebacks, failed logins."""

from __future__ import annotations

from agencystack.logs.model import Case, Choose, Regex

LEVEL = Choose(
    "level",
    source="word",
    fold=True,
    cases=(
        Case(("trace", "debug", "dbug"), "debug"),
        Case(("warn", "warning"), "warning"),
        Case(("error", "err", "eror", "severe"), "error"),
        Case(("fatal", "panic", "crit", "critical", "alert", "emerg"), "critical"),
    ),
    otherwise="info",
)
"""The level, from the word a product uses for it; what is none of these is information."""

FAILED_LOGIN_LEVEL = Choose("level", source="event", cases=(Case(("login_failed",), "warning"),), keep=True)
"""Some products call a failed login information."""

EXCEPTION_EVENT = Choose("event", source="exception", cases=(Case(("",), "exception", prefix=True),), keep=True)
"""An entry that names an exception is one."""

PYTHON_LOGGER = Regex(
    r"^(?:(?P<logger>[\w.]+) \(|)(?P<word>DEBUG|INFO|WARNING|ERROR|CRITICAL)(?:\)|:[\w.]+|  ?\[[\w.]+\]):? "
)
"""Three ways of Python's `logging` without a time: `root (ERROR): `, `CRITICAL:root:`, `INFO  [alembic] `."""

PYTHON_TRACEBACK = Regex(
    r"(?s)(?:^|\n)Traceback \(most recent call last\):\n.*"
    r"\n(?P<exception>(?:\w+\.)+\w+|\w*(?:Error|Exception|Exit|Interrupt))(?:: [^\n]*)?(?:\n|$)"
)
"""The exception that ends a traceback; of a chain of them the last, which is the one that was not caught."""
