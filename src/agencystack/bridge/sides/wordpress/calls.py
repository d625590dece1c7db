"""Signed calls of our plugin: what is signed are the bytes that are sent, and what may be asked again is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agencystack.bridge.signing import SigningKey
from agencystack.components.woocommerce import Answer, Lost, NotSent, RestApi
from agencystack.stack.errors import AuthenticationFailed, ComponentRef, Refused, Unavailable

ROUTE = "agencystack/v1/bridge"
_ERROR = 400


class PluginCalls:
    """Calls the plugin of one WordPress.

    Args:
        api: its REST interface; it needs no credential of its own.
        key: the shared secret.
    """

    def __init__(self, api: RestApi, key: SigningKey) -> None:
        self.api = api
        self._key = key

    @property
    def where(self) -> ComponentRef:
        """Which WordPress."""
        return self.api.where

    def ask(self, call: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask for something that changes nothing; a lost answer is asked for once more, under another nonce.

        Raises:
            Unavailable, AuthenticationFailed, BadAnswer: it is not well.
            Refused: it said no.
        """
        try:
            try:
                answer = self.send(call, asked)
            except Lost:
                answer = self.send(call, asked)
        except (Lost, NotSent) as error:
            raise Unavailable(
                f"did not answer the bridge's call {call}: {error}",
                component=self.api.where,
                remedy=f"check that {self.api.url} is up",
            ) from error
        return self._understood(call, answer)

    def send(self, call: str, asked: Mapping[str, Any]) -> Answer:
        """Send a call once.

        Raises:
            NotSent, Lost: see :meth:`RestApi.write`.
            AuthenticationFailed: its signature is not taken.
            BadAnswer: it was redirected, or there is no such route.
        """
        body = json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        route = f"{ROUTE}/{call}"
        try:
            return self.api.write("POST", route, body, headers=self._key.headers(route, body))
        except AuthenticationFailed as error:
            raise AuthenticationFailed(
                str(error).partition(": ")[2] or str(error),
                component=self.api.where,
                remedy="check that both clocks are right; run integrate data-bridge again, which exchanges the keys",
            ) from error

    def _understood(self, call: str, answer: Answer) -> Mapping[str, Any]:
        data = answer.data
        if answer.status < _ERROR and isinstance(data, dict):
            return data
        code = data.get("code", "") if isinstance(data, dict) else ""
        said = data.get("message", "") if isinstance(data, dict) else "no object"
        raise Refused(f"answered {answer.status} to the bridge's call {call}: {code}: {said}", component=self.api.where)
