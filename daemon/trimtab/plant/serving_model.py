"""How fast one replica serves: continuous batching, iteration by iteration, as a formula.

An iteration of the engine decodes one token for every sequence in the batch and fills the rest of
its token budget with prompts (chunked prefill). It takes

    T = overhead + max(weight_read, ms_per_token * n_tok) + ms_per_thousand_kv_tokens * K

milliseconds, with ``n_tok`` the tokens it computes and ``K`` the thousands of KV tokens it reads.
The constants of the presets are fits to published kernel profiles (Vidur, MLSys 2024) and decode
benchmarks. From T everything else follows in steady state: a batch of B sequences with outputs of
g tokens serves B / (g T) requests a second (Little's law), and as T grows with B, the batch grows
faster than the load.

What the averages hide, the spread between requests, is a closed form as well. Its three constants
were chosen once against iteration-by-iteration simulations of the same formula with the published
length mix of the Azure 2023 LLM trace; the tests state how well they fit.
"""

# ruff: noqa: FURB136, PLR1730  a comparison costs a third of min() and max(), millions of times
from __future__ import annotations

import math
from dataclasses import dataclass

OUTPUT_SPREAD = 1.6
"""E[g^2] / E[g]^2 of output lengths. A long answer is in the batch for longer, so a sequence met in
the batch has this times the mean length (Azure 2023 conversations: 1.595)."""

PROMPT_SPREAD = 1.9
"""E[p^2] / E[p]^2 of prompt lengths (Azure 2023: 1.92 conversations, 1.93 code)."""

KV_PACKING = 1.0 / 1.2
"""The share of the KV cache that reservations reach: the head of a FCFS queue must fit whole, and
while a long request waits there, the room that is left stays empty."""

TPOT_TAIL = 0.9
"""p95 of TPOT lies this many times the load's contribution above the mean: mean + 0.9 (mean - T(0)).
Capped by an iteration that is full of prompt tokens."""

LOGISTIC_P95 = math.log(19.0)
"""p95 of a logistic distribution lies so many scales above its mean."""

PREFILL_BUSY_MAX = 0.97


@dataclass(frozen=True, slots=True)
class Slo:
    """What a request must get to count: time to first token and time per output token, seconds."""

    ttft_seconds: float
    tpot_seconds: float

    def __post_init__(self) -> None:
        for name in ("ttft_seconds", "tpot_seconds"):
            value: float = getattr(self, name)
            if not value > 0.0:
                raise ValueError(f"SLO {name} is {value}; give a number of seconds above 0")


