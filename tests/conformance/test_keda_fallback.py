"""KEDA's fallback and formulas against ``fallback``, freshness and the strategy ``expression``.

KEDA reports a metric that stands for a count (count times target); trimtab decides on the count, so the
peer's values are read as counts. Its failures in a row are trimtab's time without any known demand:
one poll each ``INTERVAL_SECONDS``, and ``after`` lasts as many intervals as failures are allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from pydantic import ValidationError
from tests.conformance.cases import Vector, conform
from tests.worlds.engine_world import START, World, a_deployment, a_policy

from trimtab.core.decision import Reason
from trimtab.core.policy import Fallback, MoveRules, Rule
from trimtab.core.roles import Role
from trimtab.core.signals import Latest, SignalSpec, read
from trimtab.core.strategies.interface import Strategy
from trimtab.policy.damping import Fallback as FallbackDocument
from trimtab.policy.registry import STRATEGIES, build_strategy

VECTORS = "keda_fallback.json"

INTERVAL_SECONDS = 30.0

RAISES_TO_COUNT = (None, "static", "currentReplicasIfHigher")
"""Behaviours that a fallback to a count expresses: it raises to the count and never lowers."""


def test_fallback(vector: Vector) -> None:
    target = vector.input.get("target_average_value") or vector.input.get("target") or 1
    conform(in_replicas(vector, target), ANSWERS[vector.kind](vector.input))


def in_replicas(vector: Vector, target: float) -> Vector:
    """The vector with the metric that the peer reports read as the count it stands for."""
    if vector.kind == "modifier_trigger_value" or "value" not in vector.expected:
        return vector
    rest = {key: one for key, one in vector.expected.items() if key != "value"}
    return replace(vector, expected={**rest, "replicas": ceil(vector.expected["value"] / target)})


def fallback_of(given: Mapping[str, Any] | None) -> Fallback | None:
    """The policy's fallback. Raises ``ValidationError`` where the document would be refused."""
    if given is None:
        return None
    count = given["replicas"] if given["behavior"] in RAISES_TO_COUNT else "current"
    seconds = given["failure_threshold"] * INTERVAL_SECONDS
    document = FallbackDocument.model_validate({"after": f"{seconds:.0f}s", "replicas": count})
    return Fallback(after_seconds=document.after, replicas=document.replicas)


def a_world(
    strategy: Strategy, fallback: Fallback | None, current: int, signals: tuple[SignalSpec, ...]
) -> World:
    policy = a_policy(
        signals=signals,
        rules=(Rule(name="demand", role=Role.DEMAND, strategy=strategy),),
        up=MoveRules(stabilization_seconds=0.0),
        fallback=fallback,
    )
    return World(policy, a_deployment(current, max_replicas=100_000))


def a_signal(name: str, max_age_seconds: float = INTERVAL_SECONDS / 2) -> SignalSpec:
    return SignalSpec(name=name, source="keda", query=name, max_age_seconds=max_age_seconds)


def poll(world: World, values: Mapping[str, float]) -> dict[str, Any]:
    decision = world.step(after=INTERVAL_SECONDS, **values)
    (memory,) = world.engine.memory.deployments.values()
    since = memory.demand_unknown_since
    failures = 0 if since is None else round((world.now - since) / INTERVAL_SECONDS) + 1
    return {
        "replicas": decision.desired,
        "error": decision.verdict.reason in (Reason.MISSING_DATA, Reason.UNKNOWN_DEMAND),
        "health_after": {
            "failures": failures,
            "status": "Happy" if since is None else "Failing",
        },
    }


def fallback(given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        after = fallback_of(given["fallback"])
    except ValidationError:
        return {"error": True}
    config = {"type": "target", "signal": "trigger", "target": given["target_average_value"]}
    strategy = build_strategy(STRATEGIES["target"].config.model_validate(config))
    world = a_world(strategy, after, given["current_replicas"] or 1, (a_signal("trigger"),))
    for _ in range((given["health_before"] or {"failures": 0})["failures"]):
        poll(world, {})
    value = given["scaler_value"]
    return poll(world, {} if value is None else {"trigger": value})


def modifier_trigger_value(given: Mapping[str, Any]) -> dict[str, Any]:
    """A trigger drops out of a formula when its last value is older than the signal allows."""
    contract, health = given["fallback"], given["health"]
    is_dropped = contract is not None and contract["behavior"] == "scalingModifiers"
    max_age = contract["failure_threshold"] * INTERVAL_SECONDS if is_dropped else 86_400.0
    age = 0.0 if health is None else health["failures"] * INTERVAL_SECONDS
    spec = a_signal("trigger", max_age)
    return {"value": read(spec, Latest(START - age, given["metric_value"]), START).value}


def formula(given: Mapping[str, Any]) -> dict[str, Any]:
    document = {"type": "expression", "expression": in_cel(given["formula"])}
    try:
        config = STRATEGIES["expression"].config.model_validate(document)
    except ValidationError:
        return {"error": True}
    contract = given["fallback"]
    after = fallback_of(contract and {**contract, "failure_threshold": 0, "behavior": None})
    triggers = given["triggers"]
    world = a_world(build_strategy(config), after, 1, tuple(map(a_signal, triggers)))
    return poll(world, {name: value for name, value in triggers.items() if value is not None})


FUNCTIONS = {"max": "math.greatest", "min": "math.least"}


def in_cel(text: str | None) -> str | None:
    """The peer's formula in CEL: signals by their full name, doubles, and a test in place of ``??``."""
    if text is None:
        return None
    first, missing, rest = (part.strip() for part in text.partition("??"))
    if missing:
        return f"has({in_cel(first)}) ? {in_cel(first)} : ({in_cel(rest)})"
    text = re.sub(r"(?<![\w.])(\d+)(?![\w.])", r"\1.0", text)
    return re.sub(
        r"[A-Za-z_]\w*(?!\w)(\s*\()?",
        lambda name: (
            FUNCTIONS.get(name[0].rstrip(" ("), name[0].rstrip(" (")) + "("
            if name[1]
            else f"signals.{name[0]}"
        ),
        text,
    )


ANSWERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "fallback": fallback,
    "modifier_trigger_value": modifier_trigger_value,
    "formula": formula,
}
