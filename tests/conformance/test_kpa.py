"""Knative's pod autoscaler: its windows, its panic, its scaling to zero, run through ours.

Where Knative counts a second without data as no load, the adapter says so with a sample of 0: to
trimtab a gap is unknown. Knative's collector adds up what several reporters say of one second; so
does the adapter, before a value becomes a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import floor, inf
from typing import Any

import pytest
from tests.conformance.cases import Vector, conform, judge
from tests.worlds.engine_world import START, a_deployment, world

from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.deployment import Pipeline
from trimtab.core.memory import At
from trimtab.core.policy import MoveRules, Rule, ScaleToZero
from trimtab.core.proposals import View
from trimtab.core.roles import Role
from trimtab.core.signals import Freshness, Reading, SignalSpec
from trimtab.core.strategies import sliding
from trimtab.core.strategies.panic_window import Averages, Panic, PanicWindow, share_of
from trimtab.core.strategies.target import Target
from trimtab.core.windows import alive, push_high

VECTORS = "kpa.json"


def test_knative(vector: Vector) -> None:
    ADAPTERS[vector.kind](vector)


# -- the autoscaler ---------------------------------------------------------------------------


def strategy(spec: Mapping[str, Any]) -> PanicWindow:
    """The strategy with a decider's numbers; a revision nobody can reach has no brakes downwards."""
    total = spec["total_value"] or spec["target_value"]
    panic_window = PanicWindow(
        signal="load",
        target=total,
        utilization=spec["target_value"] / total,
        stable_window_seconds=spec["stable_window_s"],
        panic_threshold=spec["panic_threshold"],
        max_scale_up_rate=spec["max_scale_up_rate"],
        max_scale_down_rate=spec["max_scale_down_rate"],
        scale_down_delay_seconds=spec["scale_down_delay_s"],
        activation_scale=max(1, spec["activation_scale"]),
        burst=spec["target_burst_capacity"],
    )
    if not spec["reachable"]:
        panic_window = replace(panic_window, max_scale_down_rate=inf, scale_down_delay_seconds=0)
    return panic_window


def autoscaler(vector: Vector) -> None:
    panic_window = strategy(vector.input["spec"])
    panic = Panic.at_start(vector.input["initial_ready_pods"], 0.0)
    if vector.input["initial_state"] is not None:
        state = vector.input["initial_state"]
        panic = Panic(state["panic_since_s"], state["max_panic_pods"])
    delayed: tuple[At, ...] = ()
    tolerance = vector.expected["excess_burst_capacity_abs_tolerance"]
    found = []
    for step, expected in zip(vector.input["steps"], vector.expected["steps"], strict=True):
        if "set_spec" in step:
            panic_window = strategy(step["set_spec"])
        if step.get("metric_error"):
            wish = panic_window.propose(without_data(step["ready_pods"]), None)
            ours = {"desired": wish.replicas or 0, "valid": wish.replicas is not None, "excess": 0}
        else:
            steering = panic_window.steer(
                Averages(step["stable"], step["panic"]),
                ready=step["ready_pods"],
                now=step["t_s"],
                panic=panic,
                delayed=delayed,
            )
            panic, delayed = steering.panic, steering.delayed
            ours = {
                "desired": steering.replicas,
                "valid": True,
                "panicking": panic.since is not None,
                "excess": steering.excess_burst,
            }
        found += [
            f"at {step['t_s']} s {key}: the peer says {expected[key]}, trimtab says {ours[key]}"
            for key in ("desired", "valid", "panicking")
            if key in expected and expected[key] != ours[key]
        ]
        if abs(ours["excess"] - expected["excess_burst_capacity"]) > tolerance:
            found.append(f"at {step['t_s']} s the room for a burst is {ours['excess']}")
    judge(vector, found)


def without_data(ready: int) -> View:
    spec = SignalSpec(name="load", source="s", query="q", max_age_seconds=60)
    return View(
        now=0.0,
        deployment=a_deployment(ready),
        current=ready,
        readings={"load": Reading(spec=spec, freshness=Freshness.MISSING)},
        lead_time_seconds=0.0,
    )


def initial_state(vector: Vector) -> None:
    panic = Panic.at_start(vector.input["ready_pods"] or 0, 0.0)
    conform(vector, {"panicking": panic.since is not None, "max_panic_pods": panic.most})


def resolve_target(vector: Vector) -> None:
    given, config = vector.input, vector.input["config"]
    is_rate = given["metric"] == "rps"
    limit = None if is_rate else given["container_concurrency"] or None
    default = (
        config["rps_target_default"]
        if is_rate
        else limit or config["container_concurrency_target_default"]
    )
    percent = given["target_utilization_annotation_percent"]
    fraction = config["target_utilization" if is_rate else "container_concurrency_target_fraction"]
    share = share_of(
        given["target_annotation"] or default,
        limit,
        fraction if percent is None else percent / 100,
    )
    conform(vector, {"target": share.target, "total": share.total})


