"""How an ERPNext is, as it tells whoever asks over HTTP: through our app, else by answering at all."""

from __future__ import annotations

from agencystack.components.health import Endpoint, Health, Word, body_of
from agencystack.stack.secrets import Secret

HEALTH = "/api/method/agencystack_connector.health.check"
PING = "/api/method/ping"
SINCE = (0, 2, 0)
"""The version of our app that tells it."""


def health(site: Endpoint, token: Secret | None = None) -> Health:
    """Return how the site is.

    Args:
        site: its address.
        token: for the details; without it, or with another one, the answer has none.

    Raises:
        Unavailable: it does not answer, or its answer says that it does not work.
        BadAnswer: our app answers in a form that is not known.
    """
    answer = site.get(HEALTH, token)
    told = site.said(answer)
    if told is not None:
        return told
    answer = site.get(PING)
    if answer.is_success and body_of(answer) == {"message": "pong"}:
        return Health(Word.OK, by=PING)
    raise site.down(answer)


def tells_health(version: str | None) -> bool:
    """Say whether our app of that version tells the site's health; None is a site without it."""
    if version is None:
        return False
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal()) >= SINCE
