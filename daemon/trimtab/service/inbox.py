"""Samples on their way from the sources to the next evaluation of their deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.signals import FUTURE_TOLERANCE_SECONDS, is_believable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.core.signals import Sample

SAMPLES_MAX = 200_000
"""Signals of deployments that may wait. Beyond it polled ones are dropped and counted, and no pushed
one is accepted: those that were, were acknowledged, and are never dropped."""


class Accepted(NamedTuple):
    """The deployments to wake, as samples may move them, and how many samples moved none."""

    woken: Sequence[str]
    quiet: int


class Taken(NamedTuple):
    """Samples for the next step, and until when others like them upheld what was wished last."""

    samples: Sequence[Sample]
    upheld: Mapping[str, float]


def always(sample: Sample) -> bool:  # noqa: ARG001  the signature of who knows better
    """Every sample may move something."""
    return True


class Inbox:
    """The newest sample of each signal of each deployment, until the deployment is looked at.

    The engine looks at no other: it keeps the latest of each signal, and what counts up is a rate
    before it gets here. So an older one that makes room is nothing lost, and what waits is bounded by
    how many signals there are, not by how fast they are heard. A sample that the engine would not
    believe takes no other's place.

    Pushed samples that move nothing (``Engine.is_moved_by``) wait without anybody being woken; what
    they upheld, and until when, is told as well.
    """

    def __init__(self, clock: Clock, samples_max: int = SAMPLES_MAX) -> None:
        self._clock = clock
        self._waiting: dict[str, dict[str, Sample]] = {}
        self._moved: set[str] = set()
        self._upheld: dict[str, float] = {}
        self._count = 0
        self._pushed_max = samples_max
        self._samples_max = samples_max

    @property
    def waiting(self) -> int:
        """How many samples wait."""
        return self._count

    @property
    def room(self) -> int:
        """How many pushed samples could be accepted now, whatever they are about."""
        return self._pushed_max - self._count

    def add(self, samples: Iterable[Sample]) -> int:
        """Keep what was polled, as far as there is room; return how many were dropped."""
        dropped = 0
        latest_at = self._clock.now() + FUTURE_TOLERANCE_SECONDS
        for sample in samples:
            has_room = self._count < self._samples_max
            if not (has_room or sample.signal in self._waiting.get(sample.deployment, ())):
                dropped += 1
                continue
            if _is_believed(sample, latest_at):
                self._moved.add(sample.deployment)
                self._keep(sample)
        return dropped

    def accept(
        self, samples: Sequence[Sample], is_moving: Callable[[Sample], bool] = always
    ) -> Accepted | None:
        """Take pushed samples, all or, where there is no room, none (``None``)."""
        if len(samples) > self.room:
            return None
        now = self._clock.now()
        latest_at = now + FUTURE_TOLERANCE_SECONDS
        woken: dict[str, None] = {}
        quiet = 0
        for sample in samples:
            name = sample.deployment
            if not _is_believed(sample, latest_at):
                continue
            if name in self._moved or is_moving(sample):
                self._moved.add(name)
                woken[name] = None
            else:
                self._upheld[name] = now
                quiet += 1
            self._keep(sample)
        return Accepted(tuple(woken), quiet)

    def leave(self, is_left: Callable[[str], bool]) -> None:
        """Forget of such deployments what upheld their last wish: another member decides for them.

        What was heard last stays, for the day they come back.
        """
        for name in [name for name in self._upheld if is_left(name)]:
            del self._upheld[name]

    def take(self, names: Iterable[str]) -> Taken:
        """Remove and return what waits for these deployments."""
        samples: list[Sample] = []
        upheld: dict[str, float] = {}
        for name in names:
            samples.extend(self._waiting.pop(name, {}).values())
            self._moved.discard(name)
            if name in self._upheld:
                upheld[name] = self._upheld.pop(name)
        self._count -= len(samples)
        return Taken(samples, upheld)

    def _keep(self, sample: Sample) -> None:
        of_deployment = self._waiting.setdefault(sample.deployment, {})
        before = of_deployment.get(sample.signal)
        if before is None:
            self._count += 1
        elif sample.time < before.time:
            return
        of_deployment[sample.signal] = sample


def _is_believed(sample: Sample, latest_at: float) -> bool:
    """As the engine judges it: what is no load, or ahead of time, counts for nothing here either."""
    return is_believable(sample.value) and sample.time <= latest_at
