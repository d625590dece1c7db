"""One form for every value: what two products write differently and mean the same becomes equal text.

Every function takes what a product's interface shows and returns a canonical value; what is missing, empty or makes no
sense is ``None``. Each is a fixed point: a canonical value comes back as it is, so nothing flaps.
"""

from __future__ import annotations

import html as entities
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import nh3

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
_SPACES = re.compile(r"\s+")
_MARKUP = re.compile(r"[<&]")
_COMMENT = re.compile(r"<!--(?!\s*/?wp:).*?-->", re.DOTALL)
_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+\.[^@\s<>,;:\"()\[\]\\.]{2,}")
_LONGEST_ADDRESS = 140  # ERPNext's Data fields; WordPress keeps 100
_MOST_DECODINGS = 8

_TAGS = nh3.ALLOWED_TAGS | {"figure", "figcaption", "section", "main", "picture", "source", "video", "audio", "u"}
_ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()}
_ATTRIBUTES["*"] = {"class", "id", "style", "lang", "dir", "title"}
_ATTRIBUTES["a"] = _ATTRIBUTES.get("a", set()) | {"href", "target", "rel"}
_ATTRIBUTES["img"] = _ATTRIBUTES.get("img", set()) | {"src", "alt", "width", "height", "srcset", "sizes", "loading"}
_ATTRIBUTES["source"] = {"src", "srcset", "type", "media", "sizes"}
_ATTRIBUTES["video"] = {"src", "controls", "poster", "width", "height"}
_ATTRIBUTES["audio"] = {"src", "controls"}
_STYLES = {
    *("color", "background-color", "text-align", "text-decoration", "font-weight", "font-style", "font-size"),
    *("width", "height", "max-width", "margin", "padding", "border", "float", "vertical-align", "list-style-type"),
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style", "iframe", "object", "embed", "noscript", "template"},
    attributes=_ATTRIBUTES,
    strip_comments=False,
    link_rel=None,
    url_schemes={"http", "https", "mailto", "tel"},
    filter_style_properties=_STYLES,
)

