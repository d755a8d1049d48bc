"""The queue that the Workload Variant Autoscaler's optimizer ("inferno") takes a replica for.

A state-dependent M/M/1/K: with b requests in service an iteration takes ``alpha + beta b``
milliseconds to decode and a prompt ``gamma + delta * length * b`` to prefill, up to ``batch_max``
requests are in service and ten times that many wait. From its steady state follow mean time to
first token and mean time between tokens, and from those the highest rate that meets an SLO *on
average*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trimtab.plant.serving_model import ServingModel

QUEUE_PER_BATCH = 10
"""How many batches of requests may wait."""

_SEARCH_STEPS = 40


class Latency(NamedTuple):
    """Means in steady state, milliseconds."""

    ttft_ms: float
    itl_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a benchmark found: decode ``alpha + beta b``, prefill ``gamma + delta * prompt * b``, in ms.

    ``batch_tokens`` is what a batch may generate in all: the batch is that over the answers' length.
    """

    alpha: float
    beta: float
    gamma: float
    delta: float
    batch_tokens: float
    sequences_max: int

    def batch_max(self, output_tokens: float) -> int:
        """Return how many requests of this length a replica serves at once."""
        return max(1, min(int(self.batch_tokens / output_tokens), self.sequences_max))


def profile(
    model: ServingModel, *, batch: float, prompt_tokens: float, output_tokens: float
) -> Profile:
    """Fit a profile to two runs with the operator's mean lengths: one request at a time, and ``batch``.

    That is how the project's tutorial finds the constants. Its published ones are from requests of
    128 tokens and do not transfer to longer contexts; measured at the operator's own lengths they
    are as good as a straight line can be.
    """
    alone, loaded = (
        model.pace(one, prompt_tokens, output_tokens) for one in (1.0, max(2.0, batch))
    )
    span = max(2.0, batch) - 1.0
    beta = (loaded[0] - alone[0]) / span
    first_alone, first_loaded = alone[2] + alone[3], loaded[2] + loaded[3]
    delta = max(0.0, (first_loaded - first_alone) / (span * prompt_tokens))
    return Profile(
        alpha=alone[0] - beta,
        beta=beta,
        gamma=max(0.0, first_alone - delta * prompt_tokens),
        delta=delta,
        batch_tokens=model.batch_max(prompt_tokens, output_tokens) * output_tokens,
        sequences_max=model.sequences_max,
    )


class ReplicaQueue:
    """One replica serving requests of given mean lengths."""

    def __init__(self, found: Profile, prompt_tokens: float, output_tokens: float) -> None:
        self._found = found
        self._prompt, self._output = prompt_tokens, output_tokens
        size = found.batch_max(output_tokens)
        self.batch_max = size
        self._rates = [
            batch
            / (
                self.prefill_ms(float(batch))
                + max(0.0, output_tokens - 1.0) * self.decode_ms(float(batch))
            )
            for batch in range(1, size + 1)
        ]

    def prefill_ms(self, batch: float) -> float:
        """Return the time of a prompt beside ``batch`` requests."""
        return self._found.gamma + self._found.delta * self._prompt * batch

    def decode_ms(self, batch: float) -> float:
        """Return the time of an output token beside ``batch`` requests."""
        return self._found.alpha + self._found.beta * batch

    @property
    def rate_max(self) -> float:
        """Requests a second with a full batch."""
        return self._rates[-1] * 1000.0

    def latency(self, requests_per_second: float) -> Latency:
        """Return the means at this load, at most ``rate_max``: beyond it no SLO is kept for long."""
        load = requests_per_second / 1000.0
        total, in_system, in_service, in_states_short = self._sums(load)
        served = load * in_states_short / total
        if served <= 0.0:
            return Latency(self.prefill_ms(0.0), self.decode_ms(0.0))
        wait_ms = (in_system - in_service) / total / served
        service_ms = in_service / total / served
        batch = self._effective_batch(service_ms)
        return Latency(wait_ms + self.prefill_ms(batch), self.decode_ms(batch))

    def rate_within(self, ttft_ms: float, itl_ms: float) -> float:
        """Return the highest load, requests a second, whose mean latencies meet both; 0.0 for none."""

        def is_met(rate: float) -> bool:
            seen = self.latency(rate)
            return seen.ttft_ms <= ttft_ms and seen.itl_ms <= itl_ms

        low, high = 0.0, self.rate_max
        if not is_met(high * 1e-6):
            return 0.0
        for _ in range(_SEARCH_STEPS):
            rate = (low + high) / 2.0
            if is_met(rate):
                low = rate
            else:
                high = rate
        return low

    def _sums(self, load: float) -> tuple[float, float, float, float]:
        """Return sums over states: weights, weights times requests there and served, all but the last.

        Weights grow geometrically beyond a full batch, so that part is summed in closed form. They
        are kept relative to the largest so far, or a full queue would overflow.
        """
        total = weight = 1.0
        in_system = 0.0
        for batch, rate in enumerate(self._rates, start=1):
            weight *= load / rate
            total += weight
            in_system += weight * batch
            if weight > 1e200:
                total, in_system, weight = total / weight, in_system / weight, 1.0
        in_service = in_system
        waiting = QUEUE_PER_BATCH * self.batch_max
        ratio = load / self._rates[-1]
        tail, tail_waiting = _geometric(ratio, waiting)
        full = weight * ratio * tail
        total += full
        in_system += full * self.batch_max + weight * ratio * (tail + tail_waiting)
        in_service += full * self.batch_max
        return total, in_system, in_service, total - weight * ratio**waiting

    def _effective_batch(self, service_ms: float) -> float:
        found, decodes = self._found, max(0.0, self._output - 1.0)
        slope = found.delta * self._prompt + found.beta * decodes
        if slope <= 0.0:
            return 0.0
        batch = (service_ms - found.gamma - found.alpha * decodes) / slope
        return min(max(batch, 0.0), float(self.batch_max))


def _geometric(ratio: float, count: int) -> tuple[float, float]:
    """Return the sums of ``ratio**i`` and of ``i * ratio**i`` for i from 0 to ``count - 1``."""
    if abs(1.0 - ratio) * count < 1e-6:
        return float(count), count * (count - 1) / 2.0
    power = ratio**count
    plain = (1.0 - power) / (1.0 - ratio)
    return plain, (ratio * plain - count * power) / (1.0 - ratio)
