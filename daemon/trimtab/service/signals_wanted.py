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
        self._seen: tuple[tuple[Policy, ...], int, tuple[str, ...]] | None = None
        self._wanted: Mapping[str, tuple[SignalSpec, ...]] = {}

    async def now(self) -> Mapping[str, tuple[SignalSpec, ...]]:
        """Return the signals by full deployment name, those that want none left out.

        Also left out are deployments of targets that were not listed yet, though a few may be known: a
        poll for those few would keep the others waiting for a whole interval.
        """
        seen = (self._engine.policies, self._fleet.roster_version, self._fleet.unread)
        if seen != self._seen:
            self._wanted = await self._look()
            self._seen = seen  # of before the look: what changed during it is looked at next time
        return self._wanted

    async def _look(self) -> dict[str, tuple[SignalSpec, ...]]:
        wanted: dict[str, tuple[SignalSpec, ...]] = {}
        for number, name in enumerate(tuple(self._fleet.deployments)):
            if number and number % PIECE == 0:
                await asyncio.sleep(0)
            deployment = self._fleet.deployments.get(name)
            if deployment is None or not self._source.serves(name) or not self._is_listed(name):
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

    def _is_listed(self, name: str) -> bool:
        target = self._fleet.target_of(name)
        return target is not None and self._fleet.read_at(target.name) is not None
