"""Every peer, with what it is set up with by default and the values it is tuned over.

``default`` is what its documentation says; where a peer leaves a target to its users (most do), it is a
share of what one replica takes at the SLO, the same for all that steer by the same quantity. ``grid``
is for "tuned per trace in hindsight": the knob that trades cost for attainment, and its values.

What is built is a policy, run by the real engine, where the rule is a shipped strategy, and else a
scaler. Builders are named functions and partials of them, so they travel between processes; a
scaler that was built is for one run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from trimtab.simulation.peers.aibrix import TICK_SECONDS, AibrixApa
from trimtab.simulation.peers.concurrency import Modal, baseten, fireworks
from trimtab.simulation.peers.dynamo import LOAD_SECONDS, PREDICTORS, Dynamo
from trimtab.simulation.peers.inferno import Inferno
from trimtab.simulation.peers.knative import KnativeKpa
from trimtab.simulation.peers.policies import (
    HPA_SYNC_SECONDS,
    hpa_in_flight,
    hpa_kv_cache,
    hpa_request_rate,
    keda_waiting,
)
from trimtab.simulation.peers.rate_tracking import RateTracking
from trimtab.simulation.peers.ray_serve import METRICS_SECONDS, RayServe
from trimtab.simulation.peers.skyserve import SkyServe
from trimtab.simulation.peers.static import static_mean, static_peak
from trimtab.simulation.peers.wva_saturation import (
    DOWN_BOUNDARY,
    UP_THRESHOLD,
    SaturationV1,
    SaturationV2,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.policy import Policy
    from trimtab.simulation.peers.sizing import Sizing
    from trimtab.simulation.scaler import Scaler

Build: TypeAlias = "Callable[[Sizing], Scaler | Policy]"
"""Makes a peer for one deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One autoscaler to compare with.

    ``source`` says where its rule and its defaults are documented. ``knob`` names what ``grid``
    varies; the grid's keys say the value. ``interval_seconds`` is how often it looks: a policy
    does not say so itself. ``is_hindsight``: its sizing needs the load that is yet to come.
    """

    name: str
    title: str
    source: str
    knob: str
    interval_seconds: float
    default: Build
    grid: Mapping[str, Build]
    is_hindsight: bool = False


def geometric(low: float, high: float, count: int) -> tuple[float, ...]:
    """Return ``count`` values from ``low`` to ``high``, each the same factor above the one before."""
    step = (high / low) ** (1.0 / (count - 1))
    return tuple(float(f"{low * step**index:.4g}") for index in range(count))


TARGETS = geometric(0.05, 1.5, 22)
"""Of what a replica takes at the SLO, for everything that steers by requests in flight or by their rate."""

RATE_TARGETS = geometric(0.02, 1.5, 45)
"""Of a replica's capacity, for the peer that is tuned hardest."""

TOLERANCES = (0.0, 0.1)
WINDOWS_SECONDS = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0)
SLO_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
WAITING_THRESHOLDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
KV_SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def _over(
    build: Callable[..., Any], knob: str, values: tuple[float, ...], name: str
) -> Mapping[str, Build]:
    """Return one builder for each value of the keyword ``knob``, labelled ``name=value``."""
    return MappingProxyType(
        {f"{name}={value:g}": partial(build, **{knob: value}) for value in values}
    )


RATE_GRID: Mapping[str, Build] = MappingProxyType(
    {
        f"target={share:g},tolerance={tolerance:g},window={window:g}": partial(
            RateTracking, share=share, tolerance=tolerance, window_seconds=window
        )
        for share in RATE_TARGETS
        for tolerance in TOLERANCES
        for window in WINDOWS_SECONDS
    }
)


def rate_grid(*, tolerance: float = 0.1, window_seconds: float = 300.0) -> Mapping[str, Build]:
    """Return the part of ``RATE_GRID`` in which only the target varies."""
    ending = f",tolerance={tolerance:g},window={window_seconds:g}"
    return {label: build for label, build in RATE_GRID.items() if label.endswith(ending)}


