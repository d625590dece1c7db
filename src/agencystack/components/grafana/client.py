"""One Grafana: its single sign-on settings, the people in it, and whether it is well.

Source: Grafana's own code and documentation, as told in ``tests/contract/recordings/grafana``; not verified against
the running product, which could not be had.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from agencystack.components.grafana.calls import Calls
from agencystack.components.grafana.mailing import SmtpSettings
from agencystack.components.grafana.people import Membership, Organisation, Person, User
from agencystack.components.grafana.sso import CALLBACK, PROVIDER, OAuthSettings
from agencystack.components.http import HttpApi
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.secrets import Secret

Part = TypeVar("Part")
SSO = f"/api/v1/sso-settings/{PROVIDER}"
FRONTEND = "/api/frontend/settings"

START_LIMIT = 120.0
"""Seconds from a restart until it is well; a new version changes its database first."""

PAUSE = 0.2

EDITABLE = {"X-Disable-Provenance": "true"}
"""Leaves what is saved of alerting for people to edit in Grafana; without it they could only look."""

PAGE = 1000
"""Users of one answer; also what Grafana gives where it is not told."""


class Grafana:
    """One Grafana.

    Args:
        where: the component, for error messages.
        api_url: as we reach it.
        user: a server administrator, for HTTP Basic; what concerns users of the whole server asks for one.
        password: of ``user``.
        token: of a service account instead; it reads and writes settings where its role allows it.
        ca_file: certificate authority of ``api_url``; the system's when absent.

    Raises:
        ConfigurationError: neither or both credentials are given.
    """

    def __init__(
        self,
        where: ComponentRef,
        api_url: str,
        *,
        user: str = "",
        password: Secret | None = None,
        token: Secret | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.where = where
        if (password is None) == (token is None):
            raise ConfigurationError("needs a server administrator's password or a token", component=where)
        self._api = HttpApi(
            where,
            api_url,
            auth=(user, password.reveal()) if password else None,
            headers=EDITABLE | ({"Authorization": f"Bearer {token.reveal()}"} if token else {}),
            ca_file=ca_file,
            remedies={
                401: "check the credential in stack.yaml; HTTP Basic may be switched off ([auth.basic] enabled)",
                403: (
                    "name a server administrator in stack.yaml: single sign-on and users belong to the whole server, "
                    "and a viewer may not change data sources, dashboards and alerts"
                ),
            },
        )

    @property
    def calls(self) -> Calls:
        """What its other interfaces (:class:`DataSources`, :class:`Boards`, :class:`Alerting`) are called with."""
        return Calls(self._api)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def version(self) -> str:
        """Return the version, such as ``12.2.0``.

        Raises:
            AuthenticationFailed, Unavailable, BadAnswer: as for every call.
        """
        said = self._api.call("GET", "/api/health").get("version")
        # Anonymous callers and [auth.anonymous] hide_version get none of it.
        return str(said or self._frontend("buildInfo")["version"])

    def is_well(self) -> bool:
        """Say whether it reaches its database; Grafana answers 503 where it does not.

        Raises:
            Unavailable: it does not, or it cannot be reached.
        """
        return bool(self._api.call("GET", "/api/health").get("database") == "ok")

    def root_url(self) -> str:
        """Return its public address as its own configuration has it, without a slash at the end."""
        return str(self._frontend("appUrl")).rstrip("/")

    def redirect_uri(self) -> str:
        """Return where it wants the provider to send people back to; made of :meth:`root_url`."""
        return self.root_url() + CALLBACK

    def has_login_form(self) -> bool:
        """Say whether a password can be entered on its login page."""
        return not self._frontend("disableLoginForm")

    def oauth(self) -> OAuthSettings | None:
        """Return the settings of the OAuth provider, those of file and environment included.

        Returns:
            None where this Grafana has no such interface: older than 10.4 (before 11 behind a switch), or the
            provider is not among ``[sso_settings] configurable_providers``. Then the environment decides.

        Raises:
            AuthenticationFailed: the credential is no server administrator's.
            BadAnswer: they are not in the form this client knows.
        """
        answer = self._or_absent("GET", SSO)
        return None if answer is None else self._parsed(OAuthSettings.of, answer)

    def save_oauth(self, wanted: OAuthSettings) -> OAuthSettings:
        """Save the settings of the OAuth provider and return what Grafana holds then.

        It uses them at once; other instances of one Grafana within a minute (``[sso_settings] reload_interval``).

        Args:
            wanted: all of them: whatever was saved before and is not in it is gone.

        Raises:
            Refused: Grafana declined the values, or has no such interface.
        """
        self._done("PUT", SSO, wanted.wire())
        saved = self.oauth()
        if saved is None:
            raise BadAnswer("saved the single sign-on settings, and now has none", component=self.where)
        return saved

    def reset_oauth(self) -> None:
        """Remove what was saved, so that file and environment decide again; nothing to do where nothing was."""
        self._or_absent("DELETE", SSO)

    def login_client(self) -> str | None:
        """Return the id of the client it sends people to the OAuth provider with, None where it sends nobody there.

        What counts at this moment, wherever it was set; every version says it (``OAuthLogin`` of
        ``pkg/api/login_oauth.go``: 404, or back to the login page, where the provider is switched off).
        """
        answer = self._api.send("GET", CALLBACK, redirects=True)
        query = parse_qs(urlsplit(answer.headers.get("location", "")).query)
        return query["client_id"][0] if "client_id" in query else None

    def smtp(self) -> SmtpSettings:
        """Return how it sends mail, wherever that was set.

        Raises:
            AuthenticationFailed: the credential is no server administrator's.
        """
        said = self._api.call("GET", "/api/admin/settings")
        return self._parsed(lambda answer: SmtpSettings.model_validate(answer["smtp"]), said)

    def wait_until_well(self, limit: float = START_LIMIT) -> None:
        """Return when it is well, after a restart.

        Args:
            limit: seconds.

        Raises:
            Unavailable: it is not by then.
        """
        end = time.monotonic() + limit
        while not self._is_up():
            if time.monotonic() > end:
                raise Unavailable(
                    f"is not well {limit:g} s after it was restarted",
                    component=self.where,
                    remedy="look into its log: it may not take the settings it was given",
                )
            time.sleep(PAUSE)

    def me(self) -> User:
        """Return whose password the client uses; that it answers proves the login that does not need the provider."""
        return self._parsed(User.model_validate, self._api.call("GET", "/api/user"))

    def user(self, login_or_email: str) -> User | None:
        """Return a user of the server, or None."""
        answer = self._or_absent("GET", f"/api/users/lookup?loginOrEmail={quote(login_or_email, safe='')}")
        return None if answer is None else self._parsed(User.model_validate, answer)

    def users_with_prefix(self, prefix: str) -> tuple[Person, ...]:
        """Return the users of the server whose login begins with ``prefix``.

        Its search finds the words anywhere in login, name and address, a page at a time (``Search`` of
        ``pkg/services/user/userimpl/store.go``); service accounts are not among them.

        Raises:
            AuthenticationFailed: the credential is no server administrator's.
        """
        found: list[Person] = []
        for page in itertools.count(1):
            query = f"query={quote(prefix, safe='')}&perpage={PAGE}&page={page}"
            answer = self._api.call("GET", f"/api/users/search?{query}")
            rows = self._parsed(lambda said: [Person.model_validate(row) for row in said["users"]], answer)
            found += (person for person in rows if person.login.startswith(prefix))
            if len(rows) < PAGE:
                break
        return tuple(found)

    def memberships(self, user: User) -> tuple[Membership, ...]:
        """Return the organisations of ``user`` with the role in each."""
        rows = self._api.call("GET", f"/api/users/{user.id}/orgs")
        return tuple(self._parsed(Membership.model_validate, row) for row in rows)

    def delete_user(self, user: Person) -> None:
        """Delete ``user`` from the server; nothing to do where it is gone."""
        self._or_absent("DELETE", f"/api/admin/users/{user.id}")

    def organisations(self) -> tuple[Organisation, ...]:
        """Return all organisations."""
        rows = self._api.call("GET", "/api/orgs")
        return tuple(self._parsed(Organisation.model_validate, row) for row in rows)

    def _is_up(self) -> bool:
        try:
            return self.is_well()
        except (Unavailable, BadAnswer, Refused):
            # Nobody answers yet, or the proxy in front of it does, in its own way.
            return False

    def _frontend(self, key: str) -> Any:
        return self._parsed(lambda answer: answer[key], self._api.call("GET", FRONTEND))

    def _or_absent(self, method: str, path: str) -> Any:
        """Send one request; None where Grafana knows no such thing, else what it answered (empty for 204)."""
        answer = self._api.send(method, path)
        return None if answer.status_code == 404 else self.calls.good(answer, method, path) or {}

    def _done(self, method: str, path: str, body: object) -> None:
        answer = self._api.send(method, path, body=body)
        if answer.status_code != 204:
            raise self.calls.refused(answer.status_code, method, path, self._api.decode(answer))

    def _parsed(self, parse: Callable[[Any], Part], answer: Any) -> Part:
        return self.calls.parsed(parse, answer)
