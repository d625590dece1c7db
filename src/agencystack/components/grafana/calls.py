"""Calls into one Grafana: what is absent, what is declined and what cannot be understood are told apart here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from agencystack.components.http import HttpApi
from agencystack.stack.errors import BadAnswer, ComponentRef, Refused
from agencystack.stack.secrets import redact

Part = TypeVar("Part")


class Calls:
    """Calls into one Grafana.

    Args:
        api: its HTTP interface, with the credential.
    """

    def __init__(self, api: HttpApi) -> None:
        self._api = api

    @property
    def where(self) -> ComponentRef:
        """The component, for messages."""
        return self._api.where

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Return the JSON at ``path``, None where Grafana answers 404."""
        answer = self._api.send("GET", path, params=params)
        return None if answer.status_code == 404 else self.good(answer, "GET", path)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        fine: tuple[int, ...] = (),
        timeout: float = 30.0,
        reads: bool = False,
    ) -> Any:
        """Send one request and return the JSON of its answer, None where that is empty.

        Args:
            method: HTTP method.
            path: below Grafana's address.
            body: sent as JSON.
            fine: statuses beside 2xx that are an answer too.
            timeout: seconds for the answer.
            reads: it changes nothing, so it may be sent twice.

        Raises:
            AuthenticationFailed, Unavailable, Refused, BadAnswer: as for every call.
        """
        answer = self._api.send(method, path, body=body, timeout=timeout, reads=reads)
        return self.good(answer, method, path, fine)

    def delete(self, path: str) -> None:
        """Delete what is at ``path``; nothing to do where it is gone."""
        answer = self._api.send("DELETE", path)
        if answer.status_code != 404:
            self.good(answer, "DELETE", path)

    def parsed(self, parse: Callable[[Any], Part], answer: Any) -> Part:
        """Return ``answer`` as ``parse`` understands it.

        Raises:
            BadAnswer: it does not.
        """
        try:
            return parse(answer)
        except (ValidationError, KeyError, TypeError, AttributeError) as error:
            reason = _first_mistake(error) if isinstance(error, ValidationError) else f"no {error}"
            raise BadAnswer(
                f"answered in an unknown form: {reason}",
                component=self.where,
                remedy="check that api_url in stack.yaml leads to Grafana",
            ) from error

    def good(self, answer: httpx.Response, method: str, path: str, fine: tuple[int, ...] = ()) -> Any:
        """Return the JSON of an answer, None where it is empty; raises Refused where Grafana declined."""
        if answer.is_success and not answer.content:
            return None
        data = self._api.decode(answer)
        if answer.is_success or answer.status_code in fine:
            return data
        raise self.refused(answer.status_code, method, path, data)

    def refused(self, status: int, method: str, path: str, data: Any) -> Refused:
        """Return the error for what Grafana declined, in its own words."""
        words = data.get("message", data) if isinstance(data, dict) else data
        return Refused(f"answered {status} to {method} {path}: {redact(str(words))[:500]}", component=self.where)


def _first_mistake(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
