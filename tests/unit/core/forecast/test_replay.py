from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from trimtab.core.forecast import price
from trimtab.core.forecast.curve import BACKLOG_MISSED_TICKS, miss_share
from trimtab.core.forecast.experience import Experience
from trimtab.core.forecast.learning import learned
from trimtab.core.forecast.settings import (
    BLOCK_TICKS,
    HOLD_TICKS,
    RULES,
    SETTINGS,
    Outlook,
    in_words,
    wanted,
)
from trimtab.core.forecast.terms import Terms

T0 = 1_774_746_000.0


def terms(**changes: object) -> Terms:
    usual = Terms(
        lead_ticks=6,
        serving=5,
        at_first=5,
        lower=1.0,
        upper=100.0,
        attainment=0.99,
        ceiling=100.0,
    )
    return usual._replace(**changes)


def lived(loads: list[float], **changes: object) -> list[Experience]:
    one, states = None, []
    for number, load in enumerate(loads, start=1):
        one = learned(one, T0 + 15.0 * number, load, terms(**changes))
        states.append(one)
    return states


def noisy(ticks: int, seed: int = 1) -> list[float]:
    rng = Random(seed)
    return [4.0 + 2.0 * math.sin(n / 40.0) + rng.random() for n in range(ticks)]


def test_every_rule_asks_for_whole_replicas_within_the_bounds() -> None:
    counts = wanted(Outlook(5.0, 6.0, 1.5, 5.5, 0.5), 2.0, 9.0)
    assert counts.size == RULES
    assert (counts == np.round(counts)).all()
    assert counts.min() == 5.0  # the load itself, and nothing on top
    assert counts.max() == 9.0
    assert wanted(Outlook(0.0, 0.0, 0.0, 0.0, 0.0), 2.0, 9.0).tolist() == [2.0] * RULES


def test_settings_say_in_words_what_they_are() -> None:
    assert in_words(0) == "forecast + 0 deviations, held 2 min"
    assert in_words(18) == "load + 0%, held 2 min"
    assert in_words(RULES + 32) == "load + 1 x its growth + 3%, held 6 min"
    assert in_words(SETTINGS - 1) == "load + 2 x its growth + 80%, held 60 min"


def test_what_a_setting_holds_is_the_largest_of_its_window() -> None:
    """Against the plain definition; windows beyond the first may reach a block further."""
    states = lived(noisy(700))
    asked = np.array([one.arrays.recent[n % (BLOCK_TICKS + 1)] for n, one in enumerate(states)])
    for tick in (9, 100, 350, 699):
        held = states[tick].arrays.held[tick % 6]
        for place, window in enumerate(HOLD_TICKS):
            mine = held[place * RULES : (place + 1) * RULES]
            least = asked[max(0, tick - window) : tick + 1].max(axis=0)
            reach = window if place == 0 else window + BLOCK_TICKS
            most = asked[max(0, tick - reach) : tick + 1].max(axis=0)
            floor = 5.0 if tick < 60 else 0.0
            assert (mine >= np.maximum(least, floor)).all()
            assert (mine <= np.maximum(most, floor)).all()


def test_books_agree_with_a_setting_run_by_hand() -> None:
    """One setting, its bill and its misses, from the counts that it held."""
    loads = noisy(400)
    states = lived(loads)
    setting = RULES + 20  # load + 6 %, held 6 minutes
    held = [float(one.arrays.held[n % 6][setting]) for n, one in enumerate(states)]
    cost, missed = 0.0, 0.0
    first = states[0].arrays
    fade = price.FADE
    for tick, load in enumerate(loads):
        history = held[max(0, tick - 5) : tick + 1]
        if tick < 5:
            history = [max(1.0, min(history[0], held[0])), *history]
        serving = min(history)
        smooth = states[tick].tally.smooth
        share = miss_share(smooth, serving)
        if states[tick].arrays.backlog[setting] > BACKLOG_MISSED_TICKS * serving:
            share = 1.0
        if tick == 0:
            cost, missed = float(first.cost[setting]), float(first.missed[setting])
            continue
        cost = fade * cost + held[tick]
        missed = fade * missed + share * load
    last = states[-1].arrays
    assert last.cost[setting] == pytest.approx(cost, rel=1e-9)
    assert last.missed[setting] == pytest.approx(missed, rel=0.05, abs=0.5)


def test_more_spare_is_never_cheaper_and_never_misses_more() -> None:
    last = lived(noisy(500))[-1].arrays
    cost, missed = last.cost.reshape(-1, RULES), last.missed.reshape(-1, RULES)
    spare = slice(0, 18)
    assert (np.diff(cost[:, spare], axis=1) >= -1e-6).all()
    assert (np.diff(missed[:, spare], axis=1) <= 1e-6).all()
    assert (np.diff(cost, axis=0) >= -1e-6).all()


def test_where_all_that_may_be_serve_nothing_is_booked_as_missed() -> None:
    one = lived([50.0] * 30, upper=8.0, serving=8)[-1]
    assert one.tally.missed == 0.0
    before = one.arrays.missed.copy()
    after = learned(one, T0 + 15.0 * 31, 50.0, terms(upper=8.0, serving=8)).arrays.missed
    assert (after <= before).all()


def test_a_replica_that_is_missing_is_booked_against_what_really_serves() -> None:
    enough = lived([5.0] * 20, serving=8)[-1].tally
    short = lived([5.0] * 20, serving=4)[-1].tally
    assert enough.missed < 0.01
    assert short.missed == pytest.approx(short.offered)


def test_where_occupancy_tells_it_counts_for_what_was_missed() -> None:
    full = lived([5.0] * 20, serving=8, occupied=8.0)[-1].tally
    assert full.missed == pytest.approx(0.05 * full.offered)


@pytest.mark.parametrize(("load", "share"), [(0.0, 0.0), (1.0, 0.05), (1.2, 1.0), (5.0, 1.0)])
def test_at_its_capacity_a_replica_misses_one_in_twenty(load: float, share: float) -> None:
    assert miss_share(3.0 * load, 3.0) == pytest.approx(share)


def test_with_nobody_serving_everything_is_missed() -> None:
    assert miss_share(0.1, 0.0) == 1.0


def test_a_longer_lead_time_keeps_what_was_learned_and_stretches_what_is_on_its_way() -> None:
    before = lived(noisy(100))[-1]
    after = learned(before, before.tally.at + 15.0, 4.0, terms(lead_ticks=9))
    assert after.arrays.lead_ticks == 9
    same = learned(before, before.tally.at + 15.0, 4.0, terms())
    assert (after.arrays.cost == same.arrays.cost).all()
    assert (after.arrays.missed >= same.arrays.missed - 1e-9).all()
    shorter = learned(after, after.tally.at + 15.0, 4.0, terms(lead_ticks=4))
    assert shorter.arrays.lead_ticks == 4


def test_continuing_leaves_what_was_known_before_untouched() -> None:
    """Seen to fail when the arrays are continued without a copy."""
    before = lived(noisy(50))[-1]
    numbers, counts = before.arrays.numbers.copy(), before.arrays.counts.copy()
    learned(before, before.tally.at + 15.0, 9.0, terms())
    assert (before.arrays.numbers == numbers).all()
    assert (before.arrays.counts == counts).all()
    with pytest.raises(ValueError, match="read-only"):
        before.arrays.levels[0] = 1.0
