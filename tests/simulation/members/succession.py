"""What whoever takes a bucket over owes it: attention at once, and the memory of its last owner."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.members.roads import LOAD_A_REPLICA

if TYPE_CHECKING:
    from tests.simulation.members.audit import Bounds
    from tests.simulation.members.world import MembersWorld

SLACK_SECONDS = 3.0
"""From the moment at which a tick is due until all of it is evaluated, by clocks that are a little wrong."""

NOTED_SECONDS = 1.0
"""Longer than it takes from a decision until the journal that all share has it."""

DRIFTED_SHARE = 0.9
"""A window counts for no less of its length, by whichever two clocks."""


class Attention:
    """Whether what is a member's is decided for by it, at each tick at least."""

    def __init__(self, world: MembersWorld) -> None:
        self._world = world
        self._since: dict[tuple[int, str, int], float] = {}
        self._decided_at: dict[tuple[int, str], float] = {}

    def decided(self, process: int, name: str) -> None:
        """A process has evaluated a deployment."""
        self._decided_at[process, name] = self._world.now()

    def look(self) -> None:
        """Complain of a deployment that its owner leaves alone."""
        world, now = self._world, self._world.now()
        longest_seconds = 2.0 * world.plan.tick_seconds + SLACK_SECONDS
        for run in world.alive():
            fleet, in_flight = run.daemon.fleet, run.daemon._deciding.actuator.in_flight
            known = fleet.deployments if fleet.is_known else {}
            for bucket, term in run.decides.items():
                for name in world.names_in(bucket):
                    if name not in known or name in in_flight:
                        self._decided_at[run.number, name] = now
                        continue
                    since = self._since.setdefault((run.number, name, term), now)
                    at = self._decided_at.get((run.number, name), 0.0)
                    idle_seconds = now - max(since, at, run.went_on_at)
                    if idle_seconds > longest_seconds:
                        text = f"{run.name} left it alone for {idle_seconds:.0f} s"
                        world.audit.violated("what is owned is decided for", name, text)


class _Decided(NamedTuple):
    at: float
    process: int
    wanted: int


class Recollections:
    """Whether a scale-down is held back by what was wanted before, whoever wanted it."""

    def __init__(self, world: MembersWorld) -> None:
        self._world = world
        self._heard: dict[tuple[int, str], tuple[float, float]] = {}
        self._heard_last: dict[str, float] = {}
        self._decided: dict[str, deque[_Decided]] = {}

    def heard_loads(self, process: int, names: Iterable[str]) -> None:
        """A process is told the loads of these."""
        for name in names:
            self._heard[process, name] = self._world.now(), self._world.loads[name]
            self._heard_last[name] = self._world.loads[name]

    def decided(self, process: int, name: str) -> None:
        """The owner of a deployment has evaluated it, by what it has heard of it."""
        now = self._world.now()
        heard_at, load = self._heard.get((process, name), (now, 0.0))
        # Where another heard something else since, it may be what is remembered of it that counts.
        if heard_at < now - 0.1 and load == self._heard_last[name]:
            one = _Decided(now, process, ceil(load / LOAD_A_REPLICA))
            self._decided.setdefault(name, deque(maxlen=500)).append(one)

    def check(self, process: int, name: str, before: Bounds, bounds: Bounds) -> None:
        """Complain of a scale-down below what was wanted within the window."""
        world, now = self._world, self._world.now()
        window_seconds = world.plan.down_stabilization_seconds
        if not world.plan.keeps_memory or bounds[0] >= before[0] or not window_seconds:
            return
        since = now - DRIFTED_SHARE * window_seconds + SLACK_SECONDS
        high = world.plan.range_of(name)[1]
        for one in self._decided.get(name, ()):
            if one.at < since or one.at > now - 2.0 * NOTED_SECONDS or self._may_be_lost(one):
                continue
            if bounds[0] < min(one.wanted, high):
                text = (
                    f"{world.run_of(process).name} wrote {bounds} over {before}, and {now - one.at:.1f} s "
                    f"before {world.run_of(one.process).name} wanted {one.wanted}"
                )
                world.audit.violated("a successor remembers", name, text)

    def _may_be_lost(self, one: _Decided) -> bool:
        struck = self._world.run_of(one.process).struck_at
        return any(0.0 <= at - one.at <= NOTED_SECONDS for at in struck)
