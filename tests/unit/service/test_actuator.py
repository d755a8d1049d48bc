from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_world import (
    ACCOUNT,
    CHAT,
    CODE,
    START,
    ScriptedGate,
    ScriptedTarget,
    a_deployment,
    a_failure,
    a_reading,
    an_order,
    settle,
)

from trimtab.clock import ManualClock
from trimtab.core.decision import Order, Outcome, WriteStatus
from trimtab.core.deployment import State
from trimtab.errors import ErrorKind
from trimtab.service.actuator import ORDER_AGE_SECONDS_MAX, Actuator
from trimtab.service.fleet import Fleet
from trimtab.service.withholding import Withheld
from trimtab.targets import permit
from trimtab.targets.port import WriteResult


class Scene:
    def __init__(self, *, writes_in_flight_max: int = 4) -> None:
        self.clock = ManualClock(START)
        self.target = ScriptedTarget().hold(a_deployment(CHAT), a_deployment(CODE))
        self.fleet = Fleet(self.clock, [self.target])
        self.outcomes: list[Outcome] = []
        self.gate = ScriptedGate()
        self.actuator = Actuator(
            self.clock,
            Random(1),
            self.fleet,
            gate=self.gate,
            on_outcome=self.outcomes.append,
            writes_in_flight_max=writes_in_flight_max,
        )

    async def carry_out(self, **order: object) -> Outcome:
        withheld = self.actuator.submit(an_order(**order))  # type: ignore[arg-type]  # a test's words
        assert withheld is None
        await settle()
        return self.outcomes[-1]

    @property
    def statuses(self) -> list[WriteStatus]:
        return [outcome.status for outcome in self.outcomes]


def failed(kind: ErrorKind, *, retry_after: float | None = None) -> WriteResult:
    return WriteResult(
        status=WriteStatus.NOT_APPLIED,
        sentence=f"refused: {kind}",
        error_kind=kind,
        retry_after_seconds=retry_after,
    )


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.fleet.refresh(scene.target)
    return scene


async def test_an_order_is_written_and_what_is_read_back_is_in_the_fleet(scene: Scene) -> None:
    outcome = await scene.carry_out(to=4)
    assert outcome.status is WriteStatus.APPLIED
    assert [order.to_replicas for order in scene.target.writes] == [4]
    assert scene.fleet.deployments[CHAT].desired_replicas == 4
    assert scene.actuator.in_flight == frozenset()


async def test_a_deployment_has_one_write_in_flight_at_most(scene: Scene) -> None:
    gate = asyncio.Event()
    scene.target.during_write = lambda _: gate.wait()  # type: ignore[assignment, return-value]  # any awaitable will do
    assert scene.actuator.submit(an_order(CHAT, to=4)) is None
    await settle()
    withheld = scene.actuator.submit(an_order(CHAT, to=5))
    assert withheld is not None
    assert withheld.reason is Withheld.IN_FLIGHT
    assert scene.actuator.submit(an_order(CODE, to=5)) is None, "another one is not in the way"
    gate.set()
    await settle()
    assert [order.to_replicas for order in scene.target.writes] == [4, 5]


async def test_no_more_writes_are_in_flight_over_all_than_allowed() -> None:
    scene = Scene(writes_in_flight_max=3)
    names = [f"{ACCOUNT}/deployments/d{number}" for number in range(10)]
    scene.target.hold(*map(a_deployment, names))
    await scene.fleet.refresh(scene.target)
    scene.target.during_write = lambda _: settle(3)
    for name in names:
        assert scene.actuator.submit(an_order(name)) is None
    await settle(200)
    assert scene.target.writing_max == 3
    assert scene.statuses == [WriteStatus.APPLIED] * 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": State.UPDATING}, "its state went from READY to UPDATING"),
        ({"max_replicas": 3}, "its bounds went from 1-10 to 1-3"),
        ({"deleted_at": START}, "a time of deletion was set"),
        ({"expires_at": START - 1}, "it expired"),
    ],
)
async def test_an_order_whose_world_has_moved_on_is_void_and_not_written(
    scene: Scene, change: dict[str, object], words: str
) -> None:
    scene.target.hold(a_deployment(CHAT, **change))
    outcome = await scene.carry_out()
    assert outcome.status is WriteStatus.VOID
    assert words in outcome.sentence
    assert scene.target.writes == []
    assert scene.fleet.deployments[CHAT] == scene.target.deployments[CHAT]


