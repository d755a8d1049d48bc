"""The section ``clusters``: Kubernetes clusters whose workloads are scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from trimtab.kubernetes.selectors import Selector
from trimtab.settings_pull import ReadableFile
from trimtab.settings_values import FROZEN, between
from trimtab.targets.kubernetes.cluster import (
    CLUSTER_NAME,
    DEFAULT_RESOURCES,
    DEFAULT_SELECTOR,
    RESOURCE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

WATCHES_MAX = 80
"""Each holds a connection of the hundred that there are to one cluster."""

OTHER_WATCHES = 3
"""In each namespace, besides those of workloads: two kinds of autoscalers, and EndpointSlices."""

Namespace = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", max_length=63)
]
Resource = Annotated[str, StringConstraints(pattern=f"^{RESOURCE.pattern}$", max_length=253)]
AcceleratorType = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=63)
]
ReplicasPath = Annotated[
    str, StringConstraints(pattern=r"^(\.[A-Za-z][A-Za-z0-9_-]*)+$", max_length=253)
]


class ClusterSettings(BaseModel):
    """One cluster: how to reach it, and what in it is scaled."""

    model_config = FROZEN

    kubeconfig: ReadableFile | None = None
    """By default the service account of the pod, else what ``KUBECONFIG`` names, else ``~/.kube/config``."""

    context: Annotated[str, StringConstraints(min_length=1)] | None = None
    """One of the kubeconfig's; its current one unless said."""

    namespaces: tuple[Namespace, ...] = ()
    """Where to look; left out, in all, which needs a ClusterRole."""

    selector: str = DEFAULT_SELECTOR
    """A label selector: only workloads that it selects are seen at all. Empty: all."""

    workloads: Annotated[tuple[Resource, ...], Field(min_length=1)] = DEFAULT_RESOURCES
    """Kinds as ``kubectl`` takes them, ``<plural>.<group>``: anything with a ``scale`` subresource."""

    region: Annotated[str, StringConstraints(max_length=63)] = ""
    """Where its accelerators are counted, for quotas with a region."""

    accelerators: dict[str, AcceleratorType] = Field(default_factory=dict)
    """The type by the name of the resource, for pods that select no product: ``nvidia.com/gpu: NVIDIA_H100_80GB``."""

    replicas_paths: dict[Resource, ReplicasPath] = Field(default_factory=dict)
    """Where a custom resource keeps its count, if not at ``.spec.replicas``: its ``specReplicasPath``."""

    check_other_scalers: bool = True
    """Whether workloads that a HorizontalPodAutoscaler or KEDA scales are left to them."""

    events: bool = True
    """Whether Events on workloads say what trimtab did there."""

    relist_interval: Annotated[float, between(60, 86_400)] = 600.0
    """How often everything is listed anew although watches tell of changes."""

    writes_per_second: Annotated[float, Field(ge=2, le=1000)] = 20.0
    """How fast it is written to at most: counts, annotations and Events together."""

    reads_per_second: Annotated[float, Field(ge=2, le=1000)] = 50.0
    """How fast it is asked at most; watches tell the most without being asked."""

    @model_validator(mode="after")
    def _can_be_watched(self) -> Self:
        watches = len(self.namespaces) * (len(self.workloads) + OTHER_WATCHES)
        if watches > WATCHES_MAX:
            raise ValueError(
                f"would need {watches} watches, and {WATCHES_MAX} is the most; leave namespaces out, so that one "
                "watch sees all of them"
            )
        return self

    @field_validator("selector")
    @classmethod
    def _is_a_selector(cls, value: str) -> str:
        Selector(value)
        return value


def are_cluster_names(clusters: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse names that cannot be a part of a deployment's full name."""
    for name in clusters:
        if CLUSTER_NAME.fullmatch(name) is None:
            raise ValueError(
                f"has {name!r}, which is no name for a cluster; use a-z, 0-9, -, . and _ as in prod-eu"
            )
    return dict(clusters)
