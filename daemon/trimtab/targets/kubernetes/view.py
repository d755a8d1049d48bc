"""The deployments that what is followed comes to: each the same object for as long as nothing changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.core.deployment import State
from trimtab.kubernetes.fields import text
from trimtab.targets.kubernetes.events import other_scaler_note
from trimtab.targets.kubernetes.translate import UNREADABLE, doubtful

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.errors import WorldError
    from trimtab.targets.kubernetes.events import Note
    from trimtab.targets.kubernetes.followed import Followed
    from trimtab.targets.kubernetes.translate import Workload

PIECE = 200
"""Deployments gone through before others get their turn: about a millisecond."""


class _Shown(NamedTuple):
    workload: Workload
    other: str
    trouble: str
    deployment: Deployment


class View:
    """Puts together what watches tell, what was read by itself, and what else scales each workload.

    A watch may be behind what was read by itself: the newer of the two counts, until the watch has it too.
    """

    def __init__(
        self, followed: Followed, *, on_other_scaler: Callable[[Workload, Note], None]
    ) -> None:
        self._followed = followed
        self._on_other_scaler = on_other_scaler
        self._shown: dict[str, _Shown] = {}
        self._alone: dict[str, Workload] = {}

    def alone(self, name: str) -> Workload | None:
        """Return a workload as it was last read by itself, if no watch has shown it since."""
        return self._alone.get(name)

    def put(self, workload: Workload) -> None:
        """Take in a workload that was just read by itself."""
        self._alone[workload.deployment.name] = workload

    def lose(self, name: str) -> None:
        """Take in that a workload is no more."""
        self._alone.pop(name, None)
        self._shown.pop(name, None)

    def shown(self, workload: Workload, trouble: WorldError | None = None) -> Deployment:
        """Return the deployment that a workload is, with what else scales it."""
        name = workload.deployment.name
        other = self._followed.scaled().get(workload.scaled, "")
        said = "" if trouble is None else str(trouble)
        known = self._shown.get(name)
        if known is not None and known[:3] == (workload, other, said):
            return known.deployment
        if other and (known is None or known.other != other):
            self._on_other_scaler(workload, other_scaler_note(other))
        deployment = workload.deployment
        if other:
            deployment = replace(deployment, other_scaler=other)
        if trouble is not None:
            deployment = doubtful(deployment, trouble)
        self._shown[name] = _Shown(workload, other, said, deployment)
        return deployment

    def checked(self, workload: Workload, count: int | None, scale: Mapping[str, Any]) -> Workload:
        """Return a workload of a custom kind, held if its ``scale`` says another count than it does itself."""
        own = workload.deployment.desired_replicas
        is_same_version = text(scale, "metadata", "resourceVersion") == workload.version
        if count == own or not is_same_version:
            return workload
        message = (
            f"its scale says {count} replicas and the path in the settings {own}; set the path that its "
            "definition names"
        )
        held = replace(
            workload.deployment,
            state=State.UNKNOWN,
            state_text=UNREADABLE,
            status_message=message,
        )
        return replace(workload, deployment=held)

    async def fleet(self) -> Mapping[str, Deployment]:
        """Return all deployments. Raises ``KubernetesError`` when nothing can be seen."""
        followed = self._followed
        followed.raise_if_blind()
        troubles = [followed.trouble(one) for one in followed.collections]
        fleet: dict[str, Deployment] = {}
        for one, trouble in zip(followed.collections, troubles, strict=True):
            for number, listed in enumerate(one.workloads.values()):
                if number % PIECE == PIECE - 1:
                    await asyncio.sleep(0)
                name = listed.deployment.name
                fleet[name] = self.shown(self._newer(name, listed), trouble)
        for name in self._shown.keys() - fleet.keys():
            del self._shown[name]
        for name in self._alone.keys() - fleet.keys():
            del self._alone[name]
        return fleet

    def _newer(self, name: str, listed: Workload) -> Workload:
        alone = self._alone.get(name)
        if alone is None:
            return listed
        if _order(alone.version) > _order(listed.version):
            return alone
        if alone.version != listed.version:
            del self._alone[name]
            return listed
        # The same version: what the target was told by itself has been checked against its scale.
        return alone if alone.deployment.state is State.UNKNOWN else listed


def _order(version: str) -> int:
    """Return versions in the order in which they came (KEP-5504 lets clients compare them); junk is oldest."""
    return int(version) if version.isascii() and version.isdecimal() else -1
