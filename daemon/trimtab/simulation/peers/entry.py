"""A peer entered for a scenario: what is run is made from names and numbers, in whichever process it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.core.policy import Policy, Selector
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.peers.catalogue import find

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.simulation.peers.catalogue import Build
    from trimtab.simulation.peers.sizing import Sizing
    from trimtab.simulation.scaler import FleetScaler, Scaler
    from trimtab.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Entry:
    """The peer called ``peer``, by default or with the grid's value ``knob``, sized for each deployment.

    ``sizings`` are by the cases' names. Travels between processes; calling it makes a new scaler.
    """

    peer: str
    sizings: Mapping[str, Sizing]
    knob: str | None = None

    @property
    def build(self) -> Build:
        """What makes it. Raises ``ValueError`` for a peer or a value of its grid that there is not."""
        peer = find(self.peer)
        if self.knob is None:
            return peer.default
        if self.knob not in peer.grid:
            raise ValueError(
                f"{self.peer} is not tuned to {self.knob}; its values are {', '.join(peer.grid)}"
            )
        return peer.grid[self.knob]

    def __call__(self, scenario: Scenario) -> FleetScaler | Mapping[str, Scaler]:
        """Return what decides on the scenario's deployments, for one run.

        Raises ``ValueError`` where a deployment has no sizing.
        """
        missing = sorted(scenario.names - set(self.sizings))
        if missing:
            raise ValueError(f"{self.peer} has no sizing for {', '.join(missing)}; give it one")
        scalers: dict[str, Scaler] = {}
        policies: list[Policy] = []
        for case in scenario.cases:
            built = self.build(self.sizings[case.name])
            if isinstance(built, Policy):
                mine = replace(
                    built, name=f"{built.name}-{len(policies)}", selector=Selector(name=case.name)
                )
                policies.append(mine)
            else:
                scalers[case.name] = built
        if policies:
            return EngineScaler(
                policies, scenario, interval_seconds=find(self.peer).interval_seconds
            )
        return scalers
