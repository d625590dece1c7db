"""Which of our errors an answer of Keycloak means, in its own words and without a secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from agencystack.stack.errors import (
    AgencyStackError,
    AuthenticationFailed,
    BadAnswer,
    ComponentRef,
    Refused,
    Unavailable,
)
from agencystack.stack.secrets import redact

OVERLOADED = frozenset({429, 502, 503, 504})
LONGEST_WORDS = 500
PERMISSIONS = (
    "give the account named in stack.yaml the roles manage-realm, manage-clients and manage-users of that realm, "
    "or the realm role admin of the realm master"
)
ADDRESS = "check api_url in stack.yaml: Keycloak before version 17, and some after it, have /auth at its end"


class Answer(Protocol):
    """What we look at of an HTTP answer."""

    @property
    def status_code(self) -> int:
        """Its status."""

    @property
    def content(self) -> Any:
        """Its body, bytes."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""


class Absent(Refused):
    """Keycloak says that what was asked for does not exist."""


def check(where: ComponentRef, request: str, answer: Answer) -> None:
    """Raise what an answer means unless it is a success.

    Args:
        where: the component, for messages.
        request: method and path, for messages.
        answer: status, headers and body.

    Raises:
        Absent: 404.
        AuthenticationFailed: 401 or 403.
        Unavailable: 429, 502, 503 or 504.
        Refused: any other failure that Keycloak explains in JSON.
        BadAnswer: something that is no JSON where JSON is due.
    """
    words = explained(answer.content)
    if answer.status_code < 300:
        if answer.content and words is None:
            raise _not_json(where, request, answer)
        return
    raise _failure(where, request, answer, words)


def _failure(where: ComponentRef, request: str, answer: Answer, words: str | None) -> AgencyStackError:
    status = answer.status_code
    said = f"answered {status} to {request}" + (f": {words}" if words else "")
    if status in OVERLOADED:
        return Unavailable(said, component=where, remedy="wait until Keycloak accepts requests again, then run again")
    if status in {401, 403}:
        return AuthenticationFailed(said, component=where, remedy=PERMISSIONS)
    if words is None:
        return _not_json(where, request, answer)
    if status == 404:
        return Absent(said, component=where, remedy=ADDRESS if "matching target resource" in words else "")
    return Refused(said, component=where)


def _not_json(where: ComponentRef, request: str, answer: Answer) -> BadAnswer:
    kind = answer.headers.get("content-type", "no content type")
    return BadAnswer(
        f"answered {answer.status_code} with {kind} instead of JSON to {request}",
        component=where,
        remedy="check that api_url in stack.yaml leads to Keycloak and not to a proxy or login page; "
        "some Keycloaks have /auth at its end",
    )


def explained(content: bytes) -> str | None:
    """Return what Keycloak says in a body of JSON, empty when nothing; ``None`` when the body is no JSON."""
    if not content:
        return ""
    try:
        said: Any = json.loads(content)
    except ValueError:
        return None
    return redact("; ".join(_sentences(said)))[:LONGEST_WORDS]


def _sentences(said: Any) -> list[str]:
    """Return what a failure says; of a user there may be several (``recordings/keycloak/refusals.json``)."""
    if not isinstance(said, dict):
        return [str(said)]
    if isinstance(several := said.get("errors"), list):
        return [sentence for one in several for sentence in _sentences(one)]
    # The console translates these names with their parameters; beside the name they tell which value it was.
    filled_in = ", ".join(str(value) for value in said.get("params") or () if value)
    parts = (said.get("errorMessage"), said.get("error"), said.get("error_description"), filled_in)
    return [": ".join(str(part) for part in parts if part)]
