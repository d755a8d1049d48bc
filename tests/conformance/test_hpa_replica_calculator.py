"""The HPA's replica calculator against the strategy ``target``.

The kinds ``group_pods``, ``pod_requests`` and ``per_pod_usage`` are about how the peer reads pods.
trimtab reads none; they hold the adapter, through which the other kinds are read, to the peer's word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from tests.conformance import hpa
from tests.conformance.cases import Vector, conform

from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.proposals import View, Wish
from trimtab.core.signals import Freshness, Reading, SignalSpec
from trimtab.core.strategies.target import Basis, Target, Tolerance

VECTORS = "hpa_replica_calculator.json"

INT64_MAX = 2**63 - 1


def test_replica_calculator(vector: Vector) -> None:
    conform(vector, ANSWERS[vector.kind](vector.input))


def ask(target: Target, value: float | None, current: int, *, ready: int, covered: int) -> Wish:
    spec = SignalSpec(name="load", source="s", query="q", max_age_seconds=60.0)
    reading = Reading(
        spec=spec,
        freshness=Freshness.MISSING if value is None else Freshness.USABLE,
        value=value,
        replicas=covered,
    )
    view = View(
        now=0.0,
        deployment=Deployment(name="d", pipeline=Pipeline(ready=ready)),
        current=current,
        readings={"load": reading},
        lead_time_seconds=300.0,
    )
    return target.propose(view, None)


def tolerance(given: Mapping[str, Any]) -> Tolerance:
    return Tolerance(up=given["tolerances"]["scale_up"], down=given["tolerances"]["scale_down"])


def resource(given: Mapping[str, Any]) -> dict[str, Any]:
    goal, container = given["target"], given["container"]
    average = hpa.resource_average(given, container)
    if average is None:
        return {"error_contains": given_up(given)}
    is_utilization = "average_utilization" in goal
    strategy = Target(
        signal="load",
        target=goal["average_utilization" if is_utilization else "average_value"],
        basis=Basis.AVERAGE,
        tolerance=tolerance(given),
        full_at=100 if is_utilization else None,
    )
    wish = ask(
        strategy,
        average.value if is_utilization else average.mean,
        given["current_replicas"],
        ready=average.ready,
        covered=average.covered,
    )
    return {
        "replicas": wish.replicas,
        "utilization": average.value,
        "raw_average_value": average.mean,
    }


def given_up(given: Mapping[str, Any]) -> object:
    """No decision: whatever the peer's message is. Asserts that trimtab gives none either."""
    strategy = Target(signal="load", target=1.0, basis=Basis.AVERAGE)
    wish = ask(strategy, None, given["current_replicas"], ready=0, covered=0)
    return Whatever() if wish.replicas is None else wish.sentence


class Whatever:
    """Equal to any message of the peer."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    __hash__ = None  # type: ignore[assignment]  # equal to everything, so it has no hash


def value(given: Mapping[str, Any]) -> dict[str, Any]:
    current, kind = given["current_replicas"], given["metric_type"]
    strategy = Target(
        signal="load",
        target=given["target"]["value" if kind in ("Object", "External") else "average_value"],
        basis=BASES[kind],
        tolerance=tolerance(given),
    )
    if kind == "Pods":
        average = hpa.pods_average(given)
        if average is None:
            return {"error_contains": given_up(given)}
        wish = ask(strategy, average.mean, current, ready=average.ready, covered=average.covered)
        return {"replicas": wish.replicas, "usage": average.mean}
    if given["values"] is None:
        return {"error_contains": given_up(given)}
    total = min(sum(given["values"]), INT64_MAX)
    ready = hpa.ready_pods(given) if "pods" in given else current
    wish = ask(strategy, total, current, ready=ready, covered=ready)
    shown = total if BASES[kind] is Basis.VALUE else per_pod(total, current)
    return {"replicas": wish.replicas, "usage": shown}


BASES = {
    "Pods": Basis.AVERAGE,
    "Object": Basis.VALUE,
    "External": Basis.VALUE,
    "ObjectPerPod": Basis.TOTAL,
    "ExternalPerPod": Basis.TOTAL,
}


def per_pod(usage: int, replicas: int) -> int:
    return 0 if replicas == 0 else -(-usage // replicas)


def per_pod_usage(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"per_pod_usage": per_pod(given["usage"], given["status_replicas"])}


def group_pods(given: Mapping[str, Any]) -> dict[str, Any]:
    groups = hpa.grouped(
        given["pods"],
        {
            name: (
                inf if one["timestamp_age_s"] is None else one["timestamp_age_s"],
                one["window_s"],
            )
            for name, one in given["metrics"].items()
        },
        is_cpu=given["resource"] == "cpu",
        initialization_seconds=given["cpu_initialization_period_s"],
        readiness_delay_seconds=given["delay_of_initial_readiness_s"],
    )
    return {
        "ready_count": len(groups.counted),
        "unready": sorted(groups.unready),
        "missing": sorted(groups.missing),
        "ignored": sorted(groups.ignored),
    }


def pod_requests(given: Mapping[str, Any]) -> dict[str, Any]:
    is_pod_level = given["pod_level_resources_enabled"]
    try:
        requests = {
            pod["name"]: hpa.request_of(pod, given["container"], is_pod_level=is_pod_level)
            for pod in given["pods"]
        }
    except ValueError:
        return {"error_contains": Whatever()}
    return {"requests": requests}


ANSWERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "resource": resource,
    "value": value,
    "group_pods": group_pods,
    "pod_requests": pod_requests,
    "per_pod_usage": per_pod_usage,
}
