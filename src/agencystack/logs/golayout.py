"""Times as Go reads them: a layout like `02/Jan/2006:15:04:05 -0700`, and what Alloy does without a year."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

_LONG_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
MONTHS = tuple(month[:3] for month in _LONG_MONTHS)
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000

_PREDEFINED = {
    "RFC3339": "2006-01-02T15:04:05Z07:00",
    "RFC3339Nano": "2006-01-02T15:04:05.999999999Z07:00",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC1123Z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC822Z": "02 Jan 06 15:04 -0700",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
}
_UNIX = {"Unix": _SECOND, "UnixMs": 1_000_000, "UnixUs": 1_000, "UnixNs": 1}

_OFFSET = r"[+-]\d\d:?\d\d"
_ELEMENTS = {
    "2006": r"(?P<year>\d{4})",
    "06": r"(?P<short_year>\d\d)",
    "January": f"(?P<month_name>(?i:{'|'.join(_LONG_MONTHS)}))",
    "Jan": f"(?P<month_name>(?i:{'|'.join(MONTHS)}))",
    "01": r"(?P<month>\d\d)",
    "1": r"(?P<month>\d\d?)",
    "Monday": f"(?i:{'|'.join(_LONG_DAYS)})",
    "Mon": f"(?i:{'|'.join(day[:3] for day in _LONG_DAYS)})",
    "02": r"(?P<day>\d\d)",
    "_2": r"(?P<day>[ \d]?\d)",
    "2": r"(?P<day>\d\d?)",
    "15": r"(?P<hour>\d\d)",
    "03": r"(?P<hour>\d\d)",
    "3": r"(?P<hour>\d\d?)",
    "04": r"(?P<minute>\d\d)",
    "4": r"(?P<minute>\d\d?)",
    "05": r"(?P<second>\d\d)(?:[.,](?P<loose>\d+))?",
    "5": r"(?P<second>\d\d?)(?:[.,](?P<loose>\d+))?",
    "PM": r"(?P<half>AM|PM)",
    "Z07:00": r"(?P<offset>Z|[+-]\d\d:\d\d)",
    "Z0700": r"(?P<offset>Z|[+-]\d{4})",
    "-07:00": r"(?P<offset>[+-]\d\d:\d\d)",
    "-0700": r"(?P<offset>[+-]\d{4})",
    "-07": r"(?P<offset>[+-]\d\d)",
    "MST": r"(?P<abbreviation>GMT[+-]\d\d?|[A-Z]{3}|[A-Z]{3,4}T|WITA|ChST|MeST|[+-]\d\d)",
}
_TOKENS = re.compile(
    r"[.,](?P<fraction>0+|9+)(?!\d)|" + "|".join(re.escape(each) for each in sorted(_ELEMENTS, key=len, reverse=True))
)


@dataclass(frozen=True)
class Layout:
    """One layout, ready to read times; `zone` is for texts that name none."""

    pattern: re.Pattern[str]
    has_year: bool
    zone: tzinfo

    def parse(self, text: str, now: datetime) -> int | None:
        """Return nanoseconds since 1970, or None where the text is not of this layout. `now` gives a lacking year."""
        match = self.pattern.fullmatch(text)
        if match is None:
            return None
        part = match.groupdict()
        try:
            moment = datetime(
                _year(part, now) if self.has_year else _nearest_year(_month(part), now),
                _month(part),
                int(part.get("day") or 1),
                _hour(part),
                int(part.get("minute") or 0),
                int(part.get("second") or 0),
            )
        except ValueError:
            return None
        seconds = _utc(moment, part, self.zone) - _EPOCH
        return (seconds.days * 86_400 + seconds.seconds) * _SECOND + _nanoseconds(part)


def parser(layout: str, zone: str | None) -> Callable[[str, datetime], int | None]:
    """Return what reads a time of a layout (Go's, or one of Alloy's names for one) as nanoseconds since 1970.

    As in Alloy, its names know no zone: only a written layout is read in `zone`.
    """
    if layout in _UNIX:
        return lambda text, now: _unix(text, _UNIX[layout], fraction=layout == "Unix")
    if layout in _PREDEFINED:
        return _layout(_PREDEFINED[layout], None).parse
    return _layout(layout, zone).parse


def has_zone(layout: str) -> bool:
    """Return whether texts of this layout say their zone or offset themselves."""
    return layout in _UNIX or bool({"offset", "abbreviation"} & set(_layout(layout, None).pattern.groupindex))


def is_complete(layout: str) -> bool:
    """Return whether a layout has at least month, day and hour."""
    if layout in _UNIX:
        return True
    parts = set(_layout(layout, None).pattern.groupindex)
    return bool({"month", "month_name"} & parts) and {"day", "hour"} <= parts


@cache
def _layout(layout: str, zone: str | None) -> Layout:
    layout = _PREDEFINED.get(layout, layout)
    pattern, end, after_seconds = "", 0, False
    for token in _TOKENS.finditer(layout):
        pattern += re.escape(layout[end : token.start()])
        pattern += _element(token, after_seconds and token.start() == end)
        after_seconds, end = token.group() in ("05", "5"), token.end()
    pattern += re.escape(layout[end:])
    return Layout(re.compile(pattern), "06" in layout, ZoneInfo(zone) if zone else UTC)


def _element(token: re.Match[str], after_seconds: bool) -> str:
    """Go takes a fraction after the seconds with or without the layout saying so; one of zeros wants that many."""
    digits = token["fraction"]
    if not digits:
        return _ELEMENTS[token.group()]
    if not after_seconds:
        return re.escape(token.group())
    return "" if digits[0] == "9" else rf"(?<=[.,]\d{{{len(digits)}}})"


def _year(part: dict[str, str | None], now: datetime) -> int:
    short = part.get("short_year")
    if short:
        return int(short) + (1900 if int(short) >= 69 else 2000)
    return int(part.get("year") or now.year)


def _nearest_year(month: int, now: datetime) -> int:
    """Return the year of a time that has none: `util.SetYearForLimitedTimeFormat` of Alloy."""
    if month == 12 and now.month == 1:
        return now.year - 1
    return now.year + 1 if month == 1 and now.month == 12 else now.year


def _month(part: dict[str, str | None]) -> int:
    name = part.get("month_name")
    return MONTHS.index(name[:3].title()) + 1 if name else int(part.get("month") or 1)


def _hour(part: dict[str, str | None]) -> int:
    hour, half = int(part.get("hour") or 0), part.get("half")
    if half == "PM" and hour < 12:
        return hour + 12
    return 0 if half == "AM" and hour == 12 else hour


def _nanoseconds(part: dict[str, str | None]) -> int:
    return int((part.get("loose") or "0")[:9].ljust(9, "0"))


def _utc(moment: datetime, part: dict[str, str | None], zone: tzinfo) -> datetime:
    offset, abbreviation = part.get("offset"), part.get("abbreviation")
    if offset:
        return (moment - _fixed(offset)).replace(tzinfo=UTC)
    if abbreviation:
        return (moment - _named(abbreviation, moment, zone)).replace(tzinfo=UTC)
    return (moment - _offset_at(moment - _offset_at(moment, zone), zone)).replace(tzinfo=UTC)


def _offset_at(moment: datetime, zone: tzinfo) -> timedelta:
    """Return a zone's offset at a moment in UTC. Go takes a local time for UTC first, and then looks again.

    That decides what an hour means that a change of clocks skips or repeats.
    """
    return moment.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()


def _fixed(offset: str) -> timedelta:
    if offset == "Z":
        return timedelta()
    digits = offset[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timedelta(minutes=-minutes if offset[0] == "-" else minutes)


def _named(abbreviation: str, moment: datetime, zone: tzinfo) -> timedelta:
    """Return what Go makes of CET or CEST: the zone's own offset of that name, and for a name it lacks, none."""
    if abbreviation.startswith(("GMT+", "GMT-")):
        return timedelta(hours=int(abbreviation[3:]))
    for days in (0, 182, -182):
        near = (moment + timedelta(days=days)).replace(tzinfo=zone)
        if near.tzname() == abbreviation:
            return near.utcoffset() or timedelta()
    return timedelta()


def _unix(text: str, unit: int, *, fraction: bool) -> int | None:
    whole, dot, rest = text.partition(".")
    if not re.fullmatch(r"[+-]?\d+", whole) or (dot and not (fraction and re.fullmatch(r"[+-]?\d+", rest))):
        return None
    return int(whole) * unit + (int(float(int(rest)) * 10.0 ** (9 - len(rest))) if dot else 0)
