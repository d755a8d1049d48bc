"""Reads the HPA's pods as the signal sources and the control plane of trimtab would report them.

trimtab knows no pods: it gets an average with the number of replicas it covers, and how many replicas
are ready. What the HPA calls missing is here a ready replica outside the average; what it calls
unready, one that was asked for and is not ready; what it ignores does not exist. Numbers are the
vectors' milli-units, utilisation is whole per cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any


@dataclass(frozen=True, slots=True)
class Grouped:
    """Names of pods by what the HPA makes of them."""

    counted: tuple[str, ...]
    unready: tuple[str, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Average:
    """An average over ``covered`` of ``ready`` replicas; ``mean`` is what the peer shows of it."""

    value: int
    covered: int
    ready: int
    mean: int


def grouped(
    pods: Iterable[Mapping[str, Any]],
    samples: Mapping[str, tuple[float, float]],
    *,
    is_cpu: bool,
    initialization_seconds: float,
    readiness_delay_seconds: float,
) -> Grouped:
    """Group pods; ``samples`` is age and window of each one's metric, in seconds."""
    counted, unready, missing, ignored = [], [], [], []
    for pod in pods:
        name = pod["name"]
        if pod["deleted"] or pod["phase"] in ("Failed", "Succeeded"):
            ignored.append(name)
        elif pod["phase"] == "Pending":
            unready.append(name)
        elif name not in samples:
            missing.append(name)
        elif is_cpu and _is_starting(
            pod, *samples[name], initialization_seconds, readiness_delay_seconds
        ):
            unready.append(name)
        else:
            counted.append(name)
    return Grouped(tuple(counted), tuple(unready), tuple(missing), tuple(ignored))


def _is_starting(
    pod: Mapping[str, Any],
    sample_age: float,
    window: float,
    initialization_seconds: float,
    readiness_delay_seconds: float,
) -> bool:
    start_age, transition_age = pod["start_age_s"], pod["ready_transition_age_s"]
    if start_age is None or transition_age is None:
        return True
    if start_age < initialization_seconds:
        return not pod["ready"] or sample_age > transition_age - window
    return not pod["ready"] and transition_age > start_age - readiness_delay_seconds


def request_of(pod: Mapping[str, Any], container: str | None, *, is_pod_level: bool = False) -> int:
    """The request of a pod or of one container. Raises ``ValueError`` where one is not set."""
    pod_level = pod.get("pod_level_request")
    if container is None and is_pod_level and pod_level is not None:
        return int(pod_level)
    total = 0
    for name, request in _requests(pod):
        if container not in (None, name):
            continue
        if request is None:
            raise ValueError(f"missing request for {name} of {pod['name']}")
        total += request
    return total


def _requests(pod: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    containers = pod["containers"]
    if isinstance(containers, Mapping):
        return [(name, one["request"]) for name, one in containers.items()]
    sidecars = [one for one in pod["init_containers"] if one["restartable"]]
    return [(one["name"], one["request"]) for one in [*containers, *sidecars]]


def usage_of(pod: Mapping[str, Any], container: str | None) -> int | None:
    """What a pod uses, ``None`` where any part of it is not reported."""
    used = [one["usage"] for name, one in pod["containers"].items() if container in (None, name)]
    return None if not used or None in used else sum(used)


def resource_average(given: Mapping[str, Any], container: str | None) -> Average | None:
    """The average of a resource over the pods that count, or ``None`` where there is none.

    With a target in per cent it is a utilisation of what the pods request.
    """
    pods = given["pods"] or []
    usages = {pod["name"]: usage_of(pod, container) for pod in pods}
    age, window = given["metric_timestamp_age_s"], given["metric_window_s"]
    groups = grouped(
        pods,
        {name: (age, window) for name, usage in usages.items() if usage is not None},
        is_cpu=True,
        initialization_seconds=given["cpu_initialization_period_s"],
        readiness_delay_seconds=given["delay_of_initial_readiness_s"],
    )
    try:
        requests = {pod["name"]: request_of(pod, container) for pod in pods}
    except ValueError:
        return None
    if not groups.counted:
        return None
    usage = sum(usages[name] or 0 for name in groups.counted)
    requested = sum(requests[name] for name in groups.counted)
    covered = len(groups.counted)
    ready = covered + len(groups.missing)
    return Average(100 * usage // requested, covered, ready, usage // covered)


def pods_average(given: Mapping[str, Any]) -> Average | None:
    """The average of a metric of pods: the HPA does not look at their readiness there."""
    pods = given["pods"] or []
    values = {pod["name"]: pod["value"] for pod in pods if pod["value"] is not None}
    groups = grouped(
        pods,
        dict.fromkeys(values, (0.0, inf)),
        is_cpu=False,
        initialization_seconds=0,
        readiness_delay_seconds=0,
    )
    if not groups.counted:
        return None
    mean = sum(values[name] for name in groups.counted) // len(groups.counted)
    covered = len(groups.counted)
    return Average(mean, covered, covered + len(groups.missing), mean)


def ready_pods(given: Mapping[str, Any]) -> int:
    """Pods that run and are ready."""
    pods = given["pods"] or []
    return sum(pod["phase"] == "Running" and pod["ready"] for pod in pods)
