"""What inference engines call the load that policies care about, under short names of our own.

Names of metrics as the engines' own documentation has them; vLLM's renamed ones under both names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.sources.series_query import Combine

if TYPE_CHECKING:
    from collections.abc import Mapping


class Preset(NamedTuple):
    """A short name's metrics, the first that an engine has counts, and what to make of them."""

    metrics: tuple[str, ...]
    combine: Combine = Combine.SUM
    is_rate: bool = False


def _counter(*metrics: str) -> Preset:
    return Preset(metrics, is_rate=True)


PRESETS: Mapping[str, Mapping[str, Preset]] = {
    "vllm": {
        "running": Preset(("vllm:num_requests_running",)),
        "waiting": Preset(("vllm:num_requests_waiting",)),
        "kv_use": Preset(("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"), Combine.AVG),
        "prompt_tokens": _counter("vllm:prompt_tokens_total"),
        "generated_tokens": _counter("vllm:generation_tokens_total"),
        "time_to_first_token": Preset(("vllm:time_to_first_token_seconds",)),
        "time_per_token": Preset(
            ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds")
        ),
        "queue_time": Preset(("vllm:request_queue_time_seconds",)),
    },
    "sglang": {
        "running": Preset(("sglang:num_running_reqs",)),
        "waiting": Preset(("sglang:num_queue_reqs",)),
        "kv_use": Preset(("sglang:token_usage",), Combine.AVG),
        "prompt_tokens": _counter("sglang:prompt_tokens_total"),
        "generated_tokens": _counter("sglang:generation_tokens_total"),
        "time_to_first_token": Preset(("sglang:time_to_first_token_seconds",)),
        "time_per_token": Preset(("sglang:inter_token_latency_seconds",)),
        "queue_time": Preset(("sglang:queue_time_seconds",)),
    },
    "tgi": {
        "running": Preset(("tgi_batch_current_size",)),
        "waiting": Preset(("tgi_queue_size",)),
        "queue_time": Preset(("tgi_request_queue_duration",)),
        "time_per_token": Preset(("tgi_request_mean_time_per_token_duration",)),
    },
}
"""Engine → short name → metrics. ``kv_use`` is a share from 0 to 1; counters are rates a second."""
