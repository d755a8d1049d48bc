from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.proposals import REPLICAS_MAX
from trimtab.core.strategies import sliding
from trimtab.core.strategies.rounding import whole_down, whole_up
from trimtab.core.strategies.sliding import SPANS_MAX, Span, Spans

HOLD = 15.0
WINDOW = 60.0


def spans_of(*samples: tuple[float, float], hold: float = HOLD, window: float = WINDOW) -> Spans:
    spans: Spans = ()
    for time, value in samples:
        spans = sliding.observe(spans, time, value, hold_seconds=hold, window_seconds=window)
    return spans


def mean_of(spans: Spans, window: float = WINDOW) -> float | None:
    return sliding.weigh(spans, spans[-1].end, window).mean


def test_a_sample_stands_for_the_time_since_the_one_before_it() -> None:
    assert spans_of((100.0, 2.0), (110.0, 5.0))[-1] == Span(100.0, 110.0, 5.0)


def test_a_sample_stands_for_no_longer_than_its_maximal_age() -> None:
    assert spans_of((100.0, 2.0), (150.0, 5.0))[-1] == Span(135.0, 150.0, 5.0)


def test_a_gap_has_no_weight_and_is_not_a_zero() -> None:
    assert mean_of(spans_of((100.0, 6.0), (150.0, 6.0))) == 6.0


def test_a_sample_that_lasted_longer_weighs_more() -> None:
    assert mean_of(spans_of((100.0, 0.0), (110.0, 4.0), (115.0, 7.0)), 15.0) == 5.0


def test_a_burst_fills_the_short_window_with_its_first_sample() -> None:
    spans = spans_of(*((100.0 + 10 * step, 1.0) for step in range(6)), (160.0, 100.0))
    assert mean_of(spans, 6.0) == 100.0
    assert mean_of(spans, WINDOW) == pytest.approx((50 * 1 + 10 * 100) / 60)


def test_the_same_sample_seen_again_changes_nothing() -> None:
    spans = spans_of((100.0, 2.0), (110.0, 5.0))
    again = sliding.observe(spans, 110.0, 5.0, hold_seconds=HOLD, window_seconds=WINDOW)
    assert again == spans


def test_nothing_seen_has_no_mean() -> None:
    assert sliding.weigh((), 100.0, WINDOW).mean is None
    assert sliding.weigh(spans_of((100.0, 2.0)), 500.0, WINDOW).mean is None


def test_newer_time_weighs_more_when_it_fades() -> None:
    spans = spans_of((10.0, 0.0), (20.0, 10.0), hold=10.0)
    seen = sliding.weigh_fading(spans, 20.0, 20.0, coefficient=0.5, per_seconds=10.0)
    assert seen.total == pytest.approx(0.5 * 10.0)
    assert seen.weight == pytest.approx(0.75)
    assert seen.mean == pytest.approx(5.0 / 0.75)


def test_what_came_after_the_end_that_is_asked_for_does_not_count() -> None:
    spans = spans_of((10.0, 4.0), (20.0, 8.0), (30.0, 800.0), hold=10.0)
    assert sliding.weigh(spans, 15.0, 10.0).mean == 6.0
    fading = sliding.weigh_fading(spans, 15.0, 10.0, coefficient=0.5, per_seconds=5.0)
    assert fading == pytest.approx((0.5 * 8.0 + 0.25 * 4.0, 0.75))


def test_spans_with_a_gap_between_them_are_never_joined() -> None:
    spans = spans_of((100.0, 2.0), (100.4, 5.0), hold=0.1)
    assert sliding.weigh(spans, 100.4, WINDOW).weight == pytest.approx(0.2)


samples = st.lists(
    st.tuples(st.floats(0.0, 40.0), st.floats(0.0, 1e6)), min_size=1, max_size=60
).map(
    lambda steps: [
        (sum(gap for gap, _ in steps[: index + 1]), value) for index, (_, value) in enumerate(steps)
    ]
)


@given(samples)
def test_an_average_lies_between_the_lowest_and_the_highest_sample(
    series: list[tuple[float, float]],
) -> None:
    spans = spans_of(*series)
    values = [value for _, value in series]
    fading = sliding.weigh_fading(
        spans, spans[-1].end, WINDOW, coefficient=0.2, per_seconds=1.0
    ).mean
    for mean in (mean_of(spans), fading):
        assert mean is not None
        assert min(values) * (1 - 1e-9) - 1e-9 <= mean <= max(values) * (1 + 1e-9) + 1e-9


@given(samples)
def test_spans_never_overlap_and_survive_json(series: list[tuple[float, float]]) -> None:
    spans = spans_of(*series)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert sliding.load(json.loads(json.dumps(sliding.dump(spans)))) == spans


def test_a_flood_of_samples_is_kept_in_few_spans_that_average_the_same() -> None:
    flood = [(100.0 + step / 100, float(step % 7)) for step in range(6001)]
    spans = spans_of(*flood)
    assert len(spans) <= SPANS_MAX + 2
    assert mean_of(spans) == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize(
    ("replicas", "up", "down"),
    [
        (2.0, 2, 2),
        (2.1, 3, 2),
        (0.1 * 3 / 0.1, 3, 3),
        (-1.0, 0, 0),
        (1e300, REPLICAS_MAX, REPLICAS_MAX),
    ],
)
def test_float_noise_costs_no_replica_and_no_load_asks_for_everything(
    replicas: float, up: int, down: int
) -> None:
    assert (whole_up(replicas), whole_down(replicas)) == (up, down)
