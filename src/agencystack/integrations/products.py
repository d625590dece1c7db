"""Connect to the components of a site, each once a run."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from agencystack.components.erpnext import ErpNext
from agencystack.components.mailu import Mailu
from agencystack.engine.context import Component, Context
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.model import Component as Settings
from agencystack.stack.model import ERPNext as ErpNextSettings
from agencystack.stack.model import Mailu as MailuSettings

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