# -- windows ----------------------------------------------------------------------------------


def window_max(vector: Vector) -> None:
    window: tuple[At, ...] = ()
    seconds, current = vector.input["size"], []
    for record in vector.input["records"]:
        window = push_high(window, seconds, record["index"], record["value"])
        current.append(max(alive(window, seconds, record["index"])))
    conform(vector, {"current_after_each": current})


def time_window_max(vector: Vector) -> None:
    window: tuple[At, ...] = ()
    seconds, now = vector.input["window_s"], 0.0
    for record in vector.input["records"]:
        now = record["t_s"]
        window = push_high(window, seconds, now, record["value"])
    conform(vector, {"current": max(alive(window, seconds, now))})


def smoothing_coefficient(vector: Vector) -> None:
    ours = sliding.smoothing_coefficient(
        vector.input["buckets"],
        weight_precision=vector.input["weight_precision"],
        minimum=vector.input["minimum"],
    )
    is_near = abs(ours - vector.expected["coefficient"]) <= vector.expected["abs_tolerance"]
    judge(vector, [] if is_near else [f"coefficient {ours}"])


def round_digits(vector: Vector) -> None:
    """Trimtab rounds no average; what an average must keep are the digits that Knative keeps."""
    value, digits = vector.input["value"], vector.input["digits"]
    spans = sliding.observe((), 1.0, value, hold_seconds=0.1, window_seconds=1.0)
    mean = sliding.weigh(spans, 1.0, 1.0).mean
    assert mean is not None
    conform(vector, {"rounded": round(mean, digits)})


class Buckets:
    """Knative's buckets on spans: a record in a bucket is a sample at the end of that bucket."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.window, self.granularity = given["window_s"], given["granularity_s"]
        self.is_weighted = given["weighted"]
        self.spans: sliding.Spans = ()

    def run(self, op: Mapping[str, Any]) -> Any:
        return getattr(self, op["op"])(op)

    def laid(self, values: Mapping[int, float]) -> sliding.Spans:
        spans: sliding.Spans = ()
        for bucket, value in sorted(values.items()):
            end = (bucket + 1) * self.granularity
            spans = sliding.observe(
                spans, end, value, hold_seconds=self.granularity, window_seconds=self.window
            )
        return spans

    @property
    def values(self) -> dict[int, float]:
        return {round(span.start / self.granularity): span.value for span in self.spans}

    def end(self, op: Mapping[str, Any]) -> float:
        """The end of the bucket that is asked for; Knative never asks before its last write."""
        asked = (floor(op["t_s"] / self.granularity) + 1) * self.granularity
        return max([asked, *(span.end for span in self.spans[-1:])])

    def record(self, op: Mapping[str, Any]) -> None:
        values = self.values
        bucket = floor(op["t_s"] / self.granularity)
        values[bucket] = values.get(bucket, 0) + op["value"]
        self.spans = self.laid(values)

    def resize(self, op: Mapping[str, Any]) -> None:
        self.window = op["window_s"]
        self.spans = sliding.since(self.spans, self.end(op) - self.window)

    def is_empty(self, op: Mapping[str, Any]) -> bool:
        return not sliding.since(self.spans, self.end(op) - self.window)

    def nonzero_buckets(self, op: Mapping[str, Any]) -> dict[str, float]:
        inside = sliding.since(self.spans, self.end(op) - self.window)
        return {f"{span.start:.0f}": span.value for span in inside if span.value}

    def sum(self, op: Mapping[str, Any]) -> float:
        return sliding.weigh(self.spans, self.end(op), self.window).total / self.granularity

    def average(self, op: Mapping[str, Any]) -> float:
        end = self.end(op)
        if self.is_weighted:
            # Knative gives what it has not seen its full weight as 0: the sum, not the mean.
            average = sliding.weigh_fading(
                self.spans,
                end,
                self.window,
                coefficient=self.smoothing_coefficient(op),
                per_seconds=self.granularity,
            ).total
        else:
            average = sliding.weigh(self._with_zeros(end), end, self.window).mean or 0.0
        return round(average, op.get("round_digits", 12))

    def _with_zeros(self, end: float) -> sliding.Spans:
        """Knative's zeros: buckets without data between two with, or a window without any."""
        values = {
            bucket: value
            for bucket, value in self.values.items()
            if (bucket + 1) * self.granularity > end - self.window
        }
        if not values:
            return self.laid({round(end / self.granularity) - 1: 0.0})
        return self.laid(dict.fromkeys(range(min(values), max(values)), 0.0) | values)

    def smoothing_coefficient(self, _op: Mapping[str, Any]) -> float:
        return sliding.smoothing_coefficient(self.window / self.granularity)

    def bucket_count(self, _op: Mapping[str, Any]) -> int:
        return round(self.window / self.granularity)


