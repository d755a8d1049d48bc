from __future__ import annotations

from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trimtab.core.forecast.curve import miss_share
from trimtab.core.forecast.known import Known
from trimtab.core.forecast.trim import BOUNDS, UNSEEN_TICKS, Seen, Trim

MINUTE, HOUR = 4, 240


def after(ticks: int, seen: Seen, trim: Trim | None = None) -> Trim:
    trim = trim or Trim()
    for _ in range(ticks):
        trim = trim.seeing(seen)
    return trim


def told(load: float, missed: float, occupied: float | None = None, serving: int = 10) -> Seen:
    return Seen(load, serving, occupied=occupied, missed_share=missed)


# -- where misses are told ---------------------------------------------------------------------


def test_late_answers_at_a_load_that_replicas_should_carry_are_believed_within_minutes() -> None:
    assert after(5 * MINUTE, told(7.0, missed=0.05)).factor > 1.3


def test_as_many_late_answers_as_there_should_be_leave_what_was_given_as_it_is() -> None:
    missed = miss_share(9.0, 10)
    assert after(HOUR, told(9.0, missed)).factor == pytest.approx(1.0, abs=1e-6)


def test_what_an_overload_explains_tells_nothing_of_one_replica() -> None:
    assert after(HOUR, told(13.0, missed=1.0)).factor == 1.0


def test_nor_does_the_queue_that_it_leaves_behind() -> None:
    trim = after(2 * MINUTE, told(14.0, missed=1.0))
    assert after(MINUTE // 2, told(9.5, missed=1.0), trim).factor == 1.0


def test_nor_a_share_that_still_falls_as_queries_look_back_over_minutes() -> None:
    trim = after(2 * MINUTE, told(14.0, missed=1.0))
    for tick in range(1, 21):
        trim = trim.seeing(told(8.0, missed=1.0 - tick / 20))
    assert trim.factor == pytest.approx(1.0, abs=0.01)


def test_nor_what_is_in_flight_while_a_queue_is_being_cleared() -> None:
    trim = after(2 * MINUTE, told(14.0, missed=1.0))
    for tick in range(40):
        clearing = told(9.0, missed=1.0, occupied=13.0)
        trim = trim.seeing(clearing._replace(in_flight=5000.0 * 0.9**tick))
    assert trim.factor == 1.0


def piling(trim: Trim, ticks: int, staying: float) -> Trim:
    """Serve nobody in time, while this share of 1,000 requests a tick stays in flight."""
    for _ in range(ticks):
        there = trim.in_flight_before + 1000.0 * staying
        late = told(8.0, missed=1.0, occupied=12.0)
        trim = trim.seeing(late._replace(in_flight=there, requests=1000.0))
    return trim


@pytest.mark.parametrize(("staying", "load"), [(0.05, 1.07), (0.5, 2.04), (0.99, 4.08)])
def test_where_all_are_late_and_pile_up_the_share_that_stays_tells_how_far_load_is_beyond_capacity(
    staying: float, load: float
) -> None:
    calm = told(8.0, missed=0.0, occupied=8.0)._replace(in_flight=800.0, requests=1000.0)
    trim = piling(after(HOUR, calm), 6, staying)
    assert trim.factor * 8.0 / 10 == pytest.approx(load, rel=0.07)


def test_where_none_pile_up_any_more_the_load_is_taken_for_twice_what_serves() -> None:
    trim = after(HOUR, told(8.0, missed=0.0))
    ticks = int(UNSEEN_TICKS)
    assert after(ticks - 1, told(8.0, missed=1.0), trim).factor * 8.0 < 12.0
    assert after(ticks, told(8.0, missed=1.0), trim).factor * 8.0 == pytest.approx(20.0)


def test_it_is_doubled_once_and_again_only_when_as_many_serve_and_all_are_late_still() -> None:
    trim = after(HOUR, told(8.0, missed=0.0))
    once = after(HOUR, told(8.0, missed=1.0), trim)
    assert once.factor * 8.0 == pytest.approx(20.0)
    again = after(HOUR // 2, told(8.0, missed=1.0, serving=22), once)
    assert again.factor * 8.0 == pytest.approx(44.0, rel=0.1)


def test_replicas_that_serve_nobody_in_time_are_doubled_to_a_fifth_of_what_was_given_and_no_further() -> (
    None
):
    trim = Trim()
    for serving in (10, 25, 60, 120, 300, 600):
        trim = after(HOUR, told(8.0, missed=1.0, occupied=1.2 * serving, serving=serving), trim)
    assert trim.factor == BOUNDS[1]


def test_where_nobody_is_late_though_some_should_be_a_replica_carries_more_than_was_given() -> None:
    soon, later = (after(ticks, told(9.5, missed=0.0)).factor for ticks in (MINUTE, 3 * HOUR))
    assert 0.99 < soon < 1.0
    assert 0.7 < later < 0.9


def test_nobody_late_at_a_load_at_which_nobody_is_says_nothing() -> None:
    assert after(10 * HOUR, told(5.0, missed=0.0)).factor == pytest.approx(1.0, abs=0.01)


def test_late_answers_of_replicas_that_are_half_idle_say_nothing() -> None:
    assert after(HOUR, told(4.0, missed=1.0)).factor == 1.0
    assert after(HOUR, told(8.0, missed=1.0, occupied=4.0)).factor == 1.0
    assert after(HOUR, told(4.0, missed=1.0, occupied=9.0)).factor > 2.0


def test_a_few_requests_say_little() -> None:
    calm = after(HOUR, told(5.0, missed=0.0))._replace(requests=0.0)
    late = told(9.0, missed=0.2)
    few, many = (after(2, late._replace(requests=n), calm).factor for n in (1.0, 1e4))
    assert 1.0 < few < many


def test_heavy_requests_are_believed_in_for_as_long_as_something_tells_of_them() -> None:
    heavy = Trim(factor=3.0)
    assert after(2 * HOUR, told(2.0, missed=0.0, occupied=6.0), heavy).factor == pytest.approx(
        3.0, rel=0.05
    )
    assert after(4 * HOUR, told(2.0, missed=0.0, occupied=2.0), heavy).factor == pytest.approx(
        1.0, abs=0.05
    )


@given(
    work=st.floats(0.7, 4.0),
    load=st.floats(4.0, 40.0),
    share=st.floats(0.86, 0.97),
)
@example(work=1.4375, load=4.0, share=0.96875)
def test_whatever_requests_take_it_is_found_out_from_who_was_late(
    work: float, load: float, share: float
) -> None:
    """Seen to fail where the factor never falls, and where it rises by the doubling alone."""
    trim, missed, serving = Trim(), 0.0, 0
    for _ in range(5 * HOUR):
        serving = max(1, ceil(trim.factor * load / share - 0.5))
        missed = miss_share(work * load, serving)
        occupied = min(work * load, 1.33 * serving)
        trim = trim.seeing(told(load, missed, occupied, serving))
    assert trim.factor == pytest.approx(work, rel=0.15)
    # Counts are rounded to the nearest, so that some are late at all: of few replicas one too little is much.
    assert min(missed, miss_share(work * load, serving + 1)) < 0.25


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 1e6),
            st.integers(0, 1000),
            st.floats(0.0, 1e9),
            st.none() | st.floats(0.0, 1e6),
            st.none() | st.floats(0.0, 1.0),
        ),
        max_size=60,
    )
)
def test_whatever_is_told_the_factor_stays_within_its_bounds(
    ticks: list[tuple[float, int, float, float | None, float | None]],
) -> None:
    """Seen to fail where what misses tell is not bounded."""
    trim = Trim()
    low, high = BOUNDS
    for load, serving, requests, occupied, missed in ticks:
        seen = Seen(load, serving, requests, occupied=occupied, missed_share=missed)
        trim = trim.seeing(seen)
        assert low <= trim.factor <= high