_SATURATION_GRID: Mapping[str, Build] = MappingProxyType(
    {
        f"threshold={threshold:g}": partial(
            SaturationV2,
            up_threshold=threshold,
            down_boundary=threshold * DOWN_BOUNDARY / UP_THRESHOLD,
        )
        for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 0.95)
    }
)

_DYNAMO_GRID: Mapping[str, Build] = MappingProxyType(
    {
        f"predictor={name},sla={share:g}": partial(Dynamo, forecast=name, sla_share=share)
        for name in PREDICTORS
        for share in (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
    }
)

_PEERS = (
    Peer(
        name="static-peak",
        title="Static, for the peak",
        source="the usual alternative to an autoscaler; sized in hindsight",
        knob="share of the peak need",
        interval_seconds=60.0,
        default=static_peak,
        grid=_over(static_peak, "share", (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2), "share"),
        is_hindsight=True,
    ),
    Peer(
        name="static-mean",
        title="Static, 1.3 times the mean",
        source="the usual alternative to an autoscaler; sized in hindsight",
        knob="factor on the mean need",
        interval_seconds=60.0,
        default=static_mean,
        grid=_over(static_mean, "factor", (1.0, 1.15, 1.3, 1.5, 2.0, 3.0, 5.0), "factor"),
        is_hindsight=True,
    ),
    Peer(
        name="hpa-in-flight",
        title="Kubernetes HPA on requests in flight",
        source="Kubernetes autoscaling/v2: tolerance 0.1, sync 15 s, scale-down window 300 s",
        knob="average value, share of the requests in flight at the SLO",
        interval_seconds=HPA_SYNC_SECONDS,
        default=hpa_in_flight,
        grid=_over(hpa_in_flight, "share", TARGETS, "target"),
    ),
    Peer(
        name="hpa-request-rate",
        title="Kubernetes HPA on the request rate",
        source="Kubernetes autoscaling/v2: tolerance 0.1, sync 15 s, scale-down window 300 s",
        knob="average value, share of the capacity",
        interval_seconds=HPA_SYNC_SECONDS,
        default=hpa_request_rate,
        grid=_over(hpa_request_rate, "share", TARGETS, "target"),
    ),
    Peer(
        name="hpa-kv-cache",
        title="Kubernetes HPA on KV cache use",
        source="Kubernetes autoscaling/v2; vLLM's kv_cache_usage_perc, target 0.7",
        knob="average KV cache use",
        interval_seconds=HPA_SYNC_SECONDS,
        default=hpa_kv_cache,
        grid=_over(hpa_kv_cache, "share", KV_SHARES, "target"),
    ),
    Peer(
        name="hpa-rps",
        title="Request-rate target tracking without rate limits",
        source="the HPA's rule with tolerance and scale-down window as knobs too",
        knob="share of the capacity, tolerance, scale-down window in seconds",
        interval_seconds=HPA_SYNC_SECONDS,
        default=RateTracking,
        grid=RATE_GRID,
    ),
    Peer(
        name="knative-kpa",
        title="Knative pod autoscaler",
        source="Knative Serving config-autoscaler: stable 60 s, panic 10 % at 200 %, tick 2 s",
        knob="target utilization of the requests in flight at the SLO",
        interval_seconds=KnativeKpa.interval_seconds,
        default=KnativeKpa,
        grid=_over(
            KnativeKpa, "utilization", tuple(one for one in TARGETS if one <= 1.0), "target"
        ),
    ),
    Peer(
        name="ray-serve",
        title="Ray Serve",
        source="Ray Serve AutoscalingConfig: look-back 30 s, delays 30 s and 600 s, metrics 10 s",
        knob="target_ongoing_requests, share of the requests in flight at the SLO",
        interval_seconds=METRICS_SECONDS,
        default=RayServe,
        grid=_over(RayServe, "share", TARGETS, "target"),
    ),
    Peer(
        name="skyserve",
        title="SkyServe",
        source="SkyPilot sky/serve: QPS window 60 s, look 20 s, delays 300 s and 1200 s",
        knob="target_qps_per_replica, share of the capacity",
        interval_seconds=SkyServe.interval_seconds,
        default=SkyServe,
        grid=_over(SkyServe, "share", TARGETS, "target"),
    ),
    Peer(
        name="baseten",
        title="Like Baseten",
        source="docs.baseten.co/deploy/autoscaling: window 60 s, delay 900 s, utilization 70 %",
        knob="target utilization of the requests in flight at the SLO",
        interval_seconds=10.0,
        default=baseten,
        grid=_over(baseten, "share", TARGETS, "target"),
    ),
    Peer(
        name="modal",
        title="Like Modal",
        source="modal.com/docs/guide/scale: scaledown_window 60 s, buffer_containers 0",
        knob="target_inputs, share of the requests in flight at the SLO",
        interval_seconds=Modal.interval_seconds,
        default=Modal,
        grid=_over(Modal, "share", TARGETS, "target"),
    ),
    Peer(
        name="fireworks",
        title="Like Fireworks",
        source="docs.fireworks.ai/deployments/autoscaling: target 0.8, up 30 s, down 10 min",
        knob="load target on the requests in flight at the SLO",
        interval_seconds=10.0,
        default=fireworks,
        grid=_over(fireworks, "share", TARGETS, "target"),
    ),
    Peer(
        name="keda-waiting",
        title="KEDA on waiting requests",
        source="vLLM production-stack's recipe: num_requests_waiting 5, HPA behaviour defaults",
        knob="waiting requests per replica",
        interval_seconds=HPA_SYNC_SECONDS,
        default=keda_waiting,
        grid=_over(keda_waiting, "threshold", WAITING_THRESHOLDS, "threshold"),
    ),
    Peer(
        name="wva-saturation-v1",
        title="Workload Variant Autoscaler, saturation v1",
        source="llm-d WVA saturation-scaling-config: 0.80, 5, 0.1, 3; HPA window 240 s",
        knob="kvCacheThreshold",
        interval_seconds=SaturationV1.interval_seconds,
        default=SaturationV1,
        grid=_over(SaturationV1, "kv_threshold", (0.2, *KV_SHARES[5:]), "threshold"),
    ),
    Peer(
        name="wva-saturation-v2",
        title="Workload Variant Autoscaler, saturation v2",
        source="llm-d WVA saturation-scaling-config: scaleUpThreshold 0.85, scaleDownBoundary 0.70",
        knob="scaleUpThreshold, scaleDownBoundary in proportion",
        interval_seconds=SaturationV2.interval_seconds,
        default=SaturationV2,
        grid=_SATURATION_GRID,
    ),
    Peer(
        name="inferno",
        title="Workload Variant Autoscaler, queue model",
        source="llm-d WVA model analyzer: mean TTFT and ITL within the SLO, every 60 s",
        knob="share of the SLO's times",
        interval_seconds=Inferno.interval_seconds,
        default=Inferno,
        grid=_over(Inferno, "slo_share", SLO_SHARES, "slo"),
    ),
    Peer(
        name="dynamo",
        title="NVIDIA Dynamo SLA planner",
        source="Dynamo planner: ARIMA, throughput loop 180 s, load loop 5 s",
        knob="predictor, share of the SLO's times",
        interval_seconds=LOAD_SECONDS,
        default=Dynamo,
        grid=_DYNAMO_GRID,
    ),
    Peer(
        name="aibrix-apa",
        title="AIBrix APA",
        source="AIBrix autoscaling: gpu_cache_usage_perc 0.5, rates 2, tolerance 0.1, windows 180 s, 300 s",
        knob="target KV cache use",
        interval_seconds=TICK_SECONDS,
        default=AibrixApa,
        grid=_over(AibrixApa, "target", KV_SHARES, "target"),
    ),
)

CATALOGUE: Mapping[str, Peer] = MappingProxyType({peer.name: peer for peer in _PEERS})
"""All peers by name, in the order they are shown in."""


def find(name: str) -> Peer:
    """Return the peer of this name. Raises ``ValueError`` with those that there are."""
    peer = CATALOGUE.get(name)
    if peer is None:
        raise ValueError(f"no peer is called {name}; there are {', '.join(CATALOGUE)}")
    return peer
