"""From the settings of Kubernetes clusters to what reads and writes in them, over one connection to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import SettingsError
from trimtab.kubernetes.access import Access
from trimtab.kubernetes.connection import Connection
from trimtab.sources.endpoint_slices import EndpointSlices
from trimtab.targets.kubernetes.adapter import KubernetesTarget
from trimtab.targets.kubernetes.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.settings_kubernetes import ClusterSettings
    from trimtab.settings_pull import EndpointSlicesSettings


class Clusters:
    """The clusters of the settings. Raises ``SettingsError`` for one that cannot be reached as it is set up.

    Their connections open when they are needed, and are closed with their targets.
    """

    def __init__(
        self, settings: Mapping[str, ClusterSettings], clock: Clock, random: Random
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._random = random
        self._connections = {
            name: Connection(
                clock,
                Access(kubeconfig=one.kubeconfig, context=one.context),
                writes_per_second_max=one.writes_per_second,
                reads_per_second_max=one.reads_per_second,
            )
            for name, one in settings.items()
        }

    def targets(self) -> list[KubernetesTarget]:
        """Return a target for each cluster."""
        return [
            KubernetesTarget(
                cluster_of(name, one), self._connections[name], self._clock, random=self._random
            )
            for name, one in self._settings.items()
        ]

    def slices(self, one: EndpointSlicesSettings) -> EndpointSlices:
        """Return what finds engines in a cluster. Raises ``SettingsError`` for one that is not there."""
        if one.cluster not in self._settings:
            known = ", ".join(self._settings) or "none"
            raise SettingsError(
                f"a source looks into the cluster {one.cluster}, which is none of `clusters` ({known})"
            )
        return EndpointSlices(
            self._connections[one.cluster],
            self._clock,
            self._random,
            cluster=one.cluster,
            namespaces=self._settings[one.cluster].namespaces,
            port=one.port,
            scheme=one.scheme,
            path=one.path,
        )


def cluster_of(name: str, one: ClusterSettings) -> Cluster:
    """Return what the settings say of a cluster. Raises ``SettingsError``."""
    return Cluster(
        name=name,
        namespaces=one.namespaces,
        selector=one.selector,
        resources=one.workloads,
        region=one.region,
        accelerators=one.accelerators,
        replicas_paths=one.replicas_paths,
        looks_for_other_scalers=one.check_other_scalers,
        writes_events=one.events,
        relist_seconds=one.relist_interval,
    )