async def test_a_deployment_found_gone_before_the_write_leaves_the_fleet(scene: Scene) -> None:
    del scene.target.deployments[CHAT]
    outcome = await scene.carry_out()
    assert (outcome.status, outcome.sentence) == (WriteStatus.VOID, "the deployment is gone")
    assert CHAT not in scene.fleet.deployments


async def test_what_cannot_be_read_again_is_not_written(scene: Scene) -> None:
    scene.target.read_failure = a_failure(ErrorKind.TIMEOUT)
    outcome = await scene.carry_out()
    assert outcome.status is WriteStatus.NOT_APPLIED
    assert outcome.error_kind == "timeout"
    assert scene.target.writes == []


async def test_an_order_that_waited_too_long_for_its_turn_is_void(scene: Scene) -> None:
    outcome = await scene.carry_out(at=START - ORDER_AGE_SECONDS_MAX - 1)
    assert outcome.status is WriteStatus.VOID
    assert scene.target.writes == []


async def test_a_failure_backs_off_and_says_so_until_the_wait_is_over(scene: Scene) -> None:
    scene.target.answers.append(failed(ErrorKind.UNAVAILABLE))
    await scene.carry_out()
    withheld = scene.actuator.submit(an_order())
    assert withheld is not None
    assert withheld.reason is Withheld.BACKING_OFF
    assert withheld.sentence == "refused: unavailable"
    assert withheld.until is not None
    scene.clock.advance(withheld.until - scene.clock.now() + 0.001)
    outcome = await scene.carry_out(at=scene.clock.now())
    assert outcome.status is WriteStatus.APPLIED
    assert scene.actuator.setbacks == {}


async def test_each_failure_in_a_row_waits_longer_up_to_a_limit(scene: Scene) -> None:
    waits = []
    for _ in range(12):
        scene.target.answers.append(failed(ErrorKind.UNAVAILABLE))
        await scene.carry_out(at=scene.clock.now())
        until = scene.actuator.setbacks[CHAT].until
        waits.append(until - scene.clock.now())
        scene.clock.advance(waits[-1] + 0.001)
    assert waits[3] > 2 * waits[0]
    assert max(waits) <= 300


async def test_a_retry_after_is_honoured(scene: Scene) -> None:
    scene.target.answers.append(failed(ErrorKind.RATE_LIMITED, retry_after=120.0))
    await scene.carry_out()
    assert scene.actuator.setbacks[CHAT].until >= START + 120


async def test_a_quota_stands_against_more_replicas_but_never_against_fewer(scene: Scene) -> None:
    scene.target.answers.append(failed(ErrorKind.QUOTA_EXCEEDED))
    await scene.carry_out(to=8)
    more = scene.actuator.submit(an_order(to=9))
    assert more is not None
    assert more.reason is Withheld.BACKING_OFF
    assert (await scene.carry_out(to=1)).status is WriteStatus.APPLIED


async def test_the_first_void_order_is_decided_anew_at_once_a_row_of_them_is_not(
    scene: Scene,
) -> None:
    scene.target.hold(a_deployment(CHAT, max_replicas=3))
    await scene.carry_out()
    assert scene.actuator.submit(an_order()) is None
    await settle()
    assert scene.actuator.submit(an_order()) is not None


async def test_orders_for_an_account_that_cannot_be_read_are_withheld(scene: Scene) -> None:
    scene.target.list_failure = a_failure()
    await scene.fleet.refresh(scene.target)
    withheld = scene.actuator.submit(an_order())
    assert withheld is not None
    assert withheld.reason is Withheld.TARGET_UNREADABLE
    assert withheld.sentence == "the control plane is away"


async def test_an_order_for_an_account_that_nobody_set_up_is_withheld(scene: Scene) -> None:
    withheld = scene.actuator.submit(an_order("accounts/else/deployments/d"))
    assert withheld is not None
    assert withheld.reason is Withheld.NO_TARGET


async def test_a_bug_in_a_target_is_isolated_and_its_outcome_is_unknown(scene: Scene) -> None:
    scene.target.answers.append(ZeroDivisionError("division by zero"))
    outcome = await scene.carry_out()
    assert outcome.status is WriteStatus.UNKNOWN
    assert outcome.sentence == "a bug in trimtab: ZeroDivisionError: division by zero"
    assert (await scene.carry_out(name=CODE)).status is WriteStatus.APPLIED


