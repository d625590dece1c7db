"""What changed in an ERPNext without our app: lists by ``modified``, read again over a window, and the deletion log.

``modified`` is taken before a document is saved and seen by others after its commit, so a row with an earlier time may
appear after one with a later (contract/erpnext/14). Each list is therefore read again for longer than any request can
take, and what was told already is not told twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agencystack.bridge.side import Changes, Identity, Mark
from agencystack.bridge.sides.erpnext.documents import Document
from agencystack.bridge.sides.erpnext.form import ErpNextForm, Watch
from agencystack.bridge.sides.erpnext.rest import RestDocuments
from agencystack.stack.errors import AuthenticationFailed

# gunicorn ends a request after 120 s; whoever saves later than that does it in a background job, which walks find.
OVERLAP = timedelta(seconds=150)
PAGE = 1_000
_DELETED = "Deleted Document"
_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True)
class _Stream:
    """One list that is read by time.

    Args:
        doctype: what is listed.
        names: the field that names the record.
        filters: which rows count.
        entities: forms whose records the rows name, by entity.
        of: the record's field that holds what the rows name.
    """

    doctype: str
    names: str
    filters: tuple[tuple[Any, ...], ...]
    entities: tuple[str, ...]
    of: str = "name"

    @property
    def key(self) -> str:
        """Its name in the cursor."""
        return "/".join([self.doctype, self.names, *self.entities])


@dataclass
class _Place:
    """How far a list was read.

    Args:
        at: the latest ``modified`` seen.
        told: rows of the window that were told already, by a short digest, with their ``modified``.
    """

    at: str = ""
    told: dict[str, str] = field(default_factory=dict)


class PolledChanges:
    """Changes of one ERPNext without our app.

    A rename, a Price List whose currency changed (its Item Prices are stamped an hour back) and what a patch writes by
    SQL are not seen here: full walks find them.

    Args:
        documents: its documents.
        forms: how it keeps each entity that is shared.
        url: its address, which stands for its identity.
    """

    def __init__(self, documents: RestDocuments, forms: Mapping[str, ErpNextForm], url: str) -> None:
        self._documents = documents
        self._forms = dict(forms)
        self._url = url
        self._streams = tuple(_streams(forms))

    def identity(self) -> Identity:
        """Return which installation answers; without our app it has no more than its address."""
        return Identity(self._url)

    def changes(self, cursor: str, acknowledged: Sequence[str], limit: int) -> Changes:
        """Return what changed since the cursor; nothing is to be acknowledged."""
        state = json.loads(cursor) if cursor else {}
        marks: dict[tuple[str, str], Mark] = {}
        more = False
        for stream in self._streams:
            place = _Place(*state[stream.key]) if stream.key in state else None
            if place is None:
                # What is there already is read by a backfill; from now on, changes.
                state[stream.key] = [self._latest(stream), {}]
                continue
            left = min(limit - len(marks), PAGE)
            if left <= 0:
                more = True
                continue
            rows, again = self._read(stream, place, left)
            for entity, record in self._named(stream, rows):
                marks[entity, record] = Mark("", entity, record)
            state[stream.key], more = [place.at, place.told], more or again
        left = min(limit - len(marks), PAGE)
        gone, again = self._gone(state, left) if left > 0 else ([], True)
        marks |= {(mark.entity, mark.record): mark for mark in gone}
        return Changes(tuple(marks.values()), self.identity(), _compact(state), more or again)

    def _latest(self, stream: _Stream) -> str:
        rows = self._documents.listing(stream.doctype, [], ["modified"], order_by="modified desc", limit=1)
        return str(rows[0]["modified"]) if rows else ""

    def _read(self, stream: _Stream, place: _Place, limit: int) -> tuple[list[Document], bool]:
        """Return rows that were not told yet and move the place on; also whether there are more."""
        since = _before(place.at)
        filters = [*map(list, stream.filters), *([["modified", ">=", since]] if since else [])]
        fields = ["name", "modified", *([stream.names] if stream.names != "name" else [])]
        asked = limit + len(place.told)
        rows = self._documents.listing(stream.doctype, filters, fields, order_by="modified asc", limit=asked)
        new = [row for row in rows if _digest(row) not in place.told]
        if rows:
            place.at = max(place.at, str(rows[-1]["modified"]))
        place.told |= {_digest(row): str(row["modified"]) for row in new}
        oldest = _before(place.at)
        place.told = {digest: at for digest, at in place.told.items() if at >= oldest}
        return new, len(rows) == asked and bool(new)

    def _named(self, stream: _Stream, rows: Sequence[Document]) -> list[tuple[str, str]]:
        """Return the records that rows name, each with the entity it is of."""
        column = stream.names.rpartition(".")[2]
        names = list(dict.fromkeys(str(row[column]) for row in rows if row.get(column)))
        named = []
        for entity in stream.entities if names else ():
            form = self._forms[entity]
            own = stream.doctype == form.doctype and stream.names == "name"
            filters = [*form.which, [stream.of, "in", names]]
            # A row of the form's own type may have left what the form keeps: it is looked at all the same.
            fitting = names if own else [str(one["name"]) for one in self._of(form, filters)]
            named += [(entity, name) for name in fitting]
        return named

    def _of(self, form: ErpNextForm, filters: Sequence[Sequence[Any]]) -> Sequence[Document]:
        return self._documents.select(form.doctype, filters, ["name"])

    def _gone(self, state: dict[str, Any], limit: int) -> tuple[list[Mark], bool]:
        """Return what the deletion log says is gone; nothing where the bridge's user may not read it."""
        doctypes = {stream.doctype: stream for stream in self._streams}
        stream = _Stream(_DELETED, "deleted_name", (("deleted_doctype", "in", tuple(doctypes)),), ("gone",))
        try:
            if stream.key not in state:
                state[stream.key] = [self._latest(stream), {}]
                return [], False
            place = _Place(*state[stream.key])
            rows, more = self._read(stream, place, limit)
            logged = self._documents.listing(
                _DELETED, [["name", "in", [row["name"] for row in rows]]], ["deleted_doctype", "deleted_name", "data"]
            )
        except AuthenticationFailed:
            # Only a System Manager may read the log; without it walks find what is gone.
            return [], False
        state[stream.key] = [place.at, place.told]
        return [mark for row in logged for mark in self._marks_of(row)], more

    def _marks_of(self, row: Document) -> list[Mark]:
        """Return the marks of a deleted document: of its own record, and of the one it hung on."""
        marks = []
        for stream in self._streams:
            if stream.doctype != row["deleted_doctype"] or stream.of != "name":
                continue  # what hangs on a document goes with it, and is logged itself
            if stream.names == "name":
                names = [str(row["deleted_name"])]
            else:
                names = _held(json.loads(row.get("data") or "{}"), stream.names)
            marks += [Mark("", entity, name) for entity in stream.entities for name in names]
        return marks


def _streams(forms: Mapping[str, ErpNextForm]) -> list[_Stream]:
    """Return the lists to read: one of each type and field, whatever the number of entities that care."""
    wanted: dict[tuple[str, str, tuple[tuple[Any, ...], ...], str], list[str]] = {}
    for entity, form in forms.items():
        for watch in (Watch(form.doctype, "name"), *form.watched):
            filters = tuple(tuple(one) for one in watch.filters)
            wanted.setdefault((watch.doctype, watch.names, filters, watch.of), []).append(entity)
    return [_Stream(*key[:3], tuple(entities), key[3]) for key, entities in wanted.items()]


def _held(document: Mapping[str, Any], names: str) -> list[str]:
    table, _, column = names.rpartition(".")
    rows = document.get(table) or [] if table else [document]
    return [str(row[column]) for row in rows if row.get(column)]


def _before(moment: str) -> str:
    """Return the beginning of the window that ends at a time of ERPNext's."""
    return (datetime.fromisoformat(moment) - OVERLAP).strftime(_FORMAT) if moment else ""


def _digest(row: Document) -> str:
    told = "\n".join(str(value) for _, value in sorted(row.items()))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _compact(state: Mapping[str, Any]) -> str:
    return json.dumps(state, separators=(",", ":"))
