"""What is different of workloads of Kubernetes: a count that can be written, bounds that people write, others
that may scale the same thing, and what annotations order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.worlds.engine_world import START, a_deployment, a_policy

from trimtab.core.decision import Decision, Hold, Order, Outcome, Reason, WriteStatus
from trimtab.core.deployment import Deployment, State, is_workload
from trimtab.core.engine import Engine
from trimtab.core.fleet_policy import NO_TEAM, Team, TeamSelector, account_of, priority_of
from trimtab.core.matching import Matcher
from trimtab.core.orders import why_void
from trimtab.core.policy import Actuation, Selector
from trimtab.core.signals import Sample

NAME = "clusters/prod/namespaces/llm/deployments.apps/chat"


@dataclass
class Workload:
    """One workload under one policy; writes are applied at once, and leave its bounds alone."""

    deployment: Deployment
    policy: dict[str, Any] = field(default_factory=dict)
    now: float = START

    def __post_init__(self) -> None:
        wanted = {"selector": Selector(name=NAME), "actuation": Actuation.SCALE, **self.policy}
        self.engine = Engine([a_policy(**wanted)])
        self.order: Order | None = None

    def step(self, load: float, after: float = 0.0) -> Decision:
        self.now += after
        samples = [Sample(NAME, "load", self.now, load)]
        tick = self.engine.step(self.now, {NAME: self.deployment}, samples)
        (decision,) = tick.decisions
        self.order = tick.orders[0] if tick.orders else None
        if self.order is not None:
            applied = Outcome(
                order=self.order, at=self.now, status=WriteStatus.APPLIED, sentence=""
            )
            self.engine.record(applied)
            self.deployment = replace(
                self.deployment, desired_replicas=self.order.to_replicas, observed_at=self.now
            )
        return decision


def a_workload(replicas: int = 2, **changes: Any) -> Deployment:
    return a_deployment(
        replicas, **{"name": NAME, "min_replicas": 0, "max_replicas": None, **changes}
    )


def test_a_workload_is_told_by_its_name() -> None:
    assert is_workload(NAME)
    assert not is_workload("accounts/acme/deployments/clusters")


def test_a_workload_counts_as_its_clusters_in_quotas() -> None:
    assert account_of(NAME) == "prod"


def test_without_a_maximum_from_anybody_nothing_grows() -> None:
    workload = Workload(a_workload(2))
    assert workload.step(load=90.0).verdict == Hold(Reason.AT_MAX)
    assert workload.order is None


def test_the_maximum_of_the_policy_is_enough() -> None:
    workload = Workload(a_workload(2), {"max_replicas": 3})
    decision = workload.step(load=90.0)
    assert decision.desired == 3
    assert decision.bounds is not None
    assert decision.bounds.upper.set_by == "policy chat-prod"


def test_the_stricter_of_policy_and_annotation_wins() -> None:
    workload = Workload(a_workload(2, max_replicas=4), {"max_replicas": 8})
    assert workload.step(load=90.0).desired == 4


def test_a_maximum_that_somebody_sets_is_never_taken_for_our_own_writing() -> None:
    workload = Workload(a_workload(2), {"max_replicas": 10})
    assert workload.step(load=40.0).desired == 4
    workload.deployment = replace(workload.deployment, min_replicas=4, max_replicas=4)
    held = workload.step(load=90.0, after=1.0)
    assert held.verdict == Hold(Reason.OUT_OF_BAND)
    assert workload.step(load=90.0, after=300.0).verdict == Hold(Reason.AT_MAX)


def test_a_count_that_somebody_sets_is_no_range() -> None:
    workload = Workload(a_workload(2), {"max_replicas": 10})
    workload.step(load=40.0)
    workload.deployment = replace(workload.deployment, desired_replicas=1)
    decision = workload.step(load=60.0, after=120.0)
    assert (decision.current, decision.desired) == (1, 5)  # the rate limit: four at once


@pytest.mark.parametrize("load", [200.0, 0.0])
def test_what_something_else_scales_is_left_to_it_and_it_is_named(load: float) -> None:
    workload = Workload(a_workload(4, other_scaler="ScaledObject x"), {"max_replicas": 10})
    workload.step(load)
    decision = workload.step(load, after=301.0)
    assert decision.verdict == Hold(Reason.OTHER_SCALER)
    assert "ScaledObject x scales it too" in decision.sentence


def test_an_order_is_void_once_something_else_scales_its_workload() -> None:
    workload = Workload(a_workload(2), {"max_replicas": 10})
    workload.step(load=40.0)
    assert workload.order is not None
    before = a_workload(2)
    assert why_void(workload.order, before, workload.now) is None
    taken = replace(before, other_scaler="HorizontalPodAutoscaler y")
    assert (
        why_void(workload.order, taken, workload.now) == "HorizontalPodAutoscaler y scales it now"
    )


@pytest.mark.parametrize("actuation", [Actuation.PIN, Actuation.FLOOR])
def test_bounds_are_never_written(actuation: Actuation) -> None:
    workload = Workload(a_workload(2), {"max_replicas": 10, "actuation": actuation})
    decision = workload.step(load=90.0)
    assert decision.verdict == Hold(Reason.WRONG_ACTUATION)
    assert decision.current == 2
    assert f"`actuation: {actuation}`" in decision.sentence


def test_an_unknown_state_tells_what_the_target_says_of_it() -> None:
    odd = a_workload(2, state=State.UNKNOWN, state_text="UNREADABLE", status_message="no count")
    assert "UNREADABLE (no count)" in Workload(odd).step(load=90.0).sentence


# -- annotations ----------------------------------------------------------------------------------


def noted(**annotations: str) -> Deployment:
    return a_workload(
        display_name="llm/chat",
        annotations={f"trimtab.dev/{key}": value for key, value in annotations.items()},
    )


def test_of_the_policies_that_match_the_annotation_says_which() -> None:
    fast = a_policy(name="fast", selector=Selector(display_name="llm/*"))
    slow = a_policy(name="slow", selector=Selector(display_name="*/chat"))
    exact = a_policy(name="exact", selector=Selector(name=NAME))
    other = a_policy(name="other", selector=Selector(display_name="web/*"))
    matcher = Matcher([fast, slow, exact, other])
    assert matcher.policies_for(noted()) == (exact, fast, slow)
    assert matcher.policies_for(noted(policy="slow")) == (slow,)
    assert matcher.policies_for(noted(policy="exact")) == (exact,)
    assert matcher.policies_for(noted(policy="other")) == (), "it is not meant for this one"
    assert matcher.policies_for(noted(policy="nobody")) == ()


@pytest.mark.parametrize(
    ("written", "priority"),
    [("500", 500), ("0", 0), ("9999999", 1_000_000), ("-1", 100), ("high", 100), ("", 100)],
)
def test_the_priority_of_the_annotation_replaces_that_of_the_policy(
    written: str, priority: int
) -> None:
    assert priority_of(NO_TEAM, a_policy(priority=100), noted(priority=written)) == priority


def test_the_priority_of_the_team_replaces_both() -> None:
    team = Team(name="research", selector=TeamSelector(), priority=7)
    assert priority_of(team, a_policy(priority=100), noted(priority="500")) == 7
