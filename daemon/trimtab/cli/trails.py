"""A decision as people read it: the sentence, what was heard, and every step that led to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.policy.diagnostics import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.core.decision import Decision, Order
    from trimtab.core.signals import Reading

STAGE_WIDTH = 10
CHANGE_WIDTH = 9


def trail_lines(decision: Decision) -> Iterator[str]:
    """One line for each step: the stage, the count before and after, why."""
    for step in decision.trail:
        change = "" if step.before is None else f"{step.before} → {step.after}"
        if step.before is not None and step.before == step.after:
            change = f"{step.after}"
        reason = f"[{step.reason.value}] " if step.reason is not None else ""
        sentence = printable(step.sentence)
        yield f"{step.stage:<{STAGE_WIDTH}} {change:<{CHANGE_WIDTH}} {reason}{sentence}"


def reading_lines(decision: Decision) -> Iterator[str]:
    """One line for each signal: its value, its age, whether it could be used."""
    for reading in decision.readings:
        yield f"{reading.spec.name:<20} {_value(reading)}"


def _value(reading: Reading) -> str:
    if reading.value is None:
        age = "" if reading.age_seconds is None else f", {reading.age_seconds:.0f} s old"
        return f"{reading.freshness.value}{age} (at most {reading.spec.max_age_seconds:.0f} s)"
    return f"{reading.value:g} per {reading.spec.per.value}, {reading.age_seconds or 0:.0f} s old"


def decision_as_json(decision: Decision) -> dict[str, Any]:
    """The decision with its trail as JSON values."""
    bounds = decision.bounds
    return {
        "deployment": decision.deployment,
        "policy": decision.policy,
        "mode": decision.mode.value,
        "at": decision.at,
        "verdict": str(decision.verdict).replace(" ", "-"),
        "reason": decision.verdict.reason.value,
        "rule": decision.rule or None,
        "current": decision.current,
        "desired": decision.desired,
        "actual": decision.actual,
        "wanted": decision.wanted,
        "bounds": None
        if bounds is None
        else {
            end: {"replicas": bound.replicas, "set_by": bound.set_by}
            for end, bound in (("lower", bounds.lower), ("upper", bounds.upper))
        },
        "sentence": decision.sentence,
        "readings": [
            {
                "signal": reading.spec.name,
                "freshness": reading.freshness.value,
                "value": reading.value,
                "age_seconds": reading.age_seconds,
            }
            for reading in decision.readings
        ],
        "trail": [
            {
                "stage": step.stage,
                "before": step.before,
                "after": step.after,
                "reason": None if step.reason is None else step.reason.value,
                "sentence": step.sentence,
            }
            for step in decision.trail
        ],
    }


def order_as_json(order: Order | None) -> dict[str, Any] | None:
    """The write that would follow, ``None`` if nothing would be written."""
    if order is None:
        return None
    return {
        "actuation": order.actuation.value,
        "replicas": order.to_replicas,
        "min_replicas": order.min_replicas,
        "max_replicas": order.max_replicas,
    }
