"""Which of several runs tell how the fleet was, one after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trimtab.journal.sequence import Run, Span, course_of


def runs(*times: tuple[float, float]) -> list[Run]:
    return [Run(Span(number, number + 1), *one) for number, one in enumerate(times)]


def chosen(*times: tuple[float, float]) -> list[tuple[int, float]]:
    return [(run.span.first, at) for run, at in course_of(runs(*times))]


def test_starts_of_one_process_follow_each_other() -> None:
    assert chosen((0, 10), (12, 20), (21, 22)) == [(0, 0), (1, 12), (2, 21)]


def test_of_those_that_run_side_by_side_one_tells_until_it_ends() -> None:
    assert chosen((0, 10), (1, 30), (2, 20), (29, 40)) == [(0, 0), (1, 10), (3, 30)]


def test_one_that_told_nothing_new_is_left_out() -> None:
    assert chosen((0, 10), (2, 8)) == [(0, 0)]


moments = st.integers(0, 20).map(float)
spans_of_time = st.tuples(moments, moments).map(lambda ends: (min(ends), max(ends)))


@given(st.lists(spans_of_time, max_size=8))
def test_time_goes_forward_and_no_time_is_left_out_that_somebody_tells_of(
    times: list[tuple[float, float]],
) -> None:
    told = list(course_of(runs(*times)))
    begins = [at for _, at in told]
    ends = [run.until for run, _ in told]
    assert all(run.begun_at <= at <= run.until for run, at in told)
    assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False))
    for moment in (number + 0.5 for number in range(20)):
        is_told = any(at < moment < run.until for run, at in told)
        assert is_told == any(begin < moment < end for begin, end in times)
