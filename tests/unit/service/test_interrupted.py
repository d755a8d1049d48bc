"""How writes ended whose process did not live to see it: one account that hangs keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from random import Random

from scripted_world import ACCOUNT, START, ScriptedTarget, a_deployment, an_order, pass_time, settle

from trimtab.clock import ManualClock
from trimtab.core.decision import Outcome, WriteStatus
from trimtab.service.fleet import Fleet
from trimtab.service.interrupted import Interrupted

HUNG = [f"accounts/hung/deployments/d{number}" for number in range(3)]
WELL = f"{ACCOUNT}/deployments/well"


async def test_an_account_that_hangs_holds_up_the_orders_of_no_other() -> None:
    clock, ended = ManualClock(START), list[Outcome]()
    hung, well = ScriptedTarget("accounts/hung"), ScriptedTarget()
    hung.during_read = asyncio.Event().wait
    well.hold(a_deployment(WELL, 4, min_replicas=4, max_replicas=4))
    interrupted = Interrupted(
        clock,
        Random(1),
        Fleet(clock, [hung, well]),
        on_outcome=ended.append,
        on_call=lambda *_: None,
    )
    interrupted.take([*map(an_order, HUNG), an_order(WELL)], START)
    running = asyncio.create_task(interrupted.run())
    await settle()
    await pass_time(clock, 10.0)
    assert [(one.order.deployment, one.status) for one in ended] == [(WELL, WriteStatus.APPLIED)]
    assert {one.deployment for one in interrupted.orders} == set(HUNG)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
