"""Find a Python that the users of products can run: as root, those may not enter the folder ours is in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cryptography
import pydantic

from agencystack.sandbox.wordpress import all_can_enter
from agencystack.stack.errors import ConfigurationError


def python_for_products(module: str) -> list[str]:
    """Return the command that runs ``main(arguments)`` of one of our modules, for whoever runs the product.

    As root that is an unprivileged user, who may not enter the folder our Python is in (a virtual environment made
    from a Python in root's home): then the system's Python of the same version takes our libraries.

    Args:
        module: its full name.

    Raises:
        ConfigurationError: that user can run no Python of this version, or cannot read our libraries.
    """
    libraries = [_library(library.__file__) for library in (pydantic, cryptography)]
    ours = str(Path(__file__).parents[2])
    paths = list(dict.fromkeys([ours, *libraries]))
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"]
    usable = [python for python in candidates if Path(python).exists() and _all_can_run(Path(python))]
    if not usable or not all(_all_can_read(Path(path)) for path in paths):
        raise ConfigurationError(
            f"no user but root can run {sys.executable} or read its libraries, and products never run as root",
            remedy=f"run as an ordinary user, or install {name} for all users",
        )
    code = f"import sys; sys.path[:0] = {paths!r}; from {module} import main; "
    return [usable[0], "-I", "-c", code + "sys.exit(main(sys.argv[1:]))"]


def _library(file: str | None) -> str:
    return str(Path(file or "").parents[1])


def _all_can_run(python: Path) -> bool:
    return os.geteuid() != 0 or (all_can_enter(python.parent) and all_can_enter(python.resolve().parent))


def _all_can_read(folder: Path) -> bool:
    return os.geteuid() != 0 or all_can_enter(folder)
