"""Transports in memory, with what was recorded of the products' own records: forms are tested upon them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from agencystack.bridge.record import Fields, Observed
from agencystack.bridge.settings import Accounting
from agencystack.bridge.side import Action, Operation, Page, Range, Result, Summary
from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Document, Group, Made, Saved, Step, step_token
from agencystack.bridge.sides.wordpress.records import Kind, Native, Write, Written

RECORDINGS = Path(__file__).parent.parent / "contract" / "recordings"
ACCOUNTING = Accounting(
    company="Lab GmbH",
    currency="CHF",
    price_list="Standard Selling",
    sale_price_list="Sale",
    warehouses=("Stores - LG", "Shop - LG"),
)
COUNTRIES = [{"name": "Switzerland", "code": "ch"}, {"name": "Germany", "code": "de"}]

_TOKENS = count(1)


def shop(name: str) -> Any:
    """Return a record of WordPress or WooCommerce as it was recorded (facts/woocommerce-in-depth.md)."""
    return json.loads((RECORDINGS / "woocommerce" / "entities.json").read_text())[name]


def erpnext(name: str) -> Any:
    """Return a document of ERPNext as it was recorded (facts/erpnext-in-depth.md)."""
    return json.loads((RECORDINGS / "erpnext" / "entities.json").read_text())[name]


def operation(
    entity: str, fields: Fields, id_: str = "", expected: Observed | None = None, action: Action | None = None
) -> Operation:
    """Return an operation with a token of its own."""
    chosen = action or (Action.UPDATE if id_ else Action.CREATE)
    return Operation(f"{next(_TOKENS):032x}", entity, chosen, id=id_, fields=fields, expected=expected)


@dataclass
class FakeRecords:
    """Records of WordPress; writes are kept, and answered by ``answer``."""

    natives: dict[Kind, dict[str, Native]] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    searches: list[tuple[Kind, Mapping[str, str]]] = field(default_factory=list)
    fetches: list[tuple[Kind, Sequence[str]]] = field(default_factory=list)
    answer: Callable[[Write], Written | None] = lambda write: None

    def put(self, kind: Kind, native: Native) -> str:
        self.natives.setdefault(kind, {})[str(native["id"])] = native
        return str(native["id"])

    def fetch(self, kind: Kind, ids: Sequence[str], *, orders_since: str = "") -> Mapping[str, Native]:
        self.fetches.append((kind, ids))
        return {one: self.natives[kind][one] for one in ids if one in self.natives.get(kind, {})}

    def search(self, kind: Kind, params: Mapping[str, str]) -> Sequence[Native]:
        self.searches.append((kind, params))
        if kind in (Kind.POST, Kind.PAGE):
            params = {"status": "publish", **params}
        return [one for one in self.natives.get(kind, {}).values() if _found(one, params)]

    def find(self, kind: Kind, tokens: Sequence[str]) -> Mapping[str, str]:
        return {}

    def write(self, writes: Sequence[Write]) -> Mapping[str, Written]:
        self.writes += writes
        return {one.token: self.answer(one) or self._done(one) for one in writes}

    def walk(self, kind: Kind, after: str, limit: int) -> Page:
        return Page(tuple(self.natives.get(kind, {})))

    def summaries(self, kind: Kind, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        return None

    def rows(self, kind: Kind, within: Range) -> Mapping[str, str]:
        return {}

    def _done(self, write: Write) -> Written:
        there = self.natives.setdefault(write.kind, {})
        id_ = write.id or str(1000 + len(there))
        before = there.get(id_, {"id": int(id_)})
        parent = {"parent_id": int(write.parent)} if write.parent else {}
        there[id_] = {**before, **parent, **write.values}
        return Written(write.token, Result.DONE, there[id_])


def _found(native: Native, params: Mapping[str, str]) -> bool:
    def text(name: str) -> str:
        return str(native.get(name) or "").casefold()

    billing = str((native.get("billing") or {}).get("email") or "").casefold()
    checks = {
        "sku": lambda said: text("sku") in said.casefold().split(","),
        "search_sku": lambda said: said.casefold() in text("sku"),
        "email": lambda said: text("email") == said.casefold(),
        "slug": lambda said: text("slug") == said.casefold(),
        "search": lambda said: said.casefold() in text("name") + str(native.get("title")).casefold() or said == billing,
        "status": lambda said: text("status") != "trash" if said == "any" else text("status") in said.split(","),
    }
    return all(checks[name](said) for name, said in params.items() if name in checks)


@dataclass
class FakeDocuments:
    """Documents of ERPNext: lists with filters, groups of steps, and refusals by ``refuse``."""

    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    refuse: Callable[[Step], Saved | None] = lambda step: None
    _moments: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.tables["Country"] = {one["name"]: dict(one) for one in COUNTRIES}

    def put(self, doctype: str, document: Document) -> str:
        moment = self._moment()
        name = str(document.get("name") or f"{doctype}-{len(self.tables.get(doctype, {}))}")
        self.tables.setdefault(doctype, {})[name] = {"creation": moment, "modified": moment, **document, "name": name}
        return name

    def fetch(self, doctype: str, names: Sequence[str]) -> Mapping[str, Document]:
        return {one: self.tables[doctype][one] for one in names if one in self.tables.get(doctype, {})}

    def select(
        self, doctype: str, filters: Sequence[Sequence[Any]], fields: Sequence[str], *, parent: str = ""
    ) -> Sequence[Document]:
        rows: list[Document] = []
        for document in self.tables.get(doctype, {}).values():
            for link in document.get("links") or [{}]:
                flat = {**document, "link_name": link.get("link_name"), "link_doctype": link.get("link_doctype")}
                flat["emails"] = [one["email_id"] for one in document.get("email_ids") or ()]
                if not all(_matches(flat, one) for one in filters):
                    continue
                emails = document.get("email_ids") or [{}] if "email_ids.email_id" in fields else [{}]
                for email in emails:
                    whole = {**flat, "email_id": email.get("email_id", flat.get("email_id"))}
                    rows.append({name.rpartition(".")[2]: whole.get(name.rpartition(".")[2]) for name in fields})
                if not any("." in name for name in fields):
                    break
        return rows

    def find(self, doctype: str, tokens: Sequence[str]) -> Mapping[str, str]:
        rows = self.tables.get(doctype, {}).values()
        return {str(one[TOKEN_FIELD]): str(one["name"]) for one in rows if one.get(TOKEN_FIELD) in tokens}

    def save(self, groups: Sequence[Group]) -> Mapping[str, Saved]:
        self.groups += groups
        return {one.token: self._saved(one) for one in groups}

    def walk(self, doctype: str, filters: Sequence[Sequence[Any]], after: str, limit: int) -> Page:
        return Page(tuple(str(one["name"]) for one in self.select(doctype, filters, ["name"])))

    def summaries(self, doctype: str, ranges: Sequence[Range]) -> Sequence[Summary] | None:
        return None

    def rows(self, doctype: str, within: Range) -> Mapping[str, str]:
        return {}

    def _moment(self) -> str:
        return f"2026-11-22 20:00:{next(self._moments):09.6f}"

    def _saved(self, group: Group) -> Saved:
        made: dict[str, str] = {}
        for at, step in enumerate(group.steps):
            if refused := self.refuse(step):
                return Saved(group.token, refused.result, kind=refused.kind, message=refused.message, step=step.action)
            name = made[step.name.step] if isinstance(step.name, Made) else step.name
            values = _resolved(step.values, made)
            if step.action == "insert":
                name = self.put(step.doctype, self._new(step, values, step_token(group, at)))
            elif step.action == "delete":
                del self.tables[step.doctype][name]
            elif step.modified and step.modified != self.tables[step.doctype][name]["modified"]:
                return Saved(group.token, Result.STALE, name)
            else:
                self.tables[step.doctype][name] |= {**values, "modified": self._moment()}
            made[step.called or str(at)] = name
        return Saved(group.token, Result.DONE, made.get("main", ""))

    def _new(self, step: Step, values: dict[str, Any], token: str) -> dict[str, Any]:
        named = {"Item": "item_code", "Customer": "customer_name", "Item Group": "item_group_name"}
        flat = {}
        if step.doctype == "Contact":  # its flat fields are those of the primary rows (05_contact_address.json)
            flat["email_id"] = next((one["email_id"] for one in values.get("email_ids") or ()), "")
            flat["phone"] = next((one["phone"] for one in values.get("phone_nos") or ()), "")
        name = {"name": values[named[step.doctype]]} if step.doctype in named else {}
        return {**values, **flat, **name, TOKEN_FIELD: token}


def _resolved(value: Any, made: Mapping[str, str]) -> Any:
    if isinstance(value, Made):
        return made[value.step]
    if isinstance(value, Mapping):
        return {key: _resolved(one, made) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(one, made) for one in value]
    return value


def _matches(row: Mapping[str, Any], condition: Sequence[Any]) -> bool:
    name, operator, wanted = condition[-3:]
    if condition[0] == "Contact Email":
        said = [str(one).casefold() for one in (wanted if operator == "in" else [wanted])]
        return any(one.casefold() in said for one in row["emails"])
    value = row.get(name)
    if operator == "is":
        return bool(value) is (wanted == "set")
    if operator == "in":
        return str(value).casefold() in [str(one).casefold() for one in wanted]
    if wanted == 0:
        return not value
    if operator == "like":
        pattern = re.escape(str(wanted)).replace("%", ".*")
        return re.fullmatch(pattern, str(value or ""), re.IGNORECASE) is not None
    return str(value if value is not None else "").casefold() == str(wanted).casefold()
