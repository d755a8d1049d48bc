"""``target``: as many replicas as bring a signal to its target, in proportion.

The rule of the Kubernetes Horizontal Pod Autoscaler (v2): the count follows the ratio of the signal
to its target, with no move while that is within a tolerance of 1. Replicas that are not in an average
are filled in against the move: before more are asked for, those that do not serve yet and those that
do not report count as idle; before fewer are, those that do not report count as busy. Filling in can
cancel a move, never turn it around.

Where the HPA follows an overloaded value down because most replicas are not ready yet, or up on an
underloaded one, this stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.proposals import Wish
from trimtab.core.signals import Per
from trimtab.core.strategies.rounding import ROUNDING, counts_as, whole_up
from trimtab.core.strategies.stride import NO_STRIDE, Stride

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View
    from trimtab.core.signals import Reading


class Basis(StrEnum):
    """What a reading is: an average over replicas, a total over them, or one value for them all."""

    AVERAGE = "average"
    TOTAL = "total"
    VALUE = "value"


class Tolerance(NamedTuple):
    """How far the signal may be above and below its target, as shares of it, without a move."""

    up: float
    down: float


HPA_TOLERANCE = Tolerance(up=0.1, down=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Keep ``signal`` at ``target``: per replica, or for all of them with ``Basis.VALUE``.

    ``basis`` ``None`` is told from the signal: one that is counted ``per: replica`` is an average,
    one that is counted ``per: deployment`` a total. ``full_at`` is what a replica at full load shows
    (100 for a utilisation in per cent): as busy as that, or as the target if that is more, counts
    who does not report when fewer are to be asked for. ``target`` 0 takes the reading itself for the
    ratio (Nomad), whatever the basis: 0 lets every replica go.
    """

    signal: str
    target: float
    basis: Basis | None = None
    tolerance: Tolerance = HPA_TOLERANCE
    full_at: float | None = None
    stride: Stride = NO_STRIDE

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it steers by."""
        return (self.signal,)

    def propose(self, view: View, memory: JsonValue) -> Wish:  # noqa: ARG002  the interface
        """Scale the count by the ratio of the signal to its target."""
        reading = view.readings[self.signal]
        if reading.value is None:
            return Wish(replicas=None, sentence=f"{self.signal} is {reading.freshness}")
        basis = self._basis(reading)
        if basis is Basis.AVERAGE:
            wish = self._from_average(view, reading.value, reading.replicas)
        elif basis is Basis.TOTAL:
            wish = self._from_total(view, reading.value)
        else:
            wish = self._from_value(view, reading.value)
        return wish if self.stride is NO_STRIDE else self.stride.shorten(wish, view.current)

    def steady_range(self, view: View) -> tuple[float, float] | None:
        """Return the values that ask for as many, unless replicas are on their way or do not report."""
        reading = view.readings[self.signal]
        current, ready, value = view.current, view.ready, reading.value
        if value is None or self.target <= 0:
            return None
        unit = self.target
        if self._basis(reading) is not Basis.TOTAL:
            is_settled = 0 < current == ready and reading.replicas in (None, ready)
            if not is_settled:
                return None
            unit = self.target / current
        if current == 0:
            return counts_as(value, unit, None)
        on_target = self.tolerance
        kept = (unit * current * (1 - on_target.down), unit * current * (1 + on_target.up))
        return counts_as(value, unit, kept)

    def _basis(self, reading: Reading) -> Basis:
        if self.target == 0:
            return Basis.VALUE
        if self.basis is not None:
            return self.basis
        return Basis.AVERAGE if reading.spec.per is Per.REPLICA else Basis.TOTAL

    def _from_average(self, view: View, average: float, reporting: int | None) -> Wish:
        ready, current = view.ready, view.current
        covered = ready if reporting is None else min(reporting, ready)
        if covered == 0:
            who = "no replica serves" if ready == 0 else f"none of {ready} ready replicas reports"
            return Wish(replicas=None, sentence=f"{who}, so {self.signal} per replica says nothing")
        ratio = average / self.target
        silent, coming = ready - covered, max(0, current - ready)
        load = f"{self.signal} {average:.4g} on each of {covered} ready, target {self.target:.4g}"
        if silent == 0 and (coming == 0 or ratio <= 1):
            if self._is_on_target(ratio):
                kept = f"{load}: within tolerance, keeps {current}"
                return Wish(replicas=current, sentence=kept, load=ratio * covered)
            wanted = whole_up(ratio * covered)
            return Wish(replicas=wanted, sentence=f"{load}: wants {wanted}", load=ratio * covered)
        # In replicas' worth of load, with those who are not in the average filled in.
        worth, counted = ratio * covered, covered + silent
        if ratio > 1:
            counted += coming
            filled = f"the {_in_words(silent, coming)} will do"
        else:
            each = max(1.0, (self.full_at or 0.0) / self.target)
            worth += silent * each
            filled = f"the {silent} that do not report count as {each * self.target:.4g}"
        wanted = whole_up(worth)
        if self._is_cancelled(ratio, worth / counted, wanted, current):
            return Wish(replicas=current, sentence=f"{load}: {filled}, keeps {current}")
        return Wish(replicas=wanted, sentence=f"{load}: wants {wanted}", load=worth)

    def _is_cancelled(self, ratio: float, refilled: float, wanted: int, current: int) -> bool:
        """Whether the filled-in ratio no longer speaks for a move the way the measured one does."""
        if self._is_on_target(refilled) or (refilled > 1) is not (ratio > 1):
            return True
        return wanted < current if ratio > 1 else wanted > current

    def _from_total(self, view: View, total: float) -> Wish:
        current = view.current
        worth = total / self.target
        wanted = whole_up(worth)
        load = f"{self.signal} {total:.4g} in all, target {self.target:.4g} a replica"
        if current > 0 and self._is_on_target(worth / current):
            kept = f"{load}: within tolerance, keeps {current}"
            return Wish(replicas=current, sentence=kept, load=worth)
        return Wish(replicas=wanted, sentence=f"{load}: wants {wanted}", load=worth)

    def _from_value(self, view: View, value: float) -> Wish:
        current, ready = view.current, view.ready
        ratio = value / self.target if self.target > 0 else value
        load = f"{self.signal} {value:.4g}, target {self.target:.4g}"
        if current == 0:
            wanted = whole_up(ratio)
            return Wish(replicas=wanted, sentence=f"{load}: wants {wanted}")
        if self._is_on_target(ratio):
            return Wish(replicas=current, sentence=f"{load}: within tolerance, keeps {current}")
        if ready == 0:
            sentence = f"no replica serves, so {self.signal} says nothing of how many it takes"
            return Wish(replicas=None, sentence=sentence)
        wanted = whole_up(ratio * ready)
        if wanted < current if ratio > 1 else wanted > current:
            sentence = f"{load}: wants {wanted} of {ready} ready, keeps the {current} asked for"
            return Wish(replicas=current, sentence=sentence)
        return Wish(replicas=wanted, sentence=f"{load} with {ready} ready: wants {wanted}")

    def _is_on_target(self, ratio: float) -> bool:
        low, high = 1 - self.tolerance.down, 1 + self.tolerance.up
        return low - ROUNDING <= ratio <= high + ROUNDING


def _in_words(silent: int, coming: int) -> str:
    parts = [f"{coming} on their way"] if coming else []
    parts += [f"{silent} that do not report"] if silent else []
    return " and the ".join(parts)
