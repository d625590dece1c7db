"""Find a Python that the users of products can run: as root, those may not enter the folder ours is in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cryptography
import pydantic

from agencystack.sandbox.wordpress import all_can_enter
from agencystack.stack.errors import ConfigurationError

_IMPORTED = """
import importlib, sys
importlib.import_module(sys.argv[1])
print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def python_for_products(module: str, copies: Path) -> list[str]:
    """Return the command that runs ``main(arguments)`` of one of our modules, for whoever runs the product.

    As root that is an unprivileged user, who may not enter the folder our Python is in (a virtual environment made
    from a Python in root's home): then the system's Python of the same version takes our libraries, and where those
    cannot be read either, copies of them.

    Args:
        module: its full name.
        copies: folder in which copies are made where they are needed; that user can enter it.

    Raises:
        ConfigurationError: that user can run no Python of this version.
    """
    paths = list(dict.fromkeys([str(Path(__file__).parents[2]), *map(_library, (pydantic, cryptography))]))
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"]
    usable = [python for python in candidates if Path(python).exists() and _all_can_run(Path(python))]
    if not usable:
        raise ConfigurationError(
            f"no user but root can run {sys.executable}, and products never run as root",
            remedy=f"run as an ordinary user, or install {name} for all users",
        )
    if not all(_all_can_read(Path(path)) for path in paths):
        paths = [str(_copied(module, [Path(path) for path in paths], copies))]
    code = f"import sys; sys.path[:0] = {paths!r}; from {module} import main; "
    return [usable[0], "-I", "-c", code + "sys.exit(main(sys.argv[1:]))"]


def _copied(module: str, folders: list[Path], copies: Path) -> Path:
    """Copy what a module imports from ``folders``, where it is not there yet, for everybody to read."""
    copies.mkdir(mode=0o755, parents=True, exist_ok=True)
    command = [sys.executable, "-c", _IMPORTED, module]
    for name in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split():
        for source in (path for folder in folders for path in folder.glob(f"{name}*")):
            if source.name.partition(".")[0] == name and not (copies / source.name).exists():
                copy = shutil.copytree if source.is_dir() else shutil.copy
                copy(source, copies / source.name)
    for path in (copies, *copies.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return copies


def _library(library: ModuleType) -> str:
    return str(Path(library.__file__ or "").parents[1])


def _all_can_run(python: Path) -> bool:
    return os.geteuid() != 0 or (all_can_enter(python.parent) and all_can_enter(python.resolve().parent))


def _all_can_read(folder: Path) -> bool:
    return os.geteuid() != 0 or all_can_enter(folder)
