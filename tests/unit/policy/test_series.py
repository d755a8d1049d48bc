"""The notation of promtool's series, value by value."""

from __future__ import annotations

from contextlib import suppress
from math import isinf, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.testing.series import VALUES_MAX, Mark, SeriesError, expand

GAP, STALE = Mark.MISSING, Mark.STALE


@pytest.mark.parametrize(
    ("text", "values"),
    [
        # the examples of Prometheus' own documentation
        ("-2+4x3", (-2, 2, 6, 10)),
        (" 1-2x4", (1, -1, -3, -5, -7)),
        (" 1x4", (1, 1, 1, 1, 1)),
        (" 1 _x3 stale", (1, GAP, GAP, GAP, STALE)),
        ("1+0x2 _ 3", (1, 1, 1, GAP, 3)),
        # and what its grammar says besides
        ("7", (7,)),
        ("_", (GAP,)),
        ("_x0 5", (5,)),
        ("4x0", (4,)),
        ("0.5+.25x2", (0.5, 0.75, 1.0)),
        ("1e2 -3 +3", (100, -3, 3)),
        ("1e2+1e1x1", (100, 110)),
        ("0x2", (0, 0, 0)),  # not a hexadecimal number: zero and two more of it
        ("1\n2\t3", (1, 2, 3)),
    ],
)
def test_a_series_expands_as_promtool_does_it(text: str, values: tuple[object, ...]) -> None:
    assert expand(text) == values


def test_numbers_that_are_none_are_values_too() -> None:
    nan, up, down = expand("NaN Inf -inf")
    assert isinstance(nan, float)
    assert isnan(nan)
    assert isinf(float(str(up)))
    assert down == float("-inf")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "1,2",
        "x3",
        "1x",
        "1x-2",
        "1+x3",
        "stalex3",
        "_x",
        "1x2.5",
        "a",
        "1+1",
        "{}",
        "1x3x4",
    ],
)
def test_what_the_notation_does_not_know_is_named(text: str) -> None:
    with pytest.raises(SeriesError):
        expand(text)


def test_a_series_does_not_fill_the_memory() -> None:
    assert len(expand(f"1x{VALUES_MAX - 1}")) == VALUES_MAX
    for text in (f"1x{VALUES_MAX}", "1x99999999999999999999", f"_x{VALUES_MAX} 1"):
        with pytest.raises(SeriesError, match="longer than"):
            expand(text)


@given(start=st.integers(-1000, 1000), step=st.integers(-50, 50), times=st.integers(0, 50))
def test_a_ramp_has_one_value_more_than_its_steps(start: int, step: int, times: int) -> None:
    values = expand(f"{start}{step:+d}x{times}")
    assert values == tuple(start + step * index for index in range(times + 1))


@given(st.text(max_size=30))
def test_any_text_is_a_series_or_an_error(text: str) -> None:
    with suppress(SeriesError):
        assert expand(text)
