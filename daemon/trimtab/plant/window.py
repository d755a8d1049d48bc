"""What a metrics endpoint can say about the last minute, computed when it is asked.

Steps leave records; a window is folded from at most sixty of them, so memory is bounded and a
step that nobody asks about costs almost nothing. Names follow the platform's series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.plant.chance import lognormal_cdf
from trimtab.plant.serving_model import OUTPUT_SPREAD, PROMPT_SPREAD, tpot_share
from trimtab.plant.totals import INTERNAL_ERROR, TOO_MANY_REQUESTS, UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trimtab.plant.serving_model import ServingModel
    from trimtab.plant.totals import StepRecord

WINDOW_SECONDS = 60.0

Histogram = dict[float, float]
"""Upper bound -> requests in the window at or below it; the last bound is infinity."""

LATENCY_BOUNDS_MS: tuple[float, ...] = (
    50.0, 150.0, 300.0, 500.0, 750.0, 1000.0, 1500.0, 3000.0, 5000.0, 7500.0, 10000.0, math.inf,
)  # fmt: skip
PER_TOKEN_BOUNDS_MS: tuple[float, ...] = (
    2.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 75.0, 100.0, 150.0, 200.0, math.inf,
)  # fmt: skip
OVERALL_BOUNDS_MS: tuple[float, ...] = (
    *LATENCY_BOUNDS_MS[:-1], 15000.0, 20000.0, 30000.0, 60000.0, 120000.0, math.inf,
)  # fmt: skip
TOKEN_BOUNDS: tuple[float, ...] = (*(float(2**power) for power in range(18)), math.inf)

_PROMPT_CV = math.sqrt(PROMPT_SPREAD - 1.0)
_OUTPUT_CV = math.sqrt(OUTPUT_SPREAD - 1.0)


@dataclass(frozen=True, slots=True)
class Window:
    """The last minute of one deployment, or what there is of it (``covered_seconds``).

    Rates are means over the covered time. Histograms hold counts over the same time, cumulative
    in ``le``, keys ascending. Gauges are means over the time in which a replica served, and
    ``None`` where none did: no replica has no occupancy, which is not an occupancy of zero.
    """

    covered_seconds: float
    requests_per_second: float
    errors_per_second: dict[int, float]
    prompt_tokens_per_second: float
    cached_prompt_tokens_per_second: float
    generated_tokens_per_second: float
    latency_generation_per_token_ms: Histogram
    latency_generation_queue_ms: Histogram
    latency_overall_ms: Histogram
    latency_to_first_token_ms: Histogram
    latency_prefill_ms: Histogram
    latency_prefill_queue_ms: Histogram
    tokens_generated_per_request: Histogram
    tokens_prompt_per_request: Histogram
    kv_blocks_fraction: float | None
    kv_slots_fraction: float | None
    model_forward_ms: float | None
    concurrent_requests_per_replica: float | None


class _Tally:
    """One histogram being filled."""

    __slots__ = ("_bounds", "_counts")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0.0] * len(bounds)

    def add(self, count: float, share_at_most: Callable[[float], float]) -> None:
        """Add ``count`` requests whose distribution is ``share_at_most(bound)``."""
        if count <= 0.0:
            return
        counts = self._counts
        for index, bound in enumerate(self._bounds):
            counts[index] += count * (1.0 if bound == math.inf else share_at_most(bound))

    def histogram(self) -> Histogram:
        """Return what was added, cumulative."""
        return dict(zip(self._bounds, self._counts, strict=True))


def _exponential(mean: float, offset: float = 0.0) -> Callable[[float], float]:
    return lambda value: -math.expm1((offset - value) / mean) if value > offset else 0.0


def _lognormal(mean: float, cv: float, offset: float = 0.0) -> Callable[[float], float]:
    return lambda value: lognormal_cdf((value - offset) / mean, cv)


class _Tallies:
    """The eight histograms of one window."""

    def __init__(self, model: ServingModel, cached_prompt_share: float) -> None:
        self._model = model
        self._cached_prompt_share = cached_prompt_share
        self.per_token = _Tally(PER_TOKEN_BOUNDS_MS)
        self.queue = _Tally(LATENCY_BOUNDS_MS)
        self.overall = _Tally(OVERALL_BOUNDS_MS)
        self.first_token = _Tally(LATENCY_BOUNDS_MS)
        self.prefill = _Tally(LATENCY_BOUNDS_MS)
        self.prefill_queue = _Tally(LATENCY_BOUNDS_MS)
        self.generated = _Tally(TOKEN_BOUNDS)
        self.prompt = _Tally(TOKEN_BOUNDS)

    def add(self, record: StepRecord) -> None:
        """Add what one step did. Waits and prefill show at admission, the rest at the end."""
        tpot_ms, scale_ms, prefill_ms, prefill_wait_ms, _ = self._model.pace(
            record.batch, record.prompt_tokens, record.output_tokens, self._cached_prompt_share
        )
        wait_ms = record.wait_seconds * 1000.0
        ttft_ms = prefill_ms + prefill_wait_ms
        admitted, finished = record.admitted, record.finished
        self.queue.add(admitted, lambda value: 1.0 if value >= wait_ms else 0.0)
        self.first_token.add(admitted, _exponential(ttft_ms, wait_ms))
        self.prefill.add(admitted, _lognormal(prefill_ms, _PROMPT_CV))
        self.prefill_queue.add(admitted, _exponential(prefill_wait_ms))
        self.prompt.add(admitted, _lognormal(record.prompt_tokens, _PROMPT_CV))
        self.generated.add(finished, _lognormal(record.output_tokens, _OUTPUT_CV))
        self.per_token.add(finished, lambda value: tpot_share(value / 1000.0, tpot_ms, scale_ms))
        service_ms = ttft_ms + record.output_tokens * tpot_ms
        self.overall.add(finished, _lognormal(service_ms, _OUTPUT_CV, wait_ms))


@dataclass(frozen=True, slots=True)
class _Gauges:
    """Occupancy of one serving replica, averaged over the time in which there was one."""

    kv_blocks_fraction: float | None = None
    kv_slots_fraction: float | None = None
    model_forward_ms: float | None = None
    concurrent_requests: float | None = None


def _gauges(
    records: Sequence[StepRecord], model: ServingModel, cached_prompt_share: float
) -> _Gauges:
    served_seconds = blocks = slots = forward = concurrent = 0.0
    for record in records:
        if not record.serving:
            continue
        seconds = record.seconds
        served_seconds += seconds
        prompt, output = record.prompt_tokens, record.output_tokens
        blocks += seconds * min(1.0, record.batch / model.kv_batch_max(prompt, output))
        slots += seconds * record.batch / model.sequences_max
        pace = model.pace(record.batch, prompt, output, cached_prompt_share)
        forward += seconds * pace[0]
        # The fluid's batch decodes; by Little's law admitted * TTFT more are being prefilled.
        prefilling = record.admitted * (pace[2] + pace[3]) / 1000.0
        concurrent += seconds * record.batch
        concurrent += (prefilling + seconds * record.waiting) / record.serving
    if not served_seconds:
        return _Gauges()
    return _Gauges(
        blocks / served_seconds,
        slots / served_seconds,
        forward / served_seconds,
        concurrent / served_seconds,
    )


def fold(
    records: Iterable[StepRecord], model: ServingModel, cached_prompt_share: float, now: float
) -> Window:
    """Fold the records of the last minute before ``now`` into a window."""
    recent = [record for record in records if record.ended_at > now - WINDOW_SECONDS]
    covered = math.fsum(record.seconds for record in recent)
    per_second = 1.0 / covered if covered else 0.0
    prompt = math.fsum(record.admitted * record.prompt_tokens for record in recent)
    generated = math.fsum(record.finished * record.output_tokens for record in recent)
    errors = {
        TOO_MANY_REQUESTS: math.fsum(record.refused_429 for record in recent),
        INTERNAL_ERROR: math.fsum(record.lost_500 for record in recent),
        UNAVAILABLE: math.fsum(record.refused_503 for record in recent),
    }
    tallies = _Tallies(model, cached_prompt_share)
    for record in recent:
        tallies.add(record)
    gauges = _gauges(recent, model, cached_prompt_share)
    return Window(
        covered_seconds=covered,
        requests_per_second=math.fsum(record.offered for record in recent) * per_second,
        errors_per_second={code: count * per_second for code, count in errors.items() if count},
        prompt_tokens_per_second=prompt * per_second,
        cached_prompt_tokens_per_second=prompt * cached_prompt_share * per_second,
        generated_tokens_per_second=generated * per_second,
        latency_generation_per_token_ms=tallies.per_token.histogram(),
        latency_generation_queue_ms=tallies.queue.histogram(),
        latency_overall_ms=tallies.overall.histogram(),
        latency_to_first_token_ms=tallies.first_token.histogram(),
        latency_prefill_ms=tallies.prefill.histogram(),
        latency_prefill_queue_ms=tallies.prefill_queue.histogram(),
        tokens_generated_per_request=tallies.generated.histogram(),
        tokens_prompt_per_request=tallies.prompt.histogram(),
        kv_blocks_fraction=gauges.kv_blocks_fraction,
        kv_slots_fraction=gauges.kv_slots_fraction,
        model_forward_ms=gauges.model_forward_ms,
        concurrent_requests_per_replica=gauges.concurrent_requests,
    )
