"""Times are read as Go's `time.ParseInLocation` reads them; the answers below are Go's own (1.26)."""

from datetime import UTC, datetime

import pytest

from agencystack.logs import evaluate, golayout
from agencystack.logs.model import Format, Put, Regex, Timestamp
from agencystack.logs.pipeline import stages

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def read(layout: str, text: str, zone: str | None = None, now: datetime = NOW) -> str | None:
    """Return the time of a line as an entry shows it."""
    form = Format("any", "log", "", (Regex("^(?P<time>.*)"), Timestamp("time", layout), Put("level", "info")), (), ())
    (entry,) = evaluate.run(stages(form, "acme", zone=zone), [text], now=now)
    return entry.time


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("Europe/Berlin", "2026-10-25 01:59", "2026-10-24T23:59"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T01:30"),
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00"),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:30"),
        ("America/New_York", "2026-03-08 02:30", "2026-03-08T06:30"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01T05:30"),
        ("Asia/Kolkata", "2026-11-22 10:00", "2026-11-22T04:30"),
    ],
)
def test_local_times_round_a_change_of_clocks(zone: str, local: str, utc: str) -> None:
    assert read("2006-01-02 15:04", local, zone) == f"{utc}:00.000000000Z"


DAY = "2026-11-22T"


@pytest.mark.parametrize(
    ("layout", "text", "time"),
    [
        ("2 Jan 2006", "12 Nov 2026", "2026-11-12T00:00:00.000000000Z"),
        ("2 Jan 2006", "02 Nov 2026", "2026-11-02T00:00:00.000000000Z"),
        ("2 Jan 2006", " 2 Nov 2026", None),
        ("_2 Jan 2006", "2 Nov 2026", "2026-11-02T00:00:00.000000000Z"),
        ("02 Jan 2006", " 2 Nov 2026", None),
        ("2 jan 2006", "2 Nov 2026", None),
        ("2 Jan 2006", "2 nov 2026", "2026-11-02T00:00:00.000000000Z"),
        ("Monday 02 January 06", "sunday 22 November 26", f"{DAY}00:00:00.000000000Z"),
        ("06-01-02", "69-01-02", "1969-01-02T00:00:00.000000000Z"),
        ("2006-01-02 15:04:05", "2026-11-22 10:00:00,5", f"{DAY}10:00:00.500000000Z"),
        ("2006-01-02 15:04:05", "2026-11-22 10:00:00.123456789", f"{DAY}10:00:00.123456789Z"),
        ("2006-01-02 15:04:05.000", "2026-11-22 10:00:00,123", f"{DAY}10:00:00.123000000Z"),
        ("2006-01-02 15:04:05.000", "2026-11-22 10:00:00.12", None),
        ("2006-01-02 15:04:05.000", "2026-11-22 10:00:00.1234", None),
        ("2006-01-02 15:04:05.999", "2026-11-22 10:00:00", f"{DAY}10:00:00.000000000Z"),
        ("2006-01-02 15:04:05", "2026-11-22 10:00:61", None),
        ("2006-01-02 15:04:05", "2026-11-22 24:00:00", None),
        ("2006-01-02 15:04:05", "2026-11-31 10:00:00", None),
        ("2006-01-02 03:04PM", "2026-11-22 12:05AM", f"{DAY}00:05:00.000000000Z"),
        ("2006-01-02 3:04PM", "2026-11-22 3:05PM", f"{DAY}15:05:00.000000000Z"),
        ("2006-01-02T15:04:05Z07:00", "2026-11-22T10:00:00-03:30", f"{DAY}13:30:00.000000000Z"),
        ("2006-01-02T15:04:05Z07:00", "2026-11-22T10:00:00+0100", None),
        ("02/Jan/2006:15:04:05 -0700", "22/Nov/2026:10:00:00 +0130", f"{DAY}08:30:00.000000000Z"),
        ("2006-01-02 15:04:05 MST", "2026-11-22 10:00:00 UTC", f"{DAY}10:00:00.000000000Z"),
        ("2006-01-02 15:04:05 MST", "2026-11-22 10:00:00 CET", f"{DAY}09:00:00.000000000Z"),
        ("2006-01-02 15:04:05 MST", "2026-11-22 10:00:00 CEST", f"{DAY}08:00:00.000000000Z"),
        ("2006-01-02 15:04:05 MST", "2026-11-22 10:00:00 PST", f"{DAY}10:00:00.000000000Z"),
        ("2006-01-02 15:04:05 MST", "2026-11-22 10:00:00 GMT+3", f"{DAY}07:00:00.000000000Z"),
        ("2006-01-02 15:04:05 MST", "2026-11-22 10:00:00 Europe/Berlin", None),
        ("RFC3339Nano", "2026-11-22T10:00:00.5+01:00", f"{DAY}09:00:00.500000000Z"),
        ("RFC3339", "2026-11-22T10:00:00.5Z", f"{DAY}10:00:00.500000000Z"),
        ("Unix", "1795341600.25", f"{DAY}10:00:00.250000000Z"),
        ("UnixMs", "1795341600250", f"{DAY}10:00:00.250000000Z"),
        ("UnixNs", "1795341600000000001", f"{DAY}10:00:00.000000001Z"),
        ("Unix", "1795341600.2.5", None),
        ("UnixMs", "soon", None),
    ],
)
def test_layouts(layout: str, text: str, time: str | None) -> None:
    zone = "Europe/Berlin" if "MST" in layout else None
    assert read(layout, text, zone) == time


@pytest.mark.parametrize(
    ("text", "now", "time"),
    [
        ("Nov 22 10:00:00", NOW, "2026-11-22T10:00:00.000000000Z"),
        ("Nov  2 10:00:00", NOW, "2026-11-02T10:00:00.000000000Z"),
        ("Dec 31 23:59:59", datetime(2027, 1, 1, tzinfo=UTC), "2026-12-31T23:59:59.000000000Z"),
        ("Jan  1 00:00:01", datetime(2026, 12, 31, tzinfo=UTC), "2027-01-01T00:00:01.000000000Z"),
        ("Feb 29 10:00:00", datetime(2028, 3, 1, tzinfo=UTC), "2028-02-29T10:00:00.000000000Z"),
    ],
)
def test_a_year_that_is_not_written(text: str, now: datetime, time: str) -> None:
    assert read("Jan _2 15:04:05", text, now=now) == time


def test_a_layout_knows_what_it_says() -> None:
    assert golayout.has_zone("02/Jan/2006:15:04:05 -0700")
    assert golayout.has_zone("Unix")
    assert not golayout.has_zone("2006-01-02 15:04:05")
    assert golayout.is_complete("Jan _2 15:04:05")
    assert not golayout.is_complete("2006-01-02")
