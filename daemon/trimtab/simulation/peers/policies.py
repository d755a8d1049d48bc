"""Peers whose rule trimtab ships: as policies, so that the real engine runs them.

Each is the peer's strategy with the peer's behaviour and nothing of ours around it: no rate limit, no
window, no fallback that the peer does not have. Signals are asked for by the name of the measured
quantity (``in_flight``, ``requests_per_second``, ``waiting``, ``kv_share``).

Missing data: the HPA changes nothing on a failed metric, and neither do these. Two peers document
something worse that is not reproduced, in their favour: Knative counts a gap in its window as zero
load, and KEDA's Prometheus scaler takes an empty answer (not a failed one) for zero by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.policy import MoveRules, Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.signals import Per, SignalSpec
from trimtab.core.strategies.panic_window import PanicWindow
from trimtab.core.strategies.target import HPA_TOLERANCE, Basis, Target, Tolerance
from trimtab.simulation.peers.behaviour import HPA_DOWN, HPA_UP

if TYPE_CHECKING:
    from trimtab.core.strategies.interface import Strategy
    from trimtab.simulation.peers.sizing import Sizing

SOURCE = "simulation"
"""The source that the signals are asked of: the observation itself."""

MAX_AGE_SECONDS = 180.0
"""How old a measurement may be. No peer looks at the age of its metrics; one outlives a slow endpoint."""

AT_ONCE = MoveRules(stabilization_seconds=0.0)
"""No window and no limit."""

HPA_SYNC_SECONDS = 15.0

CONCURRENCY_TARGET = 0.7
"""Of the requests in flight at the SLO: where concurrency targets are usually put (Knative's and
Baseten's default utilization, and the middle of what Ray Serve's guide for LLMs recommends)."""

RATE_TARGET = 0.8
"""Of the requests a second at the SLO; a fifth is for what comes while replicas start."""

KV_TARGET = 0.7
WAITING_TARGET = 5.0


def hpa_in_flight(sizing: Sizing, *, share: float = CONCURRENCY_TARGET) -> Policy:
    """HPA on requests in flight, ``share`` of what a replica holds at the SLO as the average value."""
    target = Target(signal="in_flight", target=share * sizing.in_flight, basis=Basis.TOTAL)
    return policy("hpa-in-flight", sizing, target, "in_flight")


def hpa_request_rate(
    sizing: Sizing,
    *,
    share: float = RATE_TARGET,
    tolerance: float = HPA_TOLERANCE.up,
    window_seconds: float = HPA_DOWN.stabilization_seconds,
) -> Policy:
    """HPA on the request rate, ``share`` of a replica's capacity as the average value."""
    target = Target(
        signal="requests_per_second",
        target=share * sizing.capacity_requests_per_second,
        basis=Basis.TOTAL,
        tolerance=Tolerance(tolerance, tolerance),
    )
    down = MoveRules(stabilization_seconds=window_seconds, limits=HPA_DOWN.limits)
    return policy("hpa-request-rate", sizing, target, "requests_per_second", down=down)


def hpa_kv_cache(sizing: Sizing, *, share: float = KV_TARGET) -> Policy:
    """HPA on how full the KV caches are, a mean over the replicas that serve."""
    target = Target(signal="kv_share", target=share, basis=Basis.AVERAGE)
    return policy("hpa-kv-cache", sizing, target, "kv_share", per=Per.REPLICA)


def keda_waiting(sizing: Sizing, *, threshold: float = WAITING_TARGET) -> Policy:
    """KEDA's recipe for vLLM: an HPA on ``num_requests_waiting``, ``threshold`` for each replica.

    Whatever is not waiting asks for nothing, so once the window is over the count falls to its
    minimum: the recipe relies on ``minReplicaCount``.
    """
    target = Target(signal="waiting", target=threshold, basis=Basis.TOTAL)
    return policy("keda-waiting", sizing, target, "waiting")


def knative_kpa(sizing: Sizing, *, utilization: float = CONCURRENCY_TARGET) -> Policy:
    """Knative's pod autoscaler on concurrency: what a replica holds at the SLO is its soft limit.

    (Knative's own default of 100 is for web servers; what ``utilization`` is taken of is the
    operator's to say.) Stable window 60 s, panic window 6 s at twice the load, down by half at most.
    """
    windows = PanicWindow(signal="in_flight", target=sizing.in_flight, utilization=utilization)
    return policy("knative-kpa", sizing, windows, "in_flight", up=AT_ONCE, down=AT_ONCE)


def policy(
    name: str,
    sizing: Sizing,
    strategy: Strategy,
    signal: str,
    *,
    per: Per = Per.DEPLOYMENT,
    up: MoveRules = HPA_UP,
    down: MoveRules = HPA_DOWN,
) -> Policy:
    """Return a policy for any deployment: one demand rule by ``strategy`` on one measured quantity."""
    spec = SignalSpec(
        name=signal, source=SOURCE, query=signal, max_age_seconds=MAX_AGE_SECONDS, per=per
    )
    return Policy(
        name=name,
        selector=Selector(),
        rules=(Rule(name=name, role=Role.DEMAND, strategy=strategy),),
        signals=(spec,),
        min_replicas=sizing.replicas_min,
        max_replicas=sizing.replicas_max,
        up=up,
        down=down,
    )
