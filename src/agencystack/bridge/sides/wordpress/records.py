"""WordPress's records as REST shows them, whichever way they are reached: REST alone, or our plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias, runtime_checkable

from agencystack.bridge.side import Page, Range, Result, Summary

Native: TypeAlias = Mapping[str, Any]
"""A record as the REST interface of its product shows it (``wc/v3``, ``wp/v2`` with ``context=edit``), and
``agencystack`` beside it, which only our plugin fills: ``{"version", "row", "created", "half"}``."""


TOKEN_META = "_agencystack_token"  # noqa: S105  # the name of a meta key


class Kind(StrEnum):
    """What kinds of records WordPress keeps, by where REST has them."""

    PRODUCT = "product"
    VARIATION = "variation"
    CATEGORY = "category"
    CUSTOMER = "customer"
    """A user, as ``wc/v3/customers`` shows them; of whatever role."""
    ORDER = "order"
    REFUND = "refund"
    POST = "post"
    PAGE = "page"
    POST_CATEGORY = "post_category"
    """A category of posts; it is found and made by name, never kept in step by itself."""
    SUBMISSION = "submission"
    """A form somebody filled in; our plugin keeps it, nothing else does."""


@dataclass(frozen=True)
class Write:
    """One change of one record.

    Args:
        token: op token; a creation stores it with the record (meta ``_agencystack_token``).
        kind: what kind of record.
        action: ``create``, ``update``, ``trash`` (the bin, a draft) or ``delete``.
        id: the record's id; empty for a creation.
        parent: id of the parent: the product of a variation, the order of a refund.
        values: the REST body; for an update only what changes.
        version: what it must still be (``agencystack.version``); only the plugin can hold to that.
        notify: mails to people may go out because of it.
    """

    token: str
    kind: Kind
    action: str
    id: str = ""
    parent: str = ""
    values: Native = field(default_factory=dict)
    version: str = ""
    notify: bool = False


@dataclass(frozen=True)
class Written:
    """What became of a write.

    Args:
        token: the write's.
        result: how it ended.
        native: the record as it is now; ``None`` where it is not known, or gone.
        code: WordPress's own word for why not: ``product_invalid_sku``.
        message: what it said.
        data: what it said beside it: ``{"resource_id": 12}``.
        after: seconds to wait, for ``LATER``.
    """

    token: str
    result: Result
    native: Native | None = None
    code: str = ""
    message: str = ""
    data: Native = field(default_factory=dict)
    after: float = 0.0


class Records(Protocol):
    """A way to WordPress's records. Every method raises Unavailable, AuthenticationFailed or BadAnswer."""

    def fetch(self, kind: Kind, ids: Sequence[str], *, orders_since: str = "") -> Mapping[str, Native]:
        """Return records by id; what does not exist is left out, what is in the bin is not.

        A variation's or refund's id alone is enough: the way finds its parent.

        Args:
            kind: what kind of records.
            ids: their ids.
            orders_since: id of an order; our plugin then tells how much of a product the orders from it on hold
                (``agencystack.held``), REST alone does not.
        """

    def search(self, kind: Kind, params: Mapping[str, str]) -> Sequence[Native]:
        """Return the records a REST list answers (all pages) with parameters such as ``{"sku": "A"}``."""

    def find(self, kind: Kind, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return ids by op token of what creations of ours made; the lowest, where a copy carries the token too."""

    def write(self, writes: Sequence[Write]) -> Mapping[str, Written]:
        """Carry out writes, each for itself; answers by token."""

    def walk(self, kind: Kind, after: str, limit: int) -> Page:
        """Return the next ids of all records of a kind."""

    def summaries(self, kind: Kind, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        """Return what each range of ids holds; ``None`` without our plugin. Positions are ids, padded to 20 digits."""

    def rows(self, kind: Kind, within: Range) -> Mapping[str, str]:
        """Return row digests by id."""


@runtime_checkable
class SearchesMany(Protocol):
    """Records that can be searched for many at once, as our plugin can."""

    def search_many(self, kind: Kind, searches: Sequence[Mapping[str, str]]) -> Sequence[Sequence[Native]]:
        """Return the answer to each search."""


def searched(records: Records, kind: Kind, searches: Sequence[Mapping[str, str]]) -> Sequence[Sequence[Native]]:
    """Return the answer to each of many searches, asked for together where that is possible."""
    if isinstance(records, SearchesMany):
        return records.search_many(kind, searches) if searches else ()
    return [records.search(kind, one) for one in searches]
