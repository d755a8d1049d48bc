"""Whom a push is about: deployments by full name or id, and the signals policies want of the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.engine import Engine
    from trimtab.core.policy import Policy
    from trimtab.core.signals import SignalSpec
    from trimtab.service.fleet import Fleet


class FleetDirectory:
    """The fleet and the policies in force, as one push source needs them."""

    def __init__(self, source: str, *, engine: Engine, fleet: Fleet) -> None:
        self._source = source
        self._engine = engine
        self._fleet = fleet
        self._version = 0
        self._policies: tuple[Policy, ...] | None = None
        self._roster_version: int | None = None
        self._ids: dict[str, str | None] | None = None
        self._signals: dict[str, tuple[SignalSpec, ...]] = {}

    @property
    def version(self) -> int:
        """Rises when the policies changed, the names of the fleet, or who matches whom."""
        policies, roster_version = self._engine.policies, self._fleet.roster_version
        if policies is not self._policies or roster_version != self._roster_version:
            self._policies, self._roster_version = policies, roster_version
            self._ids = None
            self._signals = {}
            self._version += 1
        return self._version

    def find(self, text: str) -> str | None:
        """Return the full name of the deployment that ``text`` names in full, or by an id only it has."""
        if text in self._fleet.deployments:
            return text
        if self._ids is None:
            self._ids = {}
            for name in self._fleet.deployments:
                short = name.rpartition("/")[2]
                self._ids[short] = None if short in self._ids else name
        return self._ids.get(text)

    def deployments(self) -> Iterable[str]:
        """Return the full names of all deployments."""
        return self._fleet.deployments.keys()

    def signals(self, deployment: str) -> tuple[SignalSpec, ...]:
        """Return what policies declare of this source for a deployment; nothing for one not known."""
        found = self._signals.get(deployment)
        if found is None:
            known = self._fleet.deployments.get(deployment)
            policies = () if known is None else self._engine.policies_for(known)
            found = self._signals[deployment] = tuple(
                spec
                for policy in policies
                for spec in policy.signals
                if spec.source == self._source
            )
        return found
