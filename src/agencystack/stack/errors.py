"""The errors a user sees: which component of which client, what it answered, what to do now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every command; of several, the first of USAGE, UNREACHABLE, FAILED, PENDING wins."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PENDING = 3
    UNREACHABLE = 4

    @classmethod
    def worst(cls, codes: Sequence[ExitCode]) -> ExitCode:
        """Return the code a command ends with when its parts ended with ``codes``."""
        for code in (cls.USAGE, cls.UNREACHABLE, cls.FAILED, cls.PENDING):
            if code in codes:
                return code
        return cls.DONE


@dataclass(frozen=True, order=True)
class ComponentRef:
    """Names one installed product: the client it belongs to (``shared`` for all clients) and its name."""

    client: str
    name: str

    def __str__(self) -> str:
        return f"{self.client}/{self.name}"


class AgencyStackError(Exception):
    """A failure with a remedy.

    Args:
        message: what failed and, where a product answered, what it answered; never a secret.
        component: the component it happened in, when there is one.
        remedy: what the reader does now, as an instruction.
        missing: names of values that must be supplied, for errors that list them all.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        component: ComponentRef | None = None,
        remedy: str = "",
        missing: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.component = component
        self.remedy = remedy
        self.missing = tuple(missing)

    def __str__(self) -> str:
        where = f"{self.component}: " if self.component else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{where}{self.message}{remedy}"


class UsageError(AgencyStackError):
    """The command was called with something it cannot use."""

    code = "usage"
    exit_code = ExitCode.USAGE


class ConfigurationError(AgencyStackError):
    """``stack.yaml``, a referenced secret or a file we depend on is missing or wrong."""

    code = "configuration"
    exit_code = ExitCode.USAGE


class ComponentError(AgencyStackError):
    """A product did not do what it was asked."""


class AuthenticationFailed(ComponentError):
    """The product refused our credential, or the credential lacks a permission. Never retried."""

    code = "authentication"


class Unavailable(ComponentError):
    """The product could not be reached, did not answer in time, or says it is overloaded."""

    code = "unreachable"
    exit_code = ExitCode.UNREACHABLE


class BadAnswer(ComponentError):
    """The product answered something its documented interface does not contain (HTML, a traceback, half a JSON)."""

    code = "bad-answer"


class Refused(ComponentError):
    """The product understood the request and declined it; the message carries its own words."""

    code = "refused"
