"""What an operator knows of a deployment before any autoscaler runs: the numbers that peers are set up with.

Peers steer by a target per replica and leave it to people to find one. ``size`` finds it as a careful
load test would: the load at which one replica still keeps the SLO, and how many requests are then in
flight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.plant.serving_model import capacity_requests_per_second

if TYPE_CHECKING:
    from trimtab.plant.serving_model import ServingModel, Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """One deployment as its operator knows it.

    ``capacity_requests_per_second`` and ``in_flight`` are of one replica at the edge of ``slo``, with
    requests of ``prompt_tokens`` and ``output_tokens`` on average. ``model`` is for peers that
    profile the engine. ``need_mean`` and ``need_peak`` are replicas, known only in hindsight:
    the static peers alone may read them.
    """

    capacity_requests_per_second: float
    in_flight: float
    model: ServingModel
    slo: Slo
    prompt_tokens: float
    output_tokens: float
    lead_time_seconds: float
    replicas_min: int
    replicas_max: int
    need_mean: float | None = None
    need_peak: float | None = None

    def __post_init__(self) -> None:
        for name in ("capacity_requests_per_second", "in_flight"):
            value: float = getattr(self, name)
            if not value > 0.0:
                raise ValueError(
                    f"{name} of one replica is {value}; choose an SLO that a replica can keep"
                )
        if not 0 <= self.replicas_min <= self.replicas_max:
            raise ValueError(
                f"replicas from {self.replicas_min} to {self.replicas_max} is no range; "
                "give a minimum of 0 or more and a maximum not below it"
            )

    def within(self, replicas: int) -> int:
        """Return ``replicas`` cut to the range that the deployment may have."""
        return min(max(replicas, self.replicas_min), self.replicas_max)


def size(
    model: ServingModel,
    slo: Slo,
    *,
    prompt_tokens: float,
    output_tokens: float,
    lead_time_seconds: float,
    replicas_max: int,
    replicas_min: int = 1,
    need_mean: float | None = None,
    need_peak: float | None = None,
) -> Sizing:
    """Return what a load test of one replica with these mean lengths would have found.

    Raises ``ValueError`` for lengths that no replica serves within the SLO.
    """
    capacity = capacity_requests_per_second(model, prompt_tokens, output_tokens, slo)
    return Sizing(
        capacity_requests_per_second=capacity,
        in_flight=batch_at(model, capacity, prompt_tokens, output_tokens),
        model=model,
        slo=slo,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        lead_time_seconds=lead_time_seconds,
        replicas_min=replicas_min,
        replicas_max=replicas_max,
        need_mean=need_mean,
        need_peak=need_peak,
    )


def batch_at(
    model: ServingModel, requests_per_second: float, prompt_tokens: float, output_tokens: float
) -> float:
    """Return how many sequences one replica keeps in service at this load (Little's law, inverted).

    The largest batch that the replica can keep where the load is beyond what it serves.
    """
    low, high = 0.0, model.batch_max(prompt_tokens, output_tokens)
    for _ in range(50):
        batch = (low + high) / 2.0
        if model.requests_per_second(batch, prompt_tokens, output_tokens) < requests_per_second:
            low = batch
        else:
            high = batch
    return high if requests_per_second > 0.0 else 0.0
