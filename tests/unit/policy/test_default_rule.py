"""A policy that names no rules."""

from __future__ import annotations

import pytest

from trimtab.core.policy import DEFAULT_DOWN, DEFAULT_UP
from trimtab.core.roles import Role
from trimtab.core.strategies.capacity import Capacity
from trimtab.policy import read_policy_texts
from trimtab.policy.rules import default_rule

POLICY = """apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat}
spec:
  deployments: {name: accounts/acme/deployments/chat}
  signals:
"""
SIGNAL = "    %s: {source: gateway, query: up, maxAge: 60s}\n"


def read(*signals: str) -> tuple[list[str], list[object]]:
    text = POLICY + "".join(SIGNAL % name for name in signals)
    report = read_policy_texts([("p.yaml", text)])
    rules = [rule for policy in report.policies for rule in policy.rules]
    return [one.message for one in report.diagnostics], list(rules)


def test_it_orders_ahead_by_the_signals_it_declares() -> None:
    said, (rule,) = read("requests_per_second", "in_flight", "waiting")
    assert said == []
    assert rule.role is Role.DEMAND  # type: ignore[attr-defined]  # a list of rules
    strategy = rule.strategy  # type: ignore[attr-defined]  # likewise
    assert strategy == Capacity(
        requests="requests_per_second", in_flight="in_flight", waiting="waiting"
    )


@pytest.mark.parametrize("signals", [("requests_per_second",), ("in_flight", "load")])
def test_without_the_signals_it_needs_it_must_name_rules(signals: tuple[str, ...]) -> None:
    said, rules = read(*signals)
    assert rules == []
    assert "`spec.rules` is missing" in said[0]


def test_what_is_declared_beside_them_is_left_alone() -> None:
    assert default_rule(("requests_per_second", "in_flight", "errors")) == {
        "name": "capacity",
        "role": "demand",
        "strategy": {
            "type": "capacity",
            "requests": "requests_per_second",
            "inFlight": "in_flight",
        },
    }
    assert default_rule(("requests_per_second",)) is None


# -- and its damping ------------------------------------------------------------------------------

RULE = "    - {name: %s, role: %s, strategy: {%s}}\n"
AHEAD = RULE % (
    "ahead",
    "demand",
    "type: capacity, requests: rate, capacity: {requestsPerSecond: 8}",
)
TARGET = "type: target, signal: rate, target: 8"


def window(rules: str, *, behavior: str = "") -> float:
    """How long the count is held by the policy before it falls, in seconds."""
    text = POLICY + SIGNAL % "rate" + (f"  rules:\n{rules}" if rules else "") + behavior
    (policy,) = read_policy_texts([("p.yaml", text)]).policies
    assert policy.down.limits == DEFAULT_DOWN.limits, "a limit is no damping: it stays"
    assert policy.up == DEFAULT_UP
    return policy.down.stabilization_seconds


def test_a_demand_that_holds_by_itself_is_not_held_a_second_time() -> None:
    assert window(AHEAD) == 0.0


def test_nor_is_the_rule_of_a_policy_that_names_none() -> None:
    text = POLICY + SIGNAL % "requests_per_second" + SIGNAL % "in_flight"
    (policy,) = read_policy_texts([("p.yaml", text)]).policies
    assert policy.down.stabilization_seconds == 0.0


@pytest.mark.parametrize("written", ["0s", "90s", "300s"])
def test_what_an_author_writes_is_what_counts(written: str) -> None:
    behavior = f"  behavior: {{scaleDown: {{stabilization: {written}}}}}\n"
    assert window(AHEAD, behavior=behavior) == float(written.removesuffix("s"))


@pytest.mark.parametrize("role", ["demand", "floor"])
def test_beside_a_rule_that_follows_load_without_damping_the_usual_window_stays(role: str) -> None:
    assert window(AHEAD + RULE % ("rate", role, TARGET)) == DEFAULT_DOWN.stabilization_seconds
    assert window(RULE % ("rate", "demand", TARGET)) == DEFAULT_DOWN.stabilization_seconds


@pytest.mark.parametrize("role", ["demand", "floor", "ceiling"])
def test_what_people_ordered_in_advance_needs_no_window(role: str) -> None:
    assert window(AHEAD + RULE % ("three", role, "type: fixed, replicas: 3")) == 0.0
    assert window(AHEAD + RULE % ("most", "ceiling", TARGET)) == 0.0


def test_a_count_that_never_follows_load_keeps_the_usual_window() -> None:
    fixed = RULE % ("three", "demand", "type: fixed, replicas: 3")
    assert window(fixed) == DEFAULT_DOWN.stabilization_seconds
