"""Attributes that tell variations apart: WooCommerce's options, ERPNext's Item Attributes and their values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities.shared import LONGEST_NAME, real_name, safe_name
from agencystack.bridge.record import Value, digest
from agencystack.bridge.sides.erpnext.documents import Document, Documents, Group, Step
from agencystack.bridge.sides.wordpress.records import Native

Options = Mapping[str, tuple[str, ...]]
"""By the attribute's name: the values it may have."""

_DOCTYPE = "Item Attribute"
_ABBREVIATION = 3


def options_of(value: Value) -> dict[str, tuple[str, ...]]:
    """Return a canonical ``attributes`` field as options by name."""
    if not isinstance(value, Mapping):
        return {}
    return {
        str(name): tuple(str(one) for one in options) if isinstance(options, list | tuple) else ()
        for name, options in value.items()
    }


def ordered(options: Iterable[str | None]) -> tuple[str, ...]:
    """Return options once each, whatever their case, in the order of the alphabet."""
    once = {said.casefold(): said for one in options if (said := normal.line(one))}
    return tuple(once[key] for key in sorted(once))


def shop_options(native: Native) -> dict[str, Value] | None:
    """Return the canonical attributes of a variable product: those that tell variations apart."""
    return {
        name: ordered(one.get("options") or ())
        for one in native.get("attributes") or ()
        if one.get("variation") and (name := normal.line(one.get("name")))
    } or None


def shop_values(wanted: Value, there: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the list REST is sent: options are added, and what else the product has stays as it is.

    Args:
        wanted: the canonical attributes.
        there: the product's attributes as REST shows them.
    """
    left = options_of(wanted)
    named = {name.casefold(): name for name in left}
    values = []
    for one in there:
        name = named.get((normal.line(one.get("name")) or "").casefold())
        options = list(one.get("options") or ())
        if name is not None:
            known = {(normal.line(option) or "").casefold() for option in options}
            options += [option for option in left.pop(name) if option.casefold() not in known]
        kept = {key: one[key] for key in ("id", "name", "position", "visible") if key in one}
        values.append({**kept, "options": options, "variation": bool(one.get("variation")) or name is not None})
    return values + [
        {"name": name, "options": list(options), "variation": True, "visible": True} for name, options in left.items()
    ]


def united(base: Value, shop: Value, erpnext: Value) -> Value:
    """Return all options of both sides: an option nobody uses any more harms nobody, a lost one breaks variations."""
    one, other = options_of(shop), options_of(erpnext)
    by_key = {name.casefold(): name for name in (*other, *one)}
    names = {by_key[name.casefold()] for name in (*one, *other)}
    return {name: ordered((*_named(one, name), *_named(other, name))) for name in sorted(names)} or None


class ItemAttributes:
    """ERPNext's Item Attributes, made and completed before Items need them.

    Args:
        documents: the way to ERPNext's documents.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def have(self, wanted: Options) -> Mapping[str, Mapping[str, str]]:
        """Make sure of attributes and their values.

        Args:
            wanted: values by the attribute's canonical name.

        Returns:
            By canonical attribute name (in lower case): ``""`` to ERPNext's name of it, and each value (in lower case)
            to how ERPNext writes it.
        """
        if not wanted:
            return {}
        names = {name: safe_name(name)[:LONGEST_NAME] for name in wanted}
        there = {key.casefold(): one for key, one in self._documents.fetch(_DOCTYPE, list(names.values())).items()}
        groups = [
            group
            for name, options in wanted.items()
            if (group := _completed(names[name], options, there.get(names[name].casefold())))
        ]
        if groups:
            self._documents.save(groups)
            there = {key.casefold(): one for key, one in self._documents.fetch(_DOCTYPE, list(names.values())).items()}
        return {name.casefold(): _written(names[name], there.get(names[name].casefold())) for name in wanted}


def _written(name: str, there: Document | None) -> Mapping[str, str]:
    document = there or {"name": name}
    return {"": str(document["name"])} | {
        (real_name(row["attribute_value"]) or "").casefold(): str(row["attribute_value"])
        for row in document.get("item_attribute_values") or ()
    }


def _value(option: str) -> str:
    """Return how ERPNext keeps a value: it would clean what looks like HTML, and know it no more."""
    return safe_name(option)[:LONGEST_NAME]


def _completed(name: str, options: Sequence[str], there: Document | None) -> Group | None:
    rows = [
        {key: row[key] for key in ("name", "attribute_value", "abbr") if key in row}
        for row in (there or {}).get("item_attribute_values") or ()
    ]
    known = {str(row["attribute_value"]).casefold() for row in rows}
    missing = [value for one in options if (value := _value(one)).casefold() not in known]
    if there is not None and not missing:
        return None
    taken = {str(row.get("abbr") or "").casefold() for row in rows}
    for option in missing:
        rows.append({"attribute_value": option, "abbr": _abbreviation(option, taken)})
    token = digest([name, [str(row["attribute_value"]) for row in rows]])
    if there is None:
        values = {"attribute_name": name, "item_attribute_values": rows}
        return Group(token, (Step("insert", _DOCTYPE, values=values, called="main"),))
    modified = str(there.get("modified") or "")
    values = {"item_attribute_values": rows}
    return Group(token, (Step("update", _DOCTYPE, str(there["name"]), values, called="main", modified=modified),))


def _abbreviation(option: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", option)
    letters = re.sub(r"[^A-Za-z0-9]", "", plain).upper()[:_ABBREVIATION] or option[:_ABBREVIATION].upper()
    found, number = letters, 1
    while found.casefold() in taken:
        number += 1
        found = f"{letters}{number}"
    taken.add(found.casefold())
    return found


def _named(options: Options, name: str) -> tuple[str, ...]:
    return next((found for key, found in options.items() if key.casefold() == name.casefold()), ())
