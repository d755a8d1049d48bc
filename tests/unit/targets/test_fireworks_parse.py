"""Scalars and fields of proto3 JSON."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.errors import FireworksError
from trimtab.targets.fireworks.parse import (
    Fields,
    load_json,
    seconds_of_duration,
    seconds_of_timestamp,
    snake_case,
    without_float32_noise,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-07-10T19:16:09.655062Z", 1783710969.655062),
        ("2026-07-10T19:16:09Z", 1783710969.0),
        ("2026-07-10T19:16:09.6Z", 1783710969.6),
        ("2026-07-10T19:16:09.655062123Z", 1783710969.655062),
        ("2026-07-10T19:16:09+00:00", 1783710969.0),
        ("2026-07-10T21:16:09+02:00", 1783710969.0),
        ("2026-07-10T13:46:09-05:30", 1783710969.0),
        ("2026-07-10t19:16:09z", 1783710969.0),
        ("2016-12-31T23:59:60Z", 1483228800.0),
    ],
)
def test_a_timestamp_becomes_utc_seconds(text: str, seconds: float) -> None:
    assert seconds_of_timestamp(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-07-10",
        "2026-07-10T19:16:09",
        "2026-13-10T19:16:09Z",
        "2026-07-10T24:16:09Z",
        "2026-07-10T19:16:61Z",
        "2026-07-10T19:16:09.Z",
        "2026-07-10T19:16:09.0123456789Z",
        "2026-07-10T19:16:09+24:00",
        "2026-07-10T19:16:09+02:60",
        "0000-07-10T19:16:09Z",
        "2026-07-10T19:16:09Z\n",
        "\uff12026-07-10T19:16:09Z",
        "1783710969",
    ],
)
def test_what_is_no_timestamp_is_none_and_not_a_guess(text: str) -> None:
    assert seconds_of_timestamp(text) is None


@given(
    st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)),  # noqa: DTZ001  aware below
    st.integers(-23 * 60, 23 * 60),
)
def test_every_timestamp_with_any_offset_means_its_instant(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    expected = (aware - epoch).total_seconds()
    assert seconds_of_timestamp(aware.isoformat()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300s", 300.0), ("0s", 0.0), ("0.5s", 0.5), ("1.000000001s", 1.000000001), ("-2.5s", -2.5)],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert seconds_of_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["10m", "1h", "300", "s", "", "1.s", "1e3s", "NaNs", "\u0663s", "1s "]
)
def test_the_durations_of_the_command_line_are_not_durations_of_the_wire(text: str) -> None:
    assert seconds_of_duration(text) is None


def test_float32_noise_goes_and_the_number_that_was_meant_stays() -> None:
    assert without_float32_noise(0.800000012) == 0.8
    assert without_float32_noise(0.8) == 0.8
    assert without_float32_noise(struct.unpack("<f", struct.pack("<f", 0.1))[0]) == 0.1
    assert without_float32_noise(1500.0) == 1500.0
    assert without_float32_noise(0.0) == 0.0
    assert without_float32_noise(3.4028234663852886e38) == pytest.approx(3.4028235e38)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_cleaning_never_changes_which_float32_it_is(number: float) -> None:
    assert struct.pack("<f", without_float32_noise(number)) == struct.pack("<f", number)


@given(st.decimals(min_value=0, max_value=1000, places=3))
def test_a_short_decimal_survives_its_journey_through_float32(number: object) -> None:
    meant = float(str(number))
    travelled = struct.unpack("<f", struct.pack("<f", meant))[0]
    assert without_float32_noise(travelled) == meant


def test_masks_spell_fields_with_underscores() -> None:
    assert snake_case("minReplicaCount") == "min_replica_count"
    assert snake_case("autoscalingPolicy.loadTargets") == "autoscaling_policy.load_targets"
    assert snake_case("min_replica_count") == "min_replica_count"


def test_absent_and_null_mean_zero_and_never() -> None:
    for json in ({}, dict.fromkeys(("n", "f", "b", "t", "at", "for", "l", "m"))):
        fields = Fields(json, "thing")
        assert fields.count("n") == 0
        assert fields.integer("n") == 0
        assert fields.number("f") == 0.0
        assert fields.flag("b") is False
        assert fields.text("t") == ""
        assert fields.word("t", "T_UNSPECIFIED") == "T_UNSPECIFIED"
        assert fields.instant("at") is None
        assert fields.duration("for") is None
        assert fields.texts("l") == ()
        assert fields.text_map("m") == {}
        assert fields.child("m") is None


def test_both_spellings_of_a_name_are_read() -> None:
    assert Fields({"minReplicaCount": 2}, "d").count("minReplicaCount") == 2
    assert Fields({"min_replica_count": 2}, "d").count("minReplicaCount") == 2


@pytest.mark.parametrize("value", [7, 7.0, "7"])
def test_a_whole_number_may_travel_as_number_or_string(value: object) -> None:
    assert Fields({"n": value}, "thing").integer("n") == 7


def test_an_int64_keeps_all_its_digits() -> None:
    assert Fields({"n": "9223372036854775807"}, "thing").integer("n") == 2**63 - 1


@pytest.mark.parametrize(
    ("read", "value", "shown"),
    [
        ("count", "many", '"many"'),
        ("count", -1, "-1"),
        ("count", 2.5, "2.5"),
        ("count", True, "true"),
        ("count", [1], "[1]"),
        ("count", 2**31, "2147483648"),
        ("count", "1e3", '"1e3"'),
        ("integer", "9223372036854775808", '"9223372036854775808"'),
        ("number", "NaN", '"NaN"'),
        ("number", float("inf"), "Infinity"),
        ("number", 10**400, "1000"),
        ("number", {}, "{}"),
        ("flag", "true", '"true"'),
        ("flag", 1, "1"),
        ("text", 5, "5"),
        ("instant", "yesterday", '"yesterday"'),
        ("instant", 1783710969, "1783710969"),
        ("duration", "10m", '"10m"'),
        ("texts", "one", '"one"'),
        ("texts", ["one", 2], "2"),
        ("text_map", [], "[]"),
        ("text_map", {"a": 1}, "1"),
        ("float32_map", {"default": "high"}, '"high"'),
        ("float32_map", {"default": 1e300}, "1e+300"),
        ("child", "text", '"text"'),
    ],
)
def test_a_wrong_type_names_the_field_and_the_value(read: str, value: object, shown: str) -> None:
    fields = Fields({"someField": value}, "deployment d1")
    with pytest.raises(FireworksError) as caught:
        getattr(fields, read)("someField")
    assert caught.value.kind is ErrorKind.BAD_RESPONSE
    assert not caught.value.retryable
    assert "deployment d1: someField" in str(caught.value)
    assert shown in str(caught.value)


def test_a_huge_wrong_value_is_cut_short() -> None:
    with pytest.raises(FireworksError) as caught:
        Fields({"n": "x" * 100_000}, "thing").count("n")
    assert len(str(caught.value)) < 300


def test_unknown_fields_are_kept_as_text_and_never_raise() -> None:
    fields = Fields({"known": "x", "new": {"deep": [1, None]}, "newer": None}, "thing")
    fields.text("known")
    assert dict(fields.unknown()) == {"new": '{"deep": [1, null]}', "newer": "null"}


def test_a_lone_surrogate_does_not_survive_into_text_that_is_printed() -> None:
    text = Fields({"t": "a\ud800b"}, "thing").text("t")
    assert text == "a?b"


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"a": Infinity}', "[" * 100_000, "1" * 5000])
def test_what_the_standard_does_not_call_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_json(text)


@given(st.text())
def test_no_text_at_all_breaks_the_scalar_readers(text: str) -> None:
    for read in (seconds_of_timestamp, seconds_of_duration):
        assert read(text) is None or isinstance(read(text), float)
