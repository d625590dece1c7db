"""What the stand-in says of its health through our app: the app's own words, for what the stand-in is and holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from starlette.responses import JSONResponse, Response

from agencystack.sandbox.erpnext.connector import APP, SETTINGS, part
from agencystack.sandbox.erpnext.documents import Work, now
from agencystack.sandbox.erpnext.store import Document

PATH = f"/api/method/{APP}.health.check"
TOKEN_HEADER = "x-agencystack-token"  # noqa: S105 - the name of the header
QUEUES = ("short", "default", "long")
_DAY = 86400


def answer(work: Work, token: str, versions: Mapping[str, str]) -> Response:
    """Answer as the app does.

    Args:
        work: the request.
        token: what was shown; may be empty.
        versions: of the installed apps.
    """
    say = part("health_report")
    queues = {name: say.Queue(workers=1) for name in QUEUES}
    late, given_up = _mails(work, say.MAIL_LATE)
    found = {
        "database": say.database(0.1),
        "scheduler": say.scheduler(True, 60),
        "workers": say.workers(queues),
        "queues": say.queues(queues),
        "email": say.email(late, given_up, False),
        "errors": say.errors(0),
    }
    software = {"connector" if name == APP else name: version for name, version in versions.items()}
    everything = say.report(found, software, int(time.time()))
    kept = str((work.transaction.get(SETTINGS, SETTINGS) or {}).get("health_token_hash") or "")
    said = say.shown(everything, knows_token=say.is_token(token, kept))
    return JSONResponse(said, status_code=say.status_code(everything), headers={"cache-control": "no-store"})


def _mails(work: Work, limit: int) -> tuple[int, int]:
    """Return how many mails wait for longer than ``limit`` seconds, and how many were given up within a day."""
    mails = work.transaction.all("Email Queue")
    waiting = [mail for mail in mails if mail["status"] in {"Not Sent", "Sending", "Partially Sent"}]
    late = sum(_age(mail, "creation") > limit for mail in waiting)
    return late, sum(mail["status"] == "Error" and _age(mail, "modified") < _DAY for mail in mails)


def _age(document: Document, field: str) -> float:
    return (datetime.fromisoformat(now()) - datetime.fromisoformat(document[field])).total_seconds()
