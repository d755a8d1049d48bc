"""The Workload Variant Autoscaler's optimizer: replicas by a queue model, sized anew each minute.

The rate and the lengths of the last minute, through ``inferno_queue``: how many replicas keep the SLO
on average. An HPA follows what comes out, ten pods in 15 s each way, without delay.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from trimtab.core.strategies.rounding import whole_up
from trimtab.simulation.peers.inferno_queue import Profile, ReplicaQueue, profile
from trimtab.simulation.peers.recent import Beat, Lengths, Recent
from trimtab.simulation.peers.wva_saturation import actuator

if TYPE_CHECKING:
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

LOOK_SECONDS = 15.0
DECISION_SECONDS = 60.0
RATE_WINDOW_SECONDS = 60.0

_LENGTH_STEP = math.log(1.02)
"""Lengths within 2 % of each other are sized once."""


class Inferno:
    """Replicas for ``slo_share`` of the SLO's times, met by the mean request.

    Its documentation takes the SLO itself (``slo_share`` 1); less is how an operator makes room for
    the spread between requests, which the model does not know. ``found`` is the profile, fitted at
    the operator's lengths unless given. Missing data: keeps its replicas.
    """

    interval_seconds = LOOK_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        slo_share: float = 1.0,
        found: Profile | None = None,
        stabilization_seconds: float = 0.0,
    ) -> None:
        self._sizing = sizing
        self._ttft_ms = slo_share * sizing.slo.ttft_seconds * 1000.0
        self._itl_ms = slo_share * sizing.slo.tpot_seconds * 1000.0
        self._profile = found or profile(
            sizing.model,
            batch=sizing.in_flight,
            prompt_tokens=sizing.prompt_tokens,
            output_tokens=sizing.output_tokens,
        )
        self._rate = Recent(RATE_WINDOW_SECONDS)
        self._lengths = Lengths(
            RATE_WINDOW_SECONDS, prompt=sizing.prompt_tokens, output=sizing.output_tokens
        )
        self._beat = Beat(DECISION_SECONDS)
        self._hpa = actuator(stabilization_seconds)
        self._desired: int | None = None

    def wanted(self, seen: Observation) -> int:
        """Return what the HPA makes of the last sizing."""
        asked = self._sizing.within(seen.asked)
        if seen.measured is None or seen.measured_at is None:
            return asked
        self._rate.add(seen.measured_at, seen.measured.requests_per_second)
        self._lengths.hear(seen)
        if self._beat.is_due(seen.at):
            self._desired = self._sized(asked)
        desired = asked if self._desired is None else self._desired
        return self._sizing.within(self._hpa.follow(desired, asked, seen.at))

    def _sized(self, asked: int) -> int:
        per_replica = rate_within(
            self._profile,
            _on_grid(self._lengths.prompt),
            _on_grid(self._lengths.output),
            self._ttft_ms,
            self._itl_ms,
        )
        rate = self._rate.mean()
        if rate is None or per_replica <= 0.0:
            return asked  # no allocation meets the SLO: it leaves the last one
        return self._sizing.within(whole_up(rate / per_replica))


@lru_cache(maxsize=4096)
def rate_within(
    found: Profile, prompt_tokens: float, output_tokens: float, ttft_ms: float, itl_ms: float
) -> float:
    """Return the highest load of one replica, requests a second, whose means meet both times."""
    return ReplicaQueue(found, prompt_tokens, output_tokens).rate_within(ttft_ms, itl_ms)


def _on_grid(tokens: float) -> float:
    return math.exp(round(math.log(tokens) / _LENGTH_STEP) * _LENGTH_STEP)
