"""The account's metrics endpoint: Prometheus text, one snapshot every 30 seconds.

Every series is a gauge over the last minute, already summed or averaged over replicas; names carry
a recording-rule suffix. Replica counts, queue depth and generated tokens are not exported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.emulator.faults import FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.emulator.account import Account
    from trimtab.emulator.deployment import Deployment
    from trimtab.emulator.faults import Faults
    from trimtab.emulator.switches import Switches
    from trimtab.plant.window import Histogram, Window

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PROMPT_CACHE_TTL_SECONDS = 300.0
_SUM, _AVERAGE = ":sum_by_deployment", ":avg_by_deployment"

Sample = tuple[str, str, float]
"""Series name, further labels as text, value."""


def exposition(account: Account, now: float, switches: Switches, faults: Faults) -> str:
    """Return the text that every scrape gets until the next refresh."""
    series: dict[str, list[str]] = {}
    for deployment in account.deployments.values():
        if not _is_exported(deployment, switches):
            continue
        if faults.holds(FaultKind.METRICS_GAP, deployment.name, now):
            continue
        labels = _labels(deployment)
        for name, more, value in _samples(deployment, deployment.plant.window(now), switches):
            lines = series.setdefault(name, [])
            lines.append(f"{name}{{{labels}{more}}} {_number(value)}")
    blocks: list[str] = []
    for name, lines in series.items():
        if switches.metrics_type_lines:
            blocks.append(f"# TYPE {name} gauge")
        blocks += lines
    return "\n".join([*blocks, ""]) if blocks else ""


def _is_exported(deployment: Deployment, switches: Switches) -> bool:
    if not deployment.is_live:
        return False
    return deployment.plant.replicas.serving > 0 or switches.series_at_zero


def _labels(deployment: Deployment) -> str:
    base_model = _escape(str(deployment.spec.get("baseModel", "")))
    return (
        f'base_model="{base_model}",deployment="{deployment.name}",'
        f'deployment_account="{deployment.account}",deployment_id="{deployment.id}"'
    )


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return format(value, ".10g")


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else format(bound, "g")


def _samples(deployment: Deployment, window: Window, switches: Switches) -> Iterator[Sample]:
    yield f"request_counter_total{_SUM}", "", window.requests_per_second
    for code, rate in sorted(window.errors_per_second.items()):
        if rate > 0.0:
            yield f"requests_error_total{_SUM}", f',http_code="{code}"', rate
    yield f"tokens_cached_prompt_total{_SUM}", "", window.cached_prompt_tokens_per_second
    yield f"tokens_prompt_total{_SUM}", "", window.prompt_tokens_per_second
    histograms: dict[str, Histogram] = {
        "latency_generation_per_token_ms": window.latency_generation_per_token_ms,
        "latency_generation_queue_ms": window.latency_generation_queue_ms,
        "latency_overall_ms": window.latency_overall_ms,
        "latency_to_first_token_ms": window.latency_to_first_token_ms,
        "latency_prefill_ms": window.latency_prefill_ms,
        "latency_prefill_queue_ms": window.latency_prefill_queue_ms,
        "tokens_generated_per_request": window.tokens_generated_per_request,
        "tokens_prompt_per_request": window.tokens_prompt_per_request,
    }
    scale = 1.0
    if switches.bucket_values == "rate":
        scale = 1.0 / window.covered_seconds if window.covered_seconds > 0.0 else 0.0
    for name, histogram in histograms.items():
        for bound, count in histogram.items():
            yield f"{name}_bucket{_SUM}", f',le="{_bound(bound)}"', count * scale
    yield from _gauges(deployment, window, switches)


def _gauges(deployment: Deployment, window: Window, switches: Switches) -> Iterator[Sample]:
    """What has no value without a serving replica is absent, not zero."""
    concurrent = window.concurrent_requests_per_replica
    if concurrent is not None and switches.concurrency_scope == "total":
        concurrent *= deployment.plant.replicas.ready
    gauges = {
        "generator_kv_blocks_fraction": window.kv_blocks_fraction,
        "generator_kv_slots_fraction": window.kv_slots_fraction,
        "generator_model_forward_time": window.model_forward_ms,
        "requests_coordinator_concurrent_count": concurrent,
        "prefiller_prompt_cache_ttl": PROMPT_CACHE_TTL_SECONDS,
    }
    for name, value in gauges.items():
        if value is not None:
            yield f"{name}{_AVERAGE}", "", value
