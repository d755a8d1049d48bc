"""The loop: wait for the trigger, let the engine decide, hand its orders to the actuator.

It never waits for the world, only for the trigger, so that its heartbeat tells whether it is stuck. It
decides for a few deployments at a time and gives way to everybody else in between: a tick of ten
thousand holds up a push by no more than one slice.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.coordination.port import OwnsAll
from trimtab.core.decision import EventKind, Outcome, WriteStatus
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.service.need import need
from trimtab.service.pace import Pace
from trimtab.service.told_fleet import ToldFleet
from trimtab.service.withholding import Withheld, Withholding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.coordination.port import Ownership
    from trimtab.core.decision import Decision, Order, Tick
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.policy import Policy
    from trimtab.core.signals import Sample
    from trimtab.service.actuator import Actuator
    from trimtab.service.fleet import Fleet
    from trimtab.service.inbox import Inbox
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.trigger import Trigger

    _Policies = tuple[tuple[Policy, ...], Mapping[str, str], FleetPolicy]


UNREAD_SECONDS_MAX = 300.0
"""How long a start waits for accounts that cannot be read, before more replicas are asked for all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One slice: the engine's tick, how long it took, how late it began, and the orders not begun."""

    tick: Tick
    took_seconds: float
    late_seconds: float = 0.0
    withheld: tuple[Withholding, ...] = ()