CURRENCY_DIGITS: Mapping[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Digits after the point of currencies (ISO 4217) that do not have two."""


def text(value: Any) -> str | None:
    """Return text as a person reads it: NFC, entities decoded, line ends of one kind, trimmed."""
    if value is None or isinstance(value, bool | Mapping | list | tuple):
        return None
    said = _CONTROL.sub("", _decoded(_CONTROL.sub("", str(value))))
    return unicodedata.normalize("NFC", _one_line_end(said).replace("\u00a0", " ")).strip() or None


def line(value: Any) -> str | None:
    """Return text in one line: every run of white space is one space."""
    said = text(value)
    return _SPACES.sub(" ", said).strip() if said else None


def plain(value: Any) -> str | None:
    """Return what HTML says without its tags."""
    if value is None:
        return None
    return text(nh3.clean(str(value), tags=set())) if _MARKUP.search(str(value)) else text(value)


def html(value: Any) -> str | None:
    """Return HTML a browser may be given: scripts, frames, handlers and foreign addresses are gone.

    ERPNext stores and serves HTML as it comes (contract/erpnext/36_content.json), so this is what keeps a WordPress
    author's script from a desk. WordPress's block comments (``<!-- wp:paragraph -->``) stay: its editor needs them.
    """
    if value is None:
        return None
    said = unicodedata.normalize("NFC", _CONTROL.sub("", _one_line_end(str(value))))
    if _MARKUP.search(said) or ">" in said or "\u00a0" in said:
        said = _COMMENT.sub("", _CLEANER.clean(said))
    return said.strip() or None


def number(value: Any) -> Decimal | None:
    """Return a number, exactly: floats by their shortest text, never by their binary value."""
    if value is None or isinstance(value, bool):
        return None
    said = repr(value) if isinstance(value, float) else str(value).strip()
    if said.count(",") == 1 and "." not in said:
        said = said.replace(",", ".")
    try:
        found = Decimal(said)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def digits_of(currency: str | None) -> int:
    """Return how many digits after the point a currency has; two where it is not known."""
    return CURRENCY_DIGITS.get((currency or "").upper(), 2)


def money(value: Any, digits: int = 2) -> str | None:
    """Return an amount as decimal text with exactly that many digits after the point, rounded half up."""
    found = number(value)
    if found is None:
        return None
    rounded = found.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return f"{abs(rounded) if rounded == 0 else rounded:f}"


def price(value: Any, digits: int = 2, most: int = 6) -> str | None:
    """Return a price as decimal text: at least ``digits`` after the point, further ones (up to ``most``) where it has.

    Unlike amounts, prices of single pieces may be finer than the currency: WooCommerce keeps six digits.
    """
    found = number(value)
    if found is None:
        return None
    whole, _, fraction = (money(found, most) or "").partition(".")
    fraction = fraction.rstrip("0").ljust(digits, "0")
    return f"{whole}.{fraction}" if fraction else whole


def quantity(value: Any) -> str | None:
    """Return a quantity as decimal text without trailing zeros."""
    found = number(value)
    if found is None:
        return None
    return "0" if found == 0 else f"{found.normalize():f}"


def utc(value: Any) -> str | None:
    """Return a time that is UTC though it may not say so (WordPress's ``date_*_gmt``): ``2026-11-22T18:31:17Z``."""
    moment = _moment(value)
    if moment is None:
        return None
    return _stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def from_zone(value: Any, zone: ZoneInfo) -> str | None:
    """Return a time a site wrote in its own zone (ERPNext's datetimes) as UTC text."""
    moment = _moment(value)
    if moment is None:
        return None
    return _stamp(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def in_zone(value: str | None, zone: ZoneInfo) -> str | None:
    """Return canonical UTC text as a site writes it in its own zone: ``2026-11-22 19:31:17``."""
    moment = _moment(value)
    return None if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def day(value: Any) -> str | None:
    """Return the date of a value that has no time, or whose time does not matter: ``2026-11-22``."""
    moment = _moment(value)
    return None if moment is None else moment.date().isoformat()


def email(value: Any) -> str | None:
    """Return an e-mail address in lower case, or ``None`` for what is none."""
    said = line(value)
    if said is None or len(said) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(said):
        return None
    return said.lower()


def phone(value: Any) -> str | None:
    """Return a telephone number as people write it, in plain digits."""
    said = line(value)
    return unicodedata.normalize("NFKC", said).strip() or None if said else None


def flag(value: Any) -> bool:
    """Return yes or no, of whatever a product writes for it: 1, "1", "yes", true."""
    if isinstance(value, str):
        return value.strip().lower() in {"1", "yes", "true", "on"}
    return bool(value)


@dataclass(frozen=True)
class Countries:
    """Countries by their two names: ISO 3166-1 alpha-2 code (WooCommerce) and English name (ERPNext).

    Args:
        names: ERPNext's name by upper-case code: from its own list (doctype Country), never from ours.
    """

    names: Mapping[str, str]

    def name(self, code: str | None) -> str | None:
        """Return ERPNext's name of a code; ``None`` where it has none."""
        return self.names.get((code or "").strip().upper())

    def code(self, name: str | None) -> str | None:
        """Return the code of ERPNext's name; ``None`` where it is none of its list."""
        wanted = (name or "").strip().casefold()
        return (
            next((code for code, known in self.names.items() if known.casefold() == wanted), None) if wanted else None
        )


def _one_line_end(said: str) -> str:
    return said.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(said: str) -> str:
    for _ in range(_MOST_DECODINGS):
        if "&" not in said or (plainer := entities.unescape(said)) == said:
            break
        said = plainer
    return said


def _moment(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value).strip())
    except ValueError:  # also WordPress's "0000-00-00 00:00:00"
        return None


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
