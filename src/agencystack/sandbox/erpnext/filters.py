"""One condition of a list, compared as MariaDB compares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from agencystack.sandbox.erpnext.errors import invalid
from agencystack.sandbox.erpnext.store import Document

_TIME_WITH_T = re.compile(r"^(\d{4}-\d\d-\d\d)T")


@dataclass(frozen=True)
class Filter:
    """A condition.

    Args:
        column: a field.
        operator: ``=``, ``in``, ``like``, ...
        value: what it is compared with.
        table: the child table one of whose rows must fit.
        numeric: whether the field holds numbers.
    """

    column: str
    operator: str
    value: Any
    table: str = ""
    numeric: bool = False

    @property
    def values(self) -> list[Any] | None:
        """The only values that fit; ``None`` where others do too."""
        if self.operator == "=" and self.value not in (None, ""):
            return [self.value]
        if self.operator == "in":
            return _choices(self.value)
        return None


def fits(document: Document, one: Filter) -> bool:
    """Tell whether a document fits; of a child table, whether one of its rows does."""
    if one.table:
        return any(_fits(row.get(one.column), one) for row in document.get(one.table) or [])
    return _fits(document.get(one.column), one)


def _fits(value: Any, one: Filter) -> bool:
    operator, wanted = one.operator, one.value
    if operator == "is":
        return bool((value not in (None, "")) == (wanted == "set"))
    if operator in {"like", "not like"}:
        pattern = re.escape(str(wanted)).replace("%", ".*").replace("_", ".")
        matches = re.fullmatch(pattern, text_of(value), re.IGNORECASE | re.DOTALL) is not None
        return matches == (operator == "like")
    if operator in {"in", "not in"}:
        return (_key(value, one) in {_key(choice, one) for choice in _choices(wanted)}) == (operator == "in")
    if operator == "between":
        return text_of(wanted[0]) <= text_of(value) <= text_of(wanted[1]) + "~"
    return _compared(operator, _key(value, one), _key(wanted, one))


def _choices(wanted: Any) -> list[Any]:
    return list(wanted) if isinstance(wanted, list | tuple) else [part.strip() for part in str(wanted).split(",")]


def _key(value: Any, one: Filter) -> Any:
    if not one.numeric:
        return text_of(value)
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0


def _compared(operator: str, value: Any, wanted: Any) -> bool:
    match operator:
        case "=":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
        case ">":
            return bool(value > wanted)
        case ">=":
            return bool(value >= wanted)
        case "<":
            return bool(value < wanted)
        case "<=":
            return bool(value <= wanted)
    raise invalid(f"Operator {operator} is not allowed")


def text_of(value: Any) -> str:
    """Return a value as it is compared: without case, a time with a blank; a zone (``Z``) is ignored."""
    text = "" if value is None else str(int(value) if isinstance(value, bool) else value)
    text = _TIME_WITH_T.sub(r"\1 ", text)
    if len(text) > 19 and text.endswith("Z") and text[4] == "-":
        text = text[:-1]
    return text.casefold()
