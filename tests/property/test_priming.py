"""A past that was told is a past that was lived: the same numbers, as far as ``Capacity.primed`` promises.

Seen to catch: curves that begin anew with the replayed day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.bounds import Bound, Bounds
from trimtab.core.forecast.experience import Experience
from trimtab.core.forecast.known import Known
from trimtab.core.forecast.past import live_through
from trimtab.core.forecast.terms import Terms
from trimtab.core.past import PastValue
from trimtab.core.proposals import JsonValue
from trimtab.core.strategies.capacity import Capacity
from trimtab.testing.views import a_view

NOW = 20_000 * 86_400.0
BY_RATE = Capacity(requests="rate", requests_per_second=10.0)
ROOM = Bounds(Bound(1, "the user"), Bound(8, "the user"))
REPLAYED = ("levels", "losses", "made", "hour", "hour_seen", "cost", "missed", "backlog", "recent")

PASTS = st.tuples(
    st.lists(
        st.floats(0.0, 60.0), min_size=4, max_size=24
    ),  # requests a second, for some minutes each
    st.sampled_from([15.0, 30.0, 60.0, 300.0]),
    st.sets(st.integers(0, 200), max_size=30),  # which values are missing
)


def past_of(drawn: tuple[list[float], float, set[int]], seconds: float = 5400.0) -> list[PastValue]:
    loads, step, missing = drawn
    values = []
    for number in range(int(seconds / step)):
        at = NOW - seconds + step * (number + 1)
        if number not in missing:
            wave = loads[int(number * step / 600.0) % len(loads)]
            values.append(PastValue(at, wave / 10.0, step))
    return values


def experience_after(past: Sequence[PastValue], replayed_from: float) -> Experience | None:
    terms = Terms(21, 1, 1, 1.0, 8.0, 0.99, 100.0, is_past=True)
    pieces = live_through(past, terms, replayed_from)
    try:
        while True:
            next(pieces)
    except StopIteration as end:
        found: tuple[object, Experience | None] = end.value
        return found[1]


@settings(max_examples=10, deadline=None)
@given(drawn=PASTS, share=st.floats(0.0, 1.0))
def test_the_curves_are_those_of_a_life_wherever_the_replay_begins(
    drawn: tuple[list[float], float, set[int]], share: float
) -> None:
    past = past_of(drawn)
    whole = experience_after(past, -math.inf)
    some = experience_after(past, NOW - 5400.0 * share)
    if some is None:
        return
    assert whole is not None
    assert np.array_equal(some.arrays.curves.numbers, whole.arrays.curves.numbers)
    assert some.tally[5:8] == whole.tally[5:8], "the bin that is not over yet"


@settings(max_examples=10, deadline=None)
@given(drawn=PASTS, cut=st.floats(0.5, 1.0))
def test_told_and_then_lived_is_lived(
    drawn: tuple[list[float], float, set[int]], cut: float
) -> None:
    """Every replica that there may be serves, so that living tells nothing more than the load."""
    past = past_of((drawn[0], 15.0, set()))
    told = [one for one in past if one.time <= NOW - 5400.0 * (1.0 - cut)]
    whole = experience_after(past, -math.inf)
    part = experience_after(told, -math.inf)
    if part is None or part.tally.ticks < 240:
        return
    view = a_view({}, now=told[-1].time, current=8)._replace(bounds=ROOM)
    rates = [one._replace(value=one.value * 10.0) for one in told]
    pieces = BY_RATE.primed({"rate": rates}, view, Known(1))
    memory: JsonValue = None
    try:
        while True:
            next(pieces)
    except StopIteration as end:
        memory = BY_RATE.joined(end.value, Known(1), view)
    for one in past[len(told) :]:
        now = a_view({"rate": one.value * 10.0}, now=one.time, current=8)
        memory = BY_RATE.propose(now._replace(bounds=ROOM), memory).memory
    known = Known.recalled(memory)
    assert known is not None
    assert known.experience is not None
    assert whole is not None
    assert known.experience.tally.ticks == whole.tally.ticks
    ours, theirs = known.experience.arrays, whole.arrays
    assert np.array_equal(ours.curves.numbers, theirs.curves.numbers)
    for name in REPLAYED:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
