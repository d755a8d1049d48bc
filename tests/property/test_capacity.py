"""What must hold of the strategy ``capacity`` whatever the load, the gaps and the restarts."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.encoded import as_plain
from trimtab.core.proposals import JsonValue, Wish
from trimtab.core.strategies.capacity import Capacity
from trimtab.testing.views import NOW, a_view

STRATEGY = Capacity(
    requests="rate", in_flight="busy", requests_per_second=5.0, in_flight_at_slo=20.0
)

LOOKS = st.lists(
    st.tuples(
        st.floats(0.5, 90.0),
        st.none() | st.floats(0.0, 200.0),
        st.floats(30.0, 900.0),
    ),
    min_size=1,
    max_size=40,
)
"""Seconds since the look before, the rate (``None``: missing), the lead time as it is known then."""


def lived(
    looks: list[tuple[float, float | None, float]],
    restarts: frozenset[int] = frozenset(),
    *,
    strategy: Capacity = STRATEGY,
    is_said: bool = True,
) -> list[Wish]:
    now, memory, current = NOW, None, 3
    wishes: list[Wish] = []
    propose = strategy.propose if is_said else strategy.propose_unsaid
    held: JsonValue = memory
    for number, (seconds, rate, lead_seconds) in enumerate(looks):
        now += seconds
        busy = None if rate is None else rate * 2.0
        view = a_view(
            {"rate": rate, "busy": busy}, now=now, current=current, lead_time_seconds=lead_seconds
        )
        if number in restarts:
            held = json.loads(json.dumps(held, allow_nan=False, default=as_plain))
        wish = propose(view, held)
        held = wish.memory
        wishes.append(wish)
        current = current if wish.replicas is None else max(1, wish.replicas)
    return wishes


@settings(deadline=None, max_examples=40)
@given(LOOKS, st.frozensets(st.integers(0, 39)))
def test_restarts_change_nothing_whenever_they_come(
    looks: list[tuple[float, float | None, float]], restarts: frozenset[int]
) -> None:
    """Seen to fail when the JSON form rounds numbers to 32 bits."""
    assert lived(looks, restarts) == lived(looks)


@settings(deadline=None, max_examples=40)
@given(LOOKS, LOOKS)
def test_what_comes_later_changes_nothing_before(
    looks: list[tuple[float, float | None, float]], later: list[tuple[float, float | None, float]]
) -> None:
    """Seen to fail when arrays are continued in place."""
    assert lived(looks + later)[: len(looks)] == lived(looks)


@settings(deadline=None, max_examples=40)
@given(LOOKS)
def test_missing_data_teaches_nothing_and_asks_for_nothing(
    looks: list[tuple[float, float | None, float]],
) -> None:
    """Seen to fail when a missing value is read as 0."""
    wishes = lived(looks)
    before: JsonValue = None
    for (_, rate, _), wish in zip(looks, wishes, strict=True):
        if rate is None:
            assert wish.replicas is None
            assert before is None or wish.memory == before
        before = wish.memory


TOLD_IN_OTHER_WAYS = (
    STRATEGY,
    Capacity(requests="rate", in_flight="busy"),
    Capacity(in_flight="busy", in_flight_at_slo=20.0),
    Capacity(requests="rate", waiting="busy", requests_per_second=5.0),
)


@settings(deadline=None, max_examples=40)
@given(LOOKS, st.sampled_from(TOLD_IN_OTHER_WAYS))
def test_without_words_it_wishes_and_remembers_the_same(
    looks: list[tuple[float, float | None, float]], strategy: Capacity
) -> None:
    """Seen to fail when replicas for what waits are left out of the wish without words."""
    with_words = lived(looks, strategy=strategy)
    wordless = lived(looks, strategy=strategy, is_said=False)
    assert [(one.replicas, one.memory) for one in wordless] == [
        (one.replicas, one.memory) for one in with_words
    ]


@settings(deadline=None, max_examples=40)
@given(LOOKS)
def test_counts_stay_within_the_bounds_or_are_none(
    looks: list[tuple[float, float | None, float]],
) -> None:
    """Seen to fail when the counts of rules are not cut."""
    assert all(one.replicas is None or 0 <= one.replicas <= 10 for one in lived(looks))
