"""Which signals of which deployments a source is to be asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.engine import Engine
    from trimtab.core.policy import Policy
    from trimtab.core.signals import SignalSpec
    from trimtab.service.fleet import Fleet
    from trimtab.sources.port import Source

PIECE = 500
"""Deployments looked at before others get their turn: about a millisecond."""


class SignalsWanted:
    """What the policies declare of one source, worked out again only when it may have changed."""

    def __init__(self, source: Source, *, engine: Engine, fleet: Fleet) -> None:
        self._source = source
        self._engine = engine
        self._fleet = fleet
        self._policies: tuple[Policy, ...] | None = None
        self._roster_version: int | None = None
        self._wanted: Mapping[str, tuple[SignalSpec, ...]] = {}

    async def now(self) -> Mapping[str, tuple[SignalSpec, ...]]:
        """Return the signals by full deployment name, those that want none left out."""
        policies, roster_version = self._engine.policies, self._fleet.roster_version
        if policies is not self._policies or roster_version != self._roster_version:
            self._wanted = await self._look()
            # Of before the look: what changed during it is looked at the next time.
            self._policies, self._roster_version = policies, roster_version
        return self._wanted

    async def _look(self) -> dict[str, tuple[SignalSpec, ...]]:
        wanted: dict[str, tuple[SignalSpec, ...]] = {}
        for number, name in enumerate(tuple(self._fleet.deployments)):
            if number and number % PIECE == 0:
                await asyncio.sleep(0)
            deployment = self._fleet.deployments.get(name)
            if deployment is None or not self._source.serves(name):
                continue
            specs = tuple(
                spec
                for policy in self._engine.policies_for(deployment)
                for spec in policy.signals
                if spec.source == self._source.name
            )
            if specs:
                wanted[name] = specs
        return wanted
