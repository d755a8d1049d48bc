"""Carries orders out: at most one write in flight per deployment, a bounded number over all.

Before each write the deployment is read again, and meanwhile the intention is written down; an order whose
world has moved on is void and a new decision is due. Only when both are done the write is sent. What failed
is left alone for a while, and says so, instead of being hammered.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Protocol

from trimtab.coordination.port import OwnsAll
from trimtab.core.decision import Outcome, Reason, WriteStatus
from trimtab.core.orders import why_void
from trimtab.errors import ErrorKind, TargetError
from trimtab.service.calls import Calls, why_unkept
from trimtab.service.need import need
from trimtab.service.setbacks import Setbacks
from trimtab.service.withholding import Withheld, Withholding

if TYPE_CHECKING:
    from collections.abc import Callable, KeysView, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.coordination.port import Ownership
    from trimtab.core.decision import Order
    from trimtab.service.circuits import Circuit
    from trimtab.service.fleet import Fleet
    from trimtab.service.setbacks import Setback

WRITES_IN_FLIGHT_MAX = 16
"""Over all deployments. Enough for a fleet that starts its day, too little for a flood."""

ORDERS_WAITING_MAX = 1024
"""Orders beyond those in flight. A longer queue would only grow old: see below."""

ORDER_AGE_SECONDS_MAX = 60.0
"""An order that queued longer than this rests on load that is no longer true."""

WRITE_SECONDS_MIN = 1.0
"""A write is not begun that has less time than this before it may be another member's to make."""

NO_TARGET = "no account in the settings reaches it"
NOT_OWNED = "another member decides for it, or the lease on it could not be renewed"


class Gate(Protocol):
    """Says whether a write is still meant to be made, and writes the intention down."""

    def why_not(self, order: Order) -> Withholding | None:
        """Return what stands against writing ``order`` now, apart from the deployment itself."""
        ...

    async def intend(self, order: Order, term: int | None) -> None:
        """Return once the intention to send ``order`` in ``term`` is durable (``None``: nothing is shared).

        Raises ``JournalError``.
        """
        ...


@dataclass(slots=True)
class _Begun:
    """An order that has its turn, and the term in which it is to be sent.

    ``is_sent`` once a write may have left; ``is_lost``: its end is another member's to find out.
    """

    order: Order
    term: int
    task: asyncio.Task[None]
    is_sent: bool = False
    is_lost: bool = False


