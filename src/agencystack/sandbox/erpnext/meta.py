"""What a kind of document is to the stand-in: its fields, and who may read and write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["Data", "Text", "Check", "Int", "Select", "Link", "Password", "Table", "Datetime"]

# What each row has besides its own fields; nobody but the product sets them.
STANDARD = ("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx")
CHILD = ("parent", "parentfield", "parenttype")


@dataclass(frozen=True)
class Field:
    """One field of a doctype.

    Args:
        name: its name in the interface.
        kind: its type.
        default: of a new document; numbers are 0 and selects empty without one.
        options: the linked or child doctype, or the choices of a select, one a line.
        label: what messages call it.
        required: whether it must have a value.
        unique: whether two documents may not share a value.
        fetch_from: ``link.field``: taken from the linked document at each save.
        set_only_once: whether it can only be given to a new document.
    """

    name: str
    kind: Kind = "Data"
    default: str | int | None = None
    options: str = ""
    label: str = ""
    required: bool = False
    unique: bool = False
    fetch_from: str = ""
    set_only_once: bool = False

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.label or self.name.replace("_", " ").title()


@dataclass(frozen=True)
class DocType:
    """A kind of document.

    Args:
        name: such as ``Email Account``.
        fields: its own fields.
        readers: roles that may read it.
        writers: roles that may create, change and delete it.
        is_table: whether it exists only as rows of another.
        name_field: the field that always equals the name.
        may_be_renamed: whether it can get another name.
        is_single: whether there is one document of it, of its own name, on every site.
    """

    name: str
    fields: tuple[Field, ...]
    readers: frozenset[str] = frozenset({"System Manager"})
    writers: frozenset[str] = frozenset({"System Manager"})
    is_table: bool = False
    name_field: str = ""
    may_be_renamed: bool = False
    is_single: bool = False

    def field(self, name: str) -> Field | None:
        """Return a field by name."""
        return next((field for field in self.fields if field.name == name), None)

    def of_kind(self, kind: Kind) -> tuple[Field, ...]:
        """Return the fields of one type."""
        return tuple(field for field in self.fields if field.kind == kind)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names a list may ask for."""
        own = tuple(field.name for field in self.fields if field.kind != "Table")
        return (*STANDARD, *(CHILD if self.is_table else ()), *own)


def checks(names: str, *, on: str = "") -> tuple[Field, ...]:
    """Return checks of these names; those in ``on`` are set in a new document."""
    set_by_default = on.split()
    return tuple(Field(name, "Check", int(name in set_by_default)) for name in names.split())


def data(names: str) -> tuple[Field, ...]:
    """Return plain texts of these names."""
    return tuple(Field(name) for name in names.split())
