"""One replica under a steady load, request by request: its percentiles, and the load it sustains.

``python -m tests.validation.one_replica`` measures the published capacity points anew, at length.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from trimtab.plant import SERVING_MODELS, ConstantWorkload, Load, ServingModel, Slo, start_times_for
from trimtab.plant.requests import Arrival, DrawnArrivals, Lengths, Request, RequestDeployment
from trimtab.plant.requests.request import JUDGED_TOKENS_MIN

# Config, prompt and output tokens, TTFT and TPOT limit at p95, and req/s that one replica sustains by
# a published-constants simulation with the Azure 2023 length mix (one seed, +-10-15 %).
CAPACITY_POINTS = [
    ("8b-h100", 1155, 211, 1.0, 0.050, 21.3),
    ("8b-h100", 512, 128, 1.0, 0.050, 58.0),
    ("8b-h100", 2048, 28, 1.0, 0.050, 17.4),
    ("8b-a100", 1155, 211, 1.0, 0.050, 6.5),
    ("8b-a100", 2048, 28, 1.0, 0.100, 3.9),
    ("70b-4xh100", 1155, 211, 2.0, 0.100, 8.0),
    ("70b-4xh100", 1155, 211, 1.0, 0.050, 5.4),
    ("70b-4xa100", 1155, 211, 2.0, 0.100, 2.3),
]


PROMPT_TOKENS_MAX = 7437
"""The longest prompt in the Azure 2023 LLM traces: the context was bounded."""


class BoundedLengths(Lengths):
    """Lognormal lengths, but no prompt longer than the context of the recorded mix.

    An unbounded lognormal of the same mean and spread has longer prompts than were ever recorded,
    and a long prompt holds up all behind it: it costs a fifth of the capacity where a chunk is short
    and the first token must come soon (8B code on A100).
    """

    def arrival(self, at_seconds: float, prompt_tokens: float, output_tokens: float) -> Arrival:
        drawn = super().arrival(at_seconds, prompt_tokens, output_tokens)
        return drawn._replace(prompt_tokens=min(drawn.prompt_tokens, PROMPT_TOKENS_MAX))


@dataclass(frozen=True, slots=True)
class Steady:
    """What a steady load comes to: 95th percentiles in seconds, and the mean requests inside."""

    ttft_p95: float
    tpot_p95: float
    concurrency: float

    def meets(self, slo: Slo) -> bool:
        return self.ttft_p95 <= slo.ttft_seconds and self.tpot_p95 <= slo.tpot_seconds


def steady(
    model: ServingModel, load: Load, *, requests: int, warm_up: int, seed: int = 1
) -> Steady:
    """Offer a Poisson load to one replica until enough requests have finished."""
    told: list[Request] = []
    rng = random.Random(seed)
    plant = RequestDeployment(
        model=model,
        slo=Slo(1.0, 1.0),
        workload=ConstantWorkload(load),
        start_times=start_times_for(8),
        rng=rng,
        started_at=0.0,
        replicas=1,
        arrivals=DrawnArrivals(ConstantWorkload(load), rng, BoundedLengths(rng)),
        waiting_max_per_replica=1_000_000,
        told=told.append,
    )
    seconds = requests / load.requests_per_second
    plant.advance(warm_up / load.requests_per_second)
    plant.take_means(plant.now)
    began_ms = plant.now * 1000.0
    plant.advance(plant.now + seconds)
    means = plant.take_means(plant.now)
    plant.set_workload(ConstantWorkload(Load(0.0, 1.0, 1.0)))
    plant.advance(plant.now + 100.0 * seconds)
    judged = [
        request for request in told if began_ms <= request.arrived_ms < began_ms + 1000.0 * seconds
    ]
    ttft = sorted(request.ttft_seconds or 0.0 for request in judged)
    tpot = sorted(
        request.tpot_seconds or 0.0
        for request in judged
        if request.output_tokens >= JUDGED_TOKENS_MIN
    )
    return Steady(
        ttft[int(0.95 * len(ttft))], tpot[int(0.95 * len(tpot))], means.in_flight - means.waiting
    )


def sustained(
    model: ServingModel, prompt: float, output: float, slo: Slo, *, around: float, seeds: int
) -> float:
    """Return the highest load with both percentiles within the SLO, a mean over the seeds."""
    found = []
    for seed in range(1, seeds + 1):
        low, high = 0.4 * around, 1.8 * around
        for _ in range(7):
            rate = (low + high) / 2.0
            load = Load(rate, prompt, output)
            if steady(model, load, requests=3000, warm_up=600, seed=seed).meets(slo):
                low = rate
            else:
                high = rate
        found.append((low + high) / 2.0)
    return sum(found) / len(found)


def main() -> None:
    for config, prompt, output, ttft, tpot, published in CAPACITY_POINTS:
        rate = sustained(
            SERVING_MODELS[config], prompt, output, Slo(ttft, tpot), around=published, seeds=3
        )
        print(  # noqa: T201  what it is run for
            f"{config:11s} {prompt:5d} + {output:3d}  {published:5.1f} published  "
            f"{rate:6.2f} here  {rate / published - 1.0:+.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
