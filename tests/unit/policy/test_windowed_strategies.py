"""What Knative and Ray Serve users write becomes exactly the strategy, defaults included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trimtab.core.strategies.panic_window import Averaging, PanicWindow
from trimtab.core.strategies.queue import Aggregation, Queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.policy import LoadReport

    Diagnose = Callable[..., LoadReport]

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat-prod}
spec:
  deployments: {name: accounts/acme/deployments/chat}
  signals:
    concurrency: {source: gateway, query: in_flight, maxAge: 30s}
  rules:
    - name: busy-day
      role: demand
      strategy: {%s}
"""
LINE = 11


def built(diagnose: Diagnose, strategy: str) -> Any:
    report = diagnose(POLICY % strategy)
    assert [one.message for one in report.diagnostics] == []
    return report.policies[0].rules[0].strategy


def test_a_panic_window_has_knatives_defaults(diagnose: Diagnose) -> None:
    ours = built(diagnose, "type: panic-window, signal: concurrency, target: 24")
    assert ours == PanicWindow(
        signal="concurrency",
        target=24.0,
        utilization=0.7,
        stable_window_seconds=60.0,
        panic_share=0.1,
        panic_threshold=2.0,
        max_scale_up_rate=1000.0,
        max_scale_down_rate=2.0,
        scale_down_delay_seconds=0.0,
        activation_scale=1,
    )


def test_every_key_of_a_panic_window_arrives(diagnose: Diagnose) -> None:
    ours = built(
        diagnose,
        "type: panic-window, signal: concurrency, target: 24, limit: 32, utilization: 0.8, "
        "stableWindow: 5m, panicWindowPercent: 20, panicThresholdPercent: 150, maxScaleUpRate: 10, "
        "maxScaleDownRate: 1.5, scaleDownDelay: 10m, activationScale: 2, averaging: exponential, "
        "targetBurstCapacity: 100",
    )
    assert ours == PanicWindow(
        signal="concurrency",
        target=24.0,
        limit=32.0,
        utilization=0.8,
        stable_window_seconds=300.0,
        panic_share=0.2,
        panic_threshold=1.5,
        max_scale_up_rate=10.0,
        max_scale_down_rate=1.5,
        scale_down_delay_seconds=600.0,
        activation_scale=2,
        averaging=Averaging.EXPONENTIAL,
        burst=100.0,
    )


def test_a_queue_has_ray_serves_defaults(diagnose: Diagnose) -> None:
    ours = built(diagnose, "type: queue, signal: concurrency")
    assert ours == Queue(
        signal="concurrency",
        target=2.0,
        look_back_seconds=30.0,
        upscaling_factor=1.0,
        downscaling_factor=1.0,
        upscale_delay_seconds=30.0,
        downscale_delay_seconds=600.0,
    )


def test_every_key_of_a_queue_arrives(diagnose: Diagnose) -> None:
    ours = built(
        diagnose,
        "type: queue, signal: concurrency, target: 16, lookBack: 1m, aggregation: max, "
        "upscalingFactor: 1.5, downscalingFactor: 0.5, upscaleDelay: 10s, downscaleDelay: 15m, "
        "downscaleToZeroDelay: 1h, group: 2",
    )
    assert ours == Queue(
        signal="concurrency",
        target=16.0,
        look_back_seconds=60.0,
        aggregation=Aggregation.MAX,
        upscaling_factor=1.5,
        downscaling_factor=0.5,
        upscale_delay_seconds=10.0,
        downscale_delay_seconds=900.0,
        downscale_to_zero_delay_seconds=3600.0,
        group=2,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "type: panic-window, signal: concurrency, target: 24, stableWindow: 5s",
        "type: panic-window, signal: concurrency, target: 24, panicThresholdPercent: 100",
        "type: panic-window, signal: concurrency, target: 24, maxScaleDownRate: 1",
        "type: panic-window, signal: concurrency, target: 24, utilization: 70",
        "type: panic-window, signal: concurrency, target: 24, averaging: median",
        "type: queue, signal: concurrency, upscalingFactor: 0",
        "type: queue, signal: concurrency, group: 0",
        "type: queue, signal: concurrency, lookBack: 30",
    ],
)
def test_what_is_out_of_range_is_one_diagnostic_on_its_line(diagnose: Diagnose, wrong: str) -> None:
    assert [one.line for one in diagnose(POLICY % wrong).diagnostics] == [LINE]