@dataclass(frozen=True, slots=True)
class ServingModel:
    """One replica: the constants of its iteration time and what limits its batch.

    All times in milliseconds. ``sequences_max`` and ``prefill_chunk_tokens`` are the engine's
    limits on one iteration; ``kv_capacity_tokens`` is what fits beside the weights.
    """

    name: str
    overhead_ms: float
    weight_read_ms: float
    ms_per_token: float
    ms_per_thousand_kv_tokens: float
    kv_capacity_tokens: float
    sequences_max: int
    prefill_chunk_tokens: int

    def __post_init__(self) -> None:
        for name in ("weight_read_ms", "ms_per_token", "kv_capacity_tokens", "sequences_max"):
            value: float = getattr(self, name)
            if not value > 0:
                raise ValueError(
                    f"serving model {self.name}: {name} is {value}; it must be above 0"
                )
        if self.prefill_chunk_tokens <= self.sequences_max:
            raise ValueError(
                f"serving model {self.name}: a chunk of {self.prefill_chunk_tokens} tokens has no "
                f"room for prompts beside {self.sequences_max} sequences; make it larger"
            )

    def iteration_ms(self, tokens: float, kv_tokens: float) -> float:
        """Return the time of one iteration that computes ``tokens`` and reads ``kv_tokens``."""
        compute = self.ms_per_token * tokens
        return (
            self.overhead_ms
            + (compute if compute > self.weight_read_ms else self.weight_read_ms)
            + self.ms_per_thousand_kv_tokens * kv_tokens / 1000.0
        )

    def kv_batch_max(self, prompt_tokens: float, output_tokens: float) -> float:
        """Return how many sequences of this mean length the KV cache holds, reserved in full."""
        return (
            self.kv_capacity_tokens * KV_PACKING / (prompt_tokens + OUTPUT_SPREAD * output_tokens)
        )

    def batch_max(
        self, prompt_tokens: float, output_tokens: float, cached_share: float = 0.0
    ) -> float:
        """Return the largest batch a replica can keep: by sequences, KV cache and prefill rate.

        The last is the batch whose departures are replaced as fast as chunks can prefill. At least
        one sequence always runs, however long.
        """
        by_kv = self.kv_batch_max(prompt_tokens, output_tokens)
        by_prefill = self.prefill_chunk_tokens / (
            1.0 + prompt_tokens * (1.0 - cached_share) / output_tokens
        )
        batch = by_kv if by_kv < by_prefill else by_prefill
        if batch > self.sequences_max:
            return float(self.sequences_max)
        return batch if batch > 1.0 else 1.0

    def pace(
        self,
        batch: float,
        prompt_tokens: float,
        output_tokens: float,
        cached_share: float = 0.0,
        prompts: float | None = None,
    ) -> tuple[float, float, float, float, float]:
        """Return what a batch of this size means for its requests, in milliseconds.

        Mean time per output token (the mean iteration), the scale of its logistic spread over
        requests, mean prefill time, mean wait for other prompts' prefill, and how long a mean prompt
        takes up the prefill budget (a burst is admitted no faster). ``prompts`` begin with an
        iteration, on average; ``None``: as many as answers end, so that the batch stays as it is.

        Prompts come in chunks, so most iterations below saturation carry none and some a full one;
        a mean of tokens would hide them under ``weight_read_ms``. The wait is that of an M/G/1 queue
        for the prefill budget (Pollaczek-Khinchine).
        """
        prefill_tokens = prompt_tokens * (1.0 - cached_share)
        weight_read = self.weight_read_ms
        per_token = self.ms_per_token
        room = self.prefill_chunk_tokens - batch
        piece = prefill_tokens if prefill_tokens < room else room
        if prompts is None:
            prompts = batch / output_tokens
        needed = prompts * prefill_tokens
        fixed = (
            self.overhead_ms
            + self.ms_per_thousand_kv_tokens
            * batch
            * (prompt_tokens + 0.5 * OUTPUT_SPREAD * output_tokens)
            / 1000.0
        )
        decode = per_token * batch
        if decode < weight_read:
            decode = weight_read
        if needed < piece:
            loaded = per_token * (batch + piece)
            if loaded < weight_read:
                loaded = weight_read
            mean = fixed + decode + needed / piece * (loaded - decode)
        else:
            loaded = per_token * (batch + (needed if needed < room else room))
            if loaded < weight_read:
                loaded = weight_read
            mean = fixed + loaded
        full = per_token * self.prefill_chunk_tokens
        full = fixed + (full if full > weight_read else weight_read)
        tail = TPOT_TAIL * (mean - self.overhead_ms - weight_read)
        if mean + tail > full:
            tail = full - mean
        chunks = prefill_tokens / room
        service = chunks * full
        busy = needed / room * full / mean
        if busy > PREFILL_BUSY_MAX:
            busy = PREFILL_BUSY_MAX
        prefill = (fixed + loaded) * (chunks if chunks > 1.0 else 1.0)
        wait = 0.5 * mean + busy / (1.0 - busy) * service * 0.5 * PROMPT_SPREAD
        return mean, (tail / LOGISTIC_P95 if tail > 0.0 else 0.0), prefill, wait, service

    def requests_per_second(
        self, batch: float, prompt_tokens: float, output_tokens: float, cached_share: float = 0.0
    ) -> float:
        """Return the throughput of one replica that keeps ``batch`` sequences in service."""
        mean_ms = self.pace(batch, prompt_tokens, output_tokens, cached_share)[0]
        return batch * 1000.0 / (output_tokens * mean_ms)


