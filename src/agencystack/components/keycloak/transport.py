"""python-keycloak's connection with our rules: one login at a time, no password twice, our errors, no redirects.

Imported when a Keycloak is first asked, as the library takes a third of a second to load.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from keycloak import KeycloakOpenID, KeycloakOpenIDConnection
from keycloak.connection import ConnectionManager
from keycloak.exceptions import KeycloakConnectionError, KeycloakError

from agencystack.components.keycloak.errors import ADDRESS, check, explained
from agencystack.components.keycloak.login import AdminLogin
from agencystack.components.keycloak.silence import ConnectionDied, no_answer
from agencystack.stack.errors import AgencyStackError, AuthenticationFailed, BadAnswer, ComponentRef

CONNECTIONS = 16
CREDENTIAL = "check user, password or client secret of Keycloak in stack.yaml"


class Transport(KeycloakOpenIDConnection):
    """The connection that KeycloakAdmin's calls go through.

    Args:
        where: the component, for messages.
        url: its address, with or without ``/auth`` at the end.
        login: who we are there.
        ca_file: authority that signed its certificate, if the system does not know it.
        timeout: seconds for one answer.
    """

    def __init__(
        self, where: ComponentRef, url: str, login: AdminLogin, *, ca_file: Path | None, timeout: float
    ) -> None:
        self._where = where
        self._login = login
        self._lock = threading.RLock()
        self._rejected: AgencyStackError | None = None
        trust = str(ca_file) if ca_file else True
        # urljoin drops what follows the last slash, and with it /auth.
        server = url.rstrip("/") + "/"
        secret = login.client_secret.reveal() if login.client_secret else None
        super().__init__(
            server_url=server,
            username=login.user if login.password else None,
            password=login.password.reveal() if login.password else None,
            realm_name=login.realm,
            user_realm_name=login.realm,
            client_id=login.client_id,
            client_secret_key=secret,
            verify=trust,
            timeout=timeout,  # type: ignore[arg-type] # requests takes parts of a second
            # The library would repeat writes whose answer was lost.
            max_retries=0,
            pool_maxsize=CONNECTIONS,
        )
        self._keycloak_openid = KeycloakOpenID(
            server_url=server,
            realm_name=login.realm,
            client_id=login.client_id,
            client_secret_key=secret,
            verify=trust,
            timeout=timeout,  # type: ignore[arg-type]
            max_retries=0,
        )
        # A redirect would carry password or token to whoever the answer names.
        for connection in (self, self._keycloak_openid.connection):
            connection._s.max_redirects = 0

    def raw_get(self, *args: Any, **kwargs: Any) -> Any:
        """Send one GET; once more when a kept connection had died, as after a restart."""
        send = self._sender(ConnectionManager.raw_get, "GET", *args, **kwargs)
        try:
            return send()
        except ConnectionDied:
            return send()

    def raw_post(self, *args: Any, **kwargs: Any) -> Any:
        """Send one POST."""
        return self._sender(ConnectionManager.raw_post, "POST", *args, **kwargs)()

    def raw_put(self, *args: Any, **kwargs: Any) -> Any:
        """Send one PUT."""
        return self._sender(ConnectionManager.raw_put, "PUT", *args, **kwargs)()

    def raw_delete(self, *args: Any, **kwargs: Any) -> Any:
        """Send one DELETE."""
        return self._sender(ConnectionManager.raw_delete, "DELETE", *args, **kwargs)()

    def refresh_token(self) -> None:
        """Renew the token; log in anew where Keycloak knows our session no more, as after a restart."""
        refresh = (self.token or {}).get("refresh_token")
        if refresh:
            try:
                self.token = self.keycloak_openid.refresh_token(refresh)
            except KeycloakConnectionError:
                raise
            except KeycloakError as error:
                if error.response_code not in {400, 401}:
                    raise
            else:
                return
        self.get_token()

    def public_get(self, path: str) -> Any:
        """Return the JSON of an address that needs no login."""
        try:
            answer = self._send(ConnectionManager.raw_get, path)
        except ConnectionDied:
            answer = self._send(ConnectionManager.raw_get, path)
        check(self._where, f"GET /{path}", answer)
        return answer.json()

    def close(self) -> None:
        """End the session our login made and close the connections; never raises, as nothing depends on it."""
        with self._lock:
            refresh = (self.token or {}).get("refresh_token")
            with contextlib.suppress(KeycloakError):
                if refresh:
                    self.keycloak_openid.logout(refresh)
            for connection in (self, self.keycloak_openid.connection):
                connection._s.close()

    def _sender(self, method: Callable[..., Any], name: str, path: str, **kwargs: Any) -> Callable[[], Any]:
        def send() -> Any:
            token = self._valid_token()
            answer = self._send(method, path, **kwargs)
            if answer.status_code == requests.codes.unauthorized:
                # Keycloak ended our session, for one by a restart. It did nothing of what we asked.
                self._renew(token)
                answer = self._send(method, path, **kwargs)
            check(self._where, f"{name} /{path}", answer)
            return answer

        return send

    def _send(self, method: Callable[..., Any], path: str, **kwargs: Any) -> Any:
        try:
            return method(self, path, **kwargs)
        except KeycloakConnectionError as error:
            raise self._unreachable(error.__cause__) from error

    def _valid_token(self) -> Any:
        """Return the current token after a login or a renewal where one is due."""
        with self._lock:
            if self._rejected is not None:
                raise self._rejected
            self._as_ours(self._refresh_if_required)
            return self.token

    def _renew(self, used: Any) -> None:
        with self._lock:
            # Another thread may have done so since.
            if self.token is used:
                self._as_ours(self.refresh_token)

    def _as_ours(self, login: Callable[[], None]) -> None:
        """Log in or renew; a refusal is remembered, as a second try could lock the account (brute force protection)."""
        try:
            login()
        except KeycloakConnectionError as error:
            raise self._unreachable(error.__cause__) from error
        except KeycloakError as error:
            failure = self._login_failure(error)
            if isinstance(failure, AuthenticationFailed):
                self._rejected = failure
            raise failure from error
        except (TypeError, KeyError) as error:
            # The library expects a token in every answer; its own message would quote the answer.
            raise self._no_token() from error

    def _login_failure(self, error: KeycloakError) -> AgencyStackError:
        status = error.response_code or 0
        request = f"the login at realm {self._login.realm}"
        if status in {400, 401, 403}:
            said = explained(error.response_body or b"") or "nothing we understand"
            return AuthenticationFailed(
                f"answered {status} to {request} of {self._login.name}: {said}",
                component=self._where,
                remedy=CREDENTIAL,
            )
        if status == requests.codes.not_found:
            return BadAnswer(
                f"has no realm {self._login.realm} at {self.base_url}", component=self._where, remedy=ADDRESS
            )
        try:
            check(self._where, request, _Body(status, error.response_body or b""))
        except AgencyStackError as failure:
            return failure
        return self._no_token()

    def _no_token(self) -> BadAnswer:
        return BadAnswer("answered our login with something that is no token", component=self._where, remedy=ADDRESS)

    def _unreachable(self, cause: BaseException | None) -> AgencyStackError:
        return no_answer(self._where, str(self.base_url), cause, self.timeout)


@dataclass(frozen=True)
class _Body:
    """An answer the library has taken apart already."""

    status_code: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
