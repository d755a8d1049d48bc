"""A decision in the making: what the stages pass on to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import Reason, Step
from trimtab.core.overrides import NOTHING_ORDERED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.bounds import Bounds
    from trimtab.core.deployment import Deployment
    from trimtab.core.lead_time import LeadTime
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.need import Need
    from trimtab.core.overrides import Standing
    from trimtab.core.policy import Policy
    from trimtab.core.proposals import Proposal, View
    from trimtab.core.signals import Reading
    from trimtab.core.stages.group import Mates
    from trimtab.core.stages.relief import Relief


class Case(NamedTuple):
    """What a decision is about. Does not change while it is made.

    ``standing`` is what people have ordered. ``actual`` is the count that is really asked for where
    ``current`` is that of a shadow; else ``None``. ``reliefs`` is what stuck deployments miss and this
    one makes up for. ``ceiling`` is what the quotas alone allow, and which one that is.
    ``mates`` is its group as it stands.
    """

    now: float
    deployment: Deployment
    policy: Policy
    current: int
    lead_time: LeadTime
    fleet: Mapping[str, Deployment]
    has_write_in_flight: bool = False
    standing: Standing = NOTHING_ORDERED
    actual: int | None = None
    reliefs: tuple[Relief, ...] = ()
    ceiling: tuple[int, str] | None = None
    mates: Mates | None = None

    @property
    def lead_time_seconds(self) -> float:
        """The lead time to be safe with: nine of ten replicas take no longer."""
        return self.lead_time.p90_seconds


class Block(NamedTuple):
    """Something that forbids a direction, or everything."""

    reason: Reason
    sentence: str


@dataclass(slots=True, kw_only=True)
class Draft:
    """The count so far and everything that led to it.

    The one value of the core that changes in place: it lives inside a single ``Engine.step`` and a
    copy for each of a dozen steps was half the time of a decision.

    ``replicas`` is the running count. ``reason`` and ``sentences`` explain it. ``halt`` forbids any
    write; ``up_block`` and ``down_block`` are the lifecycle's and hold against the bounds too.
    ``may_be_zero``: the last replica may go, or has gone. ``is_pinned``: the count is a person's.
    ``need``: the load behind the count, where that is not what the rule says that led to it.
    """

    memory: DeploymentMemory
    replicas: int
    reason: Reason = Reason.STEADY
    rule: str = ""
    wanted: int | None = None
    may_be_zero: bool = False
    is_drain: bool = False
    is_pinned: bool = False
    halt: Block | None = None
    up_block: Block | None = None
    down_block: Block | None = None
    bounds: Bounds | None = None
    readings: tuple[Reading, ...] = ()
    view: View | None = None
    proposals: tuple[Proposal, ...] = ()
    need: Need | None = None
    sentences: list[str] = field(default_factory=list)
    trail: list[Step] = field(default_factory=list)

    def note(self, stage: str, sentence: str, reason: Reason | None = None) -> None:
        """Append a step that changes no count."""
        count = self.replicas
        self.trail.append(Step(stage, count, count, reason, sentence))

    def move(self, stage: str, replicas: int, reason: Reason, sentence: str) -> None:
        """Set the running count, remember why, and append the step."""
        self.trail.append(Step(stage, self.replicas, replicas, reason, sentence))
        self.replicas = replicas
        self.reason = reason
        self.sentences.append(sentence)
