"""Grafana, Loki and Alloy: `key=value` lines (logfmt).

Recorded from Grafana 10.0.0, Loki 3.7.8 and Alloy 1.0.0. Grafana's JSON form and what later versions add to a refused
request (`errorReason`, `errorMessageID`) are from its documentation and from lines quoted in its issues.
"""

from __future__ import annotations

from agencystack.logs.formats import wording
from agencystack.logs.model import Case, Choose, Format, Json, Logfmt, Regex, Stage, Timestamp

_ERROR = Regex(r' (?:err(?:or)?|details)="(?P<reason>(?:[^"\\]|\\.)*)"')

_GRAFANA_LOGIN = Regex(
    r' msg="(?:Request Completed" method=\w+ path=/login(?:/\w+)? status=(?P<refusal>[45])'
    r'|(?P<login>Successful Login)" User=(?P<user>\S+))'
)
"""A refused login: of the two lines Grafana writes of it, this is the one that has an address in every version."""

_GRAFANA_NAMES = (
    ("word", "level"),
    ("logger", "logger"),
    ("user", "uname"),
    ("method", "method"),
    ("path", "path"),
    ("status", "status"),
    ("address", "remote_addr"),
    ("bytes", "size"),
)

GRAFANA = Format(
    component="grafana",
    stream="server",
    about="Grafana: requests it refused or failed, logins, alerting, plugins",
    stages=(
        Logfmt((("time", "t"), *_GRAFANA_NAMES)),
        Json((("time", "t"), *_GRAFANA_NAMES, ("reason", "error"))),
        Timestamp("time", "RFC3339Nano", fallbacks=("2006-01-02T15:04:05-0700",)),
        _ERROR,
        _GRAFANA_LOGIN,
        wording.LEVEL,
        Choose("event", source="login", cases=(Case(("Successful Login",), "login_ok"),)),
        Choose("event", source="refusal", cases=(Case(("4", "5"), "login_failed"),), keep=True),
        wording.FAILED_LOGIN_LEVEL,
    ),
    known_by=("word",),
    metadata=("event", "user", "address", "method", "path", "status", "bytes", "logger", "reason"),
    names=("grafana.log*",),
)


def _service(component: str, about: str, logger: str) -> Format:
    """Return the format of Loki or Alloy; `logger` is the key that says which part of it speaks."""
    stages: tuple[Stage, ...] = (
        Regex(r"^(?P<end>interrupt received)"),
        Logfmt((("time", "ts"), ("word", "level"), ("logger", logger), ("status", "status"))),
        Timestamp("time", "RFC3339Nano"),
        _ERROR,
        wording.LEVEL,
    )
    return Format(
        component=component,
        stream="server",
        about=about,
        stages=stages,
        known_by=("word", "end"),
        metadata=("logger", "status", "reason"),
    )


LOKI = _service("loki", "Loki: what it stored, refused and was asked", "component")
ALLOY = _service("alloy", "Alloy: its configuration, files it follows, what it could not send", "component_id")

FORMATS = (GRAFANA, LOKI, ALLOY)
