"""An account whose spending is limited, a journal on disk, and processes that come and go: in virtual time.

The account reckons by itself what each day and month cost, with the calendar of its own place: what the
engine believes to have spent is compared with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.simulation.disk import BusyWorker
from tests.worlds.shared_fleet import H100, full, one_of, policy_of

from trimtab.clock import ManualClock
from trimtab.core.decision import Decision, Order, Outcome, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.engine import Engine
from trimtab.core.fleet_policy import FleetPolicy, Period, Price, SpendLimit, Team, TeamSelector
from trimtab.core.policy import MoveRules
from trimtab.core.signals import Sample
from trimtab.journal.sqlite import SqliteJournal
from trimtab.service.journalled_engine import JournalledEngine

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.fleet_memory import FleetMemory

LOS_ANGELES = "America/Los_Angeles"
USD = 10.0
"""A replica an hour."""
LOAD_A_REPLICA = 10.0
HOUR = 3600.0

WISHES = {"chat": 6, "search": 10, "batch": 10}
FLOORS = {"chat": 2, "search": 1, "batch": 1}
"""What each keeps: it is guaranteed, and protected."""
PRIORITIES = {"chat": 200, "search": 100, "batch": 50}


def moment(text: str, zone: str = LOS_ANGELES) -> float:
    """Return UTC seconds of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def fleet_of(*limits: SpendLimit, zone: str = LOS_ANGELES) -> FleetPolicy:
    """Three teams of one deployment each, whose guarantees no limit takes."""
    return FleetPolicy(
        prices={H100: Price(USD, "tests")},
        spend_limits=limits,
        timezone=zone,
        teams=tuple(
            Team(
                name=name,
                selector=TeamSelector(names=(name,)),
                priority=PRIORITIES[name],
                guaranteed={H100: FLOORS[name]},
                is_protected=True,
            )
            for name in WISHES
        ),
    )


@dataclass
class SpendingAccount:
    """Drives one engine after the other over one journal. ``counts`` is what is asked for, and serves at once."""

    path: Path
    fleet: FleetPolicy
    begin: float
    deployments: dict[str, Deployment] = field(default_factory=dict)
    bills: Counter[str] = field(default_factory=Counter)
    """By local day (``2026-02-28``) and month (``2026-02``), in US dollars."""
    decisions: dict[str, Decision] = field(default_factory=dict)
    loads: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = ManualClock(self.begin)
        self.place = ZoneInfo(self.fleet.timezone)
        for name, wish in WISHES.items():
            self.deployments[full(name)] = one_of(name, FLOORS[name], 1, observed_at=self.begin)
            self.loads[full(name)] = (wish - 0.5) * LOAD_A_REPLICA

    # -- processes --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Let a process begin from what the journal kept."""
        self.journal = SqliteJournal(self.path, self.clock, worker=BusyWorker())
        fast = MoveRules(stabilization_seconds=0.0)
        policies = [policy_of(name, up=fast, down=fast) for name in WISHES]
        self.told = JournalledEngine(self.clock, Engine(policies, fleet=self.fleet), self.journal)
        recalled = await self.told.recall()
        for order in recalled.unfinished:
            self.told.record(self._applied(order))
        self.told.note_policies({})
        self._changed = set(self.deployments)

    def kill(self) -> None:
        """End the process as ``kill -9`` does: what was not committed is lost."""
        self.journal.abandon()

    async def stop(self) -> None:
        """End the process politely."""
        await self.journal.close()

    # -- time -------------------------------------------------------------------------------------

    def pass_by(self, seconds: float) -> None:
        """Let replicas serve and cost, whether anybody looks or not."""
        left, rate = seconds, USD * sum(self.counts.values())
        while left > 0.0:
            local = datetime.fromtimestamp(self.clock.now(), self.place)
            midnight = datetime.combine(
                local.date() + timedelta(days=1), datetime.min.time(), self.place
            )
            piece = min(left, midnight.timestamp() - self.clock.now())
            for bill in (f"{local:%Y-%m-%d}", f"{local:%Y-%m}"):
                self.bills[bill] += rate * piece / HOUR
            self.clock.advance(piece)
            left -= piece

    async def live(self, seconds: float) -> None:
        """Let time pass, then let the engine decide until nothing moves any more."""
        self.pass_by(seconds)
        due = set(self.deployments)
        for _ in range(20):
            now = self.clock.now()
            samples = [Sample(name, "load", now, self.loads[name]) for name in sorted(due)]
            changed, self._changed = self._changed, set()
            tick = self.told.step(
                now, self.deployments, samples, due=sorted(due), changed=sorted(changed), absent=()
            )
            self.decisions |= {one.deployment: one for one in tick.decisions}
            for order in tick.orders:
                await self.told.intend(order)
                self.told.record(self._applied(order))
            due = {*tick.stirred, *(order.deployment for order in tick.orders)}
            if not due and not self._changed:
                return
        raise AssertionError(f"it does not come to rest: {self.counts}")

    def _applied(self, order: Order) -> Outcome:
        self.deployments[order.deployment] = replace(
            self.deployments[order.deployment],
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=order.to_replicas,
            replica_count=order.to_replicas,
            pipeline=Pipeline(ready=order.to_replicas),
            observed_at=self.clock.now(),
        )
        self._changed = {*getattr(self, "_changed", ()), order.deployment}
        return Outcome(
            order=order, at=self.clock.now(), status=WriteStatus.APPLIED, sentence="as ordered"
        )

    # -- what there is to see ---------------------------------------------------------------------

    @property
    def counts(self) -> dict[str, int]:
        return {
            name.rpartition("/")[2]: one.desired_replicas or 0
            for name, one in self.deployments.items()
        }

    @property
    def shared(self) -> FleetMemory:
        return self.told.engine.shared

    @property
    def local(self) -> str:
        """The local time to the minute."""
        return f"{datetime.fromtimestamp(self.clock.now(), self.place):%Y-%m-%dT%H:%M}"

    @property
    def warned(self) -> set[Period]:
        return {one.limit.period for one in self.told.engine.sharing.outlook.warned}

    @property
    def trimming(self) -> set[Period]:
        return {
            one.limit.period for one in self.told.engine.sharing.outlook.warned if one.is_trimming
        }
