"""Aliases: what stands for the id of a forgotten person, so that nothing tells who that was, and it is found again.

ERPNext calls a Customer as the person is called, and WordPress knows a guest by the e-mail address alone: such an id is
personal data. A digest takes its place when the person is forgotten. Whoever knows the id can compute it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from agencystack.bridge.record import SideName

PREFIX = "forgotten:"
PEOPLE = frozenset({"customer"})
"""Entities whose records are people."""


def tells_who(entity: str, id_: str) -> bool:
    """Tell whether an id may be a person's name or e-mail address; WordPress's numbers are not."""
    return entity in PEOPLE and bool(id_) and not id_.isdigit() and not is_alias(id_)


def is_alias(id_: str) -> bool:
    """Tell whether an id is that of somebody who was forgotten."""
    return id_.startswith(PREFIX)


def alias(pairing: str, side: SideName, id_: str) -> str:
    """Return what stands for an id after its person was forgotten; an alias stands for itself."""
    if is_alias(id_):
        return id_
    return PREFIX + hashlib.sha256(f"{pairing}\n{side}\n{id_}".encode()).hexdigest()[:32]


def aliases(pairing: str, side: SideName, entity: str, ids: Iterable[str]) -> dict[str, str]:
    """Return the ids that tell who somebody is, by the alias of each."""
    return {alias(pairing, side, id_): id_ for id_ in ids if tells_who(entity, id_)}


def without(text: str, words: Mapping[str, str]) -> str:
    """Return a text with words exchanged for aliases; only whole ones, so that Max leaves Maximilian alone."""
    for word, instead in words.items():
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", instead, text, flags=re.IGNORECASE)
    return text
