"""A restart after the machine's clock was set back: what is remembered must not lie in the future."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.worlds.engine_world import DEMAND, NAME, World, world

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.claimed import Asked, Claimed
from trimtab.core.decision import Hold, Reason, ScaleUp
from trimtab.core.fleet_memory import FleetMemory
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource
from trimtab.core.forecast.known import Known
from trimtab.core.known_quotas import AccountQuota, KnownQuotas, QuotaRefusal, after_readings
from trimtab.core.need import Need
from trimtab.core.policy import MoveRules
from trimtab.core.proposals import Wish
from trimtab.core.set_back import set_back, set_shared_back
from trimtab.core.signals import FUTURE_TOLERANCE_SECONDS, Sample
from trimtab.core.stages.propose import recalled
from trimtab.core.strategies.capacity import Capacity

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View

HOUR = 3600.0
LEARNING = replace(DEMAND, strategy=Capacity(requests="load", requests_per_second=10.0))


class Remembering:
    """Remembers how often it was asked, and nothing of clocks."""

    signals = ("load",)

    def propose(self, view: View, memory: JsonValue) -> Wish:
        assert memory is None or isinstance(memory, int)
        return Wish(view.current, "as it is", (memory or 0) + 1)


def test_a_sample_of_the_future_is_not_taken_for_a_fresh_one() -> None:
    w = world(4)
    w.step(load=40.0)
    w.restart()
    assert w.step(after=-HOUR).verdict == Hold(Reason.MISSING_DATA)
    assert isinstance(w.step(after=15.0, load=80.0).verdict, ScaleUp)


def test_a_cooldown_lasts_as_long_as_it_was_meant_to() -> None:
    w = world(2, up=MoveRules(stabilization_seconds=0.0, cooldown_seconds=60.0))
    w.act(load=40.0)
    w.restart()
    assert w.step(after=-HOUR, load=90.0).verdict == Hold(Reason.COOLDOWN)
    assert isinstance(w.step(after=61.0, load=90.0).verdict, ScaleUp)


def test_a_move_that_is_found_out_before_the_first_decision_is_of_this_clock_already() -> None:
    w = world(2, up=MoveRules(stabilization_seconds=0.0, cooldown_seconds=60.0))
    w.step(load=40.0)
    [order] = w.orders
    w.restart()
    w.engine.resume(order)
    w.now -= HOUR
    w.apply(order)
    assert w.step(after=45.0, load=90.0).verdict == Hold(Reason.COOLDOWN)
    assert isinstance(w.step(after=16.0, load=90.0).verdict, ScaleUp)


def test_what_was_wished_for_just_before_keeps_its_window() -> None:
    w = world(4)
    w.act(load=40.0)
    w.restart()
    assert w.step(after=-HOUR, load=10.0).verdict == Hold(Reason.STABILIZING)
    assert w.step(after=290.0, load=10.0).desired == 4
    assert w.step(after=15.0, load=10.0).desired < 4


def learned_by(w: World) -> Known:
    [memory] = w.engine.memory.deployments.values()
    known = Known.recalled(recalled(LEARNING, memory))
    assert known is not None
    return known


@pytest.mark.parametrize("seconds", [3.0, 20.0, HOUR, 400 * 24 * HOUR])
def test_what_capacity_has_learned_outlives_it_and_is_added_to_at_once(seconds: float) -> None:
    w = world(4, rules=(LEARNING,))
    for number in range(400):
        w.step(after=15.0, load=20.0 + number % 20)
    before = learned_by(w).experience
    assert before is not None
    w.restart()
    w.step(after=-seconds)
    w.restart()  # again, before anything was heard
    for _ in range(4):
        w.step(after=15.0, load=30.0)
    after = learned_by(w).experience
    assert after is not None
    assert before.tally.ticks < after.tally.ticks <= before.tally.ticks + 4
    assert w.now - 30.0 < after.tally.at <= w.now
    assert (after.arrays.curves.day_seen >= before.arrays.curves.day_seen).all()


def test_what_is_not_asked_yet_is_remembered_until_it_is() -> None:
    w = world(4, rules=(LEARNING,))
    for number in range(40):
        w.step(after=15.0, load=20.0 + number % 20)
    ticks = learned_by(w).experience
    assert ticks is not None
    w.restart()
    w.now -= HOUR
    w.engine.step(w.now, {}, absent=())  # its account cannot be read yet
    w.restart()
    assert w.engine.memory.deployments[NAME].rules_ahead_seconds == pytest.approx(HOUR)
    w.step(after=15.0, load=30.0)
    assert w.engine.memory.deployments[NAME].rules_ahead_seconds == 0.0
    after = learned_by(w).experience
    assert after is not None
    assert w.now - 30.0 < after.tally.at <= w.now


def test_a_strategy_that_cannot_tell_its_times_anew_begins_anew() -> None:
    w = world(4, rules=(replace(DEMAND, strategy=Remembering()),))
    w.step(load=40.0)
    w.step(after=15.0, load=40.0)
    assert w.engine.memory.deployments[NAME].rules["busy-day"] == ["Remembering", 2]
    w.restart()
    w.step(after=-HOUR, load=40.0)
    assert w.engine.memory.deployments[NAME].rules["busy-day"] == ["Remembering", 1]


def test_what_was_asked_for_counts_no_longer_than_until_it_is_looked_at_again() -> None:
    at = 5 * HOUR
    claimed = Claimed(
        held=2, wanted=8, needed=8, least=2, floor=1, need=Need(8.0), lead_time_seconds=60.0,
        granted=8, entitled=8, held_since=at - 30.0, short_since=at - 20.0, asked=Asked(at, 8),
    )  # fmt: skip
    w = world(4)
    w.step(load=40.0)
    [memory] = w.engine.memory.deployments.values()
    back = set_back(memory._replace(claimed=claimed), HOUR).claimed
    assert back is not None
    assert (back.asked, back.held_since, back.short_since) == (
        Asked(at - HOUR, 8), at - HOUR - 30.0, at - HOUR - 20.0,
    )  # fmt: skip


def test_quotas_that_were_read_by_a_clock_that_was_ahead_are_read_anew() -> None:
    pool, now = Pool("NVIDIA_H100_80GB"), 5 * HOUR
    ahead = KnownQuotas(
        (AccountQuota(pool, 16, now + HOUR, 0, 0),),
        (QuotaRefusal(pool, 16, now + HOUR - 60.0, now + HOUR + 60.0, 1),),
    )
    [refusal] = set_shared_back(FleetMemory(quotas=ahead), now).quotas.refusals
    assert (refusal.since, refusal.until) == (now - 60.0, now + 60.0)
    known = set_shared_back(FleetMemory(quotas=ahead), now).quotas
    told = QuotaReading(Quota(pool, 32, QuotaSource.ACCOUNT), 0.0, now + 1.0)
    assert after_readings(known, [told], {}).account[0].accelerators == 32
    assert after_readings(ahead, [told], {}).account[0].accelerators == 16, (
        "or it would be old news"
    )
    same = FleetMemory(quotas=known)
    assert set_shared_back(same, now) is same


def test_a_sender_whose_clock_is_ahead_does_not_set_ours_back() -> None:
    w = world(4)
    w.step(load=40.0)
    ahead = Sample(NAME, "load", w.now + FUTURE_TOLERANCE_SECONDS, 44.0)
    w.engine.step(w.now, {NAME: w.deployment}, [ahead])
    before = w.engine.memory
    assert before.deployments[NAME].latest["load"].value == 44.0
    w.restart()
    w.engine.step(w.now, {}, absent=())
    assert w.engine.memory == before


def test_a_restart_without_a_step_of_the_clock_changes_nothing() -> None:
    w = world(4)
    w.act(load=40.0)
    before = w.engine.memory
    w.restart()
    w.engine.step(w.now, {}, absent=())
    assert w.engine.memory == before
