"""Accelerators that several deployments share: who gets a replica when there are not enough for all.

As the control plane has it: what is held stays held, what is asked for beyond the quota is accepted and
stays pending, and draining replicas count no more. Accelerators that are given back go to whoever has
waited longest. Nobody is refused: a refusal would only be asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Grants:
    """How many of the replicas asked for each deployment has been granted. No quota grants all."""

    def __init__(self, accelerators: int | None) -> None:
        self._accelerators = accelerators
        self._granted: dict[str, int] = {}
        self._per_replica: dict[str, int] = {}
        self._starving: dict[str, None] = {}  # the longest first

    def hold(self, name: str, replicas: int, accelerators_per_replica: int) -> None:
        """Begin with these replicas, quota or not."""
        self._granted[name] = replicas
        self._per_replica[name] = accelerators_per_replica

    def share(self, asked: Mapping[str, int]) -> dict[str, int]:
        """Return the new grants of those whose grant changes, now that ``asked`` is asked for."""
        if self._accelerators is None:
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
        used = sum(n * self._per_replica[other] for other, n in self._granted.items())
        room = max(0, (self._accelerators or 0) - used) // self._per_replica[name]
        granted = min(asked, self._granted[name] + room)
        self._granted[name] = granted
        if granted == asked:
            del self._starving[name]
