"""Connect to the components of a site, each once a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from agencystack.components.alloy import Alloy, Folder
from agencystack.components.chatwoot import Chatwoot
from agencystack.components.erpnext import ErpNext
from agencystack.components.grafana import Grafana
from agencystack.components.keycloak import AdminLogin, Keycloak
from agencystack.components.listmonk import Listmonk
from agencystack.components.loki import Loki
from agencystack.components.mailu import Mailu
from agencystack.components.promtail import Promtail
from agencystack.components.uptime_kuma import UptimeKuma
from agencystack.components.wordpress import WordPress
from agencystack.engine.context import Component, Context
from agencystack.engine.integration import SealedValue
from agencystack.stack.component import Component as Settings
from agencystack.stack.component import Exec
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.execution import Executor
from agencystack.stack.executors import executor_for
from agencystack.stack.model import place
from agencystack.stack.products import Alloy as AlloySettings
from agencystack.stack.products import Chatwoot as ChatwootSettings
from agencystack.stack.products import ERPNext as ErpNextSettings
from agencystack.stack.products import Grafana as GrafanaSettings
from agencystack.stack.products import Keycloak as KeycloakSettings
from agencystack.stack.products import Listmonk as ListmonkSettings
from agencystack.stack.products import Loki as LokiSettings
from agencystack.stack.products import Mailu as MailuSettings
from agencystack.stack.products import Promtail as PromtailSettings
from agencystack.stack.products import UptimeKuma as UptimeKumaSettings
from agencystack.stack.products import WordPress as WordPressSettings
from agencystack.stack.users import UserRule

WORDPRESS_PATH = "/var/www/html"
"""Where WordPress lies in its official image."""

S = TypeVar("S", bound=Settings)


def mailu(component: Component, context: Context) -> Mailu:
    """Return the client of a Mailu."""
    settings = settings_of(component, MailuSettings)

    def connect() -> Mailu:
        token = context.resolve(settings.api_token)
        return Mailu(component.ref, settings.reached_by_us(), token, ca_file=ca_file(settings))

    return context.connection(component.ref, connect)


def erpnext(component: Component, context: Context) -> ErpNext:
    """Return the client of an ERPNext site."""
    settings = settings_of(component, ErpNextSettings)

    def connect() -> ErpNext:
        key, secret = context.resolve(settings.api_key), context.resolve(settings.api_secret)
        return ErpNext(component.ref, settings.reached_by_us(), key, secret, ca_file=ca_file(settings))

    return context.connection(component.ref, connect)


def listmonk(component: Component, context: Context) -> Listmonk:
    """Return the client of a Listmonk."""
    settings = settings_of(component, ListmonkSettings)

    def connect() -> Listmonk:
        token = context.resolve(settings.api_token)
        return Listmonk(component.ref, settings.reached_by_us(), settings.api_user, token, ca_file=ca_file(settings))

    return context.connection(component.ref, connect)


def grafana(component: Component, context: Context) -> Grafana:
    """Return the client of a Grafana."""
    settings = settings_of(component, GrafanaSettings)

    def connect() -> Grafana:
        password = context.resolve(settings.admin_password) if settings.admin_password else None
        user = settings.admin_user or "admin"
        return Grafana(component.ref, settings.reached_by_us(), user=user, password=password, ca_file=ca_file(settings))

    return context.connection(component.ref, connect)


def keycloak(component: Component, context: Context) -> Keycloak:
    """Return the client of a Keycloak."""
    settings = settings_of(component, KeycloakSettings)

    def connect() -> Keycloak:
        password, secret = settings.admin_password, settings.admin_client_secret
        login = AdminLogin(
            realm=settings.admin_realm,
            user=settings.admin_user or "admin",
            password=context.resolve(password) if password else None,
            client_id=settings.admin_client,
            client_secret=context.resolve(secret) if secret else None,
        )
        return Keycloak(component.ref, settings.reached_by_us(), login, ca_file=ca_file(settings))

    return context.connection(component.ref, connect)


def wordpress(component: Component, context: Context) -> WordPress:
    """Return the client of a WordPress, which is reached by its PHP."""
    settings_of(component, WordPressSettings)

    def connect() -> WordPress:
        where = _exec(component)
        return WordPress(component.ref, executor(component), where.path or WORDPRESS_PATH, url=where.url)

    return context.connection(component.ref, connect)


def chatwoot(component: Component, context: Context) -> Chatwoot:
    """Return the client of a Chatwoot, which is reached by its environment file and its Rails runner."""
    settings = settings_of(component, ChatwootSettings)

    def connect() -> Chatwoot:
        if settings.env_file is None:
            raise ConfigurationError(
                "is configured by its environment file, and stack.yaml does not say where that is",
                component=component.ref,
                remedy="add env_file: the .env that Chatwoot is started with, as a path on the machine exec reaches",
            )
        where = _exec(component)
        return Chatwoot(component.ref, executor(component), settings.env_file, settings.restart, container=where.docker)

    return context.connection(component.ref, connect)


def alloy(component: Component, context: Context) -> Alloy:
    """Return the client of an Alloy, which is configured by the folder it is started with."""
    settings = settings_of(component, AlloySettings)

    def connect() -> Alloy:
        if settings.config is None:
            raise ConfigurationError(
                "is configured by the folder it is started with, and stack.yaml does not say which",
                component=component.ref,
                remedy="add config: the folder of *.alloy files, as a path on the machine exec reaches",
            )
        where = _exec(component)
        # All that is run is Alloy's check of a configuration, which starts nothing of it.
        programs = executor_for(component.ref, where, user=UserRule(name=where.user or "", may_be_root=True))
        folder = Folder(component.ref, programs.host(), settings.config)
        return Alloy(component.ref, settings.reached_by_us(), programs, folder, ca_file=ca_file(settings))

    return context.connection(component.ref, connect)


def loki(component: Component, context: Context) -> Loki:
    """Return the client of a Loki."""
    settings = settings_of(component, LokiSettings)

    def connect() -> Loki:
        return Loki(
            component.ref,
            settings.reached_by_us(),
            tenant=settings.tenant,
            user=settings.user or "",
            password=context.resolve(settings.password) if settings.password else None,
            ca_file=ca_file(settings),
        )

    return context.connection(component.ref, connect)


def uptime_kuma(component: Component, context: Context) -> UptimeKuma:
    """Return the client of an Uptime Kuma; it logs in at most once a run, as logins are counted there."""
    settings = settings_of(component, UptimeKumaSettings)

    def connect() -> UptimeKuma:
        if settings.admin_password is None:
            raise ConfigurationError(
                "can only be configured as its user, and stack.yaml has no password",
                component=component.ref,
                remedy="add admin_password, and admin_user where it is not admin",
            )
        password, user = context.resolve(settings.admin_password), settings.admin_user or "admin"
        return UptimeKuma(
            component.ref,
            settings.reached_by_us(),
            user=user,
            password=password,
            ca_file=ca_file(settings),
            memory=SealedValue(context, f"{component.ref}/session"),
        )

    return context.connection(component.ref, connect)


def promtail(component: Component, context: Context) -> Promtail:
    """Return the client of a Promtail, which is configured by its file and restarted."""
    settings = settings_of(component, PromtailSettings)

    def connect() -> Promtail:
        if settings.config is None or settings.restart is None:
            raise ConfigurationError(
                "is configured by its file, and stack.yaml does not say which, or how it is restarted",
                component=component.ref,
                remedy="add config: FILE and restart: [PROGRAM, ARGUMENT], both on the machine exec reaches",
            )
        url, machine = settings.reached_by_us(), executor(component).host()
        return Promtail(component.ref, url, machine, settings.config, settings.restart, ca_file=ca_file(settings))

    return context.connection(component.ref, connect)


def executor(component: Component) -> Executor:
    """Return what runs the code of a component's product."""
    return executor_for(component.ref, _exec(component))


