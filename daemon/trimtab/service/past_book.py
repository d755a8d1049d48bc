"""What was told of the past, and what is heard while it is being learned from: numbers side by side.

Two weeks of a signal are some five thousand values: 80 kB as they are kept here, for as long as that takes.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import TYPE_CHECKING

from trimtab.core.past import PastValue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.signals import Sample
    from trimtab.sources.port import PastSeries

HEARD_STEP_SECONDS = 15.0
"""What is heard oftener than this is thinned: strategies learn in steps of so much."""

HEARD_VALUES_MAX = 5760
"""A day of what is heard of one signal. Learning that takes longer has come too late anyway."""


class PastBook:
    """Values by deployment and signal, in order of time. Holds nothing of whom it was not opened for."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], list[tuple[float, array[float]]]] = {}
        self._heard: dict[str, dict[str, array[float]]] = {}

    def open_for(self, deployments: Iterable[str]) -> None:
        """Begin to keep what is heard of these."""
        for name in deployments:
            self._heard[name] = {}

    def close(self) -> None:
        """Let go of everything."""
        self._told.clear()
        self._heard.clear()

    def take(self, series: PastSeries, step_seconds: float) -> None:
        """Keep what was told, each value for the step that it ends."""
        kept = self._told.setdefault((series.deployment, series.signal), [])
        kept.append((step_seconds, array("d", chain.from_iterable(series.points))))

    def hear(self, samples: Iterable[Sample]) -> None:
        """Keep what is heard now."""
        if not self._heard:
            return
        for sample in samples:
            signals = self._heard.get(sample.deployment)
            if signals is None:
                continue
            kept = signals.setdefault(sample.signal, array("d"))
            is_new = not kept or sample.time >= kept[-2] + HEARD_STEP_SECONDS
            if is_new and len(kept) < 2 * HEARD_VALUES_MAX:
                kept.extend((sample.time, sample.value))

    def values(self, deployment: str, signal: str, held_seconds: float) -> list[PastValue]:
        """Return what is known of one signal. What was heard held for ``held_seconds`` at most.

        Times that come twice, or run backwards, count once: the first that was told.
        """
        values: list[PastValue] = []
        last = float("-inf")
        told = self._told.get((deployment, signal), [])
        heard = self._heard.get(deployment, {}).get(signal, array("d"))
        for held, numbers in (*told, (held_seconds, heard)):
            for place in range(0, len(numbers), 2):
                time = numbers[place]
                if time > last:
                    values.append(PastValue(time, numbers[place + 1], min(held, time - last)))
                    last = time
        return values
