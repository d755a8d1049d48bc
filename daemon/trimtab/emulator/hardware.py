"""What a shape's accelerators make of a model: the replica's serving model and start times.

The four measured presets of the plant are used where they fit. Everything else is derived from
data sheets by the same reasoning that the presets' constants follow: weights are read at 75 % of
the memory bandwidth, compute runs at 45 % of the peak, and 90 % of the memory is usable.
"""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.plant.serving_model import SERVING_MODELS, ServingModel, Slo


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Data sheet values: memory (GB), bandwidth (TB/s), dense 16-bit compute (TFLOP/s).

    ``quota_name`` is the middle part of the quota id ``global--<quota_name>-count``.
    """

    memory_gigabytes: float
    bandwidth_terabytes: float
    teraflops: float
    quota_name: str


ACCELERATORS: dict[str, Accelerator] = {
    "NVIDIA_A100_80GB": Accelerator(80, 2.0, 312, "a100"),
    "NVIDIA_A100_40GB": Accelerator(40, 1.55, 312, "a100-40gb"),
    "NVIDIA_H100_80GB": Accelerator(80, 3.35, 990, "h100"),
    "NVIDIA_H200_141GB": Accelerator(141, 4.8, 990, "h200"),
    "NVIDIA_B200_180GB": Accelerator(180, 8.0, 2250, "b200"),
    "NVIDIA_B300_288GB": Accelerator(288, 8.0, 2250, "b300"),
    "AMD_MI300X_192GB": Accelerator(192, 5.3, 1307, "mi300x"),
    "AMD_MI325X_256GB": Accelerator(256, 6.0, 1307, "mi325x"),
    "AMD_MI350X_288GB": Accelerator(288, 8.0, 2300, "mi350x"),
    "NVIDIA_A10G_24GB": Accelerator(24, 0.6, 125, "a10g"),
    "NVIDIA_L4_24GB": Accelerator(24, 0.3, 121, "l4"),
}

_PRESETS: dict[tuple[int, str, int], str] = {
    (8, "NVIDIA_H100_80GB", 1): "8b-h100",
    (8, "NVIDIA_A100_80GB", 1): "8b-a100",
    (70, "NVIDIA_H100_80GB", 4): "70b-4xh100",
    (70, "NVIDIA_A100_80GB", 4): "70b-4xa100",
}
_BYTES_PER_PARAMETER = {"FP16": 2.0, "BF16": 2.0, "NF4": 0.5}


def bytes_per_parameter(precision: str) -> float:
    """Return the size of one weight; 16 bits where the precision says nothing."""
    if precision in _BYTES_PER_PARAMETER:
        return _BYTES_PER_PARAMETER[precision]
    if precision.startswith("FP8"):
        return 1.0
    return 0.5 if precision.startswith("FP4") else 2.0


def accelerators_needed(billions: float, accelerator_type: str, precision: str) -> int:
    """Return the smallest power of two of accelerators that holds the weights and some KV cache."""
    memory = ACCELERATORS[accelerator_type].memory_gigabytes * 0.9 - 3.0
    count = 1
    while memory * count < 1.15 * billions * bytes_per_parameter(precision) and count < 8:
        count *= 2
    return count


def serving_model_for(
    billions: float,
    active_billions: float,
    accelerator_type: str,
    accelerator_count: int,
    precision: str,
) -> ServingModel:
    """Return how one replica serves a model of ``billions`` parameters on this hardware.

    ``active_billions`` are the parameters that one token touches (less than all with experts).
    """
    count = max(accelerator_count, 1)
    preset = _PRESETS.get((round(billions), accelerator_type, count))
    if preset is not None and bytes_per_parameter(precision) == 2.0:
        return SERVING_MODELS[preset]
    part = ACCELERATORS.get(accelerator_type, ACCELERATORS["NVIDIA_H100_80GB"])
    weight_bytes = bytes_per_parameter(precision)
    bandwidth = 0.75 * part.bandwidth_terabytes * 1e12 * count
    compute = 0.45 * part.teraflops * 1e12 * count * (2.0 / weight_bytes if weight_bytes < 2 else 1)
    # Grouped-query attention: 131,072 bytes a token at 8B and 327,680 at 70B, a power law between.
    kv_bytes = 131_072.0 * (max(billions, 0.1) / 8.0) ** 0.422
    free = (0.9 * part.memory_gigabytes - 3.0) * count - billions * weight_bytes
    capacity = max(free, 0.05 * part.memory_gigabytes * count) * 1e9 / kv_bytes
    return ServingModel(
        name=f"{billions:g}b-{count}x{part.quota_name}",
        overhead_ms=0.8 if count == 1 else 3.5,
        weight_read_ms=active_billions * 1e9 * weight_bytes / bandwidth * 1e3,
        ms_per_token=2.0 * active_billions * 1e9 / compute * 1e3,
        ms_per_thousand_kv_tokens=kv_bytes * 1e3 / bandwidth * 1e3,
        kv_capacity_tokens=int(capacity),
        sequences_max=256,
        prefill_chunk_tokens=2048 if count == 1 else 1024,
    )


def slo_for(billions: float) -> Slo:
    """Return the objective that attainment is judged by: tighter for small models."""
    if billions < 30:
        return Slo(ttft_seconds=1.0, tpot_seconds=0.05)
    return Slo(ttft_seconds=2.0, tpot_seconds=0.1)