class Actuator:
    """Begins orders as tasks of its own and reports the end of each, exactly once, to ``on_outcome``.

    To ``on_lost`` where the deployment became another member's meanwhile. Orders that wait for a turn take it by need (``need``), the older first among equals.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        fleet: Fleet,
        *,
        gate: Gate,
        on_outcome: Callable[[Outcome], None],
        writes_in_flight_max: int = WRITES_IN_FLIGHT_MAX,
        orders_waiting_max: int = ORDERS_WAITING_MAX,
        on_call: Callable[[str, str, str], None] | None = None,
        circuits: Mapping[str, Circuit] | None = None,
        ownership: Ownership | None = None,
        on_lost: Callable[[Outcome], None] | None = None,
    ) -> None:
        self._clock = clock
        self._fleet = fleet
        self._gate = gate
        self._ownership = ownership or OwnsAll()
        self._on_outcome = on_outcome
        self._on_lost = on_lost or (lambda _outcome: None)
        self._calls = Calls(fleet, on_call or (lambda _target, _verb, _outcome: None))
        self._circuits = circuits or {}
        self._begun_max = writes_in_flight_max
        self._waiting_max = orders_waiting_max
        self._waiting: list[tuple[float, int, Order]] = []  # a heap: the neediest first
        self._arrivals = count()
        self._taken: dict[str, int] = {}  # the term of each
        self._begun: dict[str, _Begun] = {}
        self._setbacks = Setbacks(clock, random)
        self._is_stopping = False

    @property
    def in_flight(self) -> KeysView[str]:
        """Deployments with an order taken and not ended, as a live view; they are not due."""
        return self._taken.keys()

    @property
    def waiting(self) -> int:
        """How many orders wait for a turn."""
        return len(self._waiting)

    @property
    def setbacks(self) -> Mapping[str, Setback]:
        """What the last write of a deployment ran into, until a write succeeds."""
        return self._setbacks.known

    def submit(self, order: Order) -> Withholding | None:
        """Take ``order`` to carry it out, or say why not. Never blocks."""
        withholding = self._why_not(order)
        term = self._ownership.term_of(order.deployment)
        if withholding is None and term is None:
            return _because(order, Withheld.NOT_OWNED, NOT_OWNED)
        if withholding is None and term is not None:
            self._taken[order.deployment] = term
            heappush(self._waiting, (-need(order), next(self._arrivals), order))
            self._begin_waiting()
        return withholding

    def forgive_quotas(self) -> None:
        """Begin orders again that were refused for a quota: there is another one now."""
        self._setbacks.forgive_quotas()

    def forget(self, deployment: str) -> None:
        """Drop what is remembered of a deployment that is no more."""
        self._setbacks.forget(deployment)

    async def drain(self, seconds: float) -> int:
        """Begin nothing more, let writes that were sent end, for at most ``seconds`` of real time.

        What was not sent yet is dropped at once. Returns how many writes had to be abandoned.
        """
        self._is_stopping = True
        return await self.hand_over(lambda _: True, seconds)

    async def hand_over(self, is_left: Callable[[str], bool], seconds: float) -> int:
        """Drop what was not sent of the deployments that are ``is_left``, and let the rest of them end.

        For at most ``seconds`` of real time. Returns how many writes had to be abandoned.
        """
        for order in self._take_waiting(is_left):
            self._on_outcome(self._dropped(order))
        begun = {name: one for name, one in self._begun.items() if is_left(name)}
        for one in begun.values():
            if not one.is_sent:
                one.task.cancel()
        if not begun:
            return 0
        tasks = [one.task for one in begun.values()]
        _, late = await asyncio.wait(tasks, timeout=max(0.0, seconds))
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for name, one in begun.items():
            if self._begun.get(name) is one:  # cancelled before its first line ran
                del self._begun[name], self._taken[name]
                self._on_outcome(self._dropped(one.order))
        return len(late)

    def lose(self, is_lost: Callable[[str], bool]) -> None:
        """Stop at once all that concerns the deployments that are ``is_lost``: another may write to them.

        What is on its way is cut off, and ``on_lost`` hears of it; for what was not sent there is nobody
        who waits to hear.
        """
        self._take_waiting(is_lost)
        for name, one in self._begun.items():
            if is_lost(name) and not one.is_lost:
                one.is_lost = True
                one.task.cancel()
                one.task.add_done_callback(partial(self._lost, one))

    def _lost(self, begun: _Begun, _: asyncio.Task[None]) -> None:
        name = begun.order.deployment
        self._setbacks.forget(name)
        if self._begun.get(name) is begun:  # cancelled before its first line ran
            del self._begun[name], self._taken[name]
            self._begin_waiting()

    def _take_waiting(self, is_left: Callable[[str], bool]) -> list[Order]:
        """Remove the orders that wait for their turn and are of such deployments; the neediest first."""
        left = [one for one in sorted(self._waiting) if is_left(one[2].deployment)]
        if left:
            self._waiting = [one for one in self._waiting if not is_left(one[2].deployment)]
            heapify(self._waiting)
        for _, _, order in left:
            del self._taken[order.deployment]
        return [order for _, _, order in left]

    async def finish(self, seconds: float) -> int:
        """Let every order that was taken end, for at most ``seconds`` of real time.

        Returns how many writes had to be abandoned.
        """
        ends_at = asyncio.get_running_loop().time() + seconds
        while self._begun:
            rest = ends_at - asyncio.get_running_loop().time()
            if rest <= 0:
                break
            tasks = [one.task for one in self._begun.values()]
            await asyncio.wait(tasks, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
        return await self.drain(0.0)

    def _is_closed_to(self, order: Order) -> bool:
        """Whether the stop is against ``order``: only what it is the stop's to do is begun then."""
        return self._is_stopping and order.reason is not Reason.HAND_BACK

    def _why_not(self, order: Order) -> Withholding | None:
        if self._is_closed_to(order):
            return _because(order, Withheld.STOPPING, "trimtab stops")
        if order.deployment in self._taken:
            return _because(order, Withheld.IN_FLIGHT, "an earlier write has not ended yet")
        return self._gate.why_not(order) or self._why_not_now(order)

    def _why_not_now(self, order: Order) -> Withholding | None:
        """Return what the world has against ``order`` for the moment."""
        target = self._fleet.target_of(order.deployment)
        if target is None:
            return _because(order, Withheld.NO_TARGET, NO_TARGET)
        if (setback := self._setbacks.against(order)) is not None:
            return _because(order, Withheld.BACKING_OFF, setback.sentence, setback.until)
        circuit = self._circuits.get(target.name)
        if circuit is not None and circuit.refusal is not None:
            why, seconds = circuit.refusal
            return _because(order, Withheld.CIRCUIT_OPEN, why, self._clock.now() + seconds)
        if (trouble := self._fleet.trouble(target.name)) is not None:
            return _because(order, Withheld.TARGET_UNREADABLE, trouble.sentence)
        if len(self._waiting) >= self._waiting_max:
            why = f"{self._waiting_max} orders wait already; raise writes_in_flight_max where limits allow"
            return _because(order, Withheld.QUEUE_FULL, why)
        return None

    def _begin_waiting(self) -> None:
        while self._waiting and len(self._begun) < self._begun_max:
            order = heappop(self._waiting)[2]
            task = asyncio.get_running_loop().create_task(
                self._carry_out(order), name=f"write {order.deployment}"
            )
            self._begun[order.deployment] = _Begun(order, self._taken[order.deployment], task)

    async def _carry_out(self, order: Order) -> None:
        begun = self._begun[order.deployment]
        try:
            outcome = await self._attempt(begun)
        except asyncio.CancelledError:
            self._end(begun, self._abandoned(begun))
            raise
        except Exception as bug:  # noqa: BLE001  one deployment is isolated; the fleet goes on
            status = WriteStatus.UNKNOWN if begun.is_sent else WriteStatus.NOT_APPLIED
            sentence = f"a bug in trimtab: {type(bug).__name__}: {bug}"
            outcome = self._ended(order, status, sentence, ErrorKind.BAD_RESPONSE)
        self._end(begun, outcome)

    def _end(self, begun: _Begun, outcome: Outcome) -> None:
        del self._begun[begun.order.deployment], self._taken[begun.order.deployment]
        try:
            (self._on_lost if begun.is_lost else self._on_outcome)(outcome)
        finally:
            self._begin_waiting()

    async def _attempt(self, begun: _Begun) -> Outcome:
        order = begun.order
        target = self._fleet.target_of(order.deployment)
        if target is None:
            return self._ended(order, WriteStatus.VOID, NO_TARGET)
        age_seconds = self._clock.now() - order.at
        if age_seconds > ORDER_AGE_SECONDS_MAX:
            sentence = f"it waited {age_seconds:.0f} s for its turn; a new decision is due"
            return self._ended(order, WriteStatus.VOID, sentence)
        refusal = self._refused(order)
        if refusal is not None:
            return self._ended(order, WriteStatus.VOID, refusal)
        # Neither waits for the other: a disk and a network, several milliseconds each.
        fresh, kept = await asyncio.gather(
            self._calls.read(order.deployment, target),
            self._gate.intend(order, begun.term if self._ownership.is_shared else None),
            return_exceptions=True,
        )
        if isinstance(fresh, TargetError):
            return self._unread(order, fresh)
        if isinstance(fresh, BaseException):
            raise fresh
        why = why_void(order, fresh, self._clock.now()) or why_unkept(kept)
        why = why or self._why_not_to_leave(begun, WRITE_SECONDS_MIN)  # both took time
        if why is not None:
            return self._ended(order, WriteStatus.VOID, why)
        begun.is_sent = True
        result = await self._calls.write(
            order,
            target,
            seconds_left=partial(self._ownership.seconds_left, order.deployment),
            why_not=partial(self._why_not_to_leave, begun),
        )
        ended = self._ended(
            order, result.status, result.sentence, result.error_kind, result.retry_after_seconds
        )
        if result.quota is not None:  # the next wish will know what there is
            self._setbacks.excuse_first(order.deployment)
        return replace(ended, quota=result.quota)

    def _unread(self, order: Order, error: TargetError) -> Outcome:
        return self._ended(
            order,
            WriteStatus.NOT_APPLIED,
            f"it could not be read again before the write: {error}",
            error.kind,
            error.retry_after_seconds,
        )

    def _refused(self, order: Order) -> str | None:
        if self._is_closed_to(order):
            return "trimtab stops"
        refusal = self._gate.why_not(order)
        return None if refusal is None else refusal.sentence

    def _why_not_to_leave(self, begun: _Begun, seconds_min: float = 0.0) -> str | None:
        """Say why a request of an order may not leave now; ``None``: it may.

        Asked when all is ready, and again right before each request: a connection, and in a shared fleet a
        turn of the loop, lie in between.
        """
        return self._refused(begun.order) or self._why_not_ours(begun, seconds_min)

    def _why_not_ours(self, begun: _Begun, seconds_min: float) -> str | None:
        """Say why an order may not be sent in the term in which it was taken; ``None``: it may."""
        name = begun.order.deployment
        if self._ownership.term_of(name) != begun.term:
            return NOT_OWNED
        seconds = self._ownership.seconds_left(name)
        if seconds <= seconds_min:
            return f"the lease on it ends in {seconds:.1f} s, and a write may take longer"
        return None

    def _abandoned(self, begun: _Begun) -> Outcome:
        if not begun.is_sent:
            return self._dropped(begun.order)
        sentence = "trimtab stopped before the answer came"
        return self._ended(begun.order, WriteStatus.UNKNOWN, sentence)

    def _dropped(self, order: Order) -> Outcome:
        return self._ended(order, WriteStatus.VOID, "trimtab stopped before it was sent")

    def _ended(
        self,
        order: Order,
        status: WriteStatus,
        sentence: str,
        kind: ErrorKind | None = None,
        retry_after_seconds: float | None = None,
    ) -> Outcome:
        """Make the outcome and remember the setback, if it is one."""
        if status is WriteStatus.APPLIED:
            self._setbacks.forget(order.deployment)
        else:
            lasting = None if status is WriteStatus.VOID else kind  # who was overtaken begins anew
            self._setbacks.add(order.deployment, sentence, lasting, retry_after_seconds)
        return Outcome(
            order=order,
            at=self._clock.now(),
            status=status,
            sentence=sentence,
            error_kind=None if kind is None else kind.value,
        )


def _because(
    order: Order, reason: Withheld, sentence: str, until: float | None = None
) -> Withholding:
    return Withholding(order=order, reason=reason, sentence=sentence, until=until)
