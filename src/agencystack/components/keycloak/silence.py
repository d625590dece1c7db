"""Which of our errors it means that no answer of Keycloak came; told apart by what the library requests raises."""

from __future__ import annotations

import re

from requests import exceptions

from agencystack.stack.errors import AgencyStackError, BadAnswer, ComponentRef, Unavailable
from agencystack.stack.secrets import redact


class ConnectionDied(Unavailable):
    """The connection ended before an answer came; what was asked for may have been done."""


def no_answer(where: ComponentRef, url: str, cause: BaseException | None, timeout: float | None) -> AgencyStackError:
    """Return our error for a request that got no answer.

    Args:
        where: the component, for messages.
        url: its address.
        cause: what the library requests raised.
        timeout: seconds that were waited at most.
    """
    reason = _reason(cause)
    if isinstance(cause, exceptions.TooManyRedirects):
        to = cause.response.headers.get("location", "") if cause.response is not None else ""
        remedy = "put the address it redirects to into stack.yaml as api_url"
        return BadAnswer(f"redirected us from {url} to {redact(to)}", component=where, remedy=remedy)
    if isinstance(cause, exceptions.Timeout):
        remedy = f"check that {url} is up, then run again"
        return Unavailable(f"did not answer within {timeout:g} s", component=where, remedy=remedy)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        remedy = "name the authority that signed it as ca_file in stack.yaml"
        return Unavailable(f"its certificate at {url} is not trusted: {reason}", component=where, remedy=remedy)
    kind = ConnectionDied if "Connection aborted" in str(cause) else Unavailable
    remedy = "check the address in stack.yaml (api_url is the one we use) and that Keycloak runs"
    return kind(f"cannot be reached at {url}: {reason}", component=where, remedy=remedy)


def _reason(cause: BaseException | None) -> str:
    """Return the words of the system at the bottom of the nested errors, without the connection pool's account."""
    while cause is not None:
        inner = getattr(cause, "reason", None) or next(iter(reversed(cause.args)), None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return re.sub(r"^\w+\(.*?\): ", "", redact(str(cause))) or type(cause).__name__
