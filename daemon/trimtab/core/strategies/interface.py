"""What every strategy is: a frozen value that turns a view into a wish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View, Wish


class Strategy(Protocol):
    """The algorithm a rule uses.

    A strategy is pure and never raises for an expected situation: what it cannot tell, it answers
    with ``replicas=None`` and a sentence. Bounds, rates and lifecycle are not its business. What it
    wants to remember goes into ``Wish.memory`` and comes back at the next evaluation. A class
    that sets ``forgets_with_hardware = True`` begins with nothing when the hardware changes.
    """

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the policy's signals that the strategy reads."""
        ...

    def propose(self, view: View, memory: JsonValue) -> Wish:
        """Answer how many replicas the deployment should have, and why, in one sentence."""
        ...
