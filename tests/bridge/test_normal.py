"""Values of two products become equal text, and canonical values stay as they are."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agencystack.bridge import normal

BERLIN = ZoneInfo("Europe/Berlin")


@given(st.text(alphabet=st.sampled_from("ab <>&;#amplt38\n\r\x00\u00a0é\u0301\"'")))
def test_text_and_html_are_fixed_points(said: str) -> None:
    for rule in (normal.text, normal.line, normal.plain, normal.html):
        once = rule(said)
        assert rule(once) == once


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_numbers_are_fixed_points(value: object) -> None:
    for rule in (normal.money, normal.price, normal.quantity):
        once = rule(value)
        assert once is not None
        assert rule(once) == once


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("Grand &amp; Kind", "Grand & Kind"), ("  a\r\nb ", "a\nb"), ("e\u0301", "é"), ("", None), ("  ", None), (7, "7")],
)
def test_text(value: object, wanted: str | None) -> None:
    assert normal.text(value) == wanted


def test_html_keeps_what_an_editor_needs_and_nothing_that_runs() -> None:
    said = (
        '<!-- wp:paragraph {"align":"center"} --><p class="x" onclick="a()" style="color:red;position:fixed">Hi 😀 שלום'
        '<script>steal()</script><a href="javascript:a()">l</a><img src="https://a.example/b.png" onerror="a()"></p>'
        '<!-- /wp:paragraph --><!--[if IE]>x--><iframe src="https://a.example"></iframe>'
    )
    assert normal.html(said) == (
        '<!-- wp:paragraph {"align":"center"} --><p class="x" style="color:red">Hi 😀 שלום<a>l</a>'
        '<img src="https://a.example/b.png"></p><!-- /wp:paragraph -->'
    )


def test_plain_text_of_html() -> None:
    assert normal.plain("<p>5 &lt; 6 &amp; <b>7</b></p>") == "5 < 6 & 7"


@pytest.mark.parametrize(
    ("value", "digits", "wanted"),
    [
        (27.72, 2, "27.72"),
        ("10.005", 2, "10.01"),
        (-0.001, 2, "0.00"),
        ("29.97", 0, "30"),
        (1, 3, "1.000"),
        ("10,50", 2, "10.50"),
        ("abc", 2, None),
        ("", 2, None),
        (None, 2, None),
        (True, 2, None),
        ("NaN", 2, None),
    ],
)
def test_money(value: object, digits: int, wanted: str | None) -> None:
    assert normal.money(value, digits) == wanted


def test_prices_of_pieces_may_be_finer_than_the_currency() -> None:
    assert [normal.price(one) for one in ("12.5", "3.333", 7, "0.1234567")] == ["12.50", "3.333", "7.00", "0.123457"]
    assert normal.price("1000", normal.digits_of("JPY")) == "1000"


def test_quantities_have_no_trailing_zeros() -> None:
    assert [normal.quantity(one) for one in ("1.500", 100, 0.0, -3.0, "x")] == ["1.5", "100", "0", "-3", None]


def test_times_are_utc_whoever_wrote_them() -> None:
    assert normal.utc("2026-11-22T18:31:17") == "2026-11-22T18:31:17Z"
    assert normal.utc("2026-11-22T18:31:17Z") == "2026-11-22T18:31:17Z"
    assert normal.utc("0000-00-00 00:00:00") is None
    assert normal.from_zone("2026-11-22 19:31:17.123456", BERLIN) == "2026-11-22T18:31:17Z"
    assert normal.from_zone("2026-07-22 20:31:17", BERLIN) == "2026-07-22T18:31:17Z"
    assert normal.in_zone("2026-07-22T18:31:17Z", BERLIN) == "2026-07-22 20:31:17"
    assert normal.day("2026-11-22 19:31:17.123456") == "2026-11-22"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (" Anna@Example.COM ", "anna@example.com"),
        ("a@b", None),
        ("a b@c.de", None),
        ("", None),
        ("x@" + "y" * 140, None),
    ],
)
def test_email(value: str, wanted: str | None) -> None:
    assert normal.email(value) == wanted


def test_countries_have_the_names_erpnext_gives_them() -> None:
    countries = normal.Countries({"CH": "Switzerland", "DE": "Germany"})
    assert countries.name("ch") == "Switzerland"
    assert countries.code("switzerland") == "CH"
    assert countries.name("XX") is None
    assert countries.code(None) is None


def test_flags() -> None:
    assert [normal.flag(one) for one in (1, "1", "yes", True)] == [True] * 4
    assert [normal.flag(one) for one in (0, "0", "no", None, "")] == [False] * 5
