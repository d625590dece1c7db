"""All formats there are, found in `formats`: adding one is adding a module."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from agencystack.logs import formats
from agencystack.logs.model import Format, Put


@cache
def all_formats() -> Mapping[tuple[str, str], Format]:
    """Return every format by (component, stream).

    Raises ValueError where two modules describe the same stream: a mistake in this package, not in any log.
    """
    found: dict[tuple[str, str], Format] = {}
    for module in sorted(pkgutil.iter_modules(formats.__path__), key=lambda each: each.name):
        for log in getattr(import_module(f"{formats.__name__}.{module.name}"), "FORMATS", ()):
            if (log.component, log.stream) in found:
                raise ValueError(f"{log.component}/{log.stream} is described twice, again in formats/{module.name}.py")
            found[log.component, log.stream] = log
    return MappingProxyType(found)


def find(component: str, stream: str) -> Format:
    """Return the format of a stream; one that nobody described keeps its text, and is marked as not parsed."""
    return all_formats().get((component, stream)) or plain(component, stream)


def components() -> tuple[str, ...]:
    """Return the components that have at least one format, sorted."""
    return tuple(sorted({component for component, _ in all_formats()}))


def streams(component: str) -> tuple[str, ...]:
    """Return the streams of a component that have a format, sorted."""
    return tuple(sorted(stream for name, stream in all_formats() if name == component))


def plain(component: str, stream: str) -> Format:
    """Return the format of text we know nothing about."""
    return Format(
        component=component,
        stream=stream,
        about="text of no known form",
        stages=(Put("level", "info"),),
        known_by=(),
        metadata=(),
    )
