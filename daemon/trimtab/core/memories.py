"""What is remembered of each deployment, with all that a step would else have to walk the fleet for.

Which names were touched, who is stuck, and who vanished are kept as they change. The last two follow
from the memories themselves, so that a restart and a replay begin with the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.signals import FUTURE_TOLERANCE_SECONDS, Latest, is_believable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.proposals import JsonValue
    from trimtab.core.signals import Sample

GONE_SECONDS = 3600.0
"""How long a deployment that vanished is remembered, in case a list was merely incomplete."""


class Memories:
    """Memories by full name. Nothing here walks them all, except to begin.

    ``is_by_this_clock`` as soon as their times are told by the clock of this run (``core/set_back.py``).
    """

    __slots__ = ("_by_name", "_stuck", "_touched", "_vanished", "is_by_this_clock")

    def __init__(self, memories: Mapping[str, DeploymentMemory]) -> None:
        self.is_by_this_clock = False
        self._by_name = dict(memories)
        self._touched: dict[str, None] = {}
        self._stuck = {name for name, one in memories.items() if one.watched.stuck_at is not None}
        gone = [(one.gone_at, name) for name, one in memories.items() if one.gone_at is not None]
        self._vanished = {name: at for at, name in sorted(gone)}  # the longest gone first

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def get(self, name: str) -> DeploymentMemory | None:
        """Return what is remembered of ``name``."""
        return self._by_name.get(name)

    @property
    def by_name(self) -> Mapping[str, DeploymentMemory]:
        """Every memory; live."""
        return self._by_name

    @property
    def stuck(self) -> Collection[str]:
        """The names of those whose replicas do not come, in no order; live."""
        return self._stuck

    def keep(self, name: str, memory: DeploymentMemory) -> None:
        """Remember ``memory`` in place of what was remembered of ``name``."""
        if self._by_name.get(name) is memory:
            return
        self._by_name[name] = memory
        self._touched[name] = None
        if memory.watched.stuck_at is not None:
            self._stuck.add(name)
        elif name in self._stuck:
            self._stuck.remove(name)
        if memory.gone_at is not None:
            self._vanished[name] = memory.gone_at
        elif name in self._vanished:
            del self._vanished[name]

    def remember(self, name: str, rule: str, remembered: JsonValue) -> None:
        """Keep what a rule of ``name`` remembers, if anything is remembered of it at all."""
        memory = self._by_name.get(name)
        if memory is not None:
            self.keep(name, memory._replace(rules={**memory.rules, rule: remembered}))

    def forget_vanished(self, now: float, there: Mapping[str, object]) -> None:
        """Forget those that vanished ``GONE_SECONDS`` ago or earlier and are not ``there`` again."""
        over: list[str] = []
        for name, gone_at in self._vanished.items():
            if now - gone_at < GONE_SECONDS:
                break
            if name not in there:
                over.append(name)
        for name in over:
            del self._vanished[name], self._by_name[name]
            self._stuck.discard(name)
            self._touched[name] = None

    def forget(self, names: Iterable[str]) -> None:
        """Forget these at once, as if they had never been."""
        for name in names:
            if self._by_name.pop(name, None) is not None:
                self._touched[name] = None
            self._vanished.pop(name, None)
            self._stuck.discard(name)

    def hear(self, now: float, samples: Iterable[Sample]) -> None:
        """Keep the newest believable sample of each signal; whatever is not, never happened."""
        for name, latest in self.heard(now, samples).items():
            self.keep(name, self._by_name[name]._replace(latest=latest))

    def heard(self, now: float, samples: Iterable[Sample]) -> dict[str, dict[str, Latest]]:
        """Return the newest believable samples, by deployment and signal, of those that there are new ones of."""
        fresh: dict[str, dict[str, Latest]] = {}
        for deployment, signal, time, value, replicas in samples:
            if not is_believable(value) or time > now + FUTURE_TOLERANCE_SECONDS:
                continue
            latest = fresh.get(deployment)
            if latest is None:
                memory = self._by_name.get(deployment)
                if memory is None:
                    continue
                latest = fresh[deployment] = dict(memory.latest)
            before = latest.get(signal)
            if before is None or time >= before.time:
                latest[signal] = Latest(time, value, replicas)
        return fresh

    def take_touched(self) -> tuple[str, ...]:
        """Return whose memory began, changed or went since the last call, in that order, each once."""
        touched = tuple(self._touched)
        self._touched.clear()
        return touched
