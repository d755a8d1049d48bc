"""The actuator in a world that fails as it likes: what must hold of every write, and of every order.

Orders, answers, silences, people's changes, a journal that fails, policies that come to advise, time and
stops are drawn in any order. What is checked stands in the target's ``write``, where the wire begins,
and is worked out from what the machine itself saw.

Mutations of the code that it was seen to catch: no look for an earlier write; ``why_void`` left out; sent
before the intention is durable, or in spite of a ``JournalError``; no look at the gate after writing down;
the policy's mode or the journal's not looked at; a cancelled write, one that had not begun, or one that
waited left without its end; an end not noted; both limits off by one; setbacks forgotten or reversed. (One
look at the gate before writing down more or less changes nothing that can be seen from outside.)
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trimtab.clock import ManualClock
from trimtab.core.decision import Order, Outcome, Reason, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.engine import Engine
from trimtab.core.policy import Actuation, Mode, Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.strategies.fixed import Fixed
from trimtab.errors import ErrorKind, JournalError, TargetError
from trimtab.journal.entries import Ended, Intended
from trimtab.journal.port import JournalMode, JournalStatus, Recollection
from trimtab.service.actuator import Actuator
from trimtab.service.backoff import pace_for
from trimtab.service.circuits import GuardedTarget, guarded
from trimtab.service.fleet import Fleet
from trimtab.service.gate import Gate
from trimtab.service.journalled_engine import JournalledEngine
from trimtab.targets.port import WriteResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.journal.entries import Entry

START = 1_767_225_600.0
NAMES = tuple(f"accounts/acme/deployments/{one}" for one in "abcd")
IN_FLIGHT_MAX = 2
WAITING_MAX = 1
POLICY = Policy(
    name="all",
    selector=Selector(),
    rules=(Rule(name="two", role=Role.DEMAND, strategy=Fixed(replicas=2)),),
)
WELL = "well"
HANGS = "hangs"
LOST = "applied, and the answer lost"
FAILURES = st.sampled_from(sorted(ErrorKind))


def a_deployment(name: str) -> Deployment:
    return Deployment(
        name=name,
        min_replicas=1,
        max_replicas=10,
        desired_replicas=2,
        replica_count=2,
        pipeline=Pipeline(ready=2),
    )


@dataclass
class Journal:
    """Durable is what was there when a ``settle`` went well."""

    mode: JournalMode = JournalMode.DURABLE
    manner: str = WELL
    durable: int = 0

    def __post_init__(self) -> None:
        self.entries: list[Entry] = []
        self.free = asyncio.Event()

    @property
    def status(self) -> JournalStatus:
        return JournalStatus(mode=self.mode, since=START, sentence="as drawn")

    async def open(self) -> Recollection:
        return Recollection()

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)

    async def intend(self, entry: Intended) -> None:
        self.note(entry)
        await self.settle()

    async def settle(self) -> None:
        reach = len(self.entries)
        await asyncio.sleep(0)
        if self.manner == HANGS:
            await self.free.wait()
        if self.manner not in (WELL, HANGS):
            raise JournalError("as drawn", kind=ErrorKind.UNAVAILABLE)
        self.durable = max(self.durable, reach)

    async def close(self) -> None: ...

    def open_intentions(self, entries: list[Entry]) -> Counter[str]:
        """How many orders of each deployment are intended and not ended in ``entries``."""
        count: Counter[str] = Counter()
        for entry in entries:
            match entry:
                case Intended():
                    count[entry.order.deployment] += 1
                case Ended() if id(entry.outcome.order) in self.intended_orders:
                    count[entry.outcome.order.deployment] -= 1
                case _:
                    pass
        return count

    @property
    def intended_orders(self) -> set[int]:
        return {id(entry.order) for entry in self.entries if isinstance(entry, Intended)}


class World:
    """The target, and everything that must hold where a write arrives."""

    name = "accounts/acme"

    def __init__(self, machine: ActuatorMachine) -> None:
        self.machine = machine
        self.deployments = {name: a_deployment(name) for name in NAMES}
        self.reads = self.writes_manner = WELL
        self.last_read: dict[str, Deployment | None] = {}
        self.writing: set[str] = set()
        self.free = asyncio.Event()

    def owns(self, deployment: str) -> bool:
        return deployment.startswith(self.name)

    async def read_fleet(self) -> Mapping[str, Deployment]:
        await self._answer(self.reads)
        return dict(self.deployments)

    async def read(self, deployment: str) -> Deployment | None:
        await self._answer(self.reads)
        self.last_read[deployment] = self.deployments.get(deployment)
        return self.last_read[deployment]

    async def write(self, order: Order) -> WriteResult:
        try:
            self._check(order)
        except AssertionError as violation:  # the actuator would take it for a bug of the target
            self.machine.violations.append(violation)
        self.writing.add(order.deployment)
        manner = self.writes_manner
        try:
            for _ in range(6):
                await asyncio.sleep(0)
            if manner not in (WELL, LOST):
                try:
                    await self._answer(manner)
                except TargetError as error:
                    return WriteResult(
                        status=WriteStatus.NOT_APPLIED, sentence="refused", error_kind=error.kind
                    )
            self._apply(order)
            if manner == LOST:
                return WriteResult(
                    status=WriteStatus.UNKNOWN, sentence="lost", error_kind=ErrorKind.TIMEOUT
                )
            return WriteResult(
                status=WriteStatus.APPLIED,
                sentence="done",
                deployment=self.deployments.get(order.deployment),
            )
        finally:
            self.writing.discard(order.deployment)

    async def close(self) -> None: ...

    async def _answer(self, manner: str) -> None:
        await asyncio.sleep(0)
        if manner == HANGS:
            await self.free.wait()
        elif manner != WELL:
            raise TargetError("as drawn", kind=ErrorKind(manner))

    def _apply(self, order: Order) -> None:
        found = self.deployments.get(order.deployment)
        if found is not None:
            self.deployments[order.deployment] = replace(
                found,
                min_replicas=order.min_replicas,
                max_replicas=order.max_replicas,
                desired_replicas=order.to_replicas,
            )

    def _check(self, order: Order) -> None:
        machine, name = self.machine, order.deployment
        journal = machine.journal
        assert name not in self.writing, "two writes of one deployment at a time"
        assert len(self.writing) < IN_FLIGHT_MAX, "too many writes at a time"
        durable = journal.open_intentions(journal.entries[: journal.durable])
        assert durable[name] == 1, "the intention is not durable"
        assert journal.mode is JournalMode.DURABLE
        assert machine.mode is Mode.ENFORCE, "a policy that only advises writes"
        assert not machine.is_stopped, "begun after the stop"
        read = self.last_read[name]
        assert read is not None, "written although gone"
        expected = (order.expected_min_replicas, order.expected_max_replicas)
        assert (read.min_replicas, read.max_replicas) == expected, "not as decided on"
        assert read.state is State.READY, "written in another state"
        assert order.lower <= order.to_replicas <= order.upper
        quiet = machine.quiet_until.get(name)
        if quiet is not None and (order.to_replicas > order.from_replicas or not quiet[1]):
            assert machine.clock.now() >= quiet[0], "hammered"


class ActuatorMachine(RuleBasedStateMachine):
    """Everything that can happen to an actuator, in any order."""

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(self._begin(seed))

    async def _begin(self, seed: int) -> None:
        self.clock = ManualClock(START)
        self.journal = Journal()
        self.world = World(self)
        self.engine = Engine([POLICY])
        self.mode = Mode.ENFORCE
        self.is_stopped = False
        self.violations: list[AssertionError] = []
        self.taken: list[Order] = []
        self.outcomes: list[Outcome] = []
        self.quiet_until: dict[str, tuple[float, bool]] = {}
        self.journalled = JournalledEngine(self.clock, self.engine, self.journal)
        targets, _ = guarded([self.world], [], self.clock, Random(seed), on_change=lambda _: None)
        self.target: GuardedTarget = targets[0]
        self.fleet = Fleet(self.clock, [self.target])
        await self.fleet.refresh(self.target)
        self.actuator = Actuator(
            self.clock,
            Random(seed),
            self.fleet,
            gate=Gate(self.journalled),
            on_outcome=self._ended,
            writes_in_flight_max=IN_FLIGHT_MAX,
            orders_waiting_max=WAITING_MAX,
            circuits={self.target.name: self.target.circuit},
        )

    def _ended(self, outcome: Outcome) -> None:
        self.journalled.record(outcome)
        self.outcomes.append(outcome)
        name = outcome.order.deployment
        self.quiet_until.pop(name, None)
        if outcome.error_kind is not None and outcome.status is not WriteStatus.APPLIED:
            kind = ErrorKind(outcome.error_kind)
            least_seconds = pace_for(kind).first_seconds / 2
            is_quota = kind is ErrorKind.QUOTA_EXCEEDED
            self.quiet_until[name] = (self.clock.now() + least_seconds, is_quota)

    async def _turn(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    # -- what happens ---------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), to=st.integers(0, 10), turns=st.integers(0, 12))
    def order(self, name: str, to: int, turns: int) -> None:
        self.runner.run(self._order(name, to, turns))

    async def _order(self, name: str, to: int, turns: int) -> None:
        known = self.fleet.deployments.get(name)
        if known is not None and to != known.desired_replicas:
            order = Order(
                deployment=name,
                policy="all",
                at=self.clock.now(),
                actuation=Actuation.PIN,
                from_replicas=known.desired_replicas,
                to_replicas=to,
                min_replicas=to,
                max_replicas=to,
                expected_state="READY",
                expected_min_replicas=known.min_replicas,
                expected_max_replicas=known.max_replicas,
                lower=0,
                upper=10,
                user_min_replicas=1,
                user_max_replicas=10,
                reason=Reason.DEMAND,
                sentence="",
            )
            if self.actuator.submit(order) is None:
                self.taken.append(order)
        await self._turn(turns)

    @rule(name=st.sampled_from(NAMES), manner=FAILURES, wishes=st.tuples(*[st.integers(0, 10)] * 2))
    def insist(self, name: str, manner: str, wishes: tuple[int, int]) -> None:
        self.world.writes_manner = manner
        for to in wishes:
            self.runner.run(self._order(name, to, 40))
        self.world.writes_manner = WELL

    @rule(turns=st.integers(1, 40))
    def let_run(self, turns: int) -> None:
        self.runner.run(self._turn(turns))

    @rule(seconds=st.sampled_from([0.5, 6.0, 31.0, 70.0, 400.0]), turns=st.integers(0, 20))
    def pass_time(self, seconds: float, turns: int) -> None:
        self.clock.advance(seconds)
        self.runner.run(self._turn(turns))

    @rule(wishes=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 10)), max_size=6))
    def order_many(self, wishes: list[tuple[str, int]]) -> None:
        for name, to in wishes:
            self.runner.run(self._order(name, to, 0))

    @rule(
        what=st.one_of(
            st.tuples(st.just("reads"), st.one_of(st.just(HANGS), FAILURES)),
            st.tuples(st.just("writes"), st.one_of(st.just(LOST), st.just(HANGS), FAILURES)),
            st.tuples(st.just("journal"), st.sampled_from([JournalMode.FULL, JournalMode.BROKEN])),
            st.tuples(st.just("disk"), st.sampled_from(["fails", HANGS])),
            st.tuples(st.just("policy"), st.just(Mode.ADVISE)),
        ),
    )
    def something_breaks(self, what: tuple[str, str]) -> None:
        match what:
            case "reads", manner:
                self.world.reads = manner
            case "writes", manner:
                self.world.writes_manner = manner
            case "journal", mode:
                self.journal.mode = JournalMode(mode)
            case "disk", manner:
                self.journal.manner = manner
            case _, mode:
                self.mode = Mode(mode)
                self.engine.replace_policies([replace(POLICY, mode=self.mode)])

    @rule(
        name=st.sampled_from(NAMES),
        to=st.integers(0, 10),
        then=st.sampled_from(["goes on", "fails", "the policy advises", "the disk is full"]),
    )
    def order_while_the_disk_is_slow(self, name: str, to: int, then: str) -> None:
        self.journal.manner = HANGS
        self.runner.run(self._order(name, to, 20))
        if then == "the policy advises":
            self.mode = Mode.ADVISE
            self.engine.replace_policies([replace(POLICY, mode=Mode.ADVISE)])
        elif then == "the disk is full":
            self.journal.mode = JournalMode.FULL
        self.journal.manner = "fails" if then == "fails" else WELL
        self.journal.free.set()
        self.runner.run(self._turn(2))
        self.journal.free.clear()

    @rule()
    def all_is_well_again(self) -> None:
        self._mend()
        self.runner.run(self._turn(3))
        self.world.free.clear()
        self.journal.free.clear()
        self.runner.run(self.fleet.refresh(self.target))

    def _mend(self) -> None:
        self.world.free.set()
        self.journal.free.set()
        self.world.reads = self.world.writes_manner = self.journal.manner = WELL
        self.journal.mode = JournalMode.DURABLE
        self.mode = Mode.ENFORCE
        self.engine.replace_policies([POLICY])
        for name in NAMES:
            self.world.deployments.setdefault(name, a_deployment(name))

    @rule(
        name=st.sampled_from(NAMES),
        bounds=st.tuples(st.integers(0, 5), st.integers(5, 10)),
        state=st.sampled_from([State.READY, State.READY, State.UPDATING]),
        is_seen=st.booleans(),
    )
    def somebody_changes(
        self, name: str, bounds: tuple[int, int], state: State, *, is_seen: bool
    ) -> None:
        changed = replace(
            a_deployment(name), min_replicas=bounds[0], max_replicas=bounds[1], state=state
        )
        self.world.deployments[name] = changed
        if is_seen:
            self.fleet.put(changed)

    @rule(name=st.sampled_from(NAMES))
    def somebody_deletes(self, name: str) -> None:
        self.world.deployments.pop(name, None)

    @rule()
    def the_fleet_is_read(self) -> None:
        if self.world.reads != HANGS:
            self.runner.run(self.fleet.refresh(self.target))

    @rule()
    def stop(self) -> None:
        self.runner.run(self._stop())

    @rule(name=st.sampled_from(NAMES))
    def order_and_stop_at_once(self, name: str) -> None:
        self.runner.run(self._order_and_stop(name))

    async def _order_and_stop(self, name: str) -> None:
        await self._order(name, 7, 0)
        await self._stop()

    async def _stop(self) -> None:
        self.is_stopped = True
        await self.actuator.drain(0.0)
        self._check_all_ended()
        # The next run begins anew.
        self.is_stopped = False
        self.quiet_until.clear()
        self.taken.clear()
        self.outcomes.clear()
        self.actuator = Actuator(
            self.clock,
            Random(1),
            self.fleet,
            gate=Gate(self.journalled),
            on_outcome=self._ended,
            writes_in_flight_max=IN_FLIGHT_MAX,
            orders_waiting_max=WAITING_MAX,
            circuits={self.target.name: self.target.circuit},
        )

    # -- what must hold -------------------------------------------------------------------------

    def _check_all_ended(self) -> None:
        assert self.actuator.in_flight == frozenset()
        ended = Counter(id(outcome.order) for outcome in self.outcomes)
        assert ended == Counter(id(order) for order in self.taken), "each order ends once"
        unfinished = self.journal.open_intentions(self.journal.entries)
        assert not +unfinished, "each intention ends"

    @invariant()
    def what_is_in_flight_was_taken_and_has_not_ended(self) -> None:
        if not hasattr(self, "actuator"):
            return
        for violation in self.violations:
            raise violation
        ended = {id(outcome.order) for outcome in self.outcomes}
        going = {order.deployment for order in self.taken if id(order) not in ended}
        assert self.actuator.in_flight == going
        assert self.actuator.waiting <= WAITING_MAX

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.runner.run(self._come_to_rest())
        finally:
            self.runner.close()

    async def _come_to_rest(self) -> None:
        """Everything becomes well, and then every order ends without a stop."""
        self._mend()
        await self._turn(200)
        for violation in self.violations:
            raise violation
        self._check_all_ended()


TestActuator = ActuatorMachine.TestCase
TestActuator.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
