"""Whose cases each file holds, and what of trimtab they are run through. Data only: docs read it too."""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """The peer, the part of it that the vectors are from, and what answers here."""

    name: str
    part: str
    answered_by: str


PEERS: dict[str, Peer] = {
    "hpa_behavior.json": Peer(
        "Kubernetes HPA v2",
        "windows, rates, bounds, whole cycles",
        "stages `behavior` and `bounds`; `Engine.step`",
    ),
    "hpa_replica_calculator.json": Peer(
        "Kubernetes HPA v2", "the replica calculator", "strategy `target`"
    ),
    "keda_fallback.json": Peer(
        "KEDA",
        "fallback and scaling modifiers",
        "`fallback`, freshness, strategy `expression`; `Engine.step`",
    ),
    "kpa.json": Peer(
        "Knative KPA", "autoscaler, windows, scaler", "strategy `panic-window`; stages"
    ),
    "nomad_strategies.json": Peer(
        "Nomad Autoscaler",
        "built-in strategies",
        "strategies `target`, `threshold`, `pass-through`, `fixed`, with their document models",
    ),
    "ray_serve.json": Peer("Ray Serve", "autoscaling policy", "strategy `queue`"),
}

ADAPTER_KINDS: dict[str, str] = {
    "group_pods": "which pods count",
    "pod_requests": "what a pod requests",
    "per_pod_usage": "the average that is shown",
}
"""Kinds about the peer's own reading of pods. trimtab reads none: they hold the adapter to the peer's
word, through which the other kinds of that file are read."""
