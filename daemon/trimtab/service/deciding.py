"""Between what was heard and what is written: the parts that wake, decide and act, joined to each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trimtab.service.actuator import Actuator
from trimtab.service.controller import Controller
from trimtab.service.fleet_reader import FleetReader
from trimtab.service.inbox import Inbox
from trimtab.service.interrupted import Interrupted
from trimtab.service.journal_watch import JournalWatch
from trimtab.service.push import open_desks
from trimtab.service.push_sink import WakingSink
from trimtab.service.tenancy import tenancy_of
from trimtab.service.trigger import Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.decision import Outcome
    from trimtab.service.audience import Audience
    from trimtab.service.controller import Evaluation
    from trimtab.service.fleet_quotas import QuotasStatus
    from trimtab.service.gate import Gate
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.outside import Outside
    from trimtab.service.push import PushDesk, PushSource
    from trimtab.service.tenancy import Coordination
    from trimtab.service.timing import Timing


class Deciding:
    """Samples wait in ``inbox``, ``trigger`` says what is due, ``controller`` decides, ``actuator`` writes.

    ``reader`` reads the fleet, ``interrupted`` finds out how the writes of an earlier run ended. ``tenancy`` is
    there for one of several. What each does the others hear of, before the audience.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        timing: Timing,
        *,
        journalled: JournalledEngine,
        outside: Outside,
        audience: Audience,
        gate: Gate,
        coordination: Coordination | None,
        writes_in_flight_max: int,
    ) -> None:
        self._clock, self._quotas = clock, outside.quotas
        self.journalled, self.fleet, self.audience = journalled, outside.fleet, audience
        self.journal_watch = JournalWatch(journalled.journal, audience)
        self.inbox = Inbox(clock)
        self.tenancy, ownership = tenancy_of(coordination, clock, journalled, self.fleet)
        self.trigger = Trigger(
            clock,
            random,
            tick_interval_seconds=timing.tick_interval_seconds,
            is_ours=None if self.tenancy is None else self.tenancy.decides_for,
        )
        self.actuator = Actuator(
            clock,
            random,
            self.fleet,
            gate=gate,
            on_outcome=self._take_outcome,
            on_call=audience.target_called,
            writes_in_flight_max=writes_in_flight_max,
            circuits={target.name: target.circuit for target in outside.targets},
            ownership=ownership,
            on_lost=audience.wrote,
        )
        self.interrupted = Interrupted(
            clock,
            random,
            self.fleet,
            on_outcome=self._take_interrupted,
            on_call=audience.target_called,
        )
        self.controller = Controller(
            clock,
            journalled=journalled,
            fleet=self.fleet,
            inbox=self.inbox,
            trigger=self.trigger,
            actuator=self.actuator,
            on_evaluation=self._take_evaluation,
            ownership=ownership,
        )
        if self.tenancy is not None:
            self.tenancy.join(self.trigger, self.actuator, self.controller, self.interrupted)
        interval_seconds = timing.fleet_refresh_interval_seconds
        self.reader = FleetReader(
            clock, self.fleet, self.trigger, audience, interval_seconds=interval_seconds
        )

    def open_desks(
        self, sources: Iterable[PushSource], *, is_stopping: Callable[[], bool]
    ) -> tuple[PushDesk, ...]:
        """Return a desk for each push source; what is handed in there wakes what it may move."""
        sink_of = partial(
            WakingSink,
            inbox=self.inbox,
            trigger=self.trigger,
            fleet=self.fleet,
            is_moving=self.controller.is_moved_by,
            is_stopping=is_stopping,
        )
        return open_desks(
            self._clock, sources, sink_of, engine=self.journalled.engine, fleet=self.fleet
        )

    def take_quotas(self, status: QuotasStatus) -> None:
        """Let what an account has said of its quotas count, from the next look on."""
        self.audience.quotas_read(status)
        now = self._clock.now()
        self.journalled.take_quotas(self._quotas.in_force(now))
        if self._quotas.take_news(now):
            self.actuator.forgive_quotas()
        self.trigger.look_now()

    def _take_evaluation(self, evaluation: Evaluation) -> None:
        self.audience.evaluated(evaluation)
        self.journal_watch.look()

    def _take_outcome(self, outcome: Outcome) -> None:
        self.controller.take_outcome(outcome)
        self.audience.wrote(outcome)

    def _take_interrupted(self, outcome: Outcome) -> None:
        self.controller.take_outcome(outcome)
        self.audience.interrupted(outcome)
