"""The fleet as the engine has been told of it: what was read comes in by portions.

A listing may change ten thousand deployments at once. Were the engine shown them all at once, one
evaluation would look at them all; so each evaluation is shown those that it is about and a few more.
What the engine sees between two evaluations never changes, which is what makes a replay exact.
"""

from __future__ import annotations

from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.service.fleet import FleetChanges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.service.fleet import Fleet

MORE_MAX = 32
"""Deployments shown with an evaluation that it is not about."""


class ToldFleet:
    """Follows a ``Fleet``, by portions and in the order in which it changed."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._deployments: dict[str, Deployment] = {}
        self._waiting: dict[str, None] = {}
        self.deployments: Mapping[str, Deployment] = MappingProxyType(self._deployments)
        """Every deployment that the engine was shown. Changes in ``advance`` only."""

    @property
    def is_behind(self) -> bool:
        """Whether more has changed than was shown."""
        return bool(self._waiting)

    def advance(self, names: Iterable[str], more: int = MORE_MAX) -> FleetChanges:
        """Show what changed of ``names``, and at most ``more`` of what else did; return what it was."""
        fresh = self._fleet.take_changes()
        waiting = self._waiting
        waiting.update(dict.fromkeys((*fresh.changed, *fresh.gone)))
        if not waiting:
            return FleetChanges()
        shown = [name for name in names if name in waiting]
        for name in shown:
            del waiting[name]
        for name in tuple(islice(waiting, more)):
            del waiting[name]
            shown.append(name)
        changed: list[str] = []
        gone: list[str] = []
        for name in shown:
            deployment = self._fleet.deployments.get(name)
            if deployment is None:
                self._deployments.pop(name, None)
                gone.append(name)
            else:
                self._deployments[name] = deployment
                changed.append(name)
        return FleetChanges(changed=tuple(changed), gone=tuple(gone))
