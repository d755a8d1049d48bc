"""The Nomad Autoscaler's strategies against ``target``, ``threshold``, ``pass-through`` and ``fixed``.

A configuration goes through the document model of the strategy, as a policy's would.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from tests.conformance.cases import Vector, conform

from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.proposals import View, Wish
from trimtab.core.signals import Latest, SignalSpec, read
from trimtab.core.strategies.interface import Strategy
from trimtab.policy.registry import STRATEGIES, build_strategy

VECTORS = "nomad_strategies.json"

TYPES = {
    "fixed-value": "fixed",
    "pass-through": "pass-through",
    "target-value": "target",
    "threshold": "threshold",
}
KEYS = {
    "fixed-value": {"value": "replicas"},
    "pass-through": {"max_scale_up": "maxScaleUp", "max_scale_down": "maxScaleDown"},
    "target-value": {
        "target": "target",
        "threshold": "tolerance",
        "max_scale_up": "maxScaleUp",
        "max_scale_down": "maxScaleDown",
    },
    "threshold": {
        "lower_bound": "lowerBound",
        "upper_bound": "upperBound",
        "within_bounds_trigger": "withinBoundsTrigger",
        "delta": "delta",
        "percentage": "percentage",
        "value": "value",
    },
}
FIXED: Mapping[str, Mapping[str, Any]] = {
    "fixed-value": {},
    "pass-through": {"signal": "load"},
    "target-value": {"signal": "load", "as": "value", "tolerance": 0.01},
    "threshold": {"signal": "load", "window": "60s"},
}
"""What the peer has as a default, or elsewhere in its policy."""

LEFT_OUT = ("factor",)
"""A figure for the peer's log that no decision depends on."""

INTERVAL_SECONDS = 1.0


def test_strategies(vector: Vector) -> None:
    answer = run if vector.kind == "run" else direction
    conform(vector, answer(vector.strategy, vector.input), left_out=LEFT_OUT)


def run(strategy: str, given: Mapping[str, Any]) -> dict[str, Any]:
    document = {"type": TYPES[strategy], **FIXED[strategy]}
    document |= {KEYS[strategy][key]: number(text) for key, text in given["config"].items()}
    try:
        config = STRATEGIES[TYPES[strategy]].config.model_validate(document)
    except ValidationError as refused:
        return {"error_contains": Refusal(refused)}
    wish = ask(build_strategy(config), given["count"], given["metrics"])
    if wish.replicas is None and not wish.is_abstaining:
        return {"no_evaluation": True}
    return {"direction": way(wish, given["count"]), "count": wish.replicas}


def direction(strategy: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The peer tells a direction before it rounds: seen here at many times the count."""
    if strategy == "pass-through":
        config, metric = {}, given["metric"]
    else:
        config, metric = {"target": "1", "threshold": str(given["threshold"])}, given["factor"]
    many = 1 if strategy == "pass-through" else 10_000
    answers = run(strategy, {"config": config, "count": many * given["count"], "metrics": [metric]})
    return {"direction": answers["direction"]}


class Refusal:
    """A configuration that is refused: equal to any message of the peer."""

    def __init__(self, refused: ValidationError) -> None:
        self.refused = refused

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __repr__(self) -> str:
        return str(self.refused)

    __hash__ = None  # type: ignore[assignment]  # equal to everything, so it has no hash


def number(text: str) -> object:
    """A number where the peer's text is one: trimtab's documents have numbers."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def ask(strategy: Strategy, count: int, metrics: Sequence[float]) -> Wish:
    """Evaluate at each sample, the last one at last; memory goes through JSON in between."""
    spec = SignalSpec(name="load", source="s", query="q", max_age_seconds=60.0)
    memory, now = None, 0.0
    wish: Wish | None = None
    for latest in [Latest(INTERVAL_SECONDS * i, one) for i, one in enumerate(metrics)] or [None]:
        now = now if latest is None else latest.time
        view = View(
            now=now,
            deployment=Deployment(name="d", pipeline=Pipeline(ready=count)),
            current=count,
            readings={"load": read(spec, latest, now)},
            lead_time_seconds=300.0,
        )
        wish = strategy.propose(view, memory)
        memory = json.loads(json.dumps(wish.memory))
    assert wish is not None
    return wish


def way(wish: Wish, count: int) -> str:
    if wish.replicas is None or wish.replicas == count:
        return "none"
    return "up" if wish.replicas > count else "down"
