"""``step``: fixed answers to how far a signal is off, each after its own number of breaches in a row.

Step scaling as AWS Auto Scaling and the Cloud Foundry App Autoscaler do it. A step is breached by a
sample above (or below) its bound; ``breaches`` samples in a row make it due. Of several that are due:

- on each side the one whose bound is furthest out counts, and of equal bounds the one that waited
  for more breaches;
- if a step above and a step below are due at once, the one that comes to more replicas.

A sample that does not breach, and data that is missing for longer than the signal allows, make the
count begin anew: missing is never a breach. So does a change of the count (``breaches.py``), so each
answer is judged by samples taken after it. While no step is due the rule abstains.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from trimtab.core.proposals import Wish
from trimtab.core.strategies.breaches import Breaches, sample_of
from trimtab.core.strategies.rounding import whole_down, whole_up

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View


class Side(StrEnum):
    """Which side of its bound a sample breaches. The bound itself is on neither."""

    ABOVE = "above"
    BELOW = "below"


class Adjustment(StrEnum):
    """What the amount of a step is: replicas more or fewer, per cent of the count, or the count."""

    CHANGE = "change"
    PERCENT = "percent"
    EXACT = "exact"


class StepAdjustment(NamedTuple):
    """One step: its bound, how many breaches in a row make it due (1 or more), and its answer."""

    side: Side
    bound: float
    breaches: int
    adjustment: Adjustment
    amount: int

    def is_breached(self, value: float) -> bool:
        """Whether a sample lies beyond the bound."""
        return value > self.bound if self.side is Side.ABOVE else value < self.bound

    @property
    def reach(self) -> tuple[float, int]:
        """How far out the step lies on its side; the largest of those due counts."""
        return (self.bound if self.side is Side.ABOVE else -self.bound), self.breaches

    def applied(self, current: int) -> int:
        """Return the count that the step makes of ``current``.

        A share is cut off to whole replicas and at least 1, as AWS Auto Scaling does.
        """
        match self.adjustment:
            case Adjustment.CHANGE:
                return whole_up(current + self.amount)
            case Adjustment.PERCENT:
                change = max(1, whole_down(current * abs(self.amount) / 100))
                return whole_up(current + change if self.amount > 0 else current - change)
            case Adjustment.EXACT:
                return self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Answer ``signal`` with the step that is due."""

    forgets_with_hardware: ClassVar[bool] = True
    """Breaches by replicas on other hardware say nothing of these."""

    signal: str
    steps: tuple[StepAdjustment, ...]

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it watches."""
        return (self.signal,)

    def propose(self, view: View, memory: JsonValue) -> Wish:
        """Count breaches in a row, and answer with the step that is due, if one is."""
        breaches = Breaches.recall(memory, len(self.steps)).at(view.current)
        sample = sample_of(view, self.signal)
        if sample is None:
            sentence = f"{self.signal} is {view.readings[self.signal].freshness}"
            return Wish(replicas=None, sentence=sentence, memory=breaches.forget().remember())
        time, value = sample
        if breaches.is_new(time):
            met = [step.is_breached(value) for step in self.steps]
            needed = [step.breaches for step in self.steps]
            breaches = breaches.take(time, met, needed, in_a_row=True)
        counts = [len(times) for times in breaches.times]
        due = self._due(counts, view.current)
        if due is None:
            return Wish(
                replicas=None,
                sentence=f"{self.signal} {value:.4g}: {self._progress(counts)}",
                memory=breaches.remember(),
                is_abstaining=True,
            )
        wanted = due.applied(view.current)
        sentence = (
            f"{self.signal} {value:.4g}, {due.side} {due.bound:.4g} in {due.breaches} "
            f"{'sample' if due.breaches == 1 else 'samples in a row'}: wants {wanted}"
        )
        return Wish(replicas=wanted, sentence=sentence, memory=breaches.remember())

    def _due(self, counts: list[int], current: int) -> StepAdjustment | None:
        due = [
            step for step, count in zip(self.steps, counts, strict=True) if count >= step.breaches
        ]
        furthest = [
            max((step for step in due if step.side is side), key=lambda step: step.reach)
            for side in Side
            if any(step.side is side for step in due)
        ]
        return max(furthest, key=lambda step: step.applied(current), default=None)

    def _progress(self, counts: list[int]) -> str:
        breached = [
            f"{step.side} {step.bound:.4g} in {count} of {step.breaches} samples"
            for step, count in zip(self.steps, counts, strict=True)
            if count
        ]
        return ", ".join(breached) or "no step is breached"
