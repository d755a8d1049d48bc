"""Whom a push is about: deployments by full name or id, and the signals policies want of the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.clock import Clock
    from trimtab.core.deployment import Deployment
    from trimtab.core.engine import Engine
    from trimtab.core.policy import Policy
    from trimtab.core.signals import SignalSpec
    from trimtab.service.fleet import Fleet

LOOK_SECONDS = 0.1
"""New names in the fleet are noticed this soon; comparing them at each push would cost too much."""

FORGET_SECONDS = 60.0
"""A deployment that other policies match since it was changed is noticed this soon."""


class FleetDirectory:
    """The fleet and the policies in force, as one push source needs them."""

    def __init__(self, clock: Clock, source: str, *, engine: Engine, fleet: Fleet) -> None:
        self._clock = clock
        self._source = source
        self._engine = engine
        self._fleet = fleet
        self._version = 0
        self._policies: tuple[Policy, ...] | None = None
        self._seen: Mapping[str, Deployment] = {}
        self._looked_at: float | None = None
        self._changed_at: float | None = None
        self._ids: dict[str, str | None] | None = None
        self._signals: dict[str, tuple[SignalSpec, ...]] = {}

    @property
    def version(self) -> int:
        """Rises when the policies or the names of the fleet changed."""
        now = self._clock.monotonic()
        if self._engine.policies is not self._policies:
            self._begin_anew(now)
        elif not self._seen or self._looked_at is None or now - self._looked_at >= LOOK_SECONDS:
            self._look(now)
        return self._version

    def find(self, text: str) -> str | None:
        """Return the full name of the deployment that ``text`` names in full, or by an id only it has."""
        if text in self._seen:
            return text
        if self._ids is None:
            self._ids = {}
            for name in self._seen:
                short = name.rpartition("/")[2]
                self._ids[short] = None if short in self._ids else name
        return self._ids.get(text)

    def deployments(self) -> Iterable[str]:
        """Return the full names of all deployments."""
        return self._seen.keys()

    def signals(self, deployment: str) -> tuple[SignalSpec, ...]:
        """Return what policies declare of this source for a deployment; nothing for one not known."""
        found = self._signals.get(deployment)
        if found is None:
            known = self._seen.get(deployment)
            policies = () if known is None else self._engine.policies_for(known)
            found = self._signals[deployment] = tuple(
                spec
                for policy in policies
                for spec in policy.signals
                if spec.source == self._source
            )
        return found

    def _look(self, now: float) -> None:
        self._looked_at = now
        fleet = self._fleet.deployments
        if fleet is self._seen:
            return
        is_old = self._changed_at is None or now - self._changed_at >= FORGET_SECONDS
        if is_old or fleet.keys() != self._seen.keys():
            self._begin_anew(now)

    def _begin_anew(self, now: float) -> None:
        self._policies = self._engine.policies
        self._seen = self._fleet.deployments
        self._looked_at = self._changed_at = now
        self._ids = None
        self._signals = {}
        self._version += 1
