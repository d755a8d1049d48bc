"""One cluster as the settings describe it: what in it is scaled, and how that is understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.errors import SettingsError
from trimtab.kubernetes.reflector import RELIST_SECONDS
from trimtab.kubernetes.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SELECTOR = "trimtab.dev/managed=true"
DEFAULT_RESOURCES = ("deployments.apps", "statefulsets.apps")

RESOURCE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
"""``<plural>.<group>``, as ``kubectl`` takes it."""

CLUSTER_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What of a cluster is trimtab's business. Raises ``SettingsError`` for what cannot be meant.

    ``name`` is what full names call it. Without ``namespaces``, all. ``accelerators`` is the type by the
    name of the resource, for pods that do not say which product they run on; ``replicas_paths`` is where
    a custom resource keeps its count, by resource, if not at ``.spec.replicas``. Without
    ``looks_for_other_scalers`` nobody notices a HorizontalPodAutoscaler on the same workload.
    """

    name: str
    namespaces: tuple[str, ...] = ()
    selector: str = DEFAULT_SELECTOR
    resources: tuple[str, ...] = DEFAULT_RESOURCES
    region: str = ""
    accelerators: Mapping[str, str] = field(default_factory=dict)
    replicas_paths: Mapping[str, str] = field(default_factory=dict)
    looks_for_other_scalers: bool = True
    writes_events: bool = True
    relist_seconds: float = RELIST_SECONDS

    def __post_init__(self) -> None:
        if CLUSTER_NAME.fullmatch(self.name) is None:
            raise SettingsError(
                f"{self.name!r} is no name for a cluster; use a-z, 0-9, -, . and _ as in prod-eu"
            )
        for resource in self.resources:
            if RESOURCE.fullmatch(resource) is None:
                raise SettingsError(
                    f"{resource!r} is no kind of workload; write <plural>.<group> as in deployments.apps"
                )
        try:
            Selector(self.selector)
        except ValueError as error:
            raise SettingsError(str(error)) from error

    @property
    def places(self) -> tuple[str | None, ...]:
        """The namespaces to look into; ``None`` stands for all at once."""
        return self.namespaces or (None,)
