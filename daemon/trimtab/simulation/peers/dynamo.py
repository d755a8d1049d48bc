"""NVIDIA Dynamo's SLA planner for an aggregated deployment: a slow loop that forecasts, a fast one that reacts.

Every 180 s the throughput loop forecasts requests, prompt and answer lengths of the next interval, each
on its own, and sets a floor: the forecast rate over what one replica serves within the SLA. Every 5 s
the load loop estimates from the newest measurement how long a request takes now, and moves by one:
up when the SLA is missed, down when one replica fewer would still be within 80 % of it. Nothing moves
while replicas are on their way.

Not built: correction factors (they came with an older planner), splitting into prefill and decode
pools, its online refit (it needs the times of single iterations) and a later bound of eight replicas
on each step of the slow loop. Only means over replicas are observed, so "all engines" and "any engine"
are the same here. Missing data, and an interval without traffic: keeps its replicas.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from trimtab.core.strategies.rounding import whole_up
from trimtab.simulation.peers.dynamo_predictors import (
    ArimaPredictor,
    ConstantPredictor,
    KalmanPredictor,
)
from trimtab.simulation.peers.dynamo_profile import engine_line
from trimtab.simulation.peers.recent import Beat, Lengths, Recent

if TYPE_CHECKING:
    from trimtab.simulation.observation import Measured, Observation
    from trimtab.simulation.peers.dynamo_predictors import Predictor
    from trimtab.simulation.peers.sizing import Sizing

LOAD_SECONDS = 5.0
THROUGHPUT_SECONDS = 180.0
DOWN_SHARE = 0.8

PREDICTORS = ("constant", "arima", "kalman", "prophet")


def predictor(name: str) -> Predictor:
    """Return a new predictor of this name. Raises ``ValueError`` for one that there is not."""
    if name == "prophet":
        from trimtab.simulation.peers.dynamo_prophet import ProphetPredictor  # loads numpy

        return ProphetPredictor()
    plain: dict[str, type[Predictor]] = {
        "constant": ConstantPredictor,
        "arima": ArimaPredictor,
        "kalman": KalmanPredictor,
    }
    if name not in plain:
        raise ValueError(f"no predictor is called {name}; there are {', '.join(PREDICTORS)}")
    return plain[name]()


class Dynamo:
    """The planner with ``forecast`` as its predictor and ``sla_share`` of the SLO's times as its SLA.

    Its documentation takes the SLO itself (``sla_share`` 1). ``has_load_loop``: the fast loop runs too.
    """

    interval_seconds = LOAD_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        forecast: str = "arima",
        sla_share: float = 1.0,
        has_load_loop: bool = True,
    ) -> None:
        self._sizing = sizing
        self._line = engine_line(
            sizing.model, prompt_tokens=sizing.prompt_tokens, output_tokens=sizing.output_tokens
        )
        self._ttft_ms = sla_share * sizing.slo.ttft_seconds * 1000.0
        self._itl_ms = sla_share * sizing.slo.tpot_seconds * 1000.0
        self._has_load_loop = has_load_loop
        self._requests = predictor(forecast)
        self._prompts = predictor(forecast)
        self._outputs = predictor(forecast)
        self._rates = Recent(THROUGHPUT_SECONDS)
        self._recent_lengths = Lengths(
            THROUGHPUT_SECONDS, prompt=sizing.prompt_tokens, output=sizing.output_tokens
        )
        self._lengths = (sizing.prompt_tokens, sizing.output_tokens)
        self._beat = Beat(THROUGHPUT_SECONDS)
        self._heard = 0
        self._floor: int | None = None

    def wanted(self, seen: Observation) -> int:
        """Return the higher of the load loop's count and the throughput loop's floor."""
        asked = self._sizing.within(seen.asked)
        measured, end = seen.measured, seen.measured_at
        if measured is not None and end is not None:
            self._rates.add(end, measured.requests_per_second)
            self._recent_lengths.hear(seen)
            self._heard += 1
        if self._beat.is_due(seen.at):
            self._throughput_loop()
        if measured is None or seen.ready != asked:
            return asked
        floor = asked if self._floor is None else self._floor
        if not self._has_load_loop:
            return self._sizing.within(floor)
        load = self._load_loop(measured, asked)
        return self._sizing.within(load if self._floor is None else max(load, floor))

    def _throughput_loop(self) -> None:
        """Close an interval: forecast the next one and size for it."""
        heard, self._heard = self._heard, 0
        rate = self._rates.mean()
        if heard < 2 or not rate:  # the first look, an outage, or nobody asked for anything
            return
        self._lengths = self._recent_lengths.prompt, self._recent_lengths.output
        self._requests.add(rate * THROUGHPUT_SECONDS)
        self._prompts.add(self._lengths[0])
        self._outputs.add(self._lengths[1])
        requests, prompt_next, output_next = (
            one.predict() for one in (self._requests, self._prompts, self._outputs)
        )
        if requests is None or prompt_next is None or output_next is None:
            return
        per_replica = self._line.requests_per_second(
            max(1.0, prompt_next),
            max(1.0, output_next),
            ttft_ms=self._ttft_ms,
            itl_ms=self._itl_ms,
        )
        self._floor = whole_up(requests / THROUGHPUT_SECONDS / per_replica)

    def _load_loop(self, measured: Measured, replicas: int) -> int:
        """Return one more, one fewer or the same, by what a request takes now."""
        if replicas == 0:
            return 0
        prompt, output = self._lengths
        line = self._line
        cached = measured.kv_share * line.kv_tokens
        queued = measured.waiting / replicas * prompt
        served = max(0.0, measured.in_flight - measured.waiting) / replicas
        prefill = min(float(line.budget_tokens), served * prompt / output)
        own_ms = line.prefill_ms(prompt, cached)
        queue_ms = self._queue_ms(queued, cached)
        if own_ms + queue_ms > self._ttft_ms or line.wall_ms(prefill, cached) > self._itl_ms:
            return replicas + 1
        if replicas == 1:
            return 1
        grown = replicas / (replicas - 1)
        fits = (
            self._queue_ms(queued * grown, cached * grown) < DOWN_SHARE * (self._ttft_ms - own_ms)
            and line.wall_ms(prefill * grown, cached * grown) < DOWN_SHARE * self._itl_ms
            and cached * grown < line.kv_tokens
        )
        return replicas - 1 if fits else replicas

    def _queue_ms(self, queued_tokens: float, cached_tokens: float) -> float:
        """Return how long it takes to prefill what waits, in full chunks."""
        budget = self._line.budget_tokens
        return ceil(queued_tokens / budget) * self._line.wall_ms(budget, cached_tokens)
