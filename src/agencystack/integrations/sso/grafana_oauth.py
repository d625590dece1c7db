"""What Grafana is told of Keycloak: by its interface for SSO settings, or in its environment file where it has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote

from agencystack.components.described import DescribedApplication
from agencystack.components.grafana import ROLES, Grafana, OAuthSettings, role_path, variable
from agencystack.components.hostfile import HostFile
from agencystack.engine.integration import Blocked, Site, Unsupported
from agencystack.engine.resource import Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.restart import OwedRestart
from agencystack.integrations.sso.oidc_ways import RESTARTED, EnvironmentSettings, Told
from agencystack.integrations.sso.registration import Registration
from agencystack.stack.errors import ConfigurationError, Refused
from agencystack.stack.model import place
from agencystack.stack.products import Grafana as GrafanaSettings
from agencystack.stack.secrets import Secret

SECRET = "client_secret"  # noqa: S105 - the name of a setting
VARIABLES = "OAuth variables in "
"""How the key of :class:`OAuthVariables` begins; the file's path follows."""

_FIELDS = (
    "enabled",
    "name",
    "client_id",
    "auth_url",
    "token_url",
    "api_url",
    "scopes",
    "use_pkce",
    "allow_sign_up",
    "login_attribute_path",
    "role_attribute_path",
    "role_attribute_strict",
    "skip_org_role_sync",
    "allow_assign_grafana_admin",
    "signout_redirect_url",
)


def settings(registration: Registration) -> Fields:
    """Return what Grafana's generic OAuth shall be: strict roles from our claim, and the password form left alone.

    Raises:
        Blocked: a group has a role that Grafana does not know.
    """
    endpoints, home = registration.endpoints, registration.registered().home
    back = quote(f"{home}/login", safe="")
    return {
        "enabled": True,
        "name": "Keycloak",
        "client_id": registration.client_id,
        "auth_url": endpoints.authorization,
        "token_url": endpoints.token,
        "api_url": endpoints.userinfo,
        "scopes": "openid email profile",
        "use_pkce": True,
        "allow_sign_up": True,
        "login_attribute_path": "preferred_username",
        "role_attribute_path": _role_path(registration),
        "role_attribute_strict": True,
        "skip_org_role_sync": False,
        "allow_assign_grafana_admin": "GrafanaAdmin" in registration.managed_roles,
        "signout_redirect_url": f"{endpoints.end_session}?post_logout_redirect_uri={back}",
        SECRET: registration.secret,
    }


def told_by_file(site: Site, grafana: Grafana) -> Callable[[], bool]:
    """Return what says whether the environment file is the way: stack.yaml names one, and there is no interface.

    Grafana is asked once a run, and only where a file is named.
    """
    named = products.settings_of(site.application, GrafanaSettings).env_file is not None

    def ask() -> bool:
        return grafana.oauth() is None

    return lambda: named and site.context.connection(site.application.ref, ask, "has no SSO settings")


