from __future__ import annotations

import math
import subprocess
import sys

import pytest

from trimtab.core.bounds import Bound, Bounds
from trimtab.core.forecast.judgement import Judgement
from trimtab.core.forecast.known import Known
from trimtab.core.proposals import JsonValue, Wish
from trimtab.core.signals import Per
from trimtab.core.strategies.capacity import Capacity
from trimtab.testing.views import NOW, a_view

BY_RATE = Capacity(requests="rate", requests_per_second=10.0)
ROOM = Bounds(Bound(0, "test"), Bound(100, "test"))


class Lives:
    """Asks every 15 s, and gives what it is asked for at once."""

    def __init__(self, strategy: Capacity, current: int = 3) -> None:
        self.strategy, self.current, self.now = strategy, current, NOW
        self.memory: JsonValue = None

    def hear(self, seconds: float = 15.0, per: Per = Per.DEPLOYMENT, **loads: float | None) -> Wish:
        self.now += seconds
        view = a_view(loads, now=self.now, current=self.current, per=per)
        wish = self.strategy.propose(view._replace(bounds=ROOM), self.memory)
        self.memory = wish.memory
        self.current = self.current if wish.replicas is None else wish.replicas
        return wish


def test_it_asks_for_what_is_needed_and_some_spare_and_says_how_it_comes_to_that() -> None:
    lives = Lives(BY_RATE, current=9)
    wish = Wish(None, "")
    for tick in range(400):
        wish = lives.hear(rate=70.0 + 3.0 * math.sin(tick))
    assert wish.replicas in (8, 9)
    assert wish.sentence.startswith("need 7.0")
    for part in ("in 5 min", "now", "spare", f"ask for {wish.replicas}", "price", "missed 0."):
        assert part in wish.sentence


def test_twice_the_load_is_twice_the_replicas_soon_and_half_of_it_later() -> None:
    lives = Lives(BY_RATE, current=6)
    for _ in range(100):
        lives.hear(rate=50.0)
    settled = lives.current
    for _ in range(8):
        lives.hear(rate=100.0)
    assert lives.current >= 2 * settled - 2
    for _ in range(400):
        lives.hear(rate=50.0)
    assert lives.current <= settled + 1


def test_a_flash_that_nobody_foresaw_is_followed_in_one_tick() -> None:
    lives = Lives(BY_RATE, current=6)
    for _ in range(200):
        lives.hear(rate=50.0)
    assert (lives.hear(rate=300.0).replicas or 0) >= 25


def test_without_load_it_wants_none_and_with_the_first_request_one() -> None:
    lives = Lives(BY_RATE, current=2)
    for _ in range(900):
        lives.hear(rate=0.0)
    assert lives.current == 0
    assert lives.hear(rate=0.5).replicas == 1


def test_missing_data_is_told_and_forgotten_is_nothing() -> None:
    lives = Lives(BY_RATE)
    for _ in range(50):
        lives.hear(rate=20.0)
    before = lives.memory
    wish = lives.hear(rate=None)
    assert (wish.replicas, wish.sentence) == (None, "rate is missing")
    assert wish.memory is before
    assert lives.hear(seconds=3600.0, rate=20.0).replicas is not None


def test_in_flight_alone_is_turned_into_load_before_it_is_steered_by() -> None:
    lives = Lives(Capacity(in_flight="busy", in_flight_at_slo=126.0), current=8)
    wish = Wish(None, "")
    for _ in range(200):
        wish = lives.hear(
            busy=8 * 25.0
        )  # half of the load at the SLO, a fifth of what is in flight
        lives.current = 8
    assert wish.replicas == pytest.approx(5, abs=1)


TOLD = Capacity(requests="rate", requests_per_second=10.0, within_slo="within")


def after_ten_hours(within: float) -> int:
    """Serve a load that swings by the minute, told that this share was within the SLO all the time."""
    lives = Lives(TOLD, current=9)
    for tick in range(2400):
        lives.hear(rate=70.0 + 25.0 * math.sin(tick / 9.0), within=within)
    return lives.current


def test_being_told_that_too_many_miss_the_slo_it_asks_for_more_and_for_fewer_if_hardly_any_do() -> (
    None
):
    assert after_ten_hours(0.95) > after_ten_hours(0.9999)


def test_a_share_that_is_missing_is_not_one_of_none_within_the_slo() -> None:
    told, untold = Lives(TOLD, current=9), Lives(BY_RATE, current=9)
    for tick in range(300):
        rate = 70.0 + 25.0 * math.sin(tick / 9.0)
        assert told.hear(rate=rate, within=None).replicas == untold.hear(rate=rate).replicas


def test_it_can_do_without_the_share_within_the_slo_and_without_nothing_else() -> None:
    assert TOLD.signals == ("rate", "within")
    assert TOLD.dispensable_signals == ("within",)
    assert BY_RATE.dispensable_signals == ()
    one_for_all = Capacity(requests="rate", requests_per_second=10.0, within_slo="rate")
    assert (one_for_all.signals, one_for_all.dispensable_signals) == (("rate",), ())


