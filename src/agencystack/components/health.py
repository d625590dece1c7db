"""What a product says of its own health, in the form our WordPress plugin and our ERPNext app share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agencystack.components.http import trust
from agencystack.stack.errors import BadAnswer, ComponentRef, Unavailable
from agencystack.stack.secrets import Secret, redact

TOKEN_HEADER = "X-AgencyStack-Token"  # noqa: S105 - the name of the header, not its value
SIGNATURE = "agencystack-connector"
"""Stands in every answer in this form, and on no error page."""

PATIENCE = 15.0
"""Seconds. What it tells takes milliseconds; a product that needs longer is not well."""


# WordPress's own page during an update (wp-includes/load.php), and Frappe's (SessionStopped).
_MAINTENANCE = re.compile(r"scheduled maintenance|SessionStopped|being updated", re.IGNORECASE)


class Word(StrEnum):
    """How something is."""

    OK = "ok"
    DEGRADED = "degraded"
    """It works, and somebody should look."""
    DOWN = "down"


@dataclass(frozen=True)
class Health:
    """How a product is.

    Args:
        status: the worst of ``checks``; of a product without our plugin or app, whether it answers at all.
        checks: how each thing is that was looked at.
        detail: numbers and reasons by check; empty where no token, or another one, was shown.
        by: who says it: ``agencystack-connector``, or the address of the product's own that answered.
    """

    status: Word
    checks: Mapping[str, Word] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    by: str = SIGNATURE

    @property
    def is_ours(self) -> bool:
        """Say whether our plugin or app answered."""
        return self.by == SIGNATURE

    @property
    def troubles(self) -> tuple[str, ...]:
        """The checks that are not well, by name, with the reason where it is told: ``cron: the oldest ...``."""
        return tuple(
            ": ".join(word for word in (name, str(self.detail.get(name, {}).get("reason", ""))) if word)
            for name, how in sorted(self.checks.items())
            if how is not Word.OK
        )


class _Told(BaseModel):
    """The form on the wire."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    said_by: Literal["agencystack-connector"] = Field(alias="from")
    status: Word
    checks: dict[str, Word]
    detail: dict[str, dict[str, Any]] = Field(default_factory=dict)


def parse(where: ComponentRef, data: object) -> Health:
    """Return what ``data`` says.

    Raises:
        BadAnswer: it is not in the form of our plugin and app.
    """
    try:
        told = _Told.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise BadAnswer(
            f"its health is told in an unknown form: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            component=where,
            remedy="check that api_url in stack.yaml leads to it; integrate again to bring the connector up to date",
        ) from None
    return Health(told.status, told.checks, told.detail)


def token_hash(token: Secret) -> Secret:
    """Return what the product keeps of a token: enough to know it, not enough to show it.

    A plain hash: the token is 32 random characters, so there is nothing to guess that salt or slowness would protect.
    """
    return Secret(hashlib.sha256(token.reveal().encode()).hexdigest())


class Endpoint:
    """The address of one product, asked without a login, as whoever watches it from outside does.

    Args:
        where: the component, for messages.
        base_url: as we reach it.
        ca_file: authority that signed its certificate, if the system does not know it.
    """

    def __init__(self, where: ComponentRef, base_url: str, *, ca_file: Path | None = None) -> None:
        self.where = where
        self._client = httpx.Client(base_url=base_url.rstrip("/"), verify=trust(ca_file), timeout=PATIENCE)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, token: Secret | None = None) -> httpx.Response:
        """Return what is answered, whatever its status: a product that is down says so with 503.

        Args:
            path: below the address, with its query.
            token: for the details.

        Raises:
            Unavailable: nothing is answered.
        """
        headers = {"Accept": "application/json"} | ({TOKEN_HEADER: token.reveal()} if token else {})
        try:
            return self._client.get(path, headers=headers)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"did not answer GET {path}: {redact(str(error)) or type(error).__name__}",
                component=self.where,
                remedy="check that it runs, and the address in stack.yaml (api_url is the one we use)",
            ) from error

    def said(self, answer: httpx.Response) -> Health | None:
        """Return the health in an answer; None where it is not an answer of our plugin or app.

        Raises:
            BadAnswer: it is one, in a form that is not known.
        """
        data = body_of(answer)
        if not isinstance(data, dict) or data.get("from") != SIGNATURE:
            return None
        return parse(self.where, data)

    def down(self, answer: httpx.Response) -> Unavailable:
        """Return the error of a product that answers and does not work."""
        page = " ".join(answer.text.split())
        why = "is in maintenance mode" if _MAINTENANCE.search(page) else f"answered {answer.status_code}"
        return Unavailable(
            f"{why} to GET {answer.request.url.path}",
            component=self.where,
            remedy="look into its log; during an update, wait until it has ended",
        )


def body_of(answer: httpx.Response) -> object:
    """Return the JSON of an answer, None where there is none."""
    try:
        return answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