class Controller:
    """Evaluates what is due and remembers the latest decision of each deployment."""

    def __init__(
        self,
        clock: Clock,
        *,
        journalled: JournalledEngine,
        fleet: Fleet,
        inbox: Inbox,
        trigger: Trigger,
        actuator: Actuator,
        on_evaluation: Callable[[Evaluation], None],
        ownership: Ownership | None = None,
    ) -> None:
        self._clock = clock
        self._journalled = journalled
        self._fleet = fleet
        self._told = ToldFleet(fleet)
        self._inbox = inbox
        self._trigger = trigger
        self._actuator = actuator
        self._on_evaluation = on_evaluation
        self._ownership = ownership or OwnsAll()
        self._decisions: dict[str, Decision] = {}
        self._withheld: dict[str, Withholding] = {}
        self._next_policies: _Policies | None = None
        self._policies_taken = asyncio.Event()
        self.is_fleet_whole = False
        """Whether the engine was shown every account since the start, or they were waited for long enough."""
        self._unread = fleet.unread
        self._unread_until = clock.monotonic() + UNREAD_SECONDS_MAX
        self._pace = Pace(lambda: journalled.journal.decisions_behind)
        self.beat_at = clock.monotonic()
        self.ticked_at: float | None = None

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """The latest decision for each deployment that is under a policy."""
        return self._decisions

    @property
    def withheld(self) -> Mapping[str, Withholding]:
        """The orders of each deployment's latest evaluation that could not be begun."""
        return self._withheld

    @property
    def evaluations_waiting(self) -> int:
        """How many deployments something happened to that were not evaluated since."""
        return self._trigger.waiting

    @property
    def samples_waiting(self) -> int:
        """How many samples wait for the next evaluation of their deployments."""
        return self._inbox.waiting

    async def run(self) -> None:
        """Evaluate for ever."""
        while True:
            self.beat_at = self._clock.monotonic()
            await self._pace.keep()
            due = await self._trigger.wait()
            self.beat_at = self._clock.monotonic()
            self._take_policies()
            if self._fleet.is_known:
                self.evaluate(self._ours(due.names), late_seconds=due.late_seconds)
            await asyncio.sleep(0)

    def _ours(self, names: Sequence[str]) -> Sequence[str]:
        """Return those of ``names`` that this member still decides for; the others tick no more."""
        if not self._ownership.is_shared:
            return names
        ours = [name for name in names if self._ownership.decides_for(name)]
        for name in set(names).difference(ours):
            self._trigger.forget(name)
        return ours

    async def put_in_force(
        self,
        policies: tuple[Policy, ...],
        documents: Mapping[str, str],
        fleet: FleetPolicy = NO_FLEET_POLICY,
    ) -> None:
        """Let the loop decide by other policies from its next evaluation on, which is due at once.

        What is remembered of deployments stays. Returns when the policies are in force.
        """
        self._next_policies = (policies, documents, fleet)
        self._policies_taken.clear()
        self._trigger.tick_now(self._fleet.deployments)
        await self._policies_taken.wait()

    def _take_policies(self) -> None:
        """Swap the policies here, in the loop's own task, so that no evaluation sees two sets."""
        if self._next_policies is not None:
            self._journalled.put_in_force(*self._next_policies)
            self._next_policies = None
            self._policies_taken.set()

    def evaluate(self, names: Sequence[str], *, late_seconds: float = 0.0) -> None:
        """Decide for ``names`` and hand over what is to be written; notice what else changed."""
        started_at = self._clock.monotonic()
        in_flight = self._actuator.in_flight
        changes = self._told.advance(names)
        self._look_whether_whole()
        heard = self._inbox.take(names)
        tick = self._journalled.step(
            self._clock.now(),
            self._told.deployments,
            heard.samples,
            upheld=heard.upheld,
            due=[name for name in names if name not in in_flight],
            changed=(*changes.changed, *changes.gone),
            absent=changes.gone,
            unread=self._unread,
        )
        self._foresee(names, tick)
        for decision in tick.decisions:
            self._decisions[decision.deployment] = decision
            self._withheld.pop(decision.deployment, None)
        for event in tick.events:
            if event.kind is EventKind.GONE:
                self._forget(event.deployment)
        if self._ownership.is_shared:
            self._inbox.take(changes.gone)  # whoever decided for them has told it
        withheld: list[Withholding] = []
        for order in sorted(tick.orders, key=need, reverse=True):
            withholding = self._why_not_yet(order) or self._actuator.submit(order)
            if withholding is not None:
                self._withheld[order.deployment] = withholding
                withheld.append(withholding)
                self._journalled.record(_never_sent(withholding, tick.at))
        self.ticked_at = tick.at
        self._on_evaluation(
            Evaluation(
                tick=tick,
                took_seconds=self._clock.monotonic() - started_at,
                late_seconds=late_seconds,
                withheld=tuple(withheld),
            )
        )

    def _look_whether_whole(self) -> None:
        """After a start: once the engine was shown everything, wake those that had to wait for it."""
        if self._unread and not self._told.is_behind:
            self._unread = self._fleet.unread
        if self.is_fleet_whole:
            return
        is_late = self._clock.monotonic() >= self._unread_until
        self.is_fleet_whole = is_late or not (self._fleet.unread or self._told.is_behind)
        if self.is_fleet_whole:
            unread = Withheld.FLEET_UNREAD
            self._trigger.wake([n for n, one in self._withheld.items() if one.reason is unread])

    def _why_not_yet(self, order: Order) -> Withholding | None:
        """Say why ``order`` must wait: who has not seen all does not know what of a shared quota is held."""
        is_up = order.to_replicas > order.from_replicas
        if self.is_fleet_whole or not is_up or not self._journalled.engine.sharing.is_active:
            return None
        unread = ", ".join(self._fleet.unread)
        return Withholding(
            order=order,
            reason=Withheld.FLEET_UNREAD,
            sentence=(
                f"what others hold is not known yet: {unread or 'a part of the fleet'} was not read since "
                "the start"
            ),
        )

    def is_moved_by(self, sample: Sample) -> bool:
        """Whether to decide because of ``sample``: it may change a wish, or a write is to be tried again."""
        name = sample.deployment
        if name in self._withheld or name in self._actuator.setbacks:
            return True
        return self._journalled.engine.is_moved_by(sample)

    def _foresee(self, names: Sequence[str], tick: Tick) -> None:
        """Set the timers of those that were looked at, and wake those whom that concerns.

        What is under no policy, or is no more, needs no ticks: it is woken when it changes.
        """
        engine, trigger = self._journalled.engine, self._trigger
        for name in names:
            if name not in self._told.deployments or engine.remembered(name) is None:
                trigger.forget(name)
                continue
            at = engine.next_edge(name, tick.at)
            if at is not None:
                trigger.foresee(name, at)
        trigger.wake(tick.stirred)
        self._foresee_fleet()
        if self._told.is_behind:
            trigger.look_now()

    def _foresee_fleet(self) -> None:
        """Look by the time at which somebody may be granted something else."""
        at = self._journalled.engine.fleet_edge(self._clock.now())
        if at is not None:
            self._trigger.look_by(at)

    def hand_back(self) -> tuple[Withholding, ...]:
        """Hand over the last writes of all, and return those that could not be begun."""
        withheld: list[Withholding] = []
        for order in self._journalled.hand_back(self._fleet.deployments):
            withholding = self._actuator.submit(order)
            if withholding is not None:
                withheld.append(withholding)
                self._journalled.record(_never_sent(withholding, order.at))
        return tuple(withheld)

    def take_outcome(self, outcome: Outcome) -> None:
        """Let the engine remember what became of an order and evaluate its deployment anew."""
        self._journalled.record(outcome)
        if outcome.status is not WriteStatus.NOT_APPLIED:
            self._trigger.wake([outcome.order.deployment])
        self._foresee_fleet()

    def leave(self, is_left: Callable[[str], bool]) -> None:
        """Forget such deployments: another member decides for them from now on."""
        known = {*self._decisions, *self._withheld, *self._actuator.setbacks}
        for name in filter(is_left, known):
            self._decisions.pop(name, None)
            self._withheld.pop(name, None)
            self._actuator.forget(name)
            self._trigger.forget(name)
        self._inbox.leave(is_left)

    def _forget(self, deployment: str) -> None:
        self._decisions.pop(deployment, None)
        self._withheld.pop(deployment, None)
        self._actuator.forget(deployment)
        self._inbox.take([deployment])


def _never_sent(withholding: Withholding, at: float) -> Outcome:
    """Tell the engine that an order came to nothing, so that it may decide anew."""
    return Outcome(
        order=withholding.order, at=at, status=WriteStatus.VOID, sentence=withholding.sentence
    )
