"""Ray Serve's queue-length policy: its factors, its delays, its averages, run through ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.conformance.cases import Vector, conform, judge
from tests.worlds.engine_world import a_deployment

from trimtab.core.proposals import JsonValue, View
from trimtab.core.signals import Freshness, Reading, SignalSpec
from trimtab.core.strategies import sliding
from trimtab.core.strategies.queue import NOT_WAITING, Queue

VECTORS = "ray_serve.json"
REQUESTS = SignalSpec(name="requests", source="s", query="q", max_age_seconds=60)


def test_ray_serve(vector: Vector) -> None:
    ADAPTERS[vector.kind](vector)


def strategy(config: Mapping[str, Any], look_back_seconds: float = 30.0) -> Queue:
    return Queue(
        signal="requests",
        target=config["target_ongoing_requests"],
        look_back_seconds=look_back_seconds,
        upscaling_factor=config["upscaling_factor"],
        downscaling_factor=config["downscaling_factor"],
        upscale_delay_seconds=config["upscale_delay_s"],
        downscale_delay_seconds=config["downscale_delay_s"],
        downscale_to_zero_delay_seconds=config["downscale_to_zero_delay_s"],
    )


def policy_sequence(vector: Vector) -> None:
    run = queue_length if vector.input["policy"] == "queue_length" else constant
    ours = run(vector.input)
    found = []
    for step, expected in zip(vector.input["steps"], vector.expected["decisions"], strict=True):
        for turn in range(step["repeat"]):
            decision = next(ours)
            if expected is not None and decision != expected:
                found.append(f"{step}, call {turn}: {expected} expected, trimtab says {decision}")
    judge(vector, found[:3])


def queue_length(given: Mapping[str, Any]) -> Iterator[int | None]:
    """Ongoing requests through the whole strategy; the peer's are averages already."""
    tick_seconds = 1 / given["ticks_per_s"]
    queue = strategy(given["config"], look_back_seconds=tick_seconds)
    memory: JsonValue = None
    for now, step in calls(given):
        reading = Reading(
            spec=REQUESTS, freshness=Freshness.USABLE, value=step["total_requests"], age_seconds=0.0
        )
        view = View(
            now=now,
            deployment=a_deployment(step["current_replicas"]),
            current=step["target_replicas"],
            readings={"requests": reading},
            lead_time_seconds=0.0,
        )
        wish = queue.propose(view, memory)
        memory = wish.memory
        yield wish.replicas


def constant(given: Mapping[str, Any]) -> Iterator[int]:
    """What another policy wants, through the factors and the delays alone."""
    queue, waiting = strategy(given["config"]), NOT_WAITING
    for now, step in calls(given):
        wanted = queue.scaled(step["raw_desired"], step["current_replicas"])
        delayed = queue.delay(wanted, step["target_replicas"], waiting, now)
        waiting = delayed.waiting
        yield delayed.replicas


def calls(given: Mapping[str, Any]) -> Iterator[tuple[float, Mapping[str, Any]]]:
    """Each call with its time."""
    count = 0
    for step in given["steps"]:
        for _ in range(step["repeat"]):
            yield count / given["ticks_per_s"], step
            count += 1


def delay_sequence(vector: Vector) -> None:
    queue, waiting = strategy(vector.input["config"]), NOT_WAITING
    decisions = []
    for step in vector.input["steps"]:
        delayed = queue.delay(step["desired"], step["target_replicas"], waiting, step["t_s"])
        waiting = delayed.waiting
        decisions.append(delayed.replicas)
    conform(vector, {"decisions": decisions})


def scaling_factors(vector: Vector) -> None:
    given = vector.input
    queue = Queue(
        signal="requests",
        target=1.0,
        upscaling_factor=given["upscaling_factor"],
        downscaling_factor=given["downscaling_factor"],
    )
    conform(vector, {"desired": queue.scaled(given["desired"], given["current_replicas"])})


def gang_round(vector: Vector) -> None:
    queue = Queue(signal="requests", target=1.0, group=vector.input["gang_size"])
    conform(vector, {"desired": queue.in_groups(vector.input["desired"])})


def time_weighted_average(vector: Vector) -> None:
    """Ray holds a value until the next one, trimtab since the last: the same spans."""
    changes = sorted(
        (time, reporter, value)
        for reporter, series in enumerate(vector.input["series"])
        for time, value in series
    )
    end = changes[-1][0] + vector.input["last_window_s"]
    held: dict[int, float] = {}
    spans: sliding.Spans = ()
    ends = [time for time, _, _ in changes[1:]] + [end]
    for (start, reporter, value), until in zip(changes, ends, strict=True):
        held[reporter] = value
        spans = sliding.observe(
            spans, until, sum(held.values()), hold_seconds=until - start, window_seconds=60.0
        )
    aligned = sliding.weigh(spans, end, end - vector.input["aligned_start_s"]).mean
    unaligned = sliding.weigh(spans, end, end).mean
    assert aligned is not None
    assert unaligned is not None
    order = ">" if aligned > unaligned else "<="
    conform(
        vector,
        {
            "aligned_mean": aligned,
            "unaligned_mean": unaligned,
            "relation": f"aligned_mean {order} unaligned_mean",
        },
    )


ADAPTERS: dict[str, Callable[[Vector], None]] = {
    "delay_sequence": delay_sequence,
    "gang_round": gang_round,
    "policy_sequence": policy_sequence,
    "scaling_factors": scaling_factors,
    "time_weighted_average": time_weighted_average,
}
