from __future__ import annotations

import math

import pytest
from tests.worlds.engine_world import BUSY, LOAD, NAME, START, world

from trimtab.core.decision import Hold, Reason, ScaleDown, ScaleUp
from trimtab.core.policy import Rule
from trimtab.core.roles import Role
from trimtab.core.signals import OnMissing, Sample, SignalSpec
from trimtab.core.strategies.capacity import Capacity
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.target import Target

BY_LOAD = Rule(name="by-load", role=Role.DEMAND, strategy=Target(signal="load", target=10.0))
BY_BUSY = Rule(name="by-busy", role=Role.DEMAND, strategy=Target(signal="busy", target=10.0))


def fixed(role: Role, replicas: int) -> Rule:
    return Rule(name=f"{role}-{replicas}", role=role, strategy=Fixed(replicas=replicas))


def with_missing(spec: SignalSpec, up: OnMissing, down: OnMissing) -> SignalSpec:
    return SignalSpec(
        name=spec.name,
        source=spec.source,
        query=spec.query,
        max_age_seconds=spec.max_age_seconds,
        per=spec.per,
        missing_up=up,
        missing_down=down,
    )


def test_the_largest_demand_wins() -> None:
    w = world(2, signals=(LOAD, BUSY), rules=(BY_LOAD, BY_BUSY))
    decision = w.step(load=30.0, busy=20.0)
    assert decision.verdict == ScaleUp(Reason.DEMAND)
    assert decision.desired == 4
    assert [(one.rule, one.replicas) for one in decision.proposals] == [
        ("by-load", 3),
        ("by-busy", 4),
    ]


def test_a_floor_raises_and_a_ceiling_caps() -> None:
    w = world(2, rules=(BY_LOAD, fixed(Role.FLOOR, 4)))
    decision = w.step(load=20.0)
    assert (decision.verdict, decision.desired) == (ScaleUp(Reason.FLOOR), 4)

    w = world(2, rules=(BY_LOAD, fixed(Role.CEILING, 3)))
    decision = w.step(load=60.0)
    assert (decision.verdict, decision.desired) == (ScaleUp(Reason.CEILING), 3)


def test_a_ceiling_below_a_floor_wins() -> None:
    w = world(2, rules=(BY_LOAD, fixed(Role.FLOOR, 6), fixed(Role.CEILING, 3)))
    assert w.step(load=20.0).desired == 3


def test_without_any_data_nothing_moves() -> None:
    decision = world(4).step()
    assert decision.verdict == Hold(Reason.MISSING_DATA)
    assert decision.wanted is None
    assert "load is missing" in decision.sentence


def test_a_rule_that_hears_everything_and_cannot_tell_is_not_called_missing_data() -> None:
    """Whoever looks for a silent source then would look in the wrong place."""
    not_told = Rule(name="by-load", role=Role.DEMAND, strategy=Capacity(requests="load"))
    w = world(4, rules=(not_told,))
    heard = w.step(load=40.0)
    assert heard.verdict == Hold(Reason.UNKNOWN_DEMAND)
    assert "not learned yet" in heard.sentence
    assert w.step(after=61.0).verdict == Hold(Reason.MISSING_DATA)


def test_a_ceiling_does_not_shrink_a_deployment_whose_demand_is_unknown() -> None:
    w = world(6, rules=(BY_LOAD, fixed(Role.CEILING, 2)))
    assert w.step().verdict == Hold(Reason.MISSING_DATA)


def test_a_floor_raises_even_without_data() -> None:
    w = world(2, rules=(BY_LOAD, fixed(Role.FLOOR, 4)))
    assert w.step().desired == 4


def test_stale_data_is_as_good_as_none() -> None:
    w = world(4)
    w.step(load=40.0)
    decision = w.step(after=61.0)
    assert decision.verdict == Hold(Reason.MISSING_DATA)
    assert "load is stale" in decision.sentence


def test_one_missing_signal_blocks_the_way_down_by_default() -> None:
    w = world(4, signals=(LOAD, BUSY), rules=(BY_LOAD, BY_BUSY))
    decision = w.step(load=10.0)
    assert decision.verdict == Hold(Reason.MISSING_DATA)
    assert "busy" in decision.sentence


def test_one_missing_signal_does_not_block_the_way_up_by_default() -> None:
    w = world(2, signals=(LOAD, BUSY), rules=(BY_LOAD, BY_BUSY))
    assert w.step(load=50.0).desired == 5


def test_a_signal_that_a_strategy_can_do_without_blocks_nothing_while_it_is_missing() -> None:
    share = SignalSpec(name="share", source="gateway", query="within_slo", max_age_seconds=60.0)
    strategy = Capacity(requests="load", requests_per_second=10.0, within_slo="share")
    by_capacity = Rule(name="capacity", role=Role.DEMAND, strategy=strategy)
    w = world(6, signals=(LOAD, share), rules=(by_capacity,))
    w.act(load=30.0, share=1.0)
    for _ in range(500):  # nobody asks for anything: there is no share of the requests to tell
        decision = w.act(after=15.0, load=0.0)
    assert decision.current == 1
    assert "missing" not in decision.sentence


def test_a_signal_that_one_rule_can_do_without_blocks_where_another_one_needs_it() -> None:
    share = SignalSpec(name="share", source="gateway", query="within_slo", max_age_seconds=60.0)
    strategy = Capacity(requests="load", requests_per_second=10.0, within_slo="share")
    rules = (
        Rule(name="capacity", role=Role.DEMAND, strategy=strategy),
        Rule(name="by-share", role=Role.DEMAND, strategy=Target(signal="share", target=10.0)),
    )
    w = world(6, signals=(LOAD, share), rules=rules)
    for _ in range(500):
        decision = w.act(after=15.0, load=0.0)
    assert decision.verdict == Hold(Reason.MISSING_DATA)
    assert decision.current == 6


def test_each_direction_keeps_its_own_contract() -> None:
    strict_up = with_missing(BUSY, OnMissing.BLOCK, OnMissing.IGNORE)
    w = world(2, signals=(LOAD, strict_up), rules=(BY_LOAD, BY_BUSY))
    assert w.step(load=50.0).verdict == Hold(Reason.MISSING_DATA)

    w = world(4, signals=(LOAD, strict_up), rules=(BY_LOAD, BY_BUSY))
    w.step(load=10.0)
    assert w.step(after=301.0, load=10.0).verdict == ScaleDown(Reason.DEMAND)


def test_a_declared_signal_that_no_rule_uses_blocks_nothing() -> None:
    w = world(4, signals=(LOAD, BUSY), rules=(BY_LOAD,))
    w.step(load=10.0)
    assert w.step(after=301.0, load=10.0).verdict == ScaleDown(Reason.DEMAND)


@pytest.mark.parametrize("value", [math.nan, math.inf, -5.0])
def test_a_value_that_no_load_can_have_never_happened(value: float) -> None:
    w = world(4)
    assert w.step(load=value).verdict == Hold(Reason.MISSING_DATA)


def test_an_older_sample_does_not_replace_a_newer_one() -> None:
    w = world(2)
    w.step(load=20.0)
    tick = w.engine.step(
        START + 1, {NAME: w.deployment}, [Sample(NAME, "load", START - 10.0, 90.0)]
    )
    assert tick.decisions[0].verdict == Hold(Reason.STEADY)


def test_a_sample_from_the_future_comes_from_a_wrong_clock() -> None:
    w = world(2)
    tick = w.engine.step(START, {NAME: w.deployment}, [Sample(NAME, "load", START + 60.0, 90.0)])
    assert tick.decisions[0].verdict == Hold(Reason.MISSING_DATA)
