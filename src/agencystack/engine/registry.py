"""Find integrations: built in, installed, or a file a user put into scripts/integration/."""

from __future__ import annotations

import grp
import importlib.util
import inspect
import os
import pwd
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from agencystack.engine.integration import Integration
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.paths import Home

GROUP = "agencystack.integrations"

TYPES = ("email", "sso", "monitoring", "data-bridge")
"""The types in the order in which `integrate all` applies them."""


@dataclass(frozen=True)
class Found:
    """One integration and where it comes from.

    Args:
        integration: an instance of the declared class.
        source: the module's file.
        drop_in: it is a user's file.
        replaces: it stands in the place of a built-in of the same type and application.
    """

    integration: Integration
    source: Path
    drop_in: bool = False
    replaces: bool = False

    @property
    def name(self) -> str:
        """``email/wordpress``."""
        declaration = self.integration.declaration
        return f"{declaration.type}/{declaration.application}"


class Registry:
    """All integrations this installation knows, in the order they are applied."""

    def __init__(self, found: Sequence[Found]) -> None:
        by_name: dict[str, Found] = {}
        for item in found:
            if item.name in by_name and item.drop_in:
                other = by_name[item.name]
                # A file in AGENCYSTACK_HOME wins over the checkout's: whoever copies one there means the copy.
                if other.drop_in and other.source.parent == item.source.parent:
                    raise ConfigurationError(
                        f"{other.source} and {item.source} both declare {item.name}",
                        remedy="remove one of them",
                    )
                item = Found(item.integration, item.source, drop_in=True, replaces=True)
            by_name[item.name] = item
        self.all: tuple[Found, ...] = tuple(sorted(by_name.values(), key=_order))

    @property
    def types(self) -> tuple[str, ...]:
        """The known types in the order they are applied, the four of ours first."""
        own = dict.fromkeys(item.integration.declaration.type for item in self.all)
        return (*TYPES, *(name for name in own if name not in TYPES))

    def get(self, type: str, application: str) -> Found | None:  # noqa: A002
        """Return one integration, or None."""
        return next((item for item in self.all if item.name == f"{type}/{application}"), None)


def load(home: Home) -> Registry:
    """Return all integrations: entry points first, then the user's files, which win.

    Raises:
        ConfigurationError: a drop-in file is unsafe (others could have written it) or broken.
    """
    found = [item for point in entry_points(group=GROUP) for item in _declared(point.load(), drop_in=False)]
    for path in drop_in_files(home):
        found += _declared(_import_file(path), drop_in=True)
    return Registry(found)


def drop_in_files(home: Home) -> Iterator[Path]:
    """Yield the user's modules: in the checkout we run from, then in AGENCYSTACK_HOME; never in the current folder."""
    folders = dict.fromkeys((Path(__file__).resolve().parents[3] / "scripts" / "integration", home.scripts_dir))
    for folder in folders:
        if folder.is_dir():
            _refuse_unsafe(folder)
            yield from sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def eject(registry: Registry, home: Home, type: str, application: str) -> Path:  # noqa: A002
    """Copy a built-in into AGENCYSTACK_HOME/scripts/integration, where its copy replaces it, to be modified.

    Raises:
        ConfigurationError: there is no such integration, or the file is there already.
    """
    item = registry.get(type, application)
    if item is None:
        known = ", ".join(found.name.replace("/", " ") for found in registry.all)
        raise ConfigurationError(f"there is no integration {type} {application}", remedy=f"the known ones: {known}")
    target = home.scripts_dir / f"{type}_{application}.py".replace("-", "_")
    if item.drop_in or target.exists():
        raise ConfigurationError(
            f"{item.source if item.drop_in else target} is already yours", remedy="modify that file"
        )
    home.scripts_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
    target.write_text(item.source.read_text())
    target.chmod(0o644)
    return target


def _order(item: Found) -> tuple[int, str, str]:
    declaration = item.integration.declaration
    place = TYPES.index(declaration.type) if declaration.type in TYPES else len(TYPES)
    return place, declaration.type, declaration.application


def _declared(module: ModuleType, *, drop_in: bool) -> list[Found]:
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Integration)
        and value.__module__ == module.__name__
        and "declaration" in vars(value)
    ]
    return [Found(cls(), Path(str(module.__file__)), drop_in=drop_in) for cls in classes]


def _import_file(path: Path) -> ModuleType:
    _refuse_unsafe(path)
    name = f"agencystack_dropin_{re.sub(r'[^a-zA-Z0-9_]', '_', path.stem)}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} cannot be loaded as a Python module", remedy="rename it to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigurationError(
            f"{path} cannot be loaded: {type(error).__name__}: {error}",
            remedy="mend it, or move it out of scripts/integration",
        ) from error
    return module


def _refuse_unsafe(path: Path) -> None:
    """Refuse code that somebody else than root or the caller could have put there.

    A group that holds nobody but the owner is no somebody else: where each user has a group of their own, the umask is
    002, and git checks files out writable by that group.
    """
    facts = path.stat()
    group_may = bool(facts.st_mode & stat.S_IWGRP) and not _is_private_group(facts.st_gid, facts.st_uid)
    if group_may or facts.st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            f"{path} can be written by other users, so its code is not run", remedy=f"chmod go-w {path}"
        )
    if facts.st_uid not in {0, os.geteuid(), _behind_sudo()}:
        raise ConfigurationError(
            f"{path} belongs to neither root nor you, so its code is not run", remedy=f"sudo chown root {path}"
        )


def _is_private_group(group: int, owner: int) -> bool:
    """Say whether a group is the owner's alone: their own first group, with no other member, by its list or as theirs.

    A group that cannot be looked up may hold anybody.
    """
    try:
        name, members = pwd.getpwuid(owner).pw_name, set(grp.getgrgid(group).gr_mem)
    except KeyError:
        return False
    first_group_of = {user.pw_name for user in pwd.getpwall() if user.pw_gid == group}
    return first_group_of == {name} and members <= {name}


def _behind_sudo() -> int | None:
    """Return who called sudo: that person has root's rights already, and the checkout is theirs."""
    number = os.environ.get("SUDO_UID", "")
    return int(number) if os.geteuid() == 0 and number.isdecimal() else None
