"""ERPNext's documents by its REST interface alone: reading in lists, writing one document a request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from agencystack.bridge.side import Page, Range, Summary
from agencystack.bridge.sides.erpnext.documents import (
    MAKING,
    TOKEN_FIELD,
    Document,
    Group,
    Saved,
    step_token,
)
from agencystack.bridge.sides.erpnext.exchange import Exchange, encoded, resource
from agencystack.bridge.sides.erpnext.saving import Saving
from agencystack.bridge.sides.erpnext.zone import ASK, dated, zone_of
from agencystack.stack.errors import BadAnswer, ConfigurationError, Refused

# One writer reaches 31 Customers a second, four 55, more none (facts/erpnext.md "Speed").
PARALLEL = 4
# A list with its child tables costs as much as about this many documents asked for one by one (21_speed_lists.json).
LIST_FROM = 4
AT_ONCE = 500
_LIST = "/api/method/frappe.client.get_list"
# An Item has ten child tables, each a request of its own for every page of Items; no form reads the others.
_READ: Mapping[str, frozenset[str]] = {"Item": frozenset({"attributes"})}
_TABLES = ("Table", "Table MultiSelect")
T = TypeVar("T")
S = TypeVar("S")


class RestDocuments:
    """Documents of one site.

    Args:
        exchange: sends its requests, with a user's key.
        parallel: how many requests may be under way at a time; 1 does all in the caller's thread.
    """

    def __init__(self, exchange: Exchange, *, parallel: int = PARALLEL) -> None:
        self._exchange = exchange
        self._pool = ThreadPoolExecutor(parallel, "erpnext") if parallel > 1 else None
        # Apart, so that who reads does not wait for hundreds of writes of another batch.
        self._reading = ThreadPoolExecutor(parallel, "erpnext-reading") if parallel > 1 else None
        self._tables: dict[str, Mapping[str, str]] = {}
        self._zone: ZoneInfo | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let the workers go, and close the connections."""
        for pool in (self._pool, self._reading):
            if pool:
                pool.shutdown()
        self._exchange.close()

    def zone(self) -> ZoneInfo:
        """Return the site's time zone; asked once."""
        if self._zone is None:
            self._zone = zone_of(self._exchange.ask("GET", ASK, "read the time zone"), self._exchange.where)
        return self._zone

    def fetch(self, doctype: str, names: Sequence[str]) -> Mapping[str, Document]:
        """Return whole documents by name; what does not exist is left out."""
        wanted = list(dict.fromkeys(names))
        if len(wanted) < LIST_FROM:
            read = self._each(lambda name: self._one(doctype, name), wanted)
            found = {name: document for name, document in zip(wanted, read, strict=True) if document is not None}
        else:
            found = {}
            for start in range(0, len(wanted), AT_ONCE):
                found |= self._listed(doctype, wanted[start : start + AT_ONCE])
        return {name: dated(document, self.zone()) for name, document in found.items()}

    def select(
        self, doctype: str, filters: Sequence[Sequence[Any]], fields: Sequence[str], *, parent: str = ""
    ) -> Sequence[Document]:
        """Return all rows of a list."""
        return self.listing(doctype, filters, fields, parent=parent)

    def listing(
        self,
        doctype: str,
        filters: Sequence[Sequence[Any]],
        fields: Sequence[str],
        *,
        order_by: str = "",
        limit: int = 0,
        parent: str = "",
    ) -> list[Document]:
        """Return rows of a list, in an order, at most so many; 0 for all."""
        # In a body, as gunicorn takes no request line beyond 4094 bytes: a few dozen names.
        asked: dict[str, Any] = {
            "doctype": doctype,
            "fields": list(fields),
            "filters": list(filters),
            "limit_page_length": limit,
        }
        asked |= {"order_by": order_by} if order_by else {}
        asked |= {"parent": parent} if parent else {}
        rows = self._exchange.ask("POST", _LIST, f"list {doctype}", content=encoded(asked))
        return self._rows(rows, doctype)

    def find(self, doctype: str, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return names by op token.

        Raises:
            ConfigurationError: documents of this type have no place for tokens.
        """
        found: dict[str, str] = {}
        for start in range(0, len(tokens), AT_ONCE):
            filters: list[Sequence[Any]] = [[TOKEN_FIELD, "in", list(tokens[start : start + AT_ONCE])]]
            try:
                rows = self.listing(doctype, filters, ["name", TOKEN_FIELD])
            except Refused as error:
                raise self._without_tokens(error, doctype) from error
            found |= {str(row[TOKEN_FIELD]): str(row["name"]) for row in rows}
        return found

    def save(self, groups: Sequence[Group]) -> Mapping[str, Saved]:
        """Carry out groups, several at a time, each step by step."""
        made = self._made_before(groups)
        savings = [Saving(self._exchange, self.find, group, made) for group in groups]
        done = self._pool.map(Saving.done, savings) if self._pool else map(Saving.done, savings)
        return {saved.token: saved for saved in done}

    def walk(self, doctype: str, filters: Sequence[Sequence[Any]], after: str, limit: int) -> Page:
        """Return the next names of all documents of a type, in order of creation."""
        rows: list[Document] = []
        creation, name = json.loads(after) if after else ("", "")
        if creation:
            # Those of an import share one creation; they are told apart by name.
            same: list[Sequence[Any]] = [*filters, ["creation", "=", creation], ["name", ">", name]]
            rows = self.listing(doctype, same, ["name", "creation"], order_by="name asc", limit=limit)
        if len(rows) < limit:
            later: list[Sequence[Any]] = [*filters, ["creation", ">", creation]] if creation else [*filters]
            order = "creation asc, name asc"
            rows += self.listing(doctype, later, ["name", "creation"], order_by=order, limit=limit - len(rows))
        last = json.dumps([rows[-1]["creation"], rows[-1]["name"]]) if len(rows) == limit else ""
        return Page(tuple(str(row["name"]) for row in rows), last)

    def summaries(
        self, doctype: str, ranges: Sequence[Range], *, filters: Sequence[Sequence[Any]] = ()
    ) -> Sequence[Summary] | None:
        """Return nothing: only our app can tell."""
        return None

    def rows(self, doctype: str, within: Range, *, filters: Sequence[Sequence[Any]] = ()) -> Mapping[str, str]:
        """Return nothing: only our app can tell."""
        return {}

    def _each(self, do: Callable[[S], T], things: Iterable[S]) -> list[T]:
        return list(self._reading.map(do, things)) if self._reading else [do(one) for one in things]

    def _one(self, doctype: str, name: str) -> Document | None:
        answer = self._exchange.send("GET", resource(doctype, name))
        if not answer.status and answer.sent:
            answer = self._exchange.send("GET", resource(doctype, name))
        if answer.done and isinstance(answer.data, Mapping):
            return answer.data
        refusal = answer.refusal
        # An unknown doctype is a 404 too; its message names a DocType.
        if answer.status == 404 and refusal.kind == "DoesNotExistError" and "DocType" not in refusal.words:
            return None
        raise self._exchange.error(answer, f'read {doctype} "{name}"')

    def _listed(self, doctype: str, names: Sequence[str]) -> dict[str, Document]:
        """Return documents by a list of them and one of each child table."""
        rows = self.listing(doctype, [["name", "in", list(names)]], ["*"])
        tables = self._child_tables(doctype)
        found = {str(row["name"]): {**_set(row), "doctype": doctype, **{table: [] for table in tables}} for row in rows}
        if not found:
            return {}

        def children(kind: str) -> list[Document]:
            filters: list[Sequence[Any]] = [["parenttype", "=", doctype], ["parent", "in", list(found)]]
            return self.listing(kind, filters, ["*"], order_by="idx asc", parent=doctype)

        for row in (row for rows in self._each(children, sorted(set(tables.values()))) for row in rows):
            held = found[str(row["parent"])].get(str(row["parentfield"]))
            if isinstance(held, list):
                held.append({**_set(row), "doctype": tables[str(row["parentfield"])]})
        # MariaDB compares without case: what was asked for is named as it was asked for.
        by_folded = {name.casefold(): document for name, document in found.items()}
        return {name: by_folded[name.casefold()] for name in names if name.casefold() in by_folded}

    def _child_tables(self, doctype: str) -> Mapping[str, str]:
        """Return the child tables of a type: their doctypes by field."""
        with self._lock:
            if doctype not in self._tables:
                path = "/api/method/frappe.desk.form.load.getdoctype"
                answer = self._exchange.send("GET", path, params={"doctype": doctype})
                if not answer.done:
                    raise self._exchange.error(answer, f"read the fields of {doctype}")
                metas = (answer.body or {}).get("docs") or [{}]
                fields = metas[0].get("fields") or []
                self._tables[doctype] = {
                    str(one["fieldname"]): str(one["options"])
                    for one in fields
                    if one.get("fieldtype") in _TABLES and not one.get("is_virtual")
                    if doctype not in _READ or one["fieldname"] in _READ[doctype]
                }
            return self._tables[doctype]

    def _made_before(self, groups: Sequence[Group]) -> Mapping[tuple[str, str], str]:
        """Return what earlier runs of these groups made: names by doctype and token."""
        tokens: dict[str, list[str]] = {}
        for group in groups:
            for index, step in enumerate(group.steps):
                if step.action in MAKING:
                    tokens.setdefault(step.doctype, []).append(step_token(group, index))
        return {
            (doctype, token): name
            for doctype, several in tokens.items()
            for token, name in self.find(doctype, several).items()
        }

    def _rows(self, rows: Any, doctype: str) -> list[Document]:
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return rows
        remedy = "check that api_url in stack.yaml leads to ERPNext 15"
        raise BadAnswer(
            f"answered the list of {doctype} in another form", component=self._exchange.where, remedy=remedy
        )

    def _without_tokens(self, error: Refused, doctype: str) -> Refused | ConfigurationError:
        if TOKEN_FIELD not in error.message:
            return error
        return ConfigurationError(
            f"{doctype} has no field {TOKEN_FIELD}, so that what the bridge makes could be made twice",
            component=self._exchange.where,
            remedy="run agencystack integrate data-bridge, which adds it",
        )


def _set(row: Document) -> dict[str, Any]:
    """Return a row without its unset fields, as single documents are shown."""
    return {key: value for key, value in row.items() if value is not None}