class OAuth(Resource):
    """The provider ``generic_oauth``, in Grafana's SSO settings; nothing where the file is the way."""

    def __init__(self, grafana: Grafana, registration: Registration, by_file: Callable[[], bool]) -> None:
        self.component, self.key = grafana.where, "generic OAuth"
        self._grafana, self._registration, self._by_file = grafana, registration, by_file

    def read(self) -> Reading:
        """Return our fields of it; switched on for another client it is somebody's."""
        if self._by_file():
            return Reading({})
        live = self._live()
        fields: dict[str, Value] = {name: getattr(live, name) for name in _FIELDS}
        fields[SECRET] = Marker.UNREADABLE if live.has_client_secret else None
        foreign = None
        if live.enabled and live.client_id != self._registration.client_id:
            what = f"people log in through {live.auth_url} (client {live.client_id})"
            foreign = Foreign(what, Permission.REPLACE)
        return Reading(fields, {"source": live.source}, foreign)

    def wanted(self) -> Fields:
        """Want :func:`settings`."""
        return {} if self._by_file() else settings(self._registration)

    def write(self, change: Change) -> None:
        """Save what differs; settings we do not know stay."""
        secret = change.target[SECRET]
        changed = secret if SECRET in change.names and isinstance(secret, Secret) else None
        values = {name: change.target[name] for name in _FIELDS}
        self._grafana.save_oauth(self._live().model_copy(update={**values, SECRET: changed}))

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Let file and environment decide again where they did before; else put the values back."""
        if before.extra.get("source") == "system":
            self._grafana.reset_oauth()
        else:
            self.write(change)

    def _live(self) -> OAuthSettings:
        live = self._grafana.oauth()
        if live is None:
            raise Unsupported(
                "has no interface for single sign-on settings (older than 10.4, or not configurable there)",
                component=self.component,
                remedy=(
                    f"write env_file, restart and exec of {place(self.component)} in stack.yaml, so that its "
                    "environment file is changed instead (docs/sso.md), or upgrade it"
                ),
            )
        return live


class OAuthVariables(EnvironmentSettings):
    """The same settings as variables of the file Grafana is started with; nothing is wanted where it has the interface.

    Args:
        grafana: says what counts beside the file.
        registration: what it is to be told.
        file: its environment file.
        restart: starts it anew with that file.
        by_file: says that the file is the way.
    """

    def __init__(
        self,
        grafana: Grafana,
        registration: Registration,
        file: HostFile,
        restart: OwedRestart,
        by_file: Callable[[], bool],
    ) -> None:
        variables = {variable(name): f"{{{name}}}" for name in (*_FIELDS, SECRET)}
        super().__init__(file, variables, Told(registration.client_id, lambda: environment(registration), restart))
        self.key = VARIABLES + file.path
        self._grafana, self._by_file = grafana, by_file

    def wanted(self) -> Fields:
        """Want the variables of :func:`environment`, and Grafana to run with them."""
        return {**self._told.words(), RESTARTED: True} if self._by_file() else {}

    def _foreign(self, given: str) -> Foreign | None:
        # Undo must not need a Grafana that answers, so what the file says of us is enough.
        if self._told.client_id in given or not self._by_file():
            return None
        return super()._foreign(given) or self._set_elsewhere()

    def _set_elsewhere(self) -> Foreign | None:
        """Say that people log in through another client all the same: variables would win over Grafana's own file."""
        client = self._grafana.login_client()
        if client is None or client == self._told.client_id:
            return None
        return Foreign(f"people log in with the client {client}, as Grafana's own file says", Permission.REPLACE)


def environment(registration: Registration) -> dict[str, Value]:
    """Return :func:`settings` as environment variables."""
    said = dict(settings(registration))
    secret = said.pop(SECRET)
    return {**OAuthSettings.model_validate(said).environment(), variable(SECRET): secret}


def variables_in(path: str, site: Site, grafana: Grafana, registration: Registration) -> OAuthVariables:
    """Return the settings in the environment file at ``path``, on the machine that exec reaches."""
    where, executor = site.application.ref, products.executor(site.application)
    described = products.settings_of(site.application, GrafanaSettings)
    program, argv = DescribedApplication(where, described.reached_by_us(), executor), _argv(site, described.restart)

    def restart(wait: bool) -> None:
        program.restart(argv, wait=False)
        if wait:
            grafana.wait_until_well()
            _check(grafana, registration.client_id)

    owed = OwedRestart(site.sealed("restart-due"), restart)
    file = HostFile(where, executor.host(), path)
    return OAuthVariables(grafana, registration, file, owed, told_by_file(site, grafana))


def _argv(site: Site, restart: Sequence[str] | None) -> Sequence[str]:
    if restart is None:
        raise ConfigurationError(
            "it is not known how to restart it",
            component=site.application.ref,
            remedy=f"write {place(site.application.ref)}.restart, such as [systemctl, restart, grafana-server]",
        )
    return restart


def _check(grafana: Grafana, client_id: str) -> None:
    """Make sure that Grafana, just restarted, runs with what the file says."""
    client = grafana.login_client()
    if client != client_id:
        does = f"sends people to log in with the client {client}" if client else "lets nobody in through Keycloak"
        raise Refused(
            f"was restarted and still {does}",
            component=grafana.where,
            remedy=(
                "check that env_file in stack.yaml is the file it is started with; docker restart does not read one "
                "again: let restart be [docker, compose, -f, FILE, up, -d, grafana]"
            ),
        )


def _role_path(registration: Registration) -> str:
    try:
        return role_path(registration.managed_roles)
    except ValueError as error:
        component = registration.site.application.ref
        raise Blocked(str(error), component=component, remedy=f"its roles are {', '.join(ROLES)}") from error
