"""The Workload Variant Autoscaler's two saturation analyzers, for one variant.

Both look at what engines report of their KV caches and queues; neither knows an SLO. The first adds
or removes a single replica by spare shares; the second counts in tokens. What they want goes to an
HPA, whose stabilisation the project recommends to be 240 s both ways. Its tolerance is taken to be
none: with the usual tenth, one more replica of ten would never be followed.

Only means over replicas are observed, so replicas are taken to be alike, as even routing makes them.
Missing data: they keep their replicas.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from trimtab.core.policy import Limit, MoveRules
from trimtab.core.strategies.rounding import whole_down, whole_up
from trimtab.simulation.peers.behaviour import Behaviour
from trimtab.simulation.peers.recent import Beat, Lengths, Recent

if TYPE_CHECKING:
    from trimtab.plant.serving_model import ServingModel
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

LOOK_SECONDS = 15.0
"""How often metrics are scraped, and the HPA syncs."""

DECISION_SECONDS = 60.0
METRIC_WINDOW_SECONDS = 60.0
STABILIZATION_SECONDS = 240.0

KV_THRESHOLD = 0.8
QUEUE_THRESHOLD = 5.0
KV_SPARE_TRIGGER = 0.1
QUEUE_SPARE_TRIGGER = 3.0
UP_THRESHOLD = 0.85
DOWN_BOUNDARY = 0.7

_OBSERVED_MAX = 10


def actuator(stabilization_seconds: float = STABILIZATION_SECONDS) -> Behaviour:
    """Return the HPA between an analyzer and the replicas: ten pods in 15 s each way."""
    rules = MoveRules(
        stabilization_seconds=stabilization_seconds,
        limits=(Limit(period_seconds=15.0, replicas=10),),
    )
    return Behaviour(rules, rules)


class SaturationV1:
    """One more while the spare is small, one less while what is left could carry the load.

    Spare is ``kv_threshold`` minus the highest KV use of the last minute, and likewise for the
    queue; a replica beyond either is saturated and spares nothing. Nothing is added while replicas
    are on their way, and a wish stands until it is reached.
    """

    interval_seconds = LOOK_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        kv_threshold: float = KV_THRESHOLD,
        kv_spare_trigger: float = KV_SPARE_TRIGGER,
        stabilization_seconds: float = STABILIZATION_SECONDS,
    ) -> None:
        self._sizing = sizing
        self._kv_threshold = kv_threshold
        self._kv_spare_trigger = kv_spare_trigger
        self._kv = Recent(METRIC_WINDOW_SECONDS)
        self._queue = Recent(METRIC_WINDOW_SECONDS)
        self._beat = Beat(DECISION_SECONDS)
        self._hpa = actuator(stabilization_seconds)
        self._desired: int | None = None

    def wanted(self, seen: Observation) -> int:
        """Return what the HPA makes of the last decision."""
        asked = self._sizing.within(seen.asked)
        measured, end = seen.measured, seen.measured_at
        if measured is None or end is None or seen.ready == 0:
            return asked
        self._kv.add(end, measured.kv_share)
        self._queue.add(end, measured.waiting / seen.ready)
        if self._beat.is_due(seen.at) and self._desired in (None, asked):
            self._desired = self._sizing.within(self._decision(asked, seen.ready))
        desired = asked if self._desired is None else self._desired
        return self._sizing.within(self._hpa.follow(desired, asked, seen.at))

    def _decision(self, asked: int, ready: int) -> int:
        kv, queue = self._kv.most() or 0.0, self._queue.most() or 0.0
        is_saturated = kv >= self._kv_threshold or queue >= QUEUE_THRESHOLD
        is_short = (
            is_saturated
            or self._kv_threshold - kv < self._kv_spare_trigger
            or QUEUE_THRESHOLD - queue < QUEUE_SPARE_TRIGGER
        )
        if is_short:
            return asked if asked > ready else asked + 1
        if ready < 2:
            return asked
        concentrated = ready / (ready - 1)
        kv_left = self._kv_threshold - kv * concentrated
        queue_left = QUEUE_THRESHOLD - queue * concentrated
        can_shrink = kv_left >= self._kv_spare_trigger and queue_left >= QUEUE_SPARE_TRIGGER
        return asked - 1 if can_shrink else asked


class SaturationV2:
    """Tokens in use and waiting against the tokens that replicas can hold, in one step.

    What a replica can hold is the lesser of ``kv_threshold`` of its KV cache and of the tokens at
    which its compute is full: learned while a queue stands (the mean of the last ten, by length of
    answers), else derived from the engine's limits.
    """

    interval_seconds = LOOK_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        up_threshold: float = UP_THRESHOLD,
        down_boundary: float = DOWN_BOUNDARY,
        kv_threshold: float = KV_THRESHOLD,
        stabilization_seconds: float = STABILIZATION_SECONDS,
    ) -> None:
        self._sizing = sizing
        self._up_threshold, self._down_boundary = up_threshold, down_boundary
        self._kv_threshold = kv_threshold
        self._lengths = Lengths(
            METRIC_WINDOW_SECONDS, prompt=sizing.prompt_tokens, output=sizing.output_tokens
        )
        self._kv = Recent(METRIC_WINDOW_SECONDS)
        self._queue = Recent(METRIC_WINDOW_SECONDS)
        self._observed: dict[int, deque[float]] = {}
        self._beat = Beat(DECISION_SECONDS)
        self._hpa = actuator(stabilization_seconds)
        self._desired: int | None = None

    def wanted(self, seen: Observation) -> int:
        """Return what the HPA makes of the last decision."""
        asked = self._sizing.within(seen.asked)
        measured, end = seen.measured, seen.measured_at
        if measured is None or end is None or seen.ready == 0:
            return asked
        self._lengths.hear(seen)
        self._kv.add(end, measured.kv_share)
        self._queue.add(end, measured.waiting / seen.ready)
        if self._beat.is_due(seen.at):
            self._desired = self._sizing.within(self._decision(asked, seen.ready))
        desired = asked if self._desired is None else self._desired
        return self._sizing.within(self._hpa.follow(desired, asked, seen.at))

    def _decision(self, asked: int, ready: int) -> int:
        kv, queue = self._kv.most() or 0.0, self._queue.most() or 0.0
        in_use = kv * self._sizing.model.kv_capacity_tokens
        capacity = min(
            self._kv_threshold * self._sizing.model.kv_capacity_tokens,
            self._compute_bound(in_use, queue),
        )
        demand = ready * (in_use + queue * self._lengths.prompt)
        required = demand / self._up_threshold - asked * capacity
        if required > 0.0:
            return asked + whole_up(required / capacity)
        spare = ready * capacity - demand / self._down_boundary
        return asked - whole_down(spare / capacity) if spare > 0.0 else asked

    def _compute_bound(self, in_use: float, queue: float) -> float:
        """Return the tokens in use at which a replica has no more compute to give."""
        observed = self._observed.setdefault(
            _bucket(self._lengths.output), deque(maxlen=_OBSERVED_MAX)
        )
        if queue >= QUEUE_THRESHOLD and in_use > 0.0:
            observed.append(in_use)
        if observed:
            return sum(observed) / len(observed)
        return derived_tokens(self._sizing.model, self._lengths.prompt, self._lengths.output)


def derived_tokens(model: ServingModel, prompt_tokens: float, output_tokens: float) -> float:
    """Return the tokens that a full batch holds: as many sequences as the iteration budget keeps alive.

    Each is half done with its answer on average.
    """
    budget = model.prefill_chunk_tokens * output_tokens / (prompt_tokens + output_tokens)
    return min(budget, model.sequences_max) * (prompt_tokens + output_tokens / 2.0)


def _bucket(output_tokens: float) -> int:
    return (output_tokens >= 100.0) + (output_tokens >= 500.0)
