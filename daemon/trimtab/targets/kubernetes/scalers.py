"""Who else scales a workload: HorizontalPodAutoscalers and KEDA's ScaledObjects.

Two that scale one thing undo each other's work for ever, so trimtab writes nothing to a workload that
another one scales, and says which one that is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.kubernetes.fields import part, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HPA = "horizontalpodautoscalers.autoscaling"
SCALED_OBJECT = "scaledobjects.keda.sh"

PAUSED = "autoscaling.keda.sh/paused"
"""While it is ``true``, KEDA leaves the count alone: the way to hand a workload over step by step."""


class Scaled(NamedTuple):
    """What a scaler scales: group and kind of the API, namespace and name."""

    group: str
    kind: str
    namespace: str
    name: str


class Scaler(NamedTuple):
    """One other scaler; ``scales`` is ``None`` where it scales nothing just now."""

    words: str
    scales: Scaled | None


def autoscaler(item: Mapping[str, Any]) -> Scaler:
    """Read a HorizontalPodAutoscaler."""
    namespace, name = text(item, "metadata", "namespace"), text(item, "metadata", "name")
    target = part(item, "spec", "scaleTargetRef")
    kind, scaled = text(target, "kind"), text(target, "name")
    words = f"HorizontalPodAutoscaler {name}"
    if not kind or not scaled:
        return Scaler(words, None)
    return Scaler(words, Scaled(_group(text(target, "apiVersion")), kind, namespace, scaled))


def scaled_object(item: Mapping[str, Any]) -> Scaler:
    """Read a ScaledObject of KEDA, whose target is a Deployment where it does not say."""
    namespace, name = text(item, "metadata", "namespace"), text(item, "metadata", "name")
    target = part(item, "spec", "scaleTargetRef")
    words = f"ScaledObject {name}"
    if texts(item, "metadata", "annotations").get(PAUSED, "").lower() == "true":
        return Scaler(words, None)
    scaled = text(target, "name")
    if not scaled:
        return Scaler(words, None)
    group = _group(text(target, "apiVersion") or "apps/v1")
    return Scaler(words, Scaled(group, text(target, "kind") or "Deployment", namespace, scaled))


def scaled_by(scalers: Iterable[Scaler]) -> dict[Scaled, str]:
    """Return in words what scales each thing; a ScaledObject is named before the autoscaler it makes."""
    found: dict[Scaled, str] = {}
    for one in sorted(scalers, key=lambda one: one.words, reverse=True):
        if one.scales is not None:
            found.setdefault(one.scales, one.words)
    return found


def _group(api_version: str) -> str:
    return api_version.partition("/")[0] if "/" in api_version else ""