async def test_a_stop_lets_the_write_in_flight_end_and_drops_what_was_not_sent() -> None:
    scene = Scene(writes_in_flight_max=1)
    await scene.fleet.refresh(scene.target)
    scene.target.during_write = lambda _: settle(5)
    scene.actuator.submit(an_order(CHAT))
    await settle(5)
    scene.actuator.submit(an_order(CODE))
    assert await scene.actuator.drain(5.0) == 0
    assert [order.deployment for order in scene.target.writes] == [CHAT]
    assert [order.deployment for order in scene.gate.intended] == [CHAT]
    assert scene.statuses == [WriteStatus.VOID, WriteStatus.APPLIED]
    withheld = scene.actuator.submit(an_order(CODE))
    assert withheld is not None
    assert withheld.reason is Withheld.STOPPING


async def test_a_stop_between_the_last_look_and_the_request_keeps_it_from_leaving(
    scene: Scene,
) -> None:
    refusals: list[str | None] = []

    async def ask_for_leave(_: Order) -> None:
        refusals.append(permit.refusal())
        stopping = asyncio.ensure_future(scene.actuator.drain(5.0))
        await settle(1)
        refusals.append(permit.refusal())
        del stopping

    scene.target.during_write = ask_for_leave
    await scene.carry_out()
    assert refusals == [None, "trimtab stops"]


async def test_a_write_that_outlasts_the_stop_is_abandoned_and_its_outcome_unknown(
    scene: Scene,
) -> None:
    scene.target.during_write = lambda _: asyncio.Event().wait()  # type: ignore[assignment, return-value]  # any awaitable will do
    scene.actuator.submit(an_order())
    await settle()
    assert await scene.actuator.drain(0.05) == 1
    assert scene.statuses == [WriteStatus.UNKNOWN]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 10), st.integers(0, 8)), max_size=40),
    st.integers(1, 3),
)
def test_writes_never_overlap_and_every_begun_order_ends_once(
    steps: list[tuple[int, int, int]], in_flight_max: int
) -> None:
    # The scripted target itself refuses two writes of one deployment at a time.
    async def scenario() -> None:
        scene = Scene(writes_in_flight_max=in_flight_max)
        names = [f"{ACCOUNT}/deployments/d{number}" for number in range(5)]
        scene.target.hold(*map(a_deployment, names))
        await scene.fleet.refresh(scene.target)
        scene.target.during_write = lambda order: settle(order.to_replicas)
        begun = 0
        for which, to, turns in steps:
            wire = scene.target.deployments[names[which]]
            order = replace(
                an_order(names[which], to=to),
                expected_min_replicas=wire.min_replicas,
                expected_max_replicas=wire.max_replicas,
            )
            begun += scene.actuator.submit(order) is None
            assert len(scene.target.writing) <= in_flight_max
            await settle(turns)
        await settle(400)
        assert len(scene.outcomes) == begun
        assert scene.actuator.in_flight == frozenset()
        assert scene.target.writing_max <= in_flight_max

    asyncio.run(scenario())


async def test_other_quotas_let_orders_begin_that_a_quota_stood_against_and_no_others(
    scene: Scene,
) -> None:
    scene.target.answers.extend([failed(ErrorKind.QUOTA_EXCEEDED), failed(ErrorKind.REJECTED)])
    await scene.carry_out(name=CHAT)
    await scene.carry_out(name=CODE)
    for name in (CHAT, CODE):
        assert scene.actuator.submit(an_order(name)) is not None
    scene.actuator.forgive_quotas()
    assert scene.actuator.submit(an_order(CHAT)) is None
    assert scene.actuator.submit(an_order(CODE)) is not None


async def test_a_refusal_that_says_what_there_is_may_be_answered_at_once_but_not_twice_in_a_row(
    scene: Scene,
) -> None:
    told = replace(failed(ErrorKind.QUOTA_EXCEEDED), quota=a_reading(8, used=8.0))
    scene.target.answers.extend([told, told])
    outcome = await scene.carry_out(to=6)
    assert outcome.quota == told.quota
    await scene.carry_out(to=5)  # fewer, now that it is known
    assert scene.actuator.submit(an_order(to=4)) is not None, "a control plane that says no anyway"
