"""What a decision stands on, and which new samples would leave it standing.

A source that pushes tells the same over and over, a little more or less. Deciding on each of these costs
as much as deciding on those that matter. Sending only what differs enough from what was sent last is called
send-on-delta sampling (Miskowicz, Sensors 6, 2006); here nobody sends less, and what differs enough is
known exactly: the strategies say between which values of a signal their wish is the same.
"""

from __future__ import annotations

from math import inf, nextafter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.policy import Policy
    from trimtab.core.proposals import Proposal, View
    from trimtab.core.signals import Sample


class Range(NamedTuple):
    """Values from ``low`` to ``high``, both included."""

    low: float
    high: float


NO_VALUE = Range(inf, -inf)
ABOVE_ZERO = nextafter(0.0, 1.0)


class Footing:
    """The policy and the view that the last decision on one deployment rested on, and what its rules proposed.

    What it says holds for as long as nothing but samples is new: whatever else happens to a deployment
    is followed by a decision, and that by another footing.
    """

    __slots__ = ("_ranges", "policy", "proposals", "view")

    def __init__(self, policy: Policy, view: View, proposals: tuple[Proposal, ...] = ()) -> None:
        self.policy = policy
        self.view = view
        self.proposals = proposals[: len(policy.rules)]  # those of its conditions come after
        self._ranges: dict[str, Range] = {}

    def bears(self, sample: Sample) -> bool:
        """Whether every rule would wish the same with ``sample`` in place of the one it has."""
        reading = self.view.readings.get(sample.signal)
        if reading is None or reading.replicas != sample.replicas:
            return False
        steady = self._ranges.get(sample.signal)
        if steady is None:  # worked out for the first that asks: often nobody does
            steady = steady_range(self.policy, self.view, sample.signal)
            self._ranges[sample.signal] = steady
        return steady.low <= sample.value <= steady.high


def steady_range(policy: Policy, view: View, signal: str) -> Range:
    """Return between which values of ``signal`` nothing in ``policy`` would come out differently.

    No value at all where that is not known: without a usable reading, where a condition looks at the
    signal, and for strategies that count samples or remember them.
    """
    if view.readings[signal].value is None:
        return NO_VALUE
    if any(signal in hold.condition.signals for hold in policy.holds):
        return NO_VALUE
    low, high = 0.0, inf
    for rule in policy.rules:
        strategy = rule.strategy
        if signal not in strategy.signals:
            continue
        # Asked for by name: looking whether a class fits ``Steady`` takes longer than its answer.
        tell: Callable[[View], tuple[float, float] | None] | None
        tell = getattr(strategy, "steady_range", None)
        found = None if tell is None else tell(view)
        if found is None:
            return NO_VALUE
        low, high = max(low, found[0]), min(high, found[1])
    if policy.scale_to_zero is not None and signal in policy.scale_to_zero.wake_on:
        if view.readings[signal].value == 0.0:
            high = min(high, 0.0)
        else:
            low = max(low, ABOVE_ZERO)
    return Range(low, high)