def buckets(vector: Vector) -> None:
    ours = Buckets(vector.input)
    found = []
    for op, expected in zip(vector.input["ops"], vector.expected["results"], strict=True):
        answer = ours.run(op)
        tolerance = vector.expected["rel_tolerance"]
        if expected is not None and answer != pytest.approx(expected, rel=tolerance):
            found.append(f"{op}: the peer says {expected}, trimtab says {answer}")
    judge(vector, found)


# -- scaling to zero ----------------------------------------------------------------------------


def scaler(vector: Vector) -> None:
    """A whole ``Engine.step``, after the deployment has been without demand for some time.

    Knative's timers in a row are our one: active without demand for the stable window, then
    inactive (or served by proxy) for the grace or the retention period; while it activates, the
    deadline for that. A probe that fails means that nobody would hear a request at zero: the wake
    signal is missing. What is compared is the count that is in force afterwards.
    """
    given, config, revision = vector.input, vector.input["config"], vector.input["revision"]
    after_seconds, idle_seconds = quiet(given)
    is_reachable = given["reachability"] != "Unreachable"
    current, desired = given["current_replicas"], given["desired_scale"]
    at_once = MoveRules(stabilization_seconds=0.0)
    there = world(
        current,
        deployment={"min_replicas": 0, "max_replicas": 1000},
        rules=(Rule(name="r", role=Role.DEMAND, strategy=Target(signal="load", target=1.0)),),
        signals=(signal("load"), signal("wake")),
        min_replicas=given["min_scale"] if is_reachable else None,
        max_replicas=given["max_scale"] or None,
        up=at_once,
        down=at_once,
        scale_to_zero=ScaleToZero(after_seconds=after_seconds, wake_on=("wake",))
        if config["enable_scale_to_zero"]
        else None,
    )
    if given["active_condition"] == "Unknown":
        there.deployment = replace(there.deployment, pipeline=Pipeline(initializing=current))
    signals = {} if desired < 0 else {"load": float(desired)}
    if given["activator_probe"] != "not_ready":
        signals["wake"] = float(desired > 0)
    there.step(0.0, **signals)
    for order in there.orders:
        void = Outcome(order=order, at=START, status=WriteStatus.VOID, sentence="")
        there.engine.record(void)
    decision = there.step(idle_seconds, **signals)
    left_out = {"reenqueues", "async_probes"}  # its queue and its probes, not its count
    if not vector.expected["applied"]:
        left_out.add("scale")  # its own bookkeeping: nothing was written
    answers = {"scale": decision.desired, "applied": decision.desired != current}
    assert revision.keys() <= {
        "window_s",
        "pod_retention_s",
        "progress_deadline_s",
        "target_burst_capacity",
    }
    conform(vector, answers, left_out=left_out)


def signal(name: str) -> SignalSpec:
    return SignalSpec(name=name, source="s", query="q", max_age_seconds=60.0)


def quiet(given: Mapping[str, Any]) -> tuple[float, float]:
    """How long to be without demand before zero, and for how long it has been."""
    config, revision = given["config"], given["revision"]
    age = given["active_condition_age_s"]
    if given["active_condition"] == "Unknown":
        deadline = revision.get("progress_deadline_s", config["progress_deadline_s"])
        return deadline + config["activation_timeout_buffer_s"], age
    window = revision.get("window_s", config["stable_window_s"])
    retention = revision.get("pod_retention_s", config["scale_to_zero_pod_retention_s"])
    after_seconds = window + max(config["scale_to_zero_grace_period_s"], retention)
    if given["active_condition"] == "True":
        return after_seconds, min(age, window)
    return after_seconds, window + max(age, given["proxied_for_s"])


def initial_scale(vector: Vector) -> None:
    conform(vector, {"initial_scale": None})


ADAPTERS: dict[str, Callable[[Vector], None]] = {
    "autoscaler": autoscaler,
    "autoscaler_initial_state": initial_state,
    "buckets": buckets,
    "initial_scale": initial_scale,
    "resolve_target": resolve_target,
    "round_digits": round_digits,
    "scaler": scaler,
    "smoothing_coefficient": smoothing_coefficient,
    "time_window_max": time_window_max,
    "window_max": window_max,
}
