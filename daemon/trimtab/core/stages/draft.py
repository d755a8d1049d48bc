"""A decision in the making: what the stages pass on to each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import Reason, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.bounds import Bounds
    from trimtab.core.deployment import Deployment
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Policy
    from trimtab.core.proposals import Proposal
    from trimtab.core.signals import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a decision is about. Does not change while it is made."""

    now: float
    deployment: Deployment
    policy: Policy
    current: int
    lead_time_seconds: float
    has_write_in_flight: bool = False


class Block(NamedTuple):
    """Something that forbids a direction, or everything."""

    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The count so far and everything that led to it.

    ``replicas`` is the running count. ``reason`` and ``sentences`` explain it. ``halt`` forbids any
    write; ``up_block`` and ``down_block`` are the lifecycle's and hold against the bounds too.
    """

    memory: DeploymentMemory
    replicas: int
    reason: Reason = Reason.STEADY
    wanted: int | None = None
    is_drain: bool = False
    halt: Block | None = None
    up_block: Block | None = None
    down_block: Block | None = None
    bounds: Bounds | None = None
    readings: tuple[Reading, ...] = ()
    readings_by_name: Mapping[str, Reading]
    proposals: tuple[Proposal, ...] = ()
    sentences: tuple[str, ...] = ()
    trail: tuple[Step, ...] = ()

    def note(self, stage: str, sentence: str, reason: Reason | None = None) -> Draft:
        """Append a step that changes no count."""
        step = Step(
            stage=stage, before=self.replicas, after=self.replicas, reason=reason, sentence=sentence
        )
        return replace(self, trail=(*self.trail, step))

    def move(self, stage: str, replicas: int, reason: Reason, sentence: str) -> Draft:
        """Set the running count, remember why, and append the step."""
        step = Step(
            stage=stage, before=self.replicas, after=replicas, reason=reason, sentence=sentence
        )
        return replace(
            self,
            replicas=replicas,
            reason=reason,
            sentences=(*self.sentences, sentence),
            trail=(*self.trail, step),
        )
