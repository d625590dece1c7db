"""A resource: one piece of configuration in one component that can be read, compared, written and undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agencystack.engine.values import Fields, Value
from agencystack.stack.errors import ComponentRef


class Action(StrEnum):
    """What a change does to a resource."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    DELETE = "delete"


class Permission(StrEnum):
    """What ``stack.yaml`` must say before we touch something that is not ours."""

    REPLACE = "replace"
    """Overwrite a working configuration of somebody else (another mail host)."""
    ADOPT = "adopt"
    """Take over an object somebody else made under the name we need (a mailbox)."""


@dataclass(frozen=True)
class Foreign:
    """Why a live value is not ours to change without being told.

    Args:
        what: what is there, for the plan: ``mail goes through smtp.sendgrid.net (set by a person)``.
        permission: the word in ``stack.yaml`` that lets us.
    """

    what: str
    permission: Permission


@dataclass(frozen=True)
class Reading:
    """What a component shows of one resource.

    Args:
        fields: live values of the fields we manage; None when the resource is absent.
        image: whatever else :meth:`Resource.restore` needs to put back exactly what was there (raw lines of a
            file); JSON, kept sealed, never compared.
        foreign: set when what is there works and is not ours; a product's factory default is not foreign.
        warnings: what the plan should say about what is there.
    """

    fields: Fields | None
    image: Mapping[str, Any] = field(default_factory=dict)
    foreign: Foreign | None = None
    warnings: tuple[str, ...] = ()

    @property
    def absent(self) -> bool:
        """Say that the component was asked and has no such thing."""
        return self.fields is None


ABSENT = Reading(None)


@dataclass(frozen=True)
class Image:
    """What a resource was at one moment, as the ledger keeps it (sealed).

    Args:
        fields: managed fields, None when it was absent.
        extra: :attr:`Reading.image` of that moment.
    """

    fields: Fields | None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: Reading) -> Image:
        """Return the image of what was just read."""
        return cls(reading.fields, reading.image)


@dataclass(frozen=True)
class FieldChange:
    """One field that is to change."""

    name: str
    before: Value
    after: Value


@dataclass(frozen=True)
class Change:
    """What is to be done to one resource.

    Args:
        action: create, update, adopt or delete.
        fields: the fields that differ, by name, in the order they were declared.
        target: all managed fields as they shall be afterwards.
        live: the reading the change was computed from.
    """

    action: Action
    fields: tuple[FieldChange, ...]
    target: Fields
    live: Reading

    @property
    def names(self) -> frozenset[str]:
        """The names of the fields that differ."""
        return frozenset(change.name for change in self.fields)


class Resource(ABC):
    """One piece of configuration.

    Subclasses read and write through a component's client; they never compare, order, record or ask: the engine does.

    Attributes:
        component: where it lives.
        key: its name, unique inside the component, stable over versions: ``user shop@acme.example``.
        stays: set for what cannot or must not be taken back: why undo leaves it (a mail domain); empty where there
            is nothing worth telling.
        after_proof: written only when the proofs of the integration passed (lock-outs, revoking old secrets).
    """

    component: ComponentRef
    key: str
    stays: str | None = None
    after_proof: bool = False

    @abstractmethod
    def read(self) -> Reading:
        """Return what is live, or :data:`ABSENT`.

        Raises:
            Unavailable, AuthenticationFailed, BadAnswer: nothing is known; never reported as absent.
        """

    @abstractmethod
    def wanted(self) -> Fields:
        """Return the fields as they shall be; called after :meth:`read`, and again right before :meth:`write`.

        Where several integrations want a resource of this key, one of them is read and all are asked what they want.

        Raises:
            Blocked: a prerequisite is absent or unreachable.
        """

    @abstractmethod
    def write(self, change: Change) -> None:
        """Make the live values what ``change.target`` says, touching nothing that is not a managed field."""

    def remove(self, live: Reading, before: Image) -> str:
        """Delete what we created; return what was left instead and why, or an empty string when it is gone.

        Args:
            live: what is there now.
            before: what was there before us; absent, but :attr:`Image.extra` may say what else we changed.
        """
        raise NotImplementedError(f"{type(self).__name__} creates things and therefore needs remove()")

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put back ``change.target``, the values from before our first write.

        Args:
            change: the fields to put back; fields a person changed since are not in ``change.fields``, and their
                live values stand in ``change.target``.
            before: what was there before us.
            applied: what was there right after our last write.
        """
        self.write(change)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.component}: {self.key}>"