def test_misses_of_replicas_that_are_half_idle_buy_no_more_of_them() -> None:
    told, untold = Lives(TOLD, current=20), Lives(BY_RATE, current=20)
    for _ in range(400):
        told.current = untold.current = 20
        told_wish, untold_wish = told.hear(rate=70.0, within=0.0), untold.hear(rate=70.0)
        assert told_wish.replicas == untold_wish.replicas


def judged_after_an_hour(asked: int | None, within: float | None) -> Judgement:
    """Serve a load of about 7 replicas for an hour more than the first 15 minutes; ``None``: with what is wanted."""
    lives = Lives(TOLD, current=9)
    for tick in range(300):
        lives.current = lives.current if asked is None else asked
        lives.hear(rate=70.0 + 5.0 * math.sin(tick / 9.0), within=within)
    known = Known.recalled(lives.memory)
    assert known is not None
    assert known.experience is not None
    return known.experience.tally.judgement


def test_what_the_settings_promised_is_held_against_what_was_missed_once_they_decide() -> None:
    told = judged_after_an_hour(None, within=1.0)
    assert told.missed == 0.0
    assert told.booked > 0.0
    untold = judged_after_an_hour(None, within=None)
    assert untold.ticks == pytest.approx(240, rel=0.03)
    assert 0.0 < untold.booked < untold.offered


def test_who_is_pinned_to_too_few_replicas_says_nothing_of_what_the_settings_promise() -> None:
    assert judged_after_an_hour(4, within=None) == Judgement()
    told = judged_after_an_hour(
        4, within=0.0
    )  # of the replay's curve, yes: all was booked, all missed
    assert told.booked == pytest.approx(told.missed)
    assert told.missed > 0.0


def test_tokens_are_work_that_adds_up() -> None:
    strategy = Capacity(
        prompt_tokens="prompts",
        output_tokens="answers",
        prompt_tokens_per_second=1000.0,
        output_tokens_per_second=500.0,
    )
    lives = Lives(strategy, current=6)
    for _ in range(100):
        lives.hear(prompts=2000.0, answers=1000.0)
    assert lives.current in (5, 6)


def test_with_the_request_rate_tokens_tell_what_a_request_takes() -> None:
    strategy = Capacity(requests="rate", output_tokens="answers", output_tokens_per_second=500.0)
    lives = Lives(strategy, current=6)
    for _ in range(100):
        lives.hear(rate=10.0, answers=2000.0)
    # Twice the requests, of which replicas have generated nothing yet.
    assert lives.hear(rate=20.0, answers=2000.0).replicas is not None
    known = Known.recalled(lives.memory)
    assert known is not None
    assert known.experience is not None
    assert known.experience.tally.load > 7.0


def test_what_one_replica_carries_is_learned_where_nobody_says_it() -> None:
    lives = Lives(Capacity(requests="rate", in_flight="busy"), current=4)
    first = lives.hear(rate=20.0, busy=60.0)
    assert first.replicas is None
    assert "not learned yet" in first.sentence
    for tick in range(300):
        each = 5.0 + 3.0 * math.sin(tick / 20.0)
        lives.current = 4
        lives.hear(rate=4 * each, busy=4 * each * 2.0 / (1.0 - each / 12.0))
    known = Known.recalled(lives.memory)
    assert known is not None
    assert known.capacity == pytest.approx(9.0, rel=0.05)


def test_what_waits_is_cleared_within_a_lead_time_and_is_no_lasting_load() -> None:
    strategy = Capacity(requests="rate", waiting="queue", requests_per_second=10.0)
    calm, queued = Lives(strategy, 6), Lives(strategy, 6)
    for _ in range(100):
        calm.hear(rate=50.0, queue=0.0)
        queued.hear(rate=50.0, queue=0.0)
    without = calm.hear(rate=50.0, queue=0.0)
    burdened = queued.hear(rate=50.0, queue=6000.0)
    assert burdened.replicas == (without.replicas or 0) + 2
    assert "2 of them for what waits" in burdened.sentence


LOADED = """
import sys
from trimtab.policy import read_policy_texts
from trimtab.policy.strategies.capacity import CapacityConfig
assert 'numpy' not in sys.modules, 'by whoever uses another strategy'
CapacityConfig(type='capacity', requests='r', inFlight='f').build()
assert 'numpy' in sys.modules, 'in the middle of its first decision'
"""


def test_what_it_calculates_with_is_loaded_for_policies_that_use_it_and_before_they_decide() -> (
    None
):
    run = subprocess.run([sys.executable, "-c", LOADED], check=False, capture_output=True)  # noqa: S603  our own lines
    assert run.stderr == b""
    assert run.returncode == 0
