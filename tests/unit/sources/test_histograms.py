from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.sources.histograms import bound_of, quantile

INF = math.inf


@pytest.mark.parametrize(
    ("q", "buckets", "expected"),
    [
        (0.5, {1.0: 5.0, 2.0: 10.0, INF: 10.0}, 1.0),
        (0.75, {1.0: 5.0, 2.0: 10.0, INF: 10.0}, 1.5),
        (0.99, {1.0: 5.0, 2.0: 6.0, INF: 10.0}, 2.0),
        (0.0, {1.0: 0.0, 2.0: 6.0, INF: 6.0}, 0.0),
        (0.5, {-1.0: 5.0, 2.0: 6.0, INF: 6.0}, -1.0),
        (0.5, {1.0: 4.0, 2.0: 3.0, INF: 4.0}, 0.5),
    ],
)
def test_quantiles_lie_in_their_bucket(
    q: float, buckets: dict[float, float], expected: float
) -> None:
    assert quantile(q, buckets) == pytest.approx(expected)


@pytest.mark.parametrize(
    "buckets",
    [
        {},
        {INF: 3.0},
        {1.0: 3.0, 2.0: 4.0},
        {1.0: 0.0, INF: 0.0},
        {1.0: math.nan, INF: 4.0},
        {1.0: 1.0, INF: INF},
    ],
)
def test_where_there_is_nothing_to_tell_there_is_no_quantile(buckets: dict[float, float]) -> None:
    assert quantile(0.5, buckets) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_never_fall_as_q_grows(counts: list[float], a: float, b: float) -> None:
    # Seen to catch: the rank counted from the wrong end.
    total, buckets = 0.0, {}
    for bound, count in enumerate(counts, start=1):
        total += count
        buckets[float(bound)] = total
    buckets[INF] = total
    low, high = quantile(min(a, b), buckets), quantile(max(a, b), buckets)
    if total > 0:
        assert low is not None
        assert high is not None
        assert 0 <= low <= high + 1e-9 <= len(counts) + 1e-9
    else:
        assert (low, high) == (None, None)


@pytest.mark.parametrize(("le", "bound"), [("+Inf", INF), ("0.5", 0.5), ("x", None), (None, None)])
def test_bounds_are_read_from_the_label(le: str | None, bound: float | None) -> None:
    assert bound_of(le) == bound
    assert bound_of("NaN") is None