# -- where they are not ------------------------------------------------------------------------


def by_in_flight(load: float, in_flight: float, ticks: int = 600) -> float:
    seen = Seen.by(8, 100.0, in_flight, 100.0, None)
    return after(ticks, seen._replace(load=load)).factor


def test_requests_that_are_more_work_than_was_said_show_in_flight_and_fewer_are_not_bet_on() -> (
    None
):
    there = 8 * 50.0  # half of what is in flight at the SLO, and 0.8 of the load
    assert by_in_flight(6.4, there) == pytest.approx(1.0, abs=0.01)
    assert by_in_flight(4.0, there) == pytest.approx(1.6, abs=0.02)
    assert by_in_flight(8.0, there) == 1.0


def test_idle_replicas_and_queues_that_the_load_explains_say_nothing_of_the_capacity() -> None:
    assert by_in_flight(4.0, 8 * 5.0) == 1.0
    assert by_in_flight(9.8, 8 * 900.0) == 1.0
    assert by_in_flight(0.0, 8 * 50.0) == 1.0
    assert Trim().seeing(Seen(4.0, 0, in_flight=100.0)) == Trim()


def test_replicas_that_are_full_without_a_reason_are_believed_within_minutes() -> None:
    assert by_in_flight(6.0, 8 * 900.0, ticks=8 * MINUTE) > 1.2


# -- what is remembered ------------------------------------------------------------------------


def test_what_was_remembered_before_misses_were_counted_is_read() -> None:
    form = Known(3).as_json()
    assert isinstance(form, dict)
    known = Known.recalled({**form, "trim": [1.3]})
    assert known is not None
    assert known.trim == Trim(1.3)


def test_what_is_remembered_is_read_again_as_it_was() -> None:
    trim = after(7 * MINUTE, told(8.0, missed=0.04, occupied=7.0))
    known = Known.recalled(Known(3, trim=trim).as_json())
    assert known is not None
    assert known.trim == trim
