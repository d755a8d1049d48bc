from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.emulator import fields
from trimtab.emulator.fields import Field, Kind, WrongValueError

MILLENNIUM_SECONDS = 32_000_000_000


@given(st.integers(-MILLENNIUM_SECONDS * 10**6, MILLENNIUM_SECONDS * 10**6))
def test_a_timestamp_survives_to_the_microsecond(microseconds: int) -> None:
    text = fields.render_timestamp(microseconds / 1e6)

    assert fields.render_timestamp(fields.parse_timestamp(text)) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-07-10T19:16:09.655062Z", "2026-07-10T19:16:09.655062Z"),
        ("2026-07-10T21:16:09.5+02:00", "2026-07-10T19:16:09.500Z"),
        ("2026-07-10T19:16:09.123456789Z", "2026-07-10T19:16:09.123456Z"),
        ("2026-07-10T19:16:09Z", "2026-07-10T19:16:09Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_a_timestamp_comes_back_in_utc_with_0_3_or_6_digits(text: str, same: str) -> None:
    assert fields.render_timestamp(fields.parse_timestamp(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-07-10", "2026-07-10 19:16:09Z", "2026-02-30T00:00:00Z", "2026-07-10T19:16:09"),
        *("2026-07-10T19:16:09.Z", "2026-07-10T19:16:09+99:00", "0001-01-01T00:00:00+02:00"),
        "٢٠٢٦-07-10T19:16:09Z",
    ],
)
def test_what_is_not_rfc_3339_is_no_timestamp(text: str) -> None:
    with pytest.raises(WrongValueError):
        fields.parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("300s", 300.0), ("0.5s", 0.5), ("-1.500s", -1.5), ("0s", 0.0)]
)
def test_durations_are_seconds_with_a_suffix(text: str, seconds: float) -> None:
    assert fields.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["10m", "1h", "300", "", "s", "1.s", "9999999999999s", "1e3s"])
def test_command_line_durations_are_refused(text: str) -> None:
    with pytest.raises(WrongValueError):
        fields.parse_duration(text)


@given(st.integers(0, 10**12))
def test_a_duration_survives(microseconds: int) -> None:
    text = fields.render_duration(microseconds / 1e6)

    assert fields.render_duration(fields.parse_duration(text)) == text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_decimal_names_the_same_float(number: float) -> None:
    assert fields.float32(fields.shortest_float32(number)) == number


def test_a_float_is_stored_in_32_bits_and_shown_short_or_wide() -> None:
    field = Field("target", Kind.FLOAT)
    stored = fields.parse_scalar(field, 0.8)

    assert fields.render_scalar(field, stored) == 0.8
    assert fields.render_scalar(field, stored, has_float32_noise=True) == 0.800000011920929


@pytest.mark.parametrize("value", [3, 3.0, "3", "-0"])
def test_an_integer_may_come_as_whole_float_or_text(value: object) -> None:
    assert fields.parse_scalar(Field("n", Kind.INT32), value) in {3, 0}


@pytest.mark.parametrize(
    "value", [2**31, -(2**31) - 1, 1.5, True, "03", "", "many", 10**400, [], {}, math.nan, math.inf]
)
def test_what_does_not_fit_32_bits_is_refused(value: object) -> None:
    with pytest.raises(WrongValueError):
        fields.parse_scalar(Field("n", Kind.INT32), value)


def test_64_bit_integers_go_out_as_text() -> None:
    field = Field("n", Kind.INT64)

    assert fields.render_scalar(field, fields.parse_scalar(field, str(2**62))) == str(2**62)


def test_an_enum_may_come_by_number() -> None:
    field = Field("e", Kind.ENUM, values=("NONE", "A", "B"))

    assert fields.parse_scalar(field, 2) == "B"
    assert fields.parse_scalar(field, "C", is_enum_strict=False) == "NONE"
    for wrong in ("C", 3, -1, True, None):
        with pytest.raises(WrongValueError):
            fields.parse_scalar(field, wrong)


def test_half_a_surrogate_is_no_text() -> None:
    with pytest.raises(WrongValueError):
        fields.parse_scalar(Field("s", Kind.STRING), "\ud800")


def test_names_change_spelling_both_ways() -> None:
    assert fields.snake("minReplicaCount") == "min_replica_count"
    assert fields.camel("min_replica_count") == "minReplicaCount"
