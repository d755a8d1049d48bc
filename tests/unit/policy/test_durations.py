"""Durations have a unit, and mean what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.durations import duration_hint, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("500ms", 0.5),
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("7d", 604_800.0),
        ("1h30m", 5400.0),
        ("1m500ms", 60.5),
        ("1.5h", 5400.0),
        ("1d2h3m4s5ms", 93_784.005),
    ],
)
def test_a_number_with_its_unit_is_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "90",
        "s",
        "90 s",
        "90sec",
        "-5m",
        "+5m",
        "30m1h",
        "1h1h",
        "1H",
        "5m ",
        "5m\n",
        "1e3s",
        "٣s",
    ],
)
def test_anything_else_is_not(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (90, "say which unit: `90s`, `90m` or `90h`"),
        ("90", "say which unit: `90s`, `90m` or `90h`"),
        (0, "write `0s`"),
        ("5 min", "write `5m`"),
        ("2 Hours", "write `2h`"),
        ("250 msec", "write `250ms`"),
        ("3 weeks", "write `21d`"),
        ("5 minuets", "write `5m`"),
        ("1h 30m", "write `1h30m`"),
        ("30m1h", "write `1h30m`"),
        ("PT5M", "write `5m`"),
        ("P1DT12H", "write `1d12h`"),
        ("5M", "write `5m`"),
        ("1h1h", "write numbers with units, from large to small: `90s`, `5m`, `1h30m`"),
        ("9 bananas", "write numbers with units, from large to small: `90s`, `5m`, `1h30m`"),
        ("9999999999 weeks", "write numbers with units, from large to small: `90s`, `5m`, `1h30m`"),
        (True, "write numbers with units, from large to small: `90s`, `5m`, `1h30m`"),
        (float("nan"), "write numbers with units, from large to small: `90s`, `5m`, `1h30m`"),
    ],
)
def test_the_hint_is_what_was_probably_meant(value: object, hint: str) -> None:
    assert duration_hint(value) == hint


@given(st.integers(min_value=0, max_value=10**10))
def test_writing_and_reading_again_changes_nothing(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)
