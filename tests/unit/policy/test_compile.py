"""A valid document becomes exactly the value that the engine uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.policy import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    NO_DAMPING,
    Actuation,
    AtExpiry,
    Damping,
    Fallback,
    Limit,
    Mode,
    MoveRules,
    Policy,
    Rule,
    ScaleToZero,
    Select,
    Selector,
    WhileUpdating,
)
from trimtab.core.roles import Role
from trimtab.core.signals import OnMissing, Per, SignalSpec
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.target import Target, Tolerance

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.policy import LoadReport

    Diagnose = Callable[..., LoadReport]


def test_every_key_of_the_format_arrives_in_the_policy(diagnose: Diagnose, every_key: str) -> None:
    report = diagnose(every_key, sources={"gateway", "fireworks"})
    assert report.diagnostics == ()
    assert report.policies == (
        Policy(
            name="chat-prod",
            owner="ml-platform",
            selector=Selector(
                base_model="accounts/fireworks/models/llama-*",
                display_name="chat-*",
                regions=("US_IOWA_1",),
            ),
            mode=Mode.ADVISE,
            actuation=Actuation.SCALE,
            min_replicas=0,
            max_replicas=12,
            accelerators_max=48,
            signals=(
                SignalSpec(
                    name="requests",
                    source="gateway",
                    query="requests_per_second",
                    max_age_seconds=15.0,
                ),
                SignalSpec(
                    name="concurrency",
                    source="fireworks",
                    query="requests_coordinator_concurrent_count:avg_by_deployment",
                    max_age_seconds=90.0,
                    per=Per.REPLICA,
                    missing_up=OnMissing.BLOCK,
                    missing_down=OnMissing.IGNORE,
                ),
            ),
            rules=(
                Rule(
                    name="busy-day",
                    role=Role.DEMAND,
                    strategy=Target(
                        signal="concurrency", target=24.0, tolerance=Tolerance(0.2, 0.2)
                    ),
                ),
                Rule(
                    name="rate",
                    role=Role.DEMAND,
                    strategy=Target(signal="requests", target=5.6, tolerance=Tolerance(0.1, 0.1)),
                    up=Damping(stabilization_seconds=30.0, cooldown_seconds=120.0),
                    down=Damping(stabilization_seconds=1200.0, cooldown_seconds=120.0),
                ),
                Rule(
                    name="at-least",
                    role=Role.FLOOR,
                    strategy=Target(signal="requests", target=50.0),
                ),
                Rule(name="at-most", role=Role.CEILING, strategy=Fixed(replicas=10)),
            ),
            up=MoveRules(
                stabilization_seconds=30.0,
                limits=(
                    Limit(percent=400, period_seconds=15.0),
                    Limit(replicas=4, period_seconds=60.0),
                ),
                select=Select.MIN,
            ),
            down=MoveRules(
                stabilization_seconds=600.0,
                limits=(Limit(percent=50, period_seconds=60.0),),
                cooldown_seconds=300.0,
            ),
            fallback=Fallback(after_seconds=300.0, replicas=6),
            scale_to_zero=ScaleToZero(after_seconds=900.0, wake_on=("requests",)),
            while_updating=WhileUpdating.UP,
            minimum_useful_seconds=900.0,
            at_expiry=AtExpiry.DRAIN,
            origin="policy.yaml:1",
        ),
    )


def test_the_priority_arrives_though_nothing_asks_for_it_yet(
    diagnose: Diagnose, fewest_keys: str
) -> None:
    report = diagnose(f"{fewest_keys}  priority: 7\n")
    assert [policy.priority for policy in report.policies] == [7]
    assert [one.code.id for one in report.diagnostics] == ["POL402"]


def test_what_is_left_out_has_the_defaults_of_the_core(
    diagnose: Diagnose, fewest_keys: str
) -> None:
    (policy,) = diagnose(fewest_keys).policies
    assert policy == Policy(
        name="still",
        selector=Selector(name="accounts/acme/deployments/still"),
        rules=(Rule(name="two", role=Role.DEMAND, strategy=Fixed(replicas=2)),),
        origin="policy.yaml:1",
    )


def test_a_direction_that_is_half_described_keeps_the_other_defaults(
    diagnose: Diagnose, fewest_keys: str
) -> None:
    text = fewest_keys + "  behavior: {scaleUp: {stabilization: 1m}, scaleDown: {limits: []}}\n"
    (policy,) = diagnose(text).policies
    assert policy.up == MoveRules(stabilization_seconds=60.0, limits=DEFAULT_UP.limits)
    assert policy.down == MoveRules(
        stabilization_seconds=DEFAULT_DOWN.stabilization_seconds, limits=()
    )


def test_one_duration_of_a_rule_is_for_both_directions_and_none_for_neither(
    diagnose: Diagnose, fewest_keys: str
) -> None:
    text = fewest_keys.replace("replicas: 2}}", "replicas: 2}, stabilization: 1m}")
    (policy,) = diagnose(text).policies
    (rule,) = policy.rules
    assert rule.up == rule.down == Damping(stabilization_seconds=60.0)
    text = fewest_keys.replace("replicas: 2}}", "replicas: 2}, cooldown: {down: 90s}}")
    (policy,) = diagnose(text).policies
    (rule,) = policy.rules
    assert rule.up is NO_DAMPING  # by identity: the engine skips such rules
    assert rule.down == Damping(cooldown_seconds=90.0)


def test_a_fallback_to_current_leaves_the_count(diagnose: Diagnose, fewest_keys: str) -> None:
    (policy,) = diagnose(f"{fewest_keys}  fallback: {{after: 5m, replicas: current}}\n").policies
    assert policy.fallback == Fallback(after_seconds=300.0, replicas=None)


def test_the_origin_is_the_line_where_the_document_begins(
    diagnose: Diagnose, every_key: str, fewest_keys: str
) -> None:
    report = diagnose(f"# two documents\n\n{every_key}---\n# the second\n{fewest_keys}")
    first, second = report.policies
    assert first.origin == "policy.yaml:3"
    assert second.origin == f"policy.yaml:{3 + every_key.count(chr(10)) + 2}"