def ttft_share(seconds: float, wait_seconds: float, mean_ms: float) -> float:
    """Return the share of requests whose first token comes within ``seconds`` of arrival.

    ``wait_seconds`` is what they waited for admission; after it the time is exponential with
    ``mean_ms`` (prefill and its wait). The exponential tail fits the published p95 of 8B on H100
    with conversations within 10 %, from a quarter of capacity up to all of it.
    """
    left_ms = (seconds - wait_seconds) * 1000.0
    if left_ms <= 0.0:
        return 0.0
    return -math.expm1(-left_ms / mean_ms) if left_ms < 40.0 * mean_ms else 1.0


def tpot_share(seconds: float, mean_ms: float, scale_ms: float) -> float:
    """Return the share of requests whose tokens come within ``seconds`` each, on average."""
    left_ms = seconds * 1000.0 - mean_ms
    if left_ms > 30.0 * scale_ms:
        return 1.0
    if left_ms < -30.0 * scale_ms or scale_ms <= 0.0:
        return 0.0 if left_ms < 0.0 else 1.0
    return 1.0 / (1.0 + math.exp(-left_ms / scale_ms))


def capacity_requests_per_second(
    model: ServingModel,
    prompt_tokens: float,
    output_tokens: float,
    slo: Slo,
    *,
    attainment: float | None = None,
) -> float:
    """Return the load one replica sustains within the SLO, requests/s.

    Without ``attainment``: with p95 of TTFT and p95 of TPOT inside the SLO, which is how capacities are
    published and what an operator measures. With it: with this share of requests (above 0, below 1)
    inside both limits. A replica that is full by the first attains about 0.95, so whoever asks for
    more needs more replicas, and a reference that is held to a share has to be counted by the second.

    Lengths are means of a realistically spread mix. 0.0 where even a lone request misses the SLO.
    Against iteration-by-iteration simulation this is within 15 % on eight published points, and
    too high rather than too low for 70B models (``tests/unit/plant/test_serving_model.py``).
    """
    low, high = 0.0, model.batch_max(prompt_tokens, output_tokens)
    for _ in range(50):
        batch = (low + high) / 2.0
        if _is_within(model.pace(batch, prompt_tokens, output_tokens), slo, attainment):
            low = batch
        else:
            high = batch
    return model.requests_per_second(low, prompt_tokens, output_tokens) if low > 0.0 else 0.0


def _is_within(
    pace: tuple[float, float, float, float, float], slo: Slo, attainment: float | None
) -> bool:
    """Whether a batch of this pace keeps the SLO: at p95 of both times, or for this share of requests."""
    mean, scale, prefill, wait, _ = pace
    if attainment is not None:
        in_time = ttft_share(slo.ttft_seconds, 0.0, prefill + wait)
        return in_time * tpot_share(slo.tpot_seconds, mean, scale) >= attainment
    ttft_p95_ms = (prefill + wait) * math.log(20.0)
    tpot_p95_ms = mean + scale * LOGISTIC_P95
    return ttft_p95_ms <= slo.ttft_seconds * 1000.0 and tpot_p95_ms <= slo.tpot_seconds * 1000.0


SERVING_MODELS: dict[str, ServingModel] = {
    model.name: model
    for model in (
        ServingModel("8b-h100", 0.8, 6.2, 0.0218, 0.052, 403_000, 256, 2048),
        ServingModel("8b-a100", 1.5, 10.4, 0.068, 0.086, 403_000, 256, 512),
        ServingModel("70b-4xh100", 3.5, 15.2, 0.070, 0.033, 412_000, 256, 1024),
        ServingModel("70b-4xa100", 4.5, 26.0, 0.19, 0.054, 412_000, 256, 512),
    )
}
"""8B on one, 70B on four accelerators, 16-bit weights. ms_per_thousand_kv_tokens = KV bytes a token
over 0.75 of the memory bandwidth; kv_capacity = (0.9 memory - weights - 3 GB an accelerator) over
the same bytes."""