def _exec(component: Component) -> Exec:
    where: Exec | None = component.settings.exec
    if where is None:
        raise ConfigurationError(
            "can only be configured from inside, and stack.yaml does not say how to get there",
            component=component.ref,
            remedy="add `exec: {docker: CONTAINER}`, `exec: {local: true, path: FOLDER}` or `exec: {ssh: HOST, ...}`",
        )
    return where


def missing_keys(component: Component, *keys: str) -> Iterator[str]:
    """Yield the places in ``stack.yaml`` of those ``keys`` that a component lacks."""
    return (f"{place(component.ref)}.{key}" for key in keys if getattr(component.settings, key) is None)


def settings_of(component: Component, kind: type[S]) -> S:
    """Return a component's settings as the kind its product has.

    Raises:
        ConfigurationError: ``stack.yaml`` describes another product under this name.
    """
    if not isinstance(component.settings, kind):
        raise ConfigurationError(
            f"is not described as {kind.__name__} in stack.yaml",
            component=component.ref,
            remedy="write it under the name its product has there, without `custom: true`",
        )
    return component.settings


def ca_file(settings: Settings) -> Path | None:
    """Return the certificate authority of a component, None for the system's."""
    return Path(settings.ca_file) if settings.ca_file else None


def pem(path: Path) -> str:
    """Return the certificates in a file of ours.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the certificate authority {path}: {error.strerror}",
            remedy="correct ca_file in stack.yaml, or make the file readable for you",
        ) from error
