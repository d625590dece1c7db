"""What a kind of document is to the stand-in: its fields, and who may read and write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as declared
from functools import cached_property
from typing import Literal

Kind = Literal[
    "Data",
    "Text",
    "HTML",
    "Check",
    "Int",
    "Float",
    "Select",
    "Link",
    "Dynamic Link",
    "Password",
    "Table",
    "Date",
    "Datetime",
    "Time",
]
NUMBERS = frozenset({"Check", "Int", "Float"})

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
        fetch_if_empty: whether ``fetch_from`` leaves a value alone that was given.
        allow_on_submit: whether it may change once the document is submitted.
        length: characters (of a ``Text``: bytes) it holds; 0 for no limit.
        digits: decimal places of a ``Float``: ``currency`` for those of the currency.
        cleaned: whether HTML in it is made harmless.
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
    fetch_if_empty: bool = False
    allow_on_submit: bool = False
    length: int = 0
    digits: str = ""
    cleaned: bool = False

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
        is_submittable: whether its documents are submitted and cancelled.
        autoname: how Frappe names its documents: ``field:item_code``, ``naming_series:``, ``hash``.
        may: what each role may do, by letter: read, write, create, delete, submit, cancel (x); in place of ``readers``
            and ``writers``.
    """

    name: str
    fields: tuple[Field, ...]
    readers: frozenset[str] = frozenset({"System Manager"})
    writers: frozenset[str] = frozenset({"System Manager"})
    is_table: bool = False
    name_field: str = ""
    may_be_renamed: bool = False
    is_single: bool = False
    is_submittable: bool = False
    autoname: str = ""
    may: Mapping[str, str] = declared(default_factory=dict)

    def allows(self, roles: set[str], action: str) -> bool:
        """Tell whether somebody with these roles may do something."""
        if self.may:
            letter = {"list": "r", "cancel": "x"}.get(action, action[0])
            return any(letter in self.may.get(role, "") for role in roles)
        return bool((self.readers if action in {"list", "read"} else self.writers) & roles)

    def field(self, name: str) -> Field | None:
        """Return a field by name."""
        return self._by_name.get(name)

    def of_kind(self, kind: Kind) -> tuple[Field, ...]:
        """Return the fields of one type."""
        return self._by_kind.get(kind, ())

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {one.name: one for one in self.fields}

    @cached_property
    def _by_kind(self) -> dict[str, tuple[Field, ...]]:
        kinds = {one.kind for one in self.fields}
        return {kind: tuple(one for one in self.fields if one.kind == kind) for kind in kinds}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names a list may ask for."""
        own = tuple(one.name for one in self.fields if one.kind != "Table")
        return (*STANDARD, *(CHILD if self.is_table else ()), *own)


def checks(names: str, *, on: str = "") -> tuple[Field, ...]:
    """Return checks of these names; those in ``on`` are set in a new document."""
    set_by_default = on.split()
    return tuple(Field(name, "Check", int(name in set_by_default)) for name in names.split())


def data(names: str) -> tuple[Field, ...]:
    """Return plain texts of these names."""
    return tuple(Field(name) for name in names.split())
