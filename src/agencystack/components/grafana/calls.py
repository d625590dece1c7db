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

READ_ONLY = "read-only data source"
"""Part of what Grafana says with 403 where a data source comes from a file (``pkg/api/datasources.go``)."""


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
        return None if answer.status_code == 404 else self._good(answer, "GET", path)

    def send(
        self, method: str, path: str, body: object = None, *, fine: tuple[int, ...] = (), timeout: float = 30.0
    ) -> Any:
        """Send one request and return the JSON of its answer, None where that is empty.

        Args:
            method: HTTP method.
            path: below Grafana's address.
            body: sent as JSON.
            fine: statuses beside 2xx that are an answer too.
            timeout: seconds for the answer.

        Raises:
            AuthenticationFailed, Unavailable, Refused, BadAnswer: as for every call.
        """
        answer = self._api.send(method, path, body=body, timeout=timeout)
        return self._good(answer, method, path, fine)

    def delete(self, path: str) -> None:
        """Delete what is at ``path``; nothing to do where it is gone."""
        answer = self._api.send("DELETE", path)
        if answer.status_code != 404:
            self._good(answer, "DELETE", path)

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

    def _good(self, answer: httpx.Response, method: str, path: str, fine: tuple[int, ...] = ()) -> Any:
        if answer.is_success and not answer.content:
            return None
        data = self._api.decode(answer)
        if answer.is_success or answer.status_code in fine:
            return data
        words = data.get("message", data) if isinstance(data, dict) else data
        raise Refused(
            f"answered {answer.status_code} to {method} {path}: {redact(str(words))[:500]}", component=self.where
        )


def _first_mistake(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
