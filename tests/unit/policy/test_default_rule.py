"""A policy that names no rules."""

from __future__ import annotations

import pytest

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
