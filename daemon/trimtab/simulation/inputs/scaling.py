"""A recording gives the shape of a load; this gives it a size, counted in replicas that it needs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from trimtab.plant.fast_capacity import capacities
from trimtab.plant.workload import Load
from trimtab.simulation.inputs.bins import Cumulated, RecordedWorkload
from trimtab.simulation.inputs.input_error import InputError
from trimtab.simulation.inputs.sampling import Sampled, sampled
from trimtab.simulation.inputs.splicing import holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.workload import Workload
    from trimtab.simulation.inputs.bins import Bins, Floats

    Capacity: TypeAlias = Callable[[Floats, Floats], Floats]

SMOOTHING_SECONDS = 60.0
"""The counts of bins are a draw already; a moving mean of this length is taken for the rate that they
were drawn from, so that arrivals are not drawn twice."""

HOLD_SECONDS = 5.0
"""A smoothed load is constant for this long: far below what the moving mean resolves."""

LOOKS_MAX = 50_000
"""How often a made-up load is looked at to find its mean need."""

DAYS_LOOKED_AT = 14.0
"""How much of a load without end counts for its mean."""

HEAVY_FACTOR = 20.0
HEAVY_SHARE_MAX = 0.05
"""At most this share of requests may come in mixes that take so many times as much as the mean."""


class SmoothedWorkload:
    """Bins as a trailing moving mean, times a factor: the load of the last minute, at every moment.

    Trailing, so that the load up to a moment tells nothing of what comes after it. The mix is that of
    the requests of the same minute. No request is lost: over any stretch the sum is that of the bins a
    minute before. In the first minute the mean is over what there is. After its end it begins again.
    """

    def __init__(
        self, bins: Bins, *, factor: float = 1.0, smoothing_seconds: float = SMOOTHING_SECONDS
    ) -> None:
        self.bins = bins
        self.factor = factor
        self._smoothing = smoothing_seconds
        self._cumulated = Cumulated(bins)
        self._block = -1
        self._loads: list[Load] = []

    @property
    def span_seconds(self) -> float | None:
        """How long the recording is."""
        return self.bins.span_seconds

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load of the five seconds that this time falls into."""
        if elapsed_seconds < 0.0:
            raise ValueError(f"a workload starts at 0 s; it has no load at {elapsed_seconds} s")
        block, slot = divmod(int(elapsed_seconds / HOLD_SECONDS), _SLOTS_PER_BLOCK)
        if block != self._block:
            # An hour at a time: asked second by second, nearly every call is a look into a list.
            slots = np.arange(_SLOTS_PER_BLOCK, dtype=np.float64) + block * _SLOTS_PER_BLOCK
            means = self.at((slots + 0.5) * HOLD_SECONDS)
            self._loads = [Load(*one) for one in zip(*means.tolist(), strict=True)]
            self._block = block
        return self._loads[slot]

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return when the five seconds end that this time falls into."""
        return (int(elapsed_seconds / HOLD_SECONDS) + 1) * HOLD_SECONDS

    def sampled(self, step_seconds: float) -> Sampled:
        """Look at the whole span in even steps, as ``sampling.sampled`` does."""
        count = max(1, round(self.bins.span_seconds / step_seconds))
        rates, prompts, outputs = self.at((np.arange(count, dtype=np.float64) + 0.5) * step_seconds)
        return Sampled(
            step_seconds=step_seconds,
            requests_per_second=rates,
            prompt_tokens=prompts,
            output_tokens=outputs,
        )

    def at(self, seconds: Floats) -> Floats:
        """Return rows of requests per second, prompt tokens and output tokens at each second."""
        begins = np.maximum(0.0, seconds - self._smoothing)
        sums = self._cumulated.at(seconds) - self._cumulated.at(begins)
        rates = np.maximum(0.0, sums[0] / (seconds - begins))
        has_any = sums[0] > 1e-9
        rates[~has_any] = 0.0
        # Where nothing came, the mix of the bin counts, which is that of the requests before.
        index = np.searchsorted(self.bins.edges_seconds, seconds % self.bins.span_seconds, "right")
        lengths = [
            np.divide(each, sums[0], where=has_any, out=own[index - 1].copy())
            for each, own in zip(
                sums[1:], (self.bins.prompt_tokens, self.bins.output_tokens), strict=True
            )
        ]
        return np.stack([rates * self.factor, *(np.maximum(1.0, one) for one in lengths)])


_SLOTS_PER_BLOCK = 720


class ScaledWorkload:
    """Another workload with its rate multiplied; the mix stays."""

    def __init__(self, inner: Workload, factor: float) -> None:
        if not 0.0 < factor < math.inf:
            raise InputError(f"a load cannot be multiplied by {factor}; give a number above 0")
        self.inner = inner
        self.factor = factor
        self._seen: Load | None = None
        self._scaled = Load(0.0, 1.0, 1.0)

    @property
    def span_seconds(self) -> float | None:
        """That of the workload within."""
        return self.inner.span_seconds

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load within, its rate multiplied."""
        load = self.inner.load(elapsed_seconds)
        if load is not self._seen:  # most workloads hand out the same load for a while
            self._seen = load
            self._scaled = Load(
                load.requests_per_second * self.factor, load.prompt_tokens, load.output_tokens
            )
        return self._scaled

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return what the workload within says, or nothing beyond this moment."""
        return holding(self.inner, elapsed_seconds)


def capacity_of(model: ServingModel, slo: Slo) -> Capacity:
    """Return what one replica serves within the SLO, requests/s by mean prompt and output tokens."""
    return lambda prompts, outputs: capacities(model, prompts, outputs, slo)


def scaled_to_mean(
    workload: Workload, capacity: Capacity, replicas: float
) -> ScaledWorkload | SmoothedWorkload:
    """Multiply the rate by one factor so that on average ``replicas`` are needed.

    ``capacity`` says how many requests per second one replica serves within the SLO (``capacity_of``):
    as the mix shifts, so does what is needed for the same rate. A recording is
    smoothed over a minute first (``SMOOTHING_SECONDS``); of a load without end the first 14 days
    count. Raises ``InputError`` for a load without requests, or one that no replica can serve.
    """
    if not 0.0 < replicas < math.inf:
        raise InputError(f"a mean need of {replicas} replicas cannot be; give a number above 0")
    smoothed = SmoothedWorkload(workload.bins) if isinstance(workload, RecordedWorkload) else None
    mean = mean_need(smoothed or workload, capacity)
    if mean <= 0.0:
        raise InputError("the load has no requests at all; there is nothing to scale by")
    if smoothed is None:
        return ScaledWorkload(workload, replicas / mean)
    return SmoothedWorkload(smoothed.bins, factor=replicas / mean)


def mean_need(workload: Workload, capacity: Capacity) -> float:
    """Return how many replicas the load needs on average over its span: offered work at the SLO.

    Of a load without end the first 14 days count. Raises ``InputError`` where no replica can serve
    the mean request, or many of them, within the SLO.
    """
    if isinstance(workload, SmoothedWorkload):
        # Between looks it is a straight line, whose middle is its mean; no bin is passed over.
        least = float(workload.bins.widths_seconds.min())
        seen = workload.sampled(max(HOLD_SECONDS, min(SMOOTHING_SECONDS, least)))
    else:
        span = workload.span_seconds or DAYS_LOOKED_AT * 86_400.0
        step = max(HOLD_SECONDS, math.ceil(span / LOOKS_MAX))
        seen = sampled(workload, span, step_seconds=step)
    return float(np.mean(needs(seen, capacity)))


def needs(seen: Sampled, capacity: Capacity) -> Floats:
    """Return how many replicas each sample needs, a fraction: its rate over what one can serve.

    A mix that takes more than ``HEAVY_FACTOR`` times as much as the mean one (or that no replica
    serves in time, however many there are) counts as so many times: a few prompts that miss their SLO
    anyway do not set the size of everything else. Raises ``InputError`` if they are not few.
    """
    rates = seen.requests_per_second
    total = float(rates.sum())
    if total <= 0.0:
        return np.zeros(rates.size)
    mean = np.stack([seen.prompt_tokens, seen.output_tokens]) @ rates / total
    usual = float(capacity(mean[:1], mean[1:])[0])
    served = capacity(_rounded(seen.prompt_tokens), _rounded(seen.output_tokens))
    least = usual / HEAVY_FACTOR
    share = float(rates[(served < least) | (served <= 0.0)].sum()) / total
    if usual <= 0.0 or share > HEAVY_SHARE_MAX:
        what = f"{share:.0%} of the requests" if usual > 0.0 else "the mean request"
        raise InputError(
            f"no replica serves {what} within the SLO (the mean one has {mean[0]:.0f} + {mean[1]:.0f} "
            "tokens); give a looser SLO, faster hardware or shorter requests"
        )
    return np.asarray(rates / np.maximum(served, least))


def _rounded(tokens: Floats) -> Floats:
    """Round to a thousandth: mixes that differ by less are one, and each is worked out once."""
    return np.asarray(np.maximum(1.0, np.exp(np.round(np.log(tokens), 3))))
