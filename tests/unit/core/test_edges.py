"""When time alone may change a decision: each kind of edge, to the second, and none where nothing waits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.worlds.engine_world import BUSY, DEMAND, LOAD, NAME, START, World, a_policy, world

from trimtab.core.calendar import DAY_SECONDS, Period, Recurrence
from trimtab.core.decision import EventKind, Hold, Reason, ScaleDown, ScaleUp, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, ScheduleFloor
from trimtab.core.engine import Engine
from trimtab.core.expressions import Answer
from trimtab.core.overrides import Override, OverrideKind
from trimtab.core.policy import (
    Damping,
    Fallback,
    HoldRule,
    Limit,
    MoveRules,
    Rule,
    ScaleToZero,
)
from trimtab.core.proposals import View
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import Sample
from trimtab.core.strategies.expression import Expression
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.panic_window import PanicWindow
from trimtab.core.strategies.queue import Queue
from trimtab.core.strategies.ratio import Ratio
from trimtab.core.strategies.schedule import Schedule, Window
from trimtab.core.strategies.threshold import Threshold

FOR_EVER = replace(LOAD, max_age_seconds=1e6)
AT_ONCE = MoveRules(stabilization_seconds=0.0)
FREE = {"signals": (FOR_EVER,), "up": AT_ONCE, "down": AT_ONCE}
"""A policy that nothing of time touches: what a test adds is what there is to wait for."""


def edge(w: World) -> float | None:
    """Seconds from now until the next edge, without the millisecond by which it is certain."""
    at = w.engine.next_edge(NAME, w.now)
    return None if at is None else round(at - w.now, 2)


def test_where_nothing_waits_there_is_no_edge() -> None:
    w = world(5, rules=(Rule(name="r", role=Role.DEMAND, strategy=Fixed(replicas=5)),))
    w.step()
    assert edge(w) is None


def test_what_was_never_looked_at_or_has_no_policy_has_no_edge() -> None:
    w = world(2)
    assert edge(w) is None
    w.step(load=20.0)
    assert edge(w) is not None
    w.engine.replace_policies([])
    assert edge(w) is None


def test_a_signal_becomes_stale() -> None:
    w = world(2)
    w.step(load=20.0)
    assert edge(w) == 60.0
    w.step(after=45.0)
    assert edge(w) == 15.0
    w.step(after=15.01)
    assert edge(w) is None, "stale is stale"


def test_a_signal_that_nothing_uses_may_become_what_it_likes() -> None:
    w = world(2, signals=(FOR_EVER, BUSY))
    w.step(load=20.0, busy=1.0)
    assert edge(w) == 1e6


def test_a_window_lets_go_of_the_highest_wish() -> None:
    w = world(5, **(FREE | {"down": MoveRules(stabilization_seconds=300.0)}))
    w.step(load=50.0)
    w.step(after=20.0, load=20.0)
    assert edge(w) == 280.0
    assert w.step(after=279.0).verdict == Hold(Reason.STABILIZING)
    assert isinstance(w.step(after=1.001).verdict, ScaleDown)


def test_a_window_that_holds_nothing_back_is_no_edge() -> None:
    w = world(5, **(FREE | {"down": MoveRules(stabilization_seconds=300.0)}))
    w.step(load=50.0)
    w.step(after=20.0, load=50.0)
    assert edge(w) == 1e6


def test_a_limit_lets_go_of_a_move_made_before() -> None:
    limited = MoveRules(stabilization_seconds=0.0, limits=(Limit(period_seconds=60.0, replicas=1),))
    w = world(2, **(FREE | {"up": limited}))
    w.act(load=50.0)
    w.step(after=10.0)
    assert edge(w) == 50.0
    assert isinstance(w.step(after=50.001).verdict, ScaleUp)


def test_a_cooldown_is_over() -> None:
    w = world(2, **(FREE | {"up": MoveRules(stabilization_seconds=0.0, cooldown_seconds=90.0)}))
    w.act(load=30.0)
    assert w.step(after=10.0, load=50.0).verdict == Hold(Reason.COOLDOWN)
    assert edge(w) == 80.0


def test_a_rules_own_damping_lets_go() -> None:
    damped = replace(DEMAND, down=Damping(stabilization_seconds=120.0))
    w = world(5, **(FREE | {"rules": (damped,)}))
    w.step(load=50.0)
    w.step(after=20.0, load=20.0)
    assert edge(w) == 100.0


def test_a_demand_has_been_unknown_for_long_enough_to_fall_back() -> None:
    w = world(2, **(FREE | {"fallback": Fallback(after_seconds=100.0, replicas=6)}))
    w.step()
    assert edge(w) == 100.0
    assert isinstance(w.step(after=100.001).verdict, ScaleUp)


def test_without_demand_for_long_enough_the_last_replica_goes() -> None:
    to_zero = ScaleToZero(after_seconds=200.0, wake_on=("load",))
    w = world(1, deployment={"min_replicas": 0}, **(FREE | {"scale_to_zero": to_zero}))
    w.step(load=0.0)
    assert edge(w) == 200.0
    assert w.step(after=200.001).desired == 0


def test_its_end_comes_near_and_comes() -> None:
    w = world(2, deployment={"expires_at": START + 2_000.0}, lead_time_seconds=300.0, **FREE)
    w.step(load=20.0)
    assert edge(w) == 2_000.0 - 300.0 - 600.0
    w.step(after=1_500.0)
    assert edge(w) == 500.0


@pytest.mark.parametrize(
    ("minute", "expected"), [(0, 300.0), (6, 240.0)], ids=["it begins", "it ends"]
)
def test_a_schedule_of_the_platform_begins_and_ends(minute: int, expected: float) -> None:
    floor = ScheduleFloor(
        name="f", replicas=4, cron="5 * * * *", duration_seconds=300.0, timezone="UTC"
    )
    w = world(2, deployment={"schedule_floors": (floor,)}, **FREE)
    w.step(after=60.0 * minute, load=20.0)
    assert edge(w) == expected


def test_a_schedule_that_cannot_be_read_is_no_edge() -> None:
    floor = ScheduleFloor(
        name="f", replicas=4, cron="nonsense", duration_seconds=300.0, timezone="UTC"
    )
    w = world(2, deployment={"schedule_floors": (floor,)}, **FREE)
    w.step(load=20.0)
    assert edge(w) == 1e6


def test_nothing_is_written_for_a_while_after_somebody_changed_the_bounds() -> None:
    w = world(2, **FREE)
    w.step(load=20.0)
    w.deployment = replace(w.deployment, max_replicas=7)
    assert w.step(after=1.0, load=50.0).verdict == Hold(Reason.OUT_OF_BAND)
    assert edge(w) == 120.0


def test_an_old_view_of_what_we_wrote_counts_as_somebody_elses_after_a_minute() -> None:
    w = world(2, **FREE)
    before = w.deployment
    w.act(load=30.0)
    w.deployment = before
    w.step(after=5.0)
    assert edge(w) == 55.0
    w.step(after=55.001)
    assert w.last_tick is not None
    assert [event.kind for event in w.last_tick.events] == [EventKind.BOUNDS_CHANGED]


def test_capacity_was_refused_and_may_be_asked_for_again() -> None:
    w = world(2, **FREE)
    w.deployment = replace(
        w.deployment, pipeline=Pipeline(ready=1, pending=1), status_code="RESOURCE_EXHAUSTED"
    )
    w.step(load=20.0)
    assert edge(w) == 60.0
    w.deployment = replace(w.deployment, status_code="")
    w.step(after=61.0)
    assert edge(w) == 600.0 - 61.0, "then it is stuck"


def test_replicas_are_waited_for_too_long() -> None:
    w = world(2, stuck_after_seconds=150.0, **FREE)
    w.deployment = replace(w.deployment, pipeline=Pipeline(ready=1, pending=1))
    w.step(load=20.0)
    assert edge(w) == 150.0
    w.step(after=150.001)
    assert w.last_tick is not None
    assert [event.kind for event in w.last_tick.events] == [EventKind.STUCK]
    assert edge(w) == 1e6 - 150.0


def an_override(**changes: object) -> Override:
    fields = {
        "id": "1", "kind": OverrideKind.PAUSE, "deployment": None, "author": "ana", "reason": "x",
        "since": START, "until": START + 30.0,
    }  # fmt: skip
    return Override(**(fields | changes))  # type: ignore[arg-type]  # fields by name


def test_an_order_of_people_ends() -> None:
    w = world(2, **FREE)
    w.engine.give(an_override())
    w.engine.give(
        an_override(id="2", kind=OverrideKind.BLOCK, blocks=Blocks.UP, until=START + 20.0)
    )
    w.step(load=20.0)
    assert edge(w) == 20.0
    w.step(after=25.0)
    assert edge(w) == 5.0


def test_a_pin_waits_for_the_limits_alone() -> None:
    limited = MoveRules(
        stabilization_seconds=400.0, limits=(Limit(period_seconds=60.0, replicas=1),)
    )
    w = world(2, **(FREE | {"up": limited}))
    w.engine.give(
        an_override(kind=OverrideKind.PIN, replicas=6, deployment=NAME, until=START + 1e4)
    )
    w.act(load=20.0)
    w.step(after=10.0)
    assert edge(w) == 50.0


@pytest.mark.parametrize(
    ("strategy", "loads", "expected"),
    [
        (Queue(signal="load", target=10.0), [50.0], 30.0),
        (Queue(signal="load", target=10.0, downscale_delay_seconds=77.0), [0.0], 77.0),
        (
            Queue(signal="load", target=10.0, downscale_to_zero_delay_seconds=40.0),
            [0.0],
            40.0,
        ),
        (PanicWindow(signal="load", target=10.0), [100.0], 60.0),
        (
            PanicWindow(signal="load", target=10.0, scale_down_delay_seconds=45.0),
            [0.0],
            45.0,
        ),
        (Threshold(signal="load", window_seconds=50.0, trigger=1, lower=20.0, delta=1), [30.0], 50.0),
        (Threshold(signal="load", window_seconds=50.0, trigger=2, lower=20.0, delta=1), [30.0], 1e6),
    ],
)  # fmt: skip
def test_a_strategy_foresees_its_own_edges(
    strategy: Queue, loads: list[float], expected: float
) -> None:
    rule = Rule(name="r", role=Role.DEMAND, strategy=strategy)
    w = world(2, **(FREE | {"rules": (rule,)}))
    for load in loads:
        w.step(load=load)
    assert edge(w) == expected


@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        (Period(start=START + 40.0, end=START + 90.0), 40.0),
        (Period(start=START - 40.0, end=START + 90.0), 90.0),
        (Period(start=START - 40.0, end=START - 9.0), None),
        (Recurrence(cron="30 1 * * *", timezone="UTC", duration_seconds=60.0), 5_400.0),
        (Recurrence(cron="30 1 15 6 *", timezone="UTC", duration_seconds=60.0), DAY_SECONDS),
    ],
    ids=["it opens", "it closes", "it is over", "it opens every day", "a day ahead is enough"],
)
def test_a_schedule_opens_and_closes(opening: Period, expected: float | None) -> None:
    schedule = Schedule(windows=(Window(opening=opening, replicas=3, label="w"),), timezone="UTC")
    w = world(2, rules=(Rule(name="r", role=Role.FLOOR, strategy=schedule),))
    w.step()
    assert edge(w) == expected


class Clock:
    """A condition with the time in its text."""

    signals: tuple[str, ...] = ()

    def __init__(self, text: str) -> None:
        self.text = text

    def evaluate(self, view: View) -> Answer:
        return Answer(value=False, sentence=f"{view.now}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time.hour >= 8", 900.0 - 17.5),
        ("time.minute == 3 && time.hour >= 8", 60.0 - 17.5),
        ("time.unix % 300 < 60", 0.5),
        ("signals.overtime.hour > 3.0 && deployment.leadTimeSeconds > 1.0", None),
    ],
)
def test_an_expression_that_reads_the_time_may_turn_when_that_changes(
    text: str, expected: float | None
) -> None:
    hold = HoldRule(name="h", condition=Clock(text), blocks=Blocks.UP)
    w = world(
        2, holds=(hold,), rules=(Rule(name="r", role=Role.DEMAND, strategy=Fixed(replicas=2)),)
    )
    w.step(after=17.5)
    assert edge(w) == expected


def test_a_formula_that_reads_the_time_may_come_to_another_count_when_that_changes() -> None:
    formula = Expression(program=Clock("time.minute < 30 ? 2 : 4"))
    w = world(2, rules=(Rule(name="r", role=Role.DEMAND, strategy=formula),))
    w.step(after=17.5)
    assert edge(w) == 60.0 - 17.5


def test_a_floor_without_data_of_demand_waits_for_the_window_too() -> None:
    floor = Rule(name="f", role=Role.FLOOR, strategy=Fixed(replicas=6))
    w = world(2, **(FREE | {"up": MoveRules(stabilization_seconds=90.0)}))
    w.step(load=20.0)
    w.engine.replace_policies([replace(w.policy, rules=(DEMAND, floor), signals=(LOAD,))])
    assert w.step(after=61.0).verdict == Hold(Reason.STABILIZING)
    assert edge(w) == 29.0


LEADER, HELPER = "accounts/acme/deployments/leader", "accounts/acme/deployments/helper"


def test_who_follows_another_count_is_stirred_by_its_change_and_by_its_end() -> None:
    ratio = Rule(name="r", role=Role.DEMAND, strategy=Ratio(of=LEADER, ratio=2.0))
    w = world(2, rules=(ratio,))
    leader = replace(w.deployment, name=LEADER)
    fleet = {NAME: w.deployment, LEADER: leader}
    engine = w.engine
    assert engine.step(START, fleet, due=[NAME], changed=list(fleet), absent=()).stirred == ()
    fleet[LEADER] = replace(leader, desired_replicas=4)
    assert engine.step(START, fleet, due=(), changed=[LEADER], absent=()).stirred == (NAME,)
    assert engine.step(START, fleet, due=[NAME], changed=[LEADER], absent=()).stirred == ()
    assert engine.step(START, fleet, due=(), changed=(), absent=()).stirred == ()
    del fleet[LEADER]
    assert engine.step(START, fleet, due=(), changed=(), absent=[LEADER]).stirred == (NAME,)
    assert engine.step(START, fleet, due=(), changed=(), absent=[LEADER]).stirred == ()


def a_rescue() -> tuple[Engine, dict[str, Deployment], World]:
    """One deployment is stuck and asks another for help, which has decided already."""
    policies = [
        a_policy(stuck_after_seconds=60.0, fallback_to=(HELPER,), **FREE),
        a_policy(name="h", selector=replace(a_policy().selector, name=HELPER), **FREE),
    ]
    w = world(2)
    stuck = replace(w.deployment, pipeline=Pipeline(ready=1, pending=1))
    fleet = {NAME: stuck, HELPER: replace(w.deployment, name=HELPER)}
    return Engine(policies), fleet, w


def test_who_is_asked_for_help_is_stirred_when_another_gets_stuck_and_when_that_ends() -> None:
    engine, fleet, w = a_rescue()
    engine.step(START, fleet, due=list(fleet), changed=list(fleet), absent=())
    tick = engine.step(START + 60.0, fleet, due=[NAME], changed=(), absent=())
    assert tick.stirred == (HELPER,)
    fleet[NAME] = w.deployment
    tick = engine.step(START + 90.0, fleet, due=(), changed=[NAME], absent=())
    assert [event.kind for event in tick.events][-1] is EventKind.UNSTUCK
    assert tick.stirred == (HELPER,)


def test_who_helps_is_decided_on_after_the_stuck_one_so_that_it_knows_what_is_missed_now() -> None:
    engine, fleet, _ = a_rescue()
    engine.step(START, fleet, [Sample(name, "load", START, 20.0) for name in fleet])
    engine.step(START + 60.0, fleet)
    samples = [Sample(name, "load", START + 61.0, 40.0) for name in fleet]
    both = [HELPER, NAME]
    tick = engine.step(START + 61.0, fleet, samples, due=both, changed=(), absent=())
    assert [one.deployment for one in tick.decisions] == [NAME, HELPER]
    assert "3 for" in tick.decisions[1].sentence
    assert tick.stirred == ()


def test_who_is_no_longer_stuck_is_helped_no_more_though_it_misses_replicas_still() -> None:
    engine, fleet, w = a_rescue()
    fleet[NAME] = replace(w.deployment, desired_replicas=4, pipeline=Pipeline(ready=1, pending=3))
    engine.step(START, fleet, [Sample(name, "load", START, 20.0) for name in fleet])
    (_, helping) = engine.step(START + 60.0, fleet).decisions
    assert helping.verdict == ScaleUp(Reason.RELIEF)
    fleet[NAME] = replace(fleet[NAME], pipeline=Pipeline(ready=2, pending=2))
    engine.step(START + 61.0, fleet, due=(), changed=[NAME], absent=())
    engine.step(START + 61.0, fleet, due=(), changed=(), absent=())
    tick = engine.step(START + 61.0, fleet, due=[HELPER], changed=(), absent=())
    assert "stuck" not in tick.decisions[0].sentence


def test_who_helps_may_be_relieved_when_a_better_helper_may_write_again() -> None:
    better = "accounts/acme/deployments/better"
    everyone = replace(a_policy().selector, name=None)
    engine = Engine(
        [
            a_policy(
                selector=everyone, stuck_after_seconds=60.0, fallback_to=(better, HELPER), **FREE
            )
        ]
    )
    w = world(2)
    fleet = {name: replace(w.deployment, name=name) for name in (NAME, better, HELPER)}
    fleet[NAME] = replace(fleet[NAME], pipeline=Pipeline(ready=1, pending=1))
    engine.step(START, fleet, [Sample(name, "load", START, 20.0) for name in fleet])
    fleet[better] = replace(fleet[better], max_replicas=9)
    engine.step(START + 50.0, fleet)
    engine.step(START + 60.0, fleet)
    assert engine.next_edge(HELPER, START + 60.0) == pytest.approx(START + 50.0 + 120.001)


def test_help_goes_on_after_a_restart() -> None:
    engine, fleet, _ = a_rescue()
    engine.step(START, fleet, [Sample(name, "load", START, 20.0) for name in fleet])
    engine.step(START + 60.0, fleet, due=(), changed=[NAME], absent=())
    again = Engine(engine.policies, engine.memory)
    tick = again.step(START + 61.0, fleet, due=[HELPER], changed=(), absent=())
    assert [one.verdict for one in tick.decisions] == [ScaleUp(Reason.RELIEF)]


def test_an_end_that_was_not_carried_out_leaves_the_edges_as_they_were() -> None:
    w = world(2, **FREE)
    w.step(load=30.0)
    (order,) = w.orders
    before = edge(w)
    w.apply(order, WriteStatus.VOID)
    assert edge(w) == before
