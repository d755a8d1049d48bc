"""``ratio``: so many replicas for each replica of another deployment.

For what scales with something else: a draft model beside the model it drafts for, an embedder in front
of a chat model, a reranker behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.core.deployment import State
from trimtab.core.proposals import Wish
from trimtab.core.strategies.rounding import whole_up

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View

UNKNOWN_STATES = frozenset({State.DELETING, State.DELETED, State.UNKNOWN})
"""States whose counts say nothing about load."""


class Counted(StrEnum):
    """Which replicas of the other deployment count."""

    ASKED = "asked"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Ask for ``ratio`` (above 0) times the replicas of deployment ``of``, plus ``offset``.

    Rounded up, never below 0. ``of`` is a full name. Of a pinned deployment the pin is what is asked
    for: the control plane's own wish may lag behind it. Cannot tell while the other is not there.
    """

    of: str
    ratio: float
    offset: int = 0
    by: Counted = Counted.ASKED

    @property
    def signals(self) -> tuple[str, ...]:
        """None: it looks at the fleet."""
        return ()

    @property
    def follows(self) -> tuple[str, ...]:
        """The deployment whose count it repeats."""
        return (self.of,)

    def propose(self, view: View, memory: JsonValue) -> Wish:  # noqa: ARG002  the interface
        """Follow the other deployment's count."""
        if self.of == view.deployment.name:
            return Wish(replicas=None, sentence=f"{self.of} cannot follow itself")
        leader = view.fleet.get(self.of)
        if leader is None:
            return Wish(replicas=None, sentence=f"{self.of} is not known, so there is no count")
        if leader.state in UNKNOWN_STATES:
            state = leader.state_text or leader.state
            return Wish(replicas=None, sentence=f"{self.of} is {state}, so its count says nothing")
        if self.by is Counted.READY:
            count = leader.pipeline.ready
        else:
            count = leader.min_replicas if leader.is_pinned else leader.desired_replicas
        wanted = whole_up(self.ratio * count + self.offset)
        offset = f" {'+' if self.offset > 0 else '-'} {abs(self.offset)}" if self.offset else ""
        return Wish(
            replicas=wanted,
            sentence=f"{count} {self.by} of {self.of} x {self.ratio:.4g}{offset}: wants {wanted}",
        )
