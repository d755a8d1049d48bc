"""Fit a recorded load to a deployment: the recording gives the shape, the deployment the size.

A trace of one customer's requests says nothing about ours, except how load moves. Its rate is
multiplied so that the busiest time needs nearly all replicas the deployment may have, and its token
lengths so that the mean request is the one the deployment was sized for. Both are constant factors:
ramps, bursts, lulls and the drift of the mix stay as recorded (only larger: the ratio of variance
to mean grows with the rate, as it does for anything that is multiplied).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.plant.serving_model import capacity_requests_per_second
from trimtab.plant.workload import Holding, Load

if TYPE_CHECKING:
    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.workload import Workload

PEAK_SHARE_OF_MAX = 0.9
"""The busiest time needs this share of the maximum: the rest is for what no scaler can foresee."""

BUSY_SHARE = 0.7
"""How full of its capacity a replica should run; the policies' targets are set by the same rule."""

PEAK_QUANTILE = 0.995
"""The busiest time is this quantile of the means below: one spike does not set the scale."""

MEAN_SECONDS = 300.0
"""Over how long a rate is averaged before it counts as need: about a cold start and a scrape."""

_LOOKS_PER_MEAN = 5
_MEANS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The factors, and what they make of the recording: replicas needed on average and at peak.

    ``requests_factor`` multiplies the rate, ``prompt_factor`` and ``output_factor`` the lengths.
    """

    requests_factor: float
    prompt_factor: float
    output_factor: float
    mean_need: float
    peak_need: float


def fit(
    workload: Workload, *, model: ServingModel, slo: Slo, typical: Load, replicas_max: int
) -> Fit:
    """Return how to scale ``workload`` for a deployment of up to ``replicas_max`` replicas.

    ``typical`` gives the lengths the deployment was sized for; its rate is not used. Raises
    ``ValueError`` for a workload without requests, or lengths that no replica can serve in time.
    """
    capacity = capacity_requests_per_second(
        model, typical.prompt_tokens, typical.output_tokens, slo
    )
    if capacity <= 0.0:
        raise ValueError(
            f"{model.name} serves no request of {typical.prompt_tokens:g} + "
            f"{typical.output_tokens:g} tokens within its SLO; give shorter ones"
        )
    means, tokens = _means(workload)
    mean = math.fsum(means) / len(means)
    if mean <= 0.0:
        raise ValueError("the load has no requests at all; there is nothing to scale by")
    # A storm in an idle week is above every quantile; there the mean of what is not idle counts.
    ranked = sorted(means)
    peak = ranked[min(len(ranked) - 1, int(PEAK_QUANTILE * len(ranked)))] or ranked[-1]
    per_replica = capacity * BUSY_SHARE
    factor = PEAK_SHARE_OF_MAX * replicas_max * per_replica / peak
    return Fit(
        requests_factor=factor,
        prompt_factor=typical.prompt_tokens / tokens[0],
        output_factor=typical.output_tokens / tokens[1],
        mean_need=mean * factor / per_replica,
        peak_need=peak * factor / per_replica,
    )


def _means(workload: Workload) -> tuple[list[float], tuple[float, float]]:
    """Return the rates averaged over ``MEAN_SECONDS`` each, and a request's mean lengths."""
    span = workload.span_seconds or 7 * 86_400.0
    count = max(1, min(_MEANS_MAX, int(span / MEAN_SECONDS)))
    between = span / (count * _LOOKS_PER_MEAN)
    requests = prompts = outputs = 0.0
    means: list[float] = []
    for index in range(count):
        total = 0.0
        for look in range(_LOOKS_PER_MEAN):
            load = workload.load((index * _LOOKS_PER_MEAN + look) * between)
            total += load.requests_per_second
            prompts += load.requests_per_second * load.prompt_tokens
            outputs += load.requests_per_second * load.output_tokens
        requests += total
        means.append(total / _LOOKS_PER_MEAN)
    if requests <= 0.0:
        return means, (1.0, 1.0)
    return means, (prompts / requests, outputs / requests)


class FittedWorkload:
    """``inner`` with its rate and lengths multiplied, begun ``from_seconds`` into it.

    A recording that ends begins again, also when ``from_seconds`` lies beyond its end.
    """

    def __init__(self, inner: Workload, fitted: Fit, *, from_seconds: float = 0.0) -> None:
        if not 0.0 <= from_seconds < math.inf:
            raise ValueError(f"a load begins at 0 s or later, not at {from_seconds} s")
        self._inner = inner
        self._fit = fitted
        span = inner.span_seconds
        self._from = from_seconds if span is None else math.fmod(from_seconds, span)
        self._seen: Load | None = None
        self._scaled = Load(0.0, 1.0, 1.0)

    @property
    def span_seconds(self) -> float | None:
        """How long the recording is."""
        return self._inner.span_seconds

    def load(self, elapsed_seconds: float) -> Load:
        """Return the scaled load at this time since the start."""
        load = self._inner.load(elapsed_seconds + self._from)
        if load is not self._seen:  # a bin is the same object for as long as it lasts
            self._seen = load
            fitted = self._fit
            self._scaled = Load(
                load.requests_per_second * fitted.requests_factor,
                max(1.0, load.prompt_tokens * fitted.prompt_factor),
                max(1.0, load.output_tokens * fitted.output_factor),
            )
        return self._scaled

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return until when the recording's load is that of now, as far as the recording knows."""
        if not isinstance(self._inner, Holding):
            return elapsed_seconds
        return self._inner.holds_until(elapsed_seconds + self._from) - self._from
