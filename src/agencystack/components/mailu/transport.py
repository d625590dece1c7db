"""Calls of Mailu's REST API: what its answers mean, and a token that is never tried twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx
from pydantic import ValidationError

from agencystack.components.http import HttpApi
from agencystack.components.mailu.models import Answer
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, ConfigurationError, Refused
from agencystack.stack.secrets import Secret, redact

API_PREFIX = "/api/v1"
# A shorter API_TOKEN is refused whatever is sent, and each try counts as a wrong token (facts/mailu.md "API").
SHORTEST_TOKEN = 4
WAIT_FOR_RATE_LIMIT = (
    "wrong tokens are counted per /24 network (AUTH_RATELIMIT_IP, 5 an hour by default), then Mailu refuses even the "
    "right one: wait an hour, or raise AUTH_RATELIMIT_IP in mailu.env and restart its admin container"
)
REMEDIES = {
    401: "put Mailu's API_TOKEN behind api_token in stack.yaml",
    403: "compare api_token in stack.yaml with API_TOKEN in mailu.env (4 characters or more); " + WAIT_FOR_RATE_LIMIT,
    429: WAIT_FOR_RATE_LIMIT,
}
ENABLE_API = "check api_url in stack.yaml, and that mailu.env has API=true (then restart front and admin)"
WHEN_ALL_FAIL = (
    "where every call ends like this, API_TOKEN is missing in mailu.env (4 characters or more; restart admin); "
    "else the log of the admin container has the reason"
)

WHEN_REFUSED = {
    "Duplicate domain name": (
        "where Mailu lists no domain of this name, it is an alternative name of another domain or a relayed domain: "
        "remove that in Mailu, or name another address in stack.yaml"
    ),
    "Too many users": "raise max_users of the domain in Mailu, or remove a mailbox that is no longer needed",
    "Too many aliases": "raise max_aliases of the domain in Mailu, or remove an alias that is no longer needed",
}
"""What to do about a refusal, by how Mailu's explanation begins."""

Model = TypeVar("Model", bound=Answer)


