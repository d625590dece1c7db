"""References to secrets in ``stack.yaml``, and finding the secrets they name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from agencystack.stack.errors import ConfigurationError
from agencystack.stack.secrets import Secret

Scheme = Literal["env", "file", "secret"]

PATTERN = (
    r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\x00-\x1f]+"
    r"|secret:[A-Za-z0-9][A-Za-z0-9._@+-]*(/[A-Za-z0-9][A-Za-z0-9._@+-]*)*)$"
)
HOW_TO_WRITE = "env:NAME (a variable), file:/absolute/path, or secret:NAME (sealed with: agencystack secret set NAME)"
_LARGEST = 64 * 1024


@dataclass(frozen=True)
class SecretReference:
    """Names a secret without holding it.

    Args:
        scheme: ``env`` (environment variable), ``file`` (its content) or ``secret`` (our sealed store).
        name: the variable, absolute path or sealed name.
    """

    scheme: Scheme
    name: str

    @classmethod
    def parse(cls, text: str) -> SecretReference:
        """Read ``env:NAME``, ``file:/path`` or ``secret:NAME``.

        Raises:
            ConfigurationError: it is none of these; the text may be a secret, so it is not repeated.
        """
        if re.fullmatch(PATTERN, text) is None:
            raise ConfigurationError("this is not a reference to a secret", remedy=f"write {HOW_TO_WRITE}")
        scheme, _, name = text.partition(":")
        return cls(cast(Scheme, scheme), name)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Let Pydantic read references; a literal secret is refused without being repeated."""
        return core_schema.no_info_plain_validator_function(
            _validate, serialization=core_schema.to_string_ser_schema(when_used="always")
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe a reference in the JSON Schema."""
        return {"type": "string", "pattern": PATTERN, "description": f"A reference to a secret: {HOW_TO_WRITE}."}


class SealedSecrets(Protocol):
    """What is needed of the sealed store here."""

    def get(self, name: str) -> Secret | None:
        """Return the secret of that name, or ``None``."""


class SecretResolver:
    """Finds the secrets that references name.

    Args:
        sealed: the sealed store.
        environment: variables; the process's own when not given.
    """

    def __init__(self, sealed: SealedSecrets, environment: Mapping[str, str] | None = None) -> None:
        self._sealed = sealed
        self._environment = os.environ if environment is None else environment

    def resolve(self, reference: SecretReference) -> Secret:
        """Return the secret.

        Raises:
            ConfigurationError: it is not there, is empty, or others can read it; says what to do.
        """
        match reference.scheme:
            case "env":
                return self._from_environment(reference.name)
            case "file":
                return _from_file(Path(reference.name))
            case "secret":
                return self._from_store(reference.name)

    def resolve_all(self, references: Mapping[str, SecretReference]) -> dict[str, Secret]:
        """Return the secret of each reference, under the same keys.

        Args:
            references: where each is needed (``clients.acme.components.erpnext.api_key``) and what names it.

        Raises:
            ConfigurationError: one error for all that cannot be had; ``missing`` lists where they are needed.
        """
        found: dict[str, Secret] = {}
        failures: dict[str, ConfigurationError] = {}
        for place, reference in references.items():
            try:
                found[place] = self.resolve(reference)
            except ConfigurationError as failure:
                failures[place] = failure
        if failures:
            raise _all_missing(failures)
        return found

    def _from_environment(self, name: str) -> Secret:
        value = self._environment.get(name, "")
        if value:
            return Secret(value)
        state = "empty" if name in self._environment else "not set"
        sudo = " (sudo drops variables)" if "SUDO_COMMAND" in self._environment else ""
        raise ConfigurationError(
            f"the environment variable {name} is {state}{sudo}",
            remedy=f"under sudo use: sudo --preserve-env={name} ...; or refer to the secret with file: or secret:",
        )

    def _from_store(self, name: str) -> Secret:
        secret = self._sealed.get(name)
        if secret is None:
            raise ConfigurationError(
                f"no secret {name} is sealed", remedy=f"seal it with: agencystack secret set {name}"
            )
        return secret


def _from_file(path: Path) -> Secret:
    """Read a secret file; only the line end an editor leaves is taken off."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigurationError(f"{path} is not a file", remedy="name a file that holds the secret alone")
        if stat.S_IMODE(facts.st_mode) & 0o007:
            raise ConfigurationError(f"{path} is open to all users", remedy=f"chmod o= {path}")
        text = path.read_bytes()[: _LARGEST + 1].decode()
    except OSError as refusal:
        raise ConfigurationError(
            f"cannot read {path}: {refusal.strerror}",
            remedy="make the file, or run the command as a user who can read it",
        ) from refusal
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not text", remedy="write the secret into it as UTF-8 text") from None
    value = text.removesuffix("\n").removesuffix("\r")
    if not value or len(text) > _LARGEST:
        raise ConfigurationError(
            f"{path} is {'too large' if value else 'empty'}", remedy="it must hold the secret alone"
        )
    return Secret(value)


def _all_missing(failures: Mapping[str, ConfigurationError]) -> ConfigurationError:
    """Join the failures into the one error a person needs."""
    if len(failures) == 1:
        [(place, failure)] = failures.items()
        return ConfigurationError(f"{place}: {failure.message}", remedy=failure.remedy, missing=[place])
    lines = [f"  {place}: {failure}" for place, failure in failures.items()]
    return ConfigurationError("\n".join([f"{len(failures)} secrets cannot be had:", *lines]), missing=list(failures))


def _validate(value: object) -> SecretReference:
    if isinstance(value, SecretReference):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("reference", "must be a reference to a secret", {"write": HOW_TO_WRITE})
    try:
        return SecretReference.parse(value)
    except ConfigurationError:
        wrong = "the scheme of this reference is wrong or its name is" if _looks_like_reference(value) else ""
        raise PydanticCustomError(
            "reference",
            "{wrong}",
            {"wrong": wrong or "a secret is written here in clear; it must be a reference", "write": HOW_TO_WRITE},
        ) from None


def _looks_like_reference(text: str) -> bool:
    return re.match(r"(?i)(env|file|secret|vault|pass|environment|sealed)\s*:", text) is not None
