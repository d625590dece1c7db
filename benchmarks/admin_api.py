"""Keycloak's Admin REST API as bare as it gets: one login, then one GET after the other; nothing compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

import httpx

LOGIN = "/realms/master/protocol/openid-connect/token"


class AdminApi:
    """One connection to one Keycloak.

    Args:
        url: its address.
        password: of ``admin`` in the realm ``master``.
    """

    def __init__(self, url: str, password: str) -> None:
        self.url = url
        self.password = password
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def login(self) -> None:
        """Have a token for what follows; it is good for a minute."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": self.password}
        answer = self._http.post(LOGIN, data=form).raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str) -> Any:
        """Return what is at ``path``."""
        return self._http.get(path).raise_for_status().json()

    def seconds(self, paths: Sequence[str]) -> float:
        """Return how long a login and these GETs take, each on the one connection after the one before."""
        began = time.perf_counter()
        self.login()
        for path in paths:
            self.get(path)
        return time.perf_counter() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
