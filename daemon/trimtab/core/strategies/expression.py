"""``expression``: as many replicas as a formula over signals, deployment and time comes to.

What the formula is written in is the business of the port (``core/expressions``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from trimtab.core.expressions import edges_of
from trimtab.core.proposals import REPLICAS_MAX, Wish
from trimtab.core.strategies.rounding import whole_up

if TYPE_CHECKING:
    from trimtab.core.expressions import Program
    from trimtab.core.proposals import JsonValue, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Ask for what ``program`` comes to: rounded up to whole replicas, and 0 for what is negative.

    Without a value (a signal is missing, a division by zero, a number that is no count) it cannot
    tell. A signal that the formula tests for (``has``) keeps its missing-data contract all the same.
    """

    program: Program

    @property
    def signals(self) -> tuple[str, ...]:
        """What the formula mentions."""
        return self.program.signals

    def propose(self, view: View, memory: JsonValue) -> Wish:  # noqa: ARG002  the interface
        """Evaluate the formula on what is known now."""
        answer = self.program.evaluate(view)
        value = answer.value
        if value is None:
            return Wish(replicas=None, sentence=answer.sentence)
        if isinstance(value, bool) or not isfinite(value) or value > REPLICAS_MAX:
            return Wish(replicas=None, sentence=f"{answer.sentence}, which is no count of replicas")
        wanted = whole_up(value)
        is_whole = value == wanted
        return Wish(
            replicas=wanted,
            sentence=answer.sentence if is_whole else f"{answer.sentence}: wants {wanted}",
        )

    def edges(self, now: float, memory: JsonValue) -> tuple[float, ...]:  # noqa: ARG002  the interface
        """When a value of the time that it reads may change next."""
        return edges_of(self.program, now)
