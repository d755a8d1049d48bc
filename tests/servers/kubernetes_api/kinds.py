"""What the API serves: kinds, their paths, their subresources, and how each behaves when written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePaths:
    """Where a kind keeps what its ``scale`` subresource shows."""

    spec_replicas: tuple[str, ...] = ("spec", "replicas")
    status_replicas: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] | None = None
    """A path to a selector as text; ``None``: made from ``spec.selector``, as built-in kinds do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One resource as discovery lists it.

    ``needs_version``: an update must name the version that it replaces. ``may_create_by_put``: a PUT of
    what is not there creates it. ``counts_generations``: ``metadata.generation`` grows when what is
    wished for changes. ``returns_deleted``: DELETE answers with the object instead of a Status.
    """

    group: str
    version: str
    kind: str
    plural: str
    is_namespaced: bool = True
    short_names: tuple[str, ...] = ()
    has_status: bool = False
    scale: ScalePaths | None = None
    is_custom: bool = False
    needs_version: bool = False
    may_create_by_put: bool = False
    counts_generations: bool = False
    returns_deleted: bool = False
    schema: Mapping[str, Any] | None = None

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def resource(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def subresources(self) -> tuple[str, ...]:
        return (("status",) if self.has_status else ()) + (("scale",) if self.scale else ())

    @property
    def stored(self) -> tuple[str, str]:
        """What all versions of a kind share."""
        return self.group, self.plural


_RBAC = "rbac.authorization.k8s.io"

BUILT_IN = (
    Kind(group="", version="v1", kind="Namespace", plural="namespaces", is_namespaced=False,
         short_names=("ns",), has_status=True, returns_deleted=True),
    Kind(group="", version="v1", kind="Node", plural="nodes", is_namespaced=False,
         short_names=("no",), has_status=True),
    Kind(group="", version="v1", kind="Pod", plural="pods", short_names=("po",), has_status=True,
         returns_deleted=True),
    Kind(group="", version="v1", kind="Service", plural="services", short_names=("svc",),
         has_status=True, returns_deleted=True),
    Kind(group="", version="v1", kind="ConfigMap", plural="configmaps", short_names=("cm",)),
    Kind(group="", version="v1", kind="Secret", plural="secrets"),
    Kind(group="", version="v1", kind="Event", plural="events", short_names=("ev",),
         may_create_by_put=True),
    Kind(group="events.k8s.io", version="v1", kind="Event", plural="events", short_names=("ev",),
         may_create_by_put=True),
    Kind(group="apps", version="v1", kind="Deployment", plural="deployments",
         short_names=("deploy",), has_status=True, scale=ScalePaths(), counts_generations=True),
    Kind(group="apps", version="v1", kind="StatefulSet", plural="statefulsets",
         short_names=("sts",), has_status=True, scale=ScalePaths(), counts_generations=True),
    Kind(group="apps", version="v1", kind="ReplicaSet", plural="replicasets", short_names=("rs",),
         has_status=True, scale=ScalePaths(), counts_generations=True),
    Kind(group="autoscaling", version="v2", kind="HorizontalPodAutoscaler",
         plural="horizontalpodautoscalers", short_names=("hpa",), has_status=True),
    Kind(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases",
         needs_version=True, may_create_by_put=True),
    Kind(group="discovery.k8s.io", version="v1", kind="EndpointSlice", plural="endpointslices",
         counts_generations=True),
    Kind(group=_RBAC, version="v1", kind="Role", plural="roles"),
    Kind(group=_RBAC, version="v1", kind="RoleBinding", plural="rolebindings"),
    Kind(group=_RBAC, version="v1", kind="ClusterRole", plural="clusterroles",
         is_namespaced=False),
    Kind(group=_RBAC, version="v1", kind="ClusterRoleBinding", plural="clusterrolebindings",
         is_namespaced=False),
    Kind(group="apiextensions.k8s.io", version="v1", kind="CustomResourceDefinition",
         plural="customresourcedefinitions", is_namespaced=False, short_names=("crd",),
         has_status=True, needs_version=True, counts_generations=True, returns_deleted=True),
)  # fmt: skip


def path_of(dotted: str) -> tuple[str, ...]:
    """``.spec.replicas`` as keys."""
    return tuple(dotted.lstrip(".").split("."))


def kinds_of(definition: Mapping[str, Any]) -> Iterator[Kind]:
    """Every served version of a CustomResourceDefinition."""
    spec = definition["spec"]
    names = spec["names"]
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        subresources = version.get("subresources") or {}
        scale = subresources.get("scale")
        paths = None
        if scale is not None:
            selector = scale.get("labelSelectorPath")
            paths = ScalePaths(
                spec_replicas=path_of(scale["specReplicasPath"]),
                status_replicas=path_of(scale["statusReplicasPath"]),
                selector=path_of(selector) if selector else ("",),
            )
        yield Kind(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            is_namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            has_status="status" in subresources,
            scale=paths,
            is_custom=True,
            needs_version=True,
            counts_generations=True,
            schema=(version.get("schema") or {}).get("openAPIV3Schema"),
        )


class Catalogue:
    """Every kind that is served now."""

    def __init__(self) -> None:
        self._kinds = {(kind.group, kind.version, kind.plural): kind for kind in BUILT_IN}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def stored(self, group: str, plural: str) -> Kind:
        """Any version of what is kept under ``group`` and ``plural``."""
        return next(kind for kind in self if kind.stored == (group, plural))

    def add(self, kind: Kind) -> None:
        self._kinds[kind.group, kind.version, kind.plural] = kind

    def drop(self, group: str, plural: str) -> None:
        for key in [key for key in self._kinds if (key[0], key[2]) == (group, plural)]:
            del self._kinds[key]

    def versions(self) -> dict[str, list[str]]:
        """Group → versions, in the order in which they came; without the core group."""
        found: dict[str, list[str]] = {}
        for kind in self:
            if kind.group and kind.version not in found.setdefault(kind.group, []):
                found[kind.group].append(kind.version)
        return found
