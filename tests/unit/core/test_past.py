"""A strategy that begins cold, and the past that others recorded of its deployment."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

import pytest

from trimtab.core.bounds import Bound, Bounds
from trimtab.core.forecast.known import Known
from trimtab.core.forecast.past import COLD_TICKS, SPANS, loads_of
from trimtab.core.past import PastValue
from trimtab.core.proposals import JsonValue, View
from trimtab.core.strategies.capacity import Capacity
from trimtab.core.strategies.interface import Primeable
from trimtab.testing.views import a_view

DAY = 86_400.0
NOW = 20_000 * DAY
"""A midnight, and a Tuesday."""

ROOM = Bounds(Bound(1, "the user"), Bound(100, "the user"))
BY_RATE = Capacity(requests="rate", requests_per_second=10.0)


def waves(at: float) -> float:
    """Replicas: three to nine, the most at six in the morning."""
    return 6.0 + 3.0 * math.sin(2.0 * math.pi * at / DAY)


def rates(
    load: Callable[[float], float], since: float, until: float, step: float
) -> list[PastValue]:
    """What is told of ``load`` every ``step`` seconds after ``since``, in requests a second."""
    count = int((until - since) / step)
    times = [since + step * (number + 1) for number in range(count)]
    return [PastValue(at, 10.0 * load(at), step) for at in times]


def a_view_at(now: float, *, current: int = 6, rate: float | None = None) -> View:
    readings = {} if rate is None else {"rate": rate}
    return a_view(readings, now=now, current=current)._replace(bounds=ROOM)


def ended(pieces: Generator[None, None, JsonValue]) -> JsonValue:
    try:
        while True:
            next(pieces)
    except StopIteration as end:
        found: JsonValue = end.value
        return found


def primed(
    past: Sequence[PastValue], view: View, strategy: Capacity = BY_RATE, memory: JsonValue = None
) -> Known:
    known = Known.recalled(ended(strategy.primed({"rate": past}, view, memory)))
    assert known is not None
    return known


def lived(loads: Callable[[float], float], since: float, until: float, **terms: int) -> Known:
    """What is remembered after hearing of the load every 15 s."""
    memory: JsonValue = None
    for tick in range(int((until - since) / 15.0)):
        at = since + 15.0 * (tick + 1)
        view = a_view_at(at, rate=10.0 * loads(at), **terms)
        memory = BY_RATE.propose(view, memory).memory
    known = Known.recalled(memory)
    assert known is not None
    return known


def two_weeks() -> list[PastValue]:
    coarse, fine = SPANS
    return [
        *rates(waves, NOW - coarse.seconds, NOW - fine.seconds, coarse.step_seconds),
        *rates(waves, NOW - fine.seconds, NOW, fine.step_seconds),
    ]


def test_capacity_can_be_primed() -> None:
    assert isinstance(BY_RATE, Primeable)


def test_after_two_weeks_of_history_it_orders_ahead_of_the_usual_rise() -> None:
    known = primed(two_weeks(), a_view_at(NOW))
    wish = BY_RATE.propose(a_view_at(NOW + 15.0, rate=10.0 * waves(NOW + 15.0)), known)
    assert "usual change +" in wish.sentence
    facts = wish.facts
    assert facts is not None
    lead = facts.horizon_seconds or 0.0
    assert facts.forecast_replicas == pytest.approx(waves(NOW + 15.0 + lead), abs=0.1)


def test_the_budget_begins_whole_whatever_the_past_would_have_cost() -> None:
    known = primed(two_weeks(), a_view_at(NOW, current=1))
    joined = Known.recalled(BY_RATE.joined(known, Known(1), a_view_at(NOW, current=1)))
    assert joined is not None
    assert joined.experience is not None
    assert joined.experience.tally.missed == 0.0


def test_what_serves_now_says_nothing_of_what_served_then() -> None:
    """Seen to catch: a past that counts as missed what the replicas of now would have missed."""
    few, many = (
        primed(two_weeks(), a_view_at(NOW, current=serving), memory=Known(1)) for serving in (1, 50)
    )
    assert few == many


def test_an_hour_is_enough_and_its_first_value_counts_for_as_long_as_it_held() -> None:
    """Seen to catch: a first value that counts for 15 s."""
    known = primed(rates(waves, NOW - 3600.0, NOW, 60.0), a_view_at(NOW))
    assert known.experience is not None
    assert known.experience.tally.ticks == COLD_TICKS


def test_a_past_is_asked_for_until_an_hour_was_lived() -> None:
    assert BY_RATE.past_wanted(None) is not None
    young = lived(waves, NOW, NOW + 15.0 * COLD_TICKS - 15.0)
    old = lived(waves, NOW - 15.0 * COLD_TICKS - 30.0, NOW)
    wanted = BY_RATE.past_wanted(young)
    assert wanted is not None
    assert wanted.signals == ("rate",)
    assert wanted.spans == SPANS
    assert BY_RATE.past_wanted(old) is None
    assert BY_RATE.joined(primed(two_weeks(), a_view_at(NOW)), old, a_view_at(NOW)) is None


def test_where_capacity_is_learned_the_past_is_asked_for_once_it_is_known() -> None:
    strategy = Capacity(requests="rate", in_flight="busy")
    wanted = strategy.past_wanted(None)
    assert wanted is not None
    assert wanted.signals == ()
    only_busy = Capacity(in_flight="busy", in_flight_at_slo=8.0)
    assert only_busy.past_wanted(None) is None, "how many served then is not known"


@pytest.mark.parametrize(
    ("why", "past"),
    [
        ("nothing", []),
        ("less than an hour", rates(waves, NOW - 3000.0, NOW, 60.0)),
        ("ended long ago", rates(waves, NOW - 2 * DAY, NOW - 4000.0, 60.0)),
    ],
)
def test_a_past_that_is_of_no_use_changes_nothing(why: str, past: list[PastValue]) -> None:
    assert ended(BY_RATE.primed({"rate": past}, a_view_at(NOW), None)) is None, why


def test_a_gap_is_no_load_of_zero() -> None:
    since = NOW - 2.0 * DAY
    whole = rates(waves, since, NOW, 60.0)
    gappy = [one for one in whole if not 0.4 < (one.time - since) / (2.0 * DAY) < 0.6]
    known = primed(gappy, a_view_at(NOW))
    assert known.experience is not None
    curves = known.experience.arrays.curves
    day = curves.day[curves.day_seen > 0.0]
    assert float(day.min()) >= 2.9


def test_what_was_lived_before_the_past_arrives_is_kept() -> None:
    since = NOW - DAY
    young = lived(waves, NOW - 600.0, NOW, current=7)
    known = primed(rates(waves, since, NOW, 60.0), a_view_at(NOW, current=7), memory=young)
    joined = Known.recalled(BY_RATE.joined(known, young, a_view_at(NOW, current=7)))
    assert joined is not None
    assert joined.experience is not None
    assert young.experience is not None
    assert joined.heard is not None
    assert young.heard is not None
    assert joined.heard.until == young.heard.until
    assert joined.experience.tally.wanted == young.experience.tally.wanted
    assert joined.experience.tally.offered == young.experience.tally.offered
    assert joined.line == young.line


def test_a_past_that_ends_before_what_was_lived_is_not_gone_on_from() -> None:
    past = primed(rates(waves, NOW - DAY, NOW, 60.0), a_view_at(NOW))
    ahead = lived(waves, NOW - 600.0, NOW + 600.0)
    assert BY_RATE.joined(past, ahead, a_view_at(NOW)) is None


def test_nothing_is_let_go_in_the_first_quarter_of_an_hour_all_the_same() -> None:
    known = primed(two_weeks(), a_view_at(NOW, current=40))
    memory = BY_RATE.joined(known, Known(40), a_view_at(NOW, current=40))
    counts = []
    for tick in range(1, 81):
        at = NOW + 15.0 * tick
        wish = BY_RATE.propose(a_view_at(at, rate=10.0 * waves(at), current=40), memory)
        memory = wish.memory
        counts.append(wish.replicas or 0)
    assert min(counts[:60]) == 40
    assert counts[-1] < 20


def test_a_memory_that_was_primed_is_restored_bit_for_bit() -> None:
    known = primed(two_weeks(), a_view_at(NOW))
    joined = BY_RATE.joined(known, Known(40), a_view_at(NOW, current=40))
    assert isinstance(joined, Known)
    assert joined.kept_until is not None
    again = Known.recalled(joined.as_json())
    assert again is not None
    assert again == joined
    assert again.kept_until == joined.kept_until


def test_token_signals_add_up_where_both_are_known() -> None:
    first = [PastValue(60.0, 100.0, 60.0), PastValue(120.0, 100.0, 60.0)]
    second = [PastValue(70.0, 50.0, 60.0)]
    loads = loads_of({"a": first, "b": second}, {"a": 100.0, "b": 50.0}, 1.0, 1e6)
    assert loads == [PastValue(60.0, 2.0, 60.0)]


def test_the_work_is_done_in_small_pieces() -> None:
    pieces = sum(1 for _ in BY_RATE.primed({"rate": two_weeks()}, a_view_at(NOW), None))
    assert pieces > DAY / 15.0 / 10.0
