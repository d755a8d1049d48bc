"""Orders that an earlier run had written down as about to be sent, and whose end it did not live to see.

Whether such an order was applied is read off its deployment; it is never sent again. Until that is
known the engine holds the deployment.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.maximum import range_words, reaches
from trimtab.core.policy import Actuation
from trimtab.errors import TargetError
from trimtab.service.backoff import INTERRUPTED
from trimtab.service.waiting import happened_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.service.fleet import Fleet

QUIET_SECONDS = 60.0
"""How long a write may still be on its way after it was sent: the control plane's own time limit."""

SENT_SECONDS_MAX = 300.0
"""How long after its decision an order may still be sent: it queues, looks, is noted and tries again.

Without it, whoever restarts within every quiet minute would never learn how the order ended."""

READ_SECONDS_MAX = 60.0
"""In real time, for one reading."""


def shows(deployment: Deployment, order: Order) -> bool:
    """Whether the deployment looks as ``order`` wants it.

    A floor's maximum may be higher by somebody else's hand, and the floor still holds.
    """
    match order.actuation:
        case Actuation.SCALE:
            return deployment.desired_replicas == order.to_replicas
        case Actuation.FLOOR:
            return deployment.min_replicas == order.min_replicas and reaches(
                deployment.max_replicas, order.max_replicas
            )
        case Actuation.PIN:
            found = (deployment.min_replicas, deployment.max_replicas)
            return found == (order.min_replicas, order.max_replicas)


def judge(
    order: Order, found: Deployment | None, *, now: float, quiet_until: float
) -> Outcome | None:
    """Return how an interrupted order ended, judged by its deployment as just read (``None``: gone).

    ``None`` until ``quiet_until`` while it may still be on its way. After that it is unknown, not
    undone: a control plane may be slower than it says, and the engine recognises a late arrival.
    """
    if found is None:
        status = WriteStatus.NOT_APPLIED
        sentence = "trimtab was stopped during the write, and the deployment is gone"
    elif shows(found, order):
        status = WriteStatus.APPLIED
        sentence = "trimtab was stopped during the write, and the deployment shows that it was made"
    elif now < quiet_until:
        return None
    else:
        status = WriteStatus.UNKNOWN
        sentence = (
            "trimtab was stopped during the write; the deployment shows "
            f"{range_words(found.min_replicas, found.max_replicas)} with {found.desired_replicas} asked for, "
            "so it was not made or somebody changed it since"
        )
    return Outcome(order=order, at=now, status=status, sentence=sentence)


class Interrupted:
    """Finds out how each interrupted order ended, however long its deployment cannot be read."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        fleet: Fleet,
        *,
        on_outcome: Callable[[Outcome], None],
        on_call: Callable[[str, str, str], None],
    ) -> None:
        self._clock = clock
        self._random = random
        self._fleet = fleet
        self._on_outcome = on_outcome
        self._on_call = on_call
        self._orders: dict[str, Order] = {}
        self._quiet_until: dict[str, float] = {}
        self._news = asyncio.Event()

    @property
    def orders(self) -> tuple[Order, ...]:
        """Those whose end is not known yet."""
        return tuple(self._orders.values())

    def take(self, orders: Iterable[Order], until: float | None) -> None:
        """Take over the unfinished orders of a run that last wrote its journal at ``until``."""
        now = self._clock.now()
        quiet_until = (now if until is None else min(until, now)) + QUIET_SECONDS
        for order in orders:
            self._orders[order.deployment] = order
            self._quiet_until[order.deployment] = quiet_until
        self._news.set()

    def forget(self, is_left: Callable[[str], bool]) -> None:
        """Leave the orders of such deployments to another member."""
        for name in [name for name in self._orders if is_left(name)]:
            del self._orders[name], self._quiet_until[name]

    async def run(self) -> None:
        """Read until every order has ended, for ever: more of them come with other members' deployments."""
        rounds = 0
        while True:
            self._news.clear()
            async with asyncio.TaskGroup() as group:  # an account that hangs keeps no other waiting
                for order in self.orders:
                    group.create_task(self._look_at(order))
            rounds += 1
            if self._orders:
                pause_seconds = INTERRUPTED.wait_seconds(rounds, self._random)
                await happened_within(self._clock, self._news, pause_seconds)
            else:
                rounds = 0
                await self._news.wait()

    async def _look_at(self, order: Order) -> None:
        target = self._fleet.target_of(order.deployment)
        if target is None:
            return
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                found = await target.read(order.deployment)
        except (TargetError, TimeoutError) as error:
            kind = error.kind.value if isinstance(error, TargetError) else "timeout"
            self._on_call(target.name, "read", kind)
            return
        self._on_call(target.name, "read", "ok")
        if found is None:
            self._fleet.drop(order.deployment)
        else:
            self._fleet.put(found)
        if self._orders.get(order.deployment) is not order:
            return  # left to another member meanwhile
        now, quiet_until = self._clock.now(), self._quiet_until[order.deployment]
        quiet_until = min(quiet_until, order.at + SENT_SECONDS_MAX + QUIET_SECONDS)
        outcome = judge(order, found, now=now, quiet_until=quiet_until)
        if outcome is not None:
            del self._orders[order.deployment], self._quiet_until[order.deployment]
            self._on_outcome(outcome)
