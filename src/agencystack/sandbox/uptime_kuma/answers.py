"""What the stand-in declines, in the words of the real one, be they those of its database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Declined(Exception):
    """What a call is answered with instead of being done."""

    def __init__(self, words: str, *, i18n: bool = False) -> None:
        super().__init__(words)
        self.i18n = i18n

    def answer(self) -> dict[str, Any]:
        """Return the acknowledgement."""
        return {"ok": False, "msg": str(self), **({"msgi18n": True} if self.i18n else {})}


def done(words: str = "", **more: Any) -> dict[str, Any]:
    """Return the acknowledgement of what was done; ``words`` are a key of its translations."""
    said = {"msg": words, "msgi18n": True} if words else {}
    return {"ok": True, **said, **more}


def sql_error(table: str, columns: Iterable[str], values: Mapping[str, Any], complaint: str) -> Declined:
    """Return what the database says of an insert, values in clear: it reaches whoever made the call."""
    names = sorted(columns)
    shown = ", ".join(_literal(values.get(name)) for name in names)
    listed = ", ".join(f"`{name}`" for name in names)
    return Declined(f"insert into `{table}` ({listed}) values ({shown}) - {complaint}")  # noqa: S608 - only shown


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else f"'{value}'"
