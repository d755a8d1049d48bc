"""Which accelerators a replica takes, from the description of its pods: pure.

Accelerators are extended resources of containers (``nvidia.com/gpu``). Which type they are stands
nowhere in a pod: the node selector, or a required node affinity with one value, tells the product by
the labels that device plug-ins and clouds put on nodes. Where nothing tells, it is unknown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from trimtab.core.deployment import NO_SHAPE, Shape
from trimtab.kubernetes.fields import items, part, text, texts
from trimtab.targets.kubernetes.annotations import ACCELERATOR_TYPE, ACCELERATORS, written_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trimtab.targets.kubernetes.kinds import PodSet

VENDORS: Mapping[str, str] = {
    "nvidia.com/gpu": "NVIDIA",
    "amd.com/gpu": "AMD",
    "gpu.intel.com/i915": "INTEL",
    "gpu.intel.com/xe": "INTEL",
    "habana.ai/gaudi": "INTEL",
    "google.com/tpu": "GOOGLE",
    "aws.amazon.com/neuron": "AWS",
}
"""Resource names of whole accelerators, and who makes them."""

PRODUCT_LABELS = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-tpu-accelerator",
    "amd.com/gpu.product-name",
    "beta.amd.com/gpu.product-name",
    "karpenter.k8s.aws/instance-gpu-name",
    "eks.amazonaws.com/instance-gpu-name",
    "gpu.nvidia.com/class",
)
"""Labels of nodes that say which product they have."""

REGION_LABEL = "topology.kubernetes.io/region"

KNOWN_TYPES: Sequence[tuple[str, str]] = (
    ("gb200", "NVIDIA_GB200_192GB"),
    ("b300", "NVIDIA_B300_288GB"),
    ("b200", "NVIDIA_B200_180GB"),
    ("h200", "NVIDIA_H200_141GB"),
    ("h100", "NVIDIA_H100_80GB"),
    ("l40s", "NVIDIA_L40S_48GB"),
    ("a10g", "NVIDIA_A10G_24GB"),
    ("l4", "NVIDIA_L4_24GB"),
    ("t4", "NVIDIA_T4_16GB"),
    ("mi355x", "AMD_MI355X_288GB"),
    ("mi350x", "AMD_MI350X_288GB"),
    ("mi325x", "AMD_MI325X_256GB"),
    ("mi300x", "AMD_MI300X_192GB"),
)
"""A word of a product's label, and the type as the fleet file calls it. An A100 has two sizes: below."""

REPLICA_ACCELERATORS_MAX = 100_000
_WORD = re.compile(r"[a-z0-9]+")


def shape_of(
    sets: Sequence[PodSet], annotations: Mapping[str, str], types: Mapping[str, str]
) -> Shape:
    """Return what one replica uses; what annotations say wins, ``types`` is by resource name for the rest.

    Pods without accelerators, or with several kinds of them, or with claims of dynamic resource
    allocation, leave the count unknown: ``None``.
    """
    stated = written_count(annotations, ACCELERATORS)
    kind = annotations.get(ACCELERATOR_TYPE, "").strip() or None
    counted = _count(sets)
    resource, count = counted if counted is not None else (None, None)
    if kind is None and resource is not None:
        kind = _type(resource, sets) or types.get(resource)
    if stated:
        count = stated
    if kind is None and count is None:
        return NO_SHAPE
    return Shape(accelerator_type=kind, accelerators_per_replica=count)


def region_of(sets: Iterable[PodSet]) -> str | None:
    """Return the region that pods must run in, where their description says one."""
    for one in sets:
        for value in _required(one.spec, REGION_LABEL):
            return value
    return None


def _count(sets: Sequence[PodSet]) -> tuple[str, int] | None:
    total: dict[str, int] = {}
    for pods in sets:
        if items(pods.spec, "resourceClaims"):
            return None
        for resource, count in _of_pod(pods.spec).items():
            total[resource] = total.get(resource, 0) + count * pods.pods
    if len(total) != 1:
        return None
    ((resource, count),) = total.items()
    return (resource, count) if 0 < count <= REPLICA_ACCELERATORS_MAX else None


def _of_pod(spec: Mapping[str, Any]) -> dict[str, int]:
    """Return what a pod is given: all containers together, or the greediest initial one if that is more.

    An initial container that is restarted always (a sidecar) counts with the others.
    """
    together: dict[str, int] = {}
    greediest: dict[str, int] = {}
    for container in items(spec, "containers"):
        _add(together, _of_container(container))
    for container in items(spec, "initContainers"):
        if text(container, "restartPolicy") == "Always":
            _add(together, _of_container(container))
    for container in items(spec, "initContainers"):
        for resource, count in _of_container(container).items():
            greediest[resource] = max(count, greediest.get(resource, 0))
    return {
        resource: max(together.get(resource, 0), greediest.get(resource, 0))
        for resource in together.keys() | greediest.keys()
    }


def _of_container(container: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for field in ("requests", "limits"):  # of extended resources both are the same; one will do
        for resource, quantity in part(container, "resources", field).items():
            count = _whole(quantity)
            if resource in VENDORS and count:
                found[resource] = count
    return found


def _whole(quantity: Any) -> int | None:
    """Return a quantity of whole things, which is all that accelerators come in."""
    if isinstance(quantity, int) and not isinstance(quantity, bool):
        return quantity if 0 <= quantity <= REPLICA_ACCELERATORS_MAX else None
    if isinstance(quantity, str) and re.fullmatch(r"[0-9]{1,6}", quantity, re.ASCII):
        return int(quantity)
    return None


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for resource, count in more.items():
        total[resource] = total.get(resource, 0) + count


def _type(resource: str, sets: Iterable[PodSet]) -> str | None:
    """Return the type that all pods with accelerators must get; ``None`` where it is not one."""
    found = {
        accelerator_type(VENDORS[resource], product)
        for one in sets
        if _of_pod(one.spec)
        for product in _products(one.spec)
    }
    return found.pop() if len(found) == 1 else None


def _products(spec: Mapping[str, Any]) -> list[str]:
    return [value for label in PRODUCT_LABELS for value in _required(spec, label)[:1]]


def _required(spec: Mapping[str, Any], label: str) -> list[str]:
    """Return the value that a node must have of ``label``, if exactly one will do."""
    selected = texts(spec, "nodeSelector").get(label)
    if selected:
        return [selected]
    required = part(
        spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = items(required, "nodeSelectorTerms")
    allowed = [
        value
        for term in terms[:1]
        for rule in items(term, "matchExpressions")
        if text(rule, "key") == label and text(rule, "operator") == "In"
        for value in items(rule, "values")
    ]
    is_one = len(terms) == 1 and len(allowed) == 1 and isinstance(allowed[0], str)
    return allowed if is_one and allowed[0] else []


def accelerator_type(vendor: str, product: str) -> str:
    """Return a product of a node's label as quotas and prices call it: ``NVIDIA_H100_80GB``.

    One that is not known becomes its own words in that form.
    """
    words = _WORD.findall(product.lower())
    if "a100" in words:
        return "NVIDIA_A100_40GB" if "40gb" in words else "NVIDIA_A100_80GB"
    for word, known in KNOWN_TYPES:
        if word in words:
            return known
    name = "_".join(words).upper()[:63].strip("_")
    return name if name.startswith(vendor) else f"{vendor}_{name}"[:63].strip("_")
