"""What a stand-in WordPress holds: options, plugins and a real wp-config.php whose constants are read and changed."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from pydantic import BaseModel, ConfigDict, Field

_DEFINE = re.compile(
    r"""(?P<head>^[ \t]*define\(\s*(['"])(?P<name>\w+)\2\s*,\s*)(?P<value>'(?:[^'\\]|\\.)*'|true|false|\d+)\s*\)""",
    re.MULTILINE,
)


class Refusal(Exception):
    """A command the real program would decline, with the same word for the reason."""

    def __init__(self, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.details = dict(details or {})


class Plugin(BaseModel):
    """One installed plugin."""

    file: str
    name: str
    version: str
    active: bool = False


class User(BaseModel):
    """One user of the site.

    Args:
        subject: issuer and subject of the person at the provider whose account it is; empty where it is nobody's.
    """

    id: int
    login: str
    email: str
    name: str = ""
    roles: list[str] = Field(default_factory=list)
    made_by_sso: bool = False
    subject: str = ""


class Session(BaseModel):
    """One browser that is logged in, and the ID token its login began with."""

    user: int
    id_token: str = ""


class SiteData(BaseModel):
    """Everything in the store's file.

    Args:
        wordpress_org: plugins can be downloaded.
        plugins_writable: whoever runs our program may put a plugin there.
        woocommerce: it is active.
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    name: str
    admin_email: str
    wordpress_org: bool = True
    plugins_writable: bool = True
    woocommerce: bool = False
    key: str = Field(default_factory=lambda: Fernet.generate_key().decode())
    options: dict[str, Any] = Field(default_factory=dict)
    plugins: dict[str, Plugin] = Field(default_factory=dict)
    users: list[User] = Field(default_factory=list)
    sessions: dict[str, Session] = Field(default_factory=dict)


class Store:
    """One site's store, while its lock is held.

    Args:
        path: the site's folder; the store lies beside it as ``store.json``.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.parent / "store.json"
        self._config = path / "wp-config.php"
        self.data = SiteData.model_validate_json(self._file.read_text())
        # PHP sees constants as they were when it started.
        self.constants = {name: _value(text) for name, text in self.defines().items()}

    @classmethod
    @contextmanager
    def locked(cls, path: Path) -> Iterator[Store]:
        """Hold the site's lock and give its store."""
        with (path.parent / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield cls(path)

    def save(self) -> None:
        """Write the store."""
        draft = self._file.with_suffix(".new")
        draft.write_text(self.data.model_dump_json(indent=1))
        # As root we serve the pages, and the program runs as the owner of the site's files.
        was = self._file.stat()
        draft.chmod(was.st_mode)
        if os.geteuid() == 0:
            os.chown(draft, was.st_uid, was.st_gid)
        draft.replace(self._file)

    def get_option(self, name: str, default: Any = None) -> Any:
        """Return an option's value; a copy."""
        return json.loads(json.dumps(self.data.options.get(name, default)))

    def set_option(self, name: str, value: Any) -> None:
        """Store an option; None removes it."""
        if value is None:
            self.data.options.pop(name, None)
        else:
            self.data.options[name] = value

    def defines(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """Return the source text of constants in wp-config.php."""
        wanted = None if names is None else set(names)
        found = {match["name"]: match["value"] for match in _DEFINE.finditer(self._config.read_text())}
        return {name: text for name, text in found.items() if wanted is None or name in wanted}

    def change_defines(self, texts: Mapping[str, str]) -> bool:
        """Put other source texts into wp-config.php; say whether it changed.

        Raises:
            Refusal: a constant is not there as a plain value.
        """
        source = self._config.read_text()
        missing = sorted(set(texts) - set(self.defines()))
        if missing:
            message = f"{missing[0]} is not set to a plain value in wp-config.php"
            raise Refusal("constants", message, {"names": sorted(texts)})

        def changed(match: re.Match[str]) -> str:
            text = texts.get(match["name"], match["value"])
            return match[0].replace(match["head"] + match["value"], match["head"] + text, 1)

        fresh = _DEFINE.sub(changed, source)
        if fresh != source:
            self._config.write_text(fresh)
        return fresh != source

    def encrypt(self, text: str) -> str:
        """Return a text as the plugin would store it."""
        return Fernet(self.data.key.encode()).encrypt(text.encode()).decode() if text else ""

    def decrypt(self, stored: str) -> str | None:
        """Return the readable text, None where it was not made by :meth:`encrypt`."""
        try:
            return Fernet(self.data.key.encode()).decrypt(stored.encode()).decode()
        except Exception:  # noqa: BLE001 - Fernet raises several kinds for what is not its own
            return None


def php(value: object) -> str:
    """Return a value as PHP source."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _value(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    if text.isdigit():
        return int(text)
    return re.sub(r"\\([\\'])", r"\1", text[1:-1])
