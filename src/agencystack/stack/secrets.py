"""A secret value that cannot be printed, formatted, pickled or logged, and the redactor for everything else."""

from __future__ import annotations

import base64
import hmac
import html
import json
import secrets as random_source
import threading
from collections.abc import Callable
from typing import NoReturn
from urllib.parse import quote, quote_plus

MASK = "********"
# Shorter values would turn ordinary words of a log line into masks.
SHORTEST_REDACTED = 4
QUOTED_AGAIN = 3


class Secret:
    """A value that is only ever read through :meth:`reveal`.

    ``repr`` shows a mask, so tracebacks and dataclasses stay clean; ``str``, ``format`` and pickling raise
    ``TypeError``, so that a leak is a failing test and not a line in a log.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret holds text")
        self._value = value
        _known.add(value)

    def reveal(self) -> str:
        """Return the value, for handing it to the product it opens."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> NoReturn:
        raise TypeError("a Secret cannot be turned into text; use reveal() where the product needs it")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a Secret cannot be formatted; use reveal() where the product needs it")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied to another process")


def generate(length: int = 32) -> Secret:
    """Return a new random secret of ``length`` URL-safe characters (6 bits of entropy each)."""
    return Secret(random_source.token_urlsafe(length)[:length])


class _KnownValues:
    """Every secret value this process holds, in each form it may appear in text."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._forms: set[str] = set()
        self._lock = threading.Lock()

    def copied(self) -> _KnownValues:
        """Return the same values in a set of its own."""
        other = _KnownValues()
        with self._lock:
            other._values, other._forms = set(self._values), set(self._forms)
        return other

    def add(self, value: str) -> None:
        # A worker opens the same secrets several times a second, and their forms take milliseconds.
        if len(value) < SHORTEST_REDACTED or value in self._values:
            return
        forms = {
            *_quoted(value),
            *_quoted(html.escape(value)),
            quote(value, safe=""),
            quote_plus(value),
            base64.b64encode(value.encode()).decode(),
            base64.urlsafe_b64encode(value.encode()).decode(),
            *_inside_base64(value.encode()),
        }
        with self._lock:
            self._forms |= forms
            self._values.add(value)

    def redact(self, text: str) -> str:
        with self._lock:
            forms = sorted(self._forms, key=len, reverse=True)
        for form in forms:
            if form in text:
                text = text.replace(form, MASK)
        return text


def _quoted(value: str) -> set[str]:
    """Return ``value`` as it stands in JSON or in a repr, and in those of them that were quoted again.

    A product's JSON in the message of an exception whose repr goes into a line of JSON is quoted three times.
    """
    found = {value}
    for _ in range(QUOTED_AGAIN):
        found |= {quoting(form) for form in found for quoting in _QUOTINGS}
    return found


def _as_repr(value: str, quotes: str) -> str:
    return "".join(f"\\{c}" if c in quotes else c if c in "'\"" else repr(c)[1:-1] for c in value)


_QUOTINGS: tuple[Callable[[str], str], ...] = (
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    lambda value: json.dumps(value)[1:-1].replace("/", "\\/"),  # as PHP writes JSON
    lambda value: _as_repr(value, ""),
    lambda value: _as_repr(value, "'"),
)


def _inside_base64(value: bytes) -> set[str]:
    """Return what stands in base64 of a longer text that holds ``value``: ``user:password`` of a login, for one."""
    found = set()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + value).decode()
        # Characters at either end hold bits of the neighbours too.
        whole = text[(before * 8 + 5) // 6 : (before + len(value)) * 8 // 6]
        if len(whole) >= 2 * SHORTEST_REDACTED:
            found |= {whole, whole.translate(_URL_SAFE)}
    return found


_URL_SAFE = str.maketrans("+/", "-_")
_known = _KnownValues()


def redact(text: str) -> str:
    """Return ``text`` with every secret this process has seen masked (plain, JSON, URL and base64 forms)."""
    return _known.redact(text)
