"""Where Keycloak and a Java that runs it are on this machine; ``scripts/sandbox-keycloak`` puts Keycloak there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

VERSION = "26.7.5"
JAVAS = Path("/usr/lib/jvm")
# What Keycloak's own pages name for these versions, and what was run here: 26.7 under 17 and 25, 21 to 25 under 17.
OLDEST_JAVA = 17
NEWEST_JAVA = 25
NEWEST_JAVA_BEFORE_26 = 21


def distribution(version: str = VERSION, environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder a built Keycloak of that version is in, or would be."""
    environment = os.environ if environment is None else environment
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "agencystack" / f"keycloak-{version}"


def shared_classes(version: str, java: Path) -> Path:
    """Return the file of loaded classes that lets exactly that Java start Keycloak in two thirds of the time."""
    return distribution(version) / f"classes-{_java_release(java)}.jsa"


def major(version: str) -> int:
    """Return the first number of a version."""
    return int(version.partition(".")[0])


def find_java(version: str = VERSION, environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the home of a Java that runs that Keycloak: ``JAVA_HOME``, else the newest installed; None without one."""
    environment = os.environ if environment is None else environment
    newest = NEWEST_JAVA if major(version) >= 26 else NEWEST_JAVA_BEFORE_26
    usable = {
        home: number
        for home in _homes(environment)
        if (number := _java_version(home)) and OLDEST_JAVA <= number <= newest
    }
    named = Path(environment.get("JAVA_HOME") or "/nonexistent")
    return named if named in usable else max(usable, key=lambda home: usable[home], default=None)


def obstacle(version: str = VERSION) -> str | None:
    """Return why Keycloak cannot run here, None when it can."""
    if not (distribution(version) / "lib" / "quarkus-run.jar").is_file():
        return f"Keycloak {version} is not in {distribution(version)}: run scripts/sandbox-keycloak"
    return None if find_java(version) else no_java(version)


def no_java(version: str) -> str:
    """Say which Java is missing."""
    newest = NEWEST_JAVA if major(version) >= 26 else NEWEST_JAVA_BEFORE_26
    return f"there is no Java {OLDEST_JAVA} to {newest} in JAVA_HOME or {JAVAS}"


def _homes(environment: Mapping[str, str]) -> Iterator[Path]:
    if environment.get("JAVA_HOME"):
        yield Path(environment["JAVA_HOME"])
    if JAVAS.is_dir():
        yield from sorted(path for path in JAVAS.iterdir() if not path.is_symlink())


def _java_version(home: Path) -> int | None:
    """Return the first number of a Java's version, None where that is no Java."""
    if not os.access(home / "bin" / "java", os.X_OK):
        return None
    number = re.match(r"\d+", _java_release(home) or "")
    return int(number[0]) if number else None


def _java_release(home: Path) -> str | None:
    """Return the version a Java states in its file ``release``."""
    try:
        stated = re.search(r'^JAVA_VERSION="([\w.+-]+)"', (home / "release").read_text(), re.MULTILINE)
    except OSError:
        return None
    return stated[1] if stated else None
