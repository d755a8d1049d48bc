"""The capacity of one replica for many mixes of lengths at once: the formulas of ``serving_model``, on arrays.

A workload of weeks has thousands of mixes, and each capacity is a bisection. The arrays give what
``capacity_requests_per_second`` gives for each mix alone; a test holds them together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trimtab.plant.serving_model import (
    KV_PACKING,
    LOGISTIC_P95,
    OUTPUT_SPREAD,
    PREFILL_BUSY_MAX,
    PROMPT_SPREAD,
    TPOT_TAIL,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.plant.serving_model import ServingModel, Slo

    Floats = NDArray[np.float64]

_BISECTIONS = 40
"""Of at most some hundreds in a batch: to ten digits."""

_BLOCK = 4096
"""So many mixes at a time: what is worked out of them stays in the processor's cache."""

_NO_TAIL_MS = 1e-9


def capacities(
    model: ServingModel,
    prompts: Floats,
    outputs: Floats,
    slo: Slo,
    *,
    attainment: float | None = None,
) -> Floats:
    """Return ``capacity_requests_per_second`` of each pair of mean lengths; 0 where none is within the SLO."""
    pairs = np.empty(len(prompts), np.complex128)  # sorted as pairs, and faster than as rows
    pairs.real, pairs.imag = prompts, outputs
    mixes, places = np.unique(pairs, return_inverse=True)
    found = np.empty(len(mixes))
    for first in range(0, len(mixes), _BLOCK):
        block = slice(first, first + _BLOCK)
        prompt, output = mixes.real[block].copy(), mixes.imag[block].copy()
        found[block] = _bisected(model, prompt, output, slo, attainment)
    return found[places.reshape(-1)]


def _bisected(
    model: ServingModel, prompt: Floats, output: Floats, slo: Slo, attainment: float | None
) -> Floats:
    low = np.zeros_like(prompt)
    high = _batch_max(model, prompt, output)
    for _ in range(_BISECTIONS):
        batch = (low + high) / 2.0
        is_within = _is_within(_pace(model, batch, prompt, output), slo, attainment)
        low = np.where(is_within, batch, low)
        high = np.where(is_within, high, batch)
    mean, _, _ = _pace(model, low, prompt, output)
    return low * 1000.0 / (output * mean)


def _is_within(
    pace: tuple[Floats, Floats, Floats], slo: Slo, attainment: float | None
) -> NDArray[np.bool_]:
    mean, tail, ttft = pace
    ttft_slo, tpot_slo = slo.ttft_seconds * 1000.0, slo.tpot_seconds * 1000.0
    if attainment is None:
        return (ttft * math.log(20.0) <= ttft_slo) & (mean + tail <= tpot_slo)
    # As ``tpot_share``: a tail of nothing is a limit that all keep or all miss.
    odds = np.clip((tpot_slo - mean) / np.maximum(tail / LOGISTIC_P95, _NO_TAIL_MS), -700.0, 700.0)
    found: NDArray[np.bool_] = -np.expm1(-ttft_slo / ttft) / (1.0 + np.exp(-odds)) >= attainment
    return found


def _batch_max(model: ServingModel, prompt: Floats, output: Floats) -> Floats:
    by_cache = model.kv_capacity_tokens * KV_PACKING / (prompt + OUTPUT_SPREAD * output)
    by_prefill = model.prefill_chunk_tokens / (1.0 + prompt / output)
    return np.clip(np.minimum(by_cache, by_prefill), 1.0, float(model.sequences_max))


def _pace(
    model: ServingModel, batch: Floats, prompt: Floats, output: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return mean time per output token, how far its 95th percentile lies above, and mean time to first token."""
    weight_read, per_token = model.weight_read_ms, model.ms_per_token
    room = model.prefill_chunk_tokens - batch
    piece = np.minimum(prompt, room)
    needed = batch * prompt / output
    fixed = (
        model.overhead_ms
        + model.ms_per_thousand_kv_tokens * batch * (prompt + 0.5 * OUTPUT_SPREAD * output) / 1000.0
    )
    decode = np.maximum(per_token * batch, weight_read)
    loaded = np.maximum(
        per_token * (batch + np.where(needed < piece, piece, np.minimum(needed, room))), weight_read
    )
    mean = np.where(
        needed < piece, fixed + decode + needed / piece * (loaded - decode), fixed + loaded
    )
    full = fixed + max(per_token * model.prefill_chunk_tokens, weight_read)
    tail = np.minimum(TPOT_TAIL * (mean - model.overhead_ms - weight_read), full - mean)
    chunks = prompt / room
    busy = np.minimum(needed / room * full / mean, PREFILL_BUSY_MAX)
    prefill = (fixed + loaded) * np.maximum(chunks, 1.0)
    wait = 0.5 * mean + busy / (1.0 - busy) * chunks * full * 0.5 * PROMPT_SPREAD
    return mean, np.maximum(tail, 0.0), prefill + wait
