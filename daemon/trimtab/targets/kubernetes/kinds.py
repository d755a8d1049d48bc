"""The kinds of workloads that may be scaled: what the API calls them, and where their pods are described.

Whatever has a ``scale`` subresource will do. Of a few kinds it is known how many pods a replica has; of
any other it is looked for where most of them keep it, and may be said in annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import KubernetesError
from trimtab.kubernetes.fields import is_true, items, part, text, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

CORE_GROUPS = frozenset({"apps"})
"""Groups whose workloads are the API server's own: replicas are at ``spec.replicas``."""


class Kind(NamedTuple):
    """One kind as the API serves it. ``resource`` is ``<plural>.<group>``, as ``kubectl`` takes it."""

    resource: str
    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As objects state it: ``apps/v1``."""
        return f"{self.group}/{self.version}"

    @property
    def is_built_in(self) -> bool:
        """Whether the API server itself defines it, so that ``spec.replicas`` is the count."""
        return self.group in CORE_GROUPS

    def collection(self, namespace: str | None) -> str:
        """Return the path of all of it, in one namespace or (``None``) in all."""
        where = "" if namespace is None else f"/namespaces/{namespace}"
        return f"/apis/{self.group}/{self.version}{where}/{self.plural}"

    def path(self, namespace: str, name: str, subresource: str = "") -> str:
        """Return the path of one object, or of a part of it."""
        tail = f"/{subresource}" if subresource else ""
        return f"{self.collection(namespace)}/{name}{tail}"


class PodSet(NamedTuple):
    """So many pods of one description, in each replica."""

    spec: Mapping[str, Any]
    pods: int


def split_resource(resource: str) -> tuple[str, str]:
    """Return plural and group of ``deployments.apps``."""
    plural, _, group = resource.partition(".")
    return plural, group


def preferred_version(group: Mapping[str, Any]) -> str:
    """Return the version that the API prefers of an APIGroup; ``""`` where it says none."""
    return text(group, "preferredVersion", "version")


def kind_of(resource: str, version: str, listed: Mapping[str, Any]) -> Kind:
    """Return the kind of ``resource`` from the APIResourceList of its group and version.

    Raises ``KubernetesError`` for what is not served, or has no ``scale``.
    """
    plural, group = split_resource(resource)
    served = {text(one, "name"): one for one in items(listed, "resources")}
    if plural not in served:
        raise KubernetesError(
            f"the cluster serves no {resource} in version {version}; install what defines it, or take "
            "it out of the settings",
            kind=ErrorKind.NOT_FOUND,
        )
    if f"{plural}/scale" not in served:
        raise KubernetesError(
            f"{resource} has no scale subresource, so nobody can scale it from outside; take it out of "
            "the settings",
            kind=ErrorKind.REJECTED,
        )
    if not is_true(served[plural], "namespaced"):
        raise KubernetesError(
            f"{resource} is not namespaced, which trimtab does not scale", kind=ErrorKind.REJECTED
        )
    return Kind(resource, group, version, plural, text(served[plural], "kind"))


def pod_sets(resource: str, item: Mapping[str, Any]) -> tuple[PodSet, ...]:
    """Return what pods a replica of ``item`` has; nothing where that is not known.

    A replica of a LeaderWorkerSet is a group: one leader and ``size - 1`` workers, all of the worker's
    description where the leader has none of its own.
    """
    spec = part(item, "spec")
    if resource == "leaderworkersets.leaderworkerset.x-k8s.io":
        group = part(spec, "leaderWorkerTemplate")
        worker, leader = (
            part(group, "workerTemplate", "spec"),
            part(group, "leaderTemplate", "spec"),
        )
        size = whole(group, "size") if "size" in group else 1
        if not worker or not size:
            return ()
        sets = (PodSet(leader or worker, 1), PodSet(worker, size - 1))
        return tuple(one for one in sets if one.pods)
    for described in (
        part(spec, "template", "spec"),
        part(spec, "template"),
        part(spec, "predictor"),
    ):
        if items(described, "containers"):
            return (PodSet(described, 1),)
    return ()
