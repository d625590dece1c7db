"""Have our plugin break one request on purpose, as a faulty plugin would."""

from __future__ import annotations

from pathlib import Path

from agencystack.components.health import TOKEN_HEADER
from agencystack.components.http import HttpApi
from agencystack.stack.errors import BadAnswer, ComponentRef
from agencystack.stack.secrets import Secret

CANARY = "/?rest_route=/agencystack/v1/canary"


def fail(where: ComponentRef, base_url: str, word: str, token: Secret, *, ca_file: Path | None = None) -> int:
    """Have PHP end with an uncaught exception; return the status that was answered: 500, or what a theme makes of it.

    Args:
        where: the site.
        base_url: its address, as we reach it.
        word: the exception's message: ``agencystack-canary-`` and 16 hexadecimal digits.
        token: the one that opens the details of its health.
        ca_file: authority of its certificate, if the system does not know it.

    Raises:
        AuthenticationFailed: it does not know the token.
        BadAnswer: our plugin is not there, or older than this.
    """
    api = HttpApi(where, base_url, headers={TOKEN_HEADER: token.reveal()}, ca_file=ca_file)
    try:
        answer = api.send("POST", CANARY, body={"word": word})
    finally:
        api.close()
    if answer.is_success or answer.is_client_error:
        raise BadAnswer(
            f"answered {answer.status_code} where PHP was to fail",
            component=where,
            remedy="integrate again, which brings the connector plugin up to date",
        )
    return answer.status_code
