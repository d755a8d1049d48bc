"""Accelerators that several deployments share: who gets a replica when there are not enough for all.

As the control plane has it: what is held stays held, what is asked for beyond a quota is accepted and
stays pending, and draining replicas count no more. Accelerators that are given back go to whoever has
waited longest. Nobody is refused: a refusal would only be asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Grants:
    """How many of the replicas asked for each deployment has been granted. No quota grants all.

    ``quotas`` are accelerators by the name of the pool that they are counted in.
    """

    def __init__(self, quotas: Mapping[str, int]) -> None:
        self._quotas = dict(quotas)
        self._granted: dict[str, int] = {}
        self._per_replica: dict[str, int] = {}
        self._members: dict[str, list[str]] = {pool: [] for pool in quotas}
        self._pools: dict[str, tuple[str, ...]] = {}
        self._starving: dict[str, None] = {}  # the longest first

    def hold(
        self, name: str, replicas: int, accelerators_per_replica: int, pools: Iterable[str]
    ) -> None:
        """Begin with these replicas, quota or not. They count in those ``pools`` that have a quota."""
        self._granted[name] = replicas
        self._per_replica[name] = accelerators_per_replica
        self._pools[name] = tuple(pool for pool in pools if pool in self._quotas)
        for pool in self._pools[name]:
            self._members[pool].append(name)

    def share(self, asked: Mapping[str, int]) -> dict[str, int]:
        """Return the new grants of those whose grant changes, now that ``asked`` is asked for."""
        if not self._quotas:
            changed = {n: count for n, count in asked.items() if count != self._granted[n]}
            self._granted.update(changed)
            return changed
        before = dict(self._granted)
        for name, count in asked.items():
            if count <= self._granted[name]:
                self._granted[name] = count
                self._starving.pop(name, None)
            else:
                self._starving.setdefault(name)
        for name in list(self._starving):
            self._grant(name, asked[name])
        return {name: n for name, n in self._granted.items() if n != before[name]}

    def _grant(self, name: str, asked: int) -> None:
        granted = asked
        for pool in self._pools[name]:
            room = max(0, self._quotas[pool] - self._used(pool)) // self._per_replica[name]
            granted = min(granted, self._granted[name] + room)
        self._granted[name] = granted
        if granted == asked:
            del self._starving[name]

    def _used(self, pool: str) -> int:
        return sum(self._granted[one] * self._per_replica[one] for one in self._members[pool])
