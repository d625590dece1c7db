"""ERPNext's documents, whichever way they are reached: REST alone, or our app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from agencystack.bridge.side import Page, Range, Result, Summary

Document: TypeAlias = Mapping[str, Any]
"""A document as ``/api/resource`` shows it, with its child tables; fields without a value may be missing."""

TOKEN_FIELD = "agencystack_token"  # noqa: S105  # the name of a custom field: Data, unique, no copy
TOKEN_LENGTH = 140
MAKING = frozenset({"insert", "map"})
MODIFIED_UTC = "agencystack_modified_utc"
"""What ``fetch`` adds to a document: its ``modified`` as UTC text (``2026-11-22T18:31:17.123456Z``)."""


@dataclass(frozen=True)
class Made:
    """Within a group: the name of the document an earlier step of the same group made.

    Args:
        step: what that step was called.
    """

    step: str


@dataclass(frozen=True)
class Step:
    """One thing done to one document.

    Args:
        action: ``insert``, ``update``, ``submit``, ``cancel``, ``delete``; ``map``: let ERPNext make a document from
            another (``method`` such as ``erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice`` with
            ``source``), lay ``values`` over it and insert it.
        doctype: its type.
        name: its name; empty for what is made. Of an ``insert`` a name of our own choice goes into ``values["name"]``.
        values: fields, and child tables as lists of rows (a table that is sent replaces all rows); may hold ``Made``.
        called: how later steps of the group refer to what this one makes.
        modified: ``modified`` it must still have; empty is no condition.
        method: of ``map``.
        source: of ``map``: the document to map from; may be ``Made``.
        arguments: of ``map``: further arguments of the method. ``{"dt": "Sales Order"}`` makes the source go as ``dn``,
            as ``erpnext.accounts.doctype.payment_entry.payment_entry.get_payment_entry`` wants it.
    """

    action: str
    doctype: str
    name: str | Made = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    called: str = ""
    modified: str = ""
    method: str = ""
    source: str | Made = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Steps that belong together: with our app all of them happen or none.

    Args:
        token: op token; the main step stores it in the custom field ``agencystack_token`` if it makes something, else
            the first step that does.
        steps: in order. Without our app they are sent one after the other, and each must bear being repeated: a step
            whose document is there already (by token, by name) is not made twice.
        main: what the step that makes (or changes) the entity's own document is called.
        notify: mails to people may go out because of it; only our app can keep ERPNext from sending them.
    """

    token: str
    steps: tuple[Step, ...]
    main: str = "main"
    notify: bool = False


@dataclass(frozen=True)
class Saved:
    """What became of a group.

    Args:
        token: the group's.
        result: how it ended.
        name: of the main document.
        kind: ERPNext's own word for why not: ``LinkValidationError``.
        message: what it said, without HTML.
        step: which step it was said to: ``insert Customer``.
        after: seconds to wait, for ``LATER``.
        modified: of the main document when the group was done; empty where that is not known.
        untouched: it was made by the group and not changed since: its creation is its ``modified``, until somebody
            saves it (contract/erpnext, 04_item.json).
    """

    token: str
    result: Result
    name: str = ""
    kind: str = ""
    message: str = ""
    step: str = ""
    after: float = 0.0
    modified: str = ""
    untouched: bool = False


class Documents(Protocol):
    """A way to ERPNext's documents. Every method raises Unavailable, AuthenticationFailed or BadAnswer."""

    def fetch(self, doctype: str, names: Sequence[str]) -> Mapping[str, Document]:
        """Return whole documents (with child tables) by name; what does not exist is left out.

        Each also holds :data:`MODIFIED_UTC`.
        """

    def select(
        self, doctype: str, filters: Sequence[Sequence[Any]], fields: Sequence[str], *, parent: str = ""
    ) -> Sequence[Document]:
        """Return all rows of a list: ``filters`` as ``[["item_code", "in", [...]]]``; ``parent`` for child tables."""

    def find(self, doctype: str, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return names by op token."""

    def save(self, groups: Sequence[Group]) -> Mapping[str, Saved]:
        """Carry out groups, each for itself; answers by token."""

    def walk(self, doctype: str, filters: Sequence[Sequence[Any]], after: str, limit: int) -> Page:
        """Return the next names of all documents of a type, in order of creation."""

    def summaries(
        self, doctype: str, ranges: Sequence[Range], *, filters: Sequence[Sequence[Any]] = ()
    ) -> Sequence[Summary] | None:
        """Return what each range holds; ``None`` without our app. Positions are ``creation`` as ERPNext writes it.

        Args:
            doctype: their type.
            ranges: of creation.
            filters: which of them count; only ``=``, ``!=`` and ``is``.
        """

    def rows(self, doctype: str, within: Range, *, filters: Sequence[Sequence[Any]] = ()) -> Mapping[str, str]:
        """Return row digests by name."""


def bearer(group: Group) -> int:
    """Return which step's document carries the group's own token; -1 where nothing is made.

    It is the main step if that makes something, else the first that does: our app does the same, so that either way
    finds what the other made.
    """
    making = [at for at, step in enumerate(group.steps) if step.action in MAKING]
    return next((at for at in making if group.steps[at].called == group.main), making[0] if making else -1)


def step_token(group: Group, index: int) -> str:
    """Return the token a step's document is stored with, without our app.

    Further documents of a group are told apart by what they are called, so that a repeated group finds each of them.
    """
    if bearer(group) == index:
        return group.token
    return f"{group.token}-{group.steps[index].called or index}"[:TOKEN_LENGTH]
