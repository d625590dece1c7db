"""How one talks to Listmonk: its answers, its restarts, and all its settings at once.

Source: ``tests/contract/recordings/listmonk`` (Listmonk 6.2.0). Four traits shape this module. It stores a mask that is
sent back as the password itself. It replaces all settings with what is sent. It restarts half a second after it said
yes. And it accepts values it then cannot start with.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from agencystack.components.http import DEFAULT_TIMEOUT, HttpApi
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret

SETTINGS = "/api/settings"
MASK = "•"
# It restarts 0.5 s after the answer and was back 0.1 s later, 1.1 s when mail was on its way (restart.json); it gives
# itself 3 s to close. A slow host gets the rest.
RESTART_LIMIT = 30.0
RESTART_GAP = 2.0
POLL = 0.1
_CHECK_URL = "check that api_url in stack.yaml leads to Listmonk"


class ListmonkApi:
    """The HTTP interface of one Listmonk.

    Args:
        where: the component, for error messages.
        api_url: as we reach it.
        api_user: name of an API user.
        api_token: its token.
        ca_file: certificate authority of ``api_url``; the system's when absent.
    """

    def __init__(
        self, where: ComponentRef, api_url: str, api_user: str, api_token: Secret, *, ca_file: Path | None = None
    ) -> None:
        self.where = where
        # Not the header of its own ("token user:token"): HTTP Basic is older, so every version takes it (auth.json).
        self._api = HttpApi(where, api_url, auth=(api_user, api_token.reveal()), ca_file=ca_file)
        self._known: dict[str, Any] | None = None

    @property
    def base_url(self) -> str:
        """Its address as we reach it."""
        return self._api.base_url

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def settings(self) -> dict[str, Any]:
        """Return all settings, secrets masked; read once, until :meth:`forget` or a change."""
        if self._known is None:
            self._known = self.read(SETTINGS)
        return self._known

    def forget(self) -> None:
        """Read the settings again at the next use."""
        self._known = None

    def change_settings(self, change: Callable[[dict[str, Any]], None], timeout: float) -> None:
        """Let ``change`` put its part into the settings, leave all others as they are, and wait for the restart.

        The settings are read anew, because everything sent replaces what is stored. Masked secrets are sent empty,
        which keeps them.

        Raises:
            Refused: Listmonk declined the values, or runs a campaign and therefore keeps the old settings in use.
            Unavailable: it did not come back in time.
        """
        body = _unmasked(self.data("GET", SETTINGS))
        change(body)
        started = self._started()
        self.forget()
        answer = self.data("PUT", SETTINGS, body)
        if isinstance(answer, dict) and answer.get("needs_restart"):
            raise self._needs_restart()
        self._await_restart(started, timeout)

    def restart(self, timeout: float) -> None:
        """Restart it and wait."""
        started = self._started()
        self.data("POST", "/api/admin/reload", {})
        self.forget()
        self._await_restart(started, timeout)

    def read(self, path: str) -> Any:
        """Read, and wait out the moment in which it restarts because somebody just saved settings (restart.json)."""
        end = time.monotonic() + RESTART_GAP
        while True:
            try:
                return self.data("GET", path)
            except Unavailable as error:
                if isinstance(error.__cause__, httpx.TimeoutException) or time.monotonic() > end:
                    raise
            time.sleep(POLL)

    def data(self, method: str, path: str, body: object = None) -> Any:
        """Send one request and return what its answer holds."""
        answer = self.call(method, path, body)
        if not isinstance(answer, dict) or "data" not in answer:
            raise BadAnswer(f"answered {method} {path} without data", component=self.where, remedy=_CHECK_URL)
        return answer["data"]

    def call(self, method: str, path: str, body: object = None, *, timeout: float = DEFAULT_TIMEOUT) -> Any:
        """Send one request and return the JSON of the answer."""
        try:
            return self._api.call(method, path, body=body, timeout=timeout)
        except AuthenticationFailed as error:
            raise self._explained(error) from error

    def _explained(self, error: AuthenticationFailed) -> AuthenticationFailed:
        denied = re.search(r"permission denied: (\S+)", error.message)
        remedy = "check api_user and api_token in stack.yaml against Users in Listmonk"
        if denied:
            needed = "settings:get and settings:manage" if denied[1].startswith("settings:") else denied[1]
            remedy = f"give the role of the API user {needed} (Users, User roles)"
        return AuthenticationFailed(error.message, component=self.where, remedy=remedy)

    def _needs_restart(self) -> Refused:
        return Refused(
            "saved the settings, but a campaign is running, so the old ones stay in use",
            component=self.where,
            remedy="wait until the campaign is done or pause it, then restart Listmonk (Settings shows the button)",
        )

    def _started(self) -> str:
        """Return what tells one run of the program from the next: a line of its log from the start, with the time."""
        starts = [str(line) for line in self.data("GET", "/api/logs") if "reading config" in line]
        return starts[-1] if starts else ""

    def _await_restart(self, before: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            time.sleep(POLL)
            if self._or_none(self._started) not in (None, before):
                return
        raise Unavailable(
            f"did not come back within {timeout:g} s of the restart that new settings cause",
            component=self.where,
            remedy="its log says why it does not start",
        )

    @staticmethod
    def _or_none(ask: Callable[[], str]) -> str | None:
        try:
            return ask()
        except (Unavailable, BadAnswer):
            return None


def _unmasked(value: Any) -> Any:
    """Return settings with every masked secret empty, wherever it is: a mask that is sent becomes the secret."""
    if isinstance(value, dict):
        return {key: _unmasked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmasked(item) for item in value]
    return "" if isinstance(value, str) and re.fullmatch(f"{MASK}+", value) else value
