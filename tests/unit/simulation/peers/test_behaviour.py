"""The HPA's windows and limits: its own cases, and the engine's stage that was made from them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.cases import DIRECTORY, Vector, read_vectors
from tests.unit.simulation.peers.looks import START
from tests.worlds.engine_world import NAME, a_deployment, a_policy

from trimtab.core.adoption import adopt
from trimtab.core.decision import Reason
from trimtab.core.lead_time import LeadTimes
from trimtab.core.memory import At
from trimtab.core.policy import Limit, MoveRules, Select
from trimtab.core.stages.behavior import behavior
from trimtab.core.stages.draft import Case, Draft
from trimtab.core.windows import push_high, push_low
from trimtab.simulation.peers.behaviour import HPA_DOWN, HPA_UP, Behaviour

VECTORS = read_vectors(DIRECTORY / "hpa_behavior.json")


def of_kind(*kinds: str) -> list[Any]:
    chosen = [pytest.param(one, id=one.id) for one in VECTORS if one.kind in kinds]
    assert chosen
    return chosen


def rules(given: dict[str, Any] | None, otherwise: MoveRules) -> MoveRules:
    given = given or {}
    policies = given.get("policies")
    limits = otherwise.limits if policies is None else tuple(map(limit, policies))
    select = Select((given.get("select_policy") or "Max").lower())
    return MoveRules(stabilization_seconds=0.0, limits=limits, select=select)


def limit(given: dict[str, Any]) -> Limit:
    key = "replicas" if given["type"] == "Pods" else "percent"
    return Limit(period_seconds=given["period_s"], **{key: given["value"]})


@pytest.mark.parametrize("vector", of_kind("behavior_rate"))
def test_limits_are_those_of_the_hpa(vector: Vector) -> None:
    case = vector.input
    ours = Behaviour(
        rules(case["scale_up_rules"], HPA_UP), rules(case["scale_down_rules"], HPA_DOWN)
    )
    moves = [At(START - one["age_s"], one["change"]) for one in case["scale_up_events"]]
    moves += [At(START - one["age_s"], -one["change"]) for one in case["scale_down_events"]]
    ours.moves = sorted(moves)
    settled = ours.follow(case["desired_replicas"], case["current_replicas"], START)
    bounded = min(max(settled, case["min_replicas"]), case["max_replicas"])
    assert bounded == vector.expected["replicas"]


@pytest.mark.parametrize("vector", of_kind("stabilize_with_behavior"))
def test_windows_are_those_of_the_hpa(vector: Vector) -> None:
    case = vector.input
    ours = Behaviour(
        MoveRules(stabilization_seconds=case["scale_up_stabilization_window_s"]),
        MoveRules(stabilization_seconds=case["scale_down_stabilization_window_s"]),
    )
    history = sorted(case["recommendations"], key=lambda one: -one["age_s"])
    for one in history:
        ours.wish(one["replicas"], START - one["age_s"])
    if not history:  # an explicit empty history: no count found counts as a wish
        ours.wish(case["desired_replicas"], START)
    settled = ours.follow(case["desired_replicas"], case["current_replicas"], START)
    assert settled == vector.expected["replicas"]


def test_four_more_or_twice_as_many_in_15_seconds_and_fewer_after_300() -> None:
    ours = Behaviour()
    assert ours.follow(50, 1, START) == 5
    assert ours.follow(50, 5, START + 5.0) == 5
    assert ours.follow(50, 5, START + 15.0) == 10
    assert ours.follow(1, 10, START + 30.0) == 10
    assert ours.follow(1, 10, START + 314.0) == 10
    assert ours.follow(1, 10, START + 315.0) == 1


limits = st.lists(
    st.one_of(
        st.builds(Limit, period_seconds=st.sampled_from([15.0, 60.0]), percent=st.integers(1, 200)),
        st.builds(Limit, period_seconds=st.sampled_from([15.0, 60.0]), replicas=st.integers(1, 9)),
    ),
    max_size=2,
)
any_rules = st.builds(
    MoveRules,
    stabilization_seconds=st.sampled_from([0.0, 45.0, 120.0]),
    limits=limits.map(tuple),
    select=st.sampled_from(list(Select)),
)


@settings(max_examples=60)
@given(any_rules, any_rules, st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_it_is_what_the_stage_of_the_engine_does(
    up: MoveRules, down: MoveRules, wishes: list[int]
) -> None:
    """Seen to catch: ceil for floor downwards, a period's end counted in, min and max exchanged."""
    ours, current = Behaviour(up, down), 5
    memory = adopt(a_deployment(current), START)
    memory = memory._replace(
        lows=push_low((), up.stabilization_seconds, START, current),
        highs=push_high((), down.stabilization_seconds, START, current),
    )
    for turn, wanted in enumerate(wishes):
        now = START + 15.0 * turn
        case = Case(
            now=now,
            deployment=a_deployment(current),
            policy=a_policy(up=up, down=down),
            current=current,
            lead_time=LeadTimes().of(a_deployment(current)),
            fleet={NAME: a_deployment(current)},
        )
        draft = Draft(memory=memory, replicas=wanted, reason=Reason.DEMAND, wanted=wanted)
        behavior(case, draft)
        memory = draft.memory._replace(counted=draft.replicas)
        if draft.replicas != current:
            memory = memory._replace(moves=(*memory.moves, At(now, draft.replicas - current)))
        assert ours.follow(wanted, current, now) == draft.replicas
        current = draft.replicas
