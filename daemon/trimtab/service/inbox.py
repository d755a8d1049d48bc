"""Samples on their way from the sources to the next evaluation of their deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.signals import FUTURE_TOLERANCE_SECONDS, is_believable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trimtab.clock import Clock
    from trimtab.core.signals import Sample

SAMPLES_MAX = 200_000
"""Signals of deployments that may wait. Beyond it polled ones are dropped and counted, and no pushed
one is accepted: those that were, were acknowledged, and are never dropped."""


class Inbox:
    """The newest sample of each signal of each deployment.

    The engine looks at no other: it keeps the latest of each signal, and what counts up is a rate
    before it gets here. So an older one that makes room is nothing lost, and what waits is bounded by
    how many signals there are, not by how fast they are heard. A sample that the engine would not
    believe takes no other's place.
    """

    def __init__(self, clock: Clock, samples_max: int = SAMPLES_MAX) -> None:
        self._clock = clock
        self._waiting: dict[str, dict[str, Sample]] = {}
        self._count = 0
        self._pushed_max = samples_max
        self._samples_max = samples_max
        self.dropped = 0

    @property
    def room(self) -> int:
        """How many pushed samples could be accepted now, whatever they are about."""
        return self._pushed_max - self._count

    def add(self, samples: Iterable[Sample]) -> None:
        """Keep what was polled, as far as there is room, and count the rest."""
        latest_at = self._clock.now() + FUTURE_TOLERANCE_SECONDS
        for sample in samples:
            has_room = self._count < self._samples_max
            if not (has_room or sample.signal in self._waiting.get(sample.deployment, ())):
                self.dropped += 1
                continue
            self._keep(sample, latest_at)

    def accept(self, samples: Sequence[Sample]) -> bool:
        """Take pushed samples, all or, where there is no room, none."""
        if len(samples) > self.room:
            return False
        latest_at = self._clock.now() + FUTURE_TOLERANCE_SECONDS
        for sample in samples:
            self._keep(sample, latest_at)
        return True

    def take(self, names: Iterable[str]) -> list[Sample]:
        """Remove and return what waits for these deployments."""
        taken: list[Sample] = []
        for name in names:
            found = self._waiting.pop(name, None)
            if found is not None:
                taken.extend(found.values())
        self._count -= len(taken)
        return taken

    def _keep(self, sample: Sample, latest_at: float) -> None:
        if not is_believable(sample.value) or sample.time > latest_at:
            return
        of_deployment = self._waiting.setdefault(sample.deployment, {})
        before = of_deployment.get(sample.signal)
        if before is None:
            self._count += 1
        elif sample.time < before.time:
            return
        of_deployment[sample.signal] = sample
