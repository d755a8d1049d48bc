"""What the daemon decided, as the demo tells it: the latest in words, everything in counts."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.core.decision import EventKind, Hold, WriteStatus

if TYPE_CHECKING:
    from trimtab.core.decision import Decision, Outcome, Tick

ENTRIES_MAX = 50


class Kind(StrEnum):
    """What an entry is about; decides its sign and colour."""

    UP = "up"
    DOWN = "down"
    ADVICE = "advice"
    SETBACK = "setback"
    EVENT = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing worth telling, at a moment (UTC seconds).

    ``before`` and ``after`` are replica counts where a count changed.
    """

    at: float
    deployment: str
    kind: Kind
    sentence: str
    before: int | None = None
    after: int | None = None


@dataclass(slots=True)
class Chronicle:
    """Listens to the daemon's evaluations and outcomes.

    ``evaluations`` are decisions of any kind; ``scale_ups`` and ``scale_downs`` those that were
    carried out. ``holds`` counts evaluations by the reason they held for.
    """

    evaluations: int = 0
    scale_ups: int = 0
    scale_downs: int = 0
    scale_ups_by_deployment: Counter[str] = field(default_factory=Counter)
    scale_downs_by_deployment: Counter[str] = field(default_factory=Counter)
    holds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    latest: dict[str, Decision] = field(default_factory=dict)
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=ENTRIES_MAX))
    told: int = 0
    """How many entries there ever were: who prints them tells new ones by it."""

    _advised: dict[str, int] = field(default_factory=dict)

    @property
    def decisions(self) -> int:
        """Decisions that changed something."""
        return self.scale_ups + self.scale_downs

    def take_tick(self, tick: Tick) -> None:
        """Hear of an evaluation."""
        for event in tick.events:
            if event.kind is not EventKind.STATE_CHANGED or event.after != "READY":
                kind = Kind.EVENT
                self._tell(event.at, event.deployment, kind, event.sentence)
        ordered = {order.deployment for order in tick.orders}
        for decision in tick.decisions:
            self.evaluations += 1
            self.latest[decision.deployment] = decision
            if isinstance(decision.verdict, Hold):
                self.holds[decision.verdict.reason.value] += 1
            elif decision.deployment not in ordered:
                self._take_advice(decision)

    def take_outcome(self, outcome: Outcome) -> None:
        """Hear how a write ended."""
        order = outcome.order
        self.outcomes[outcome.status.value] += 1
        if outcome.status is not WriteStatus.APPLIED:
            sentence = f"{outcome.status.value.replace('_', ' ')}: {outcome.sentence}"
            self._tell(outcome.at, order.deployment, Kind.SETBACK, sentence)
            return
        is_up = order.to_replicas > order.from_replicas
        if is_up:
            self.scale_ups += 1
            self.scale_ups_by_deployment[order.deployment] += 1
        else:
            self.scale_downs += 1
            self.scale_downs_by_deployment[order.deployment] += 1
        self._tell(
            order.at,
            order.deployment,
            Kind.UP if is_up else Kind.DOWN,
            because(order.sentence),
            before=order.from_replicas,
            after=order.to_replicas,
        )

    def take_platform_move(self, at: float, deployment: str, before: int, after: int) -> None:
        """Hear that the platform's own autoscaler moved a deployment that nobody has pinned."""
        sentence = "the platform's own autoscaler, until trimtab's first write"
        self._tell(at, deployment, Kind.EVENT, sentence, before=before, after=after)

    def newest(self, count: int) -> tuple[Entry, ...]:
        """Return the latest ``count`` entries, oldest first."""
        return tuple(self.entries)[-count:] if count > 0 else ()

    def untold(self, told: int) -> tuple[Entry, ...]:
        """Return the entries after the first ``told`` ones, as far as they are kept."""
        return self.newest(min(self.told - told, ENTRIES_MAX))

    def _take_advice(self, decision: Decision) -> None:
        """Tell what a policy that only advises would do, once for each count it would have."""
        if self._advised.get(decision.deployment) == decision.desired:
            return
        self._advised[decision.deployment] = decision.desired
        self._tell(
            decision.at,
            decision.deployment,
            Kind.ADVICE,
            because(decision.sentence),
            before=decision.current,
            after=decision.desired,
        )

    def _tell(
        self,
        at: float,
        deployment: str,
        kind: Kind,
        sentence: str,
        *,
        before: int | None = None,
        after: int | None = None,
    ) -> None:
        self.told += 1
        self.entries.append(
            Entry(
                at=at,
                deployment=deployment,
                kind=kind,
                sentence=sentence,
                before=before,
                after=after,
            )
        )


def because(sentence: str) -> str:
    """Return the reasons of a decision's sentence without the verdict, which is shown as a sign."""
    _, colon, reasons = sentence.partition(": ")
    return reasons if colon else sentence
