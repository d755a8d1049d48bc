"""How NVIDIA Dynamo's planner sees an engine: iteration time as a line in prefill and cached tokens.

``wall = a0 + a1 * prefill tokens + a2 * cached tokens``, fitted to a profile of the engine. From it
follow what one replica can serve within the SLA, and how long requests take at a given load: means,
with no spread between requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from trimtab.simulation.peers.least_squares import fit

if TYPE_CHECKING:
    from trimtab.plant.serving_model import ServingModel

_SAMPLES = 4
"""Points of the profile along each axis: 16 buckets, as the planner has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLine:
    """One replica: constants of the line in milliseconds, and the engine's limits in tokens."""

    base_ms: float
    ms_per_prefill_token: float
    ms_per_cached_token: float
    kv_tokens: float
    sequences_max: int
    budget_tokens: int

    def wall_ms(self, prefill_tokens: float, cached_tokens: float) -> float:
        """Return the time of an iteration."""
        return (
            self.base_ms
            + self.ms_per_prefill_token * prefill_tokens
            + self.ms_per_cached_token * cached_tokens
        )

    def prefill_ms(self, prompt_tokens: float, cached_tokens: float) -> float:
        """Return how long a prompt takes alone, chunk by chunk, beside what is cached."""
        chunks = ceil(prompt_tokens / self.budget_tokens)
        return chunks * self.wall_ms(min(prompt_tokens, self.budget_tokens), cached_tokens)

    def requests_per_second(
        self, prompt_tokens: float, output_tokens: float, *, ttft_ms: float, itl_ms: float
    ) -> float:
        """Return what one replica serves within the SLA, with the largest batch that keeps it.

        Throughput grows with the batch, and so does every time, so the largest batch is the lowest
        of four limits. Where not even one request keeps the SLA, one is served at a time: an SLA
        out of reach must not ask for replicas without end.
        """
        held = prompt_tokens + output_tokens / 2.0
        prefill_share = prompt_tokens / output_tokens
        growth = self.ms_per_prefill_token * prefill_share + self.ms_per_cached_token * held
        limits = [
            self.kv_tokens / held,
            float(self.sequences_max),
            output_tokens * self.budget_tokens / (prompt_tokens + output_tokens),
        ]
        if growth > 0.0:
            limits.append((itl_ms - self.base_ms) / growth)
        if self.ms_per_cached_token > 0.0:
            chunks = ceil(prompt_tokens / self.budget_tokens)
            left_ms = ttft_ms - self.prefill_ms(prompt_tokens, 0.0)
            limits.append(left_ms / (chunks * self.ms_per_cached_token * held))
        batch = max(1.0, min(limits))
        wall_ms = self.wall_ms(batch * prefill_share, batch * held)
        return batch * 1000.0 / (output_tokens * wall_ms)


def engine_line(model: ServingModel, *, prompt_tokens: float, output_tokens: float) -> EngineLine:
    """Profile ``model``: iterations with up to a full batch of mean requests and up to a full chunk."""
    full = model.batch_max(prompt_tokens, output_tokens)
    held = prompt_tokens + output_tokens / 2.0
    rows, times = [], []
    for batch_step in range(_SAMPLES):
        batch = max(1.0, full * batch_step / (_SAMPLES - 1))
        for chunk_step in range(_SAMPLES):
            prefill = (model.prefill_chunk_tokens - batch) * chunk_step / (_SAMPLES - 1)
            rows.append((1.0, prefill, batch * held))
            times.append(model.iteration_ms(batch + prefill, batch * held))
    found = fit(rows, times)
    if found is None:
        raise ValueError(f"serving model {model.name} has no profile: its batch is one request")
    return EngineLine(
        base_ms=found[0],
        ms_per_prefill_token=found[1],
        ms_per_cached_token=found[2],
        kv_tokens=model.kv_capacity_tokens,
        sequences_max=model.sequences_max,
        budget_tokens=model.prefill_chunk_tokens,
    )