class OneRead(Generic[Model]):
    """A list of the product's objects, read when first asked for and kept until a write touches it.

    Readers wait for the one that reads; forgetting waits for a read that began before the write.
    """

    def __init__(self, read: Callable[[], tuple[Model, ...]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._kept: tuple[Model, ...] | None = None

    def get(self) -> tuple[Model, ...]:
        """Return the list."""
        with self._lock:
            if self._kept is None:
                self._kept = self._read()
            return self._kept

    def forget(self) -> None:
        """Read it anew when next asked."""
        with self._lock:
            self._kept = None


class Calls:
    """Calls of one Mailu, with what its answers mean.

    Args:
        where: the component, for error messages.
        api_url: as we reach it, without ``/api/v1``.
        token: Mailu's ``API_TOKEN``.
        ca_file: certificate authority to trust instead of the system's.

    Raises:
        ConfigurationError: the token is so short that Mailu refuses it always.
    """

    def __init__(self, where: ComponentRef, api_url: str, token: Secret, *, ca_file: Path | None = None) -> None:
        if len(token.reveal()) < SHORTEST_TOKEN:
            raise ConfigurationError(
                f"its api_token has less than {SHORTEST_TOKEN} characters, which Mailu always refuses",
                component=where,
                remedy="set a longer API_TOKEN in mailu.env, restart its admin container, and use that",
            )
        self.where = where
        base = api_url.rstrip("/").removesuffix(API_PREFIX)
        self._http = HttpApi(
            where,
            base + API_PREFIX,
            headers={"Authorization": f"Bearer {token.reveal()}"},
            ca_file=ca_file,
            remedies=REMEDIES,
        )
        self._first_call = threading.Lock()
        self._token_accepted = False
        self._token_refused: AuthenticationFailed | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def list(self, path: str, kind: type[Model]) -> tuple[Model, ...]:
        """Return all objects of a kind."""
        data = self.find(path)
        if not isinstance(data, list):
            raise BadAnswer(f"answered GET {path} without a list", component=self.where, remedy=ENABLE_API)
        return tuple(self.model(kind, entry) for entry in data)

    def find(self, path: str) -> Any | None:
        """GET; None where Mailu says in its own words (JSON) that there is no such thing."""
        answer = self._send("GET", path)
        data = self._json(answer)
        if _status(answer, data) == httpx.codes.NOT_FOUND:
            return None
        return self._accepted(answer, data)

    def write(self, method: str, path: str, body: object, *touched: OneRead[Any]) -> Any:
        """Change something, and forget the lists it touched."""
        # Never repeated: where the answer got lost, the write may have been done.
        try:
            answer = self._send(method, path, body)
            return self._accepted(answer, self._json(answer))
        finally:
            for kept in touched:
                kept.forget()

    def delete(self, path: str, *touched: OneRead[Any]) -> bool:
        """Delete something, forget the lists it touched, and return whether there was anything."""
        try:
            answer = self._send("DELETE", path)
            data = self._json(answer)
            if _status(answer, data) == httpx.codes.NOT_FOUND:
                return False
            self._accepted(answer, data)
            return True
        finally:
            for kept in touched:
                kept.forget()

    def _send(self, method: str, path: str, body: object = None) -> httpx.Response:
        if self._token_accepted:
            return self._send_with_token(method, path, body)
        # Until one call has shown that the token is right, calls go one by one: a wrong token is then sent once,
        # not once by each thread, which would lock our whole network out.
        with self._first_call:
            return self._send_with_token(method, path, body)

    def _send_with_token(self, method: str, path: str, body: object) -> httpx.Response:
        if self._token_refused is not None:
            known = self._token_refused
            raise AuthenticationFailed(known.message, component=known.component, remedy=known.remedy)
        try:
            answer = self._http.send(method, path, body=body)
        except AuthenticationFailed as error:
            self._token_refused = error
            raise
        self._token_accepted = self._token_accepted or answer.is_success
        return answer

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise BadAnswer(
                f"answered {answer.status_code} with {answer.headers.get('content-type', 'no content type')} instead "
                f"of JSON to {answer.request.method} {answer.request.url.path}",
                component=self.where,
                remedy=WHEN_ALL_FAIL if answer.is_server_error else ENABLE_API,
            ) from None

    def _accepted(self, answer: httpx.Response, data: Any) -> Any:
        status = _status(answer, data)
        if status < httpx.codes.BAD_REQUEST:
            return data
        what = f"answered {status} to {answer.request.method} {answer.request.url.path}: {redact(_words(data))}"
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise BadAnswer(what, component=self.where, remedy=WHEN_ALL_FAIL)
        raise Refused(what, component=self.where, remedy=_remedy(_words(data)))

    def model(self, kind: type[Model], data: Any) -> Model:
        """Return one object of an answer; ``BadAnswer`` where it has another form."""
        try:
            return kind.model_validate(data)
        except ValidationError as error:
            places = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False))
            raise BadAnswer(
                f"described a {kind.__name__.lower()} in a form we do not know: {places or 'not an object'}",
                component=self.where,
                remedy="this Mailu may be newer than those we know (2024.06); report the version",
            ) from None


def _remedy(words: str) -> str:
    return next((remedy for beginning, remedy in WHEN_REFUSED.items() if words.startswith(beginning)), "")


def _status(answer: httpx.Response, data: Any) -> int:
    """Return what Mailu means: an invalid name is answered with HTTP 200 and ``{"code": 400}``."""
    said = data.get("code") if isinstance(data, dict) else None
    return said if isinstance(said, int) and answer.is_success else answer.status_code


def _words(data: Any) -> str:
    """Return Mailu's explanation, of an answer that may hold anything, so never the answer itself."""
    if not isinstance(data, dict):
        return "no explanation"
    errors = data.get("errors")
    details = "; ".join(f"{field}: {text}" for field, text in errors.items()) if isinstance(errors, dict) else ""
    return ": ".join(part for part in (str(data.get("message", "")), details) if part)[:500] or "no explanation"
