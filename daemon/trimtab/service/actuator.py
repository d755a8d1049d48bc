"""Carries orders out: at most one write in flight per deployment, a bounded number over all.

Before each write the deployment is read again; an order whose world has moved on is void and a new
decision is due. What failed is left alone for a while, and says so, instead of being hammered.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.orders import why_void
from trimtab.errors import ErrorKind, TargetError
from trimtab.service.backoff import pace_for
from trimtab.targets.port import WriteResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.service.fleet import Fleet
    from trimtab.targets.port import Target

WRITES_IN_FLIGHT_MAX = 16
"""Over all deployments. Enough for a fleet that starts its day, too little for a flood."""

ORDER_AGE_SECONDS_MAX = 60.0
"""An order that queued longer than this rests on load that is no longer true."""

CALL_SECONDS_MAX = 120.0
"""In real time, for one call of a target; targets have tighter limits of their own."""


class Withheld(StrEnum):
    """Why an order was not even begun. Closed: it is a metric label."""

    IN_FLIGHT = "in_flight"
    BACKING_OFF = "backing_off"
    TARGET_UNREADABLE = "target_unreadable"
    NO_TARGET = "no_target"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withholding:
    """An order that was not begun, why in a sentence, and until when at least (UTC seconds)."""

    order: Order
    reason: Withheld
    sentence: str
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """What a deployment's last write ran into. ``failures`` counts those in a row.

    ``error_kind`` is ``None`` when nothing failed but the world kept moving on.
    """

    failures: int
    until: float
    until_monotonic: float
    sentence: str
    error_kind: ErrorKind | None

    def concerns(self, order: Order) -> bool:
        """Whether ``order`` would run into the same. A quota never stands against asking for less."""
        is_quota = self.error_kind is ErrorKind.QUOTA_EXCEEDED
        return not is_quota or order.to_replicas > order.from_replicas


class Actuator:
    """Begins orders as tasks of its own and reports what became of each to ``on_outcome``."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        fleet: Fleet,
        *,
        on_outcome: Callable[[Outcome], None],
        writes_in_flight_max: int = WRITES_IN_FLIGHT_MAX,
        on_call: Callable[[str, str, str], None] | None = None,
    ) -> None:
        self._clock = clock
        self._random = random
        self._fleet = fleet
        self._on_outcome = on_outcome
        self._on_call = on_call or (lambda _target, _verb, _outcome: None)
        self._slots = asyncio.Semaphore(writes_in_flight_max)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sent: set[str] = set()
        self._setbacks: dict[str, Setback] = {}
        self._is_stopping = False

    @property
    def in_flight(self) -> frozenset[str]:
        """Deployments with an order begun and not ended; they are not due."""
        return frozenset(self._tasks)

    @property
    def setbacks(self) -> Mapping[str, Setback]:
        """What the last write of a deployment ran into, until a write succeeds."""
        return self._setbacks

    def submit(self, order: Order) -> Withholding | None:
        """Begin to carry out ``order``, or say why not. Never blocks."""
        withholding = self._why_not(order)
        if withholding is None:
            name = f"write {order.deployment}"
            task = asyncio.get_running_loop().create_task(self._carry_out(order), name=name)
            self._tasks[order.deployment] = task
        return withholding

    def forget(self, deployment: str) -> None:
        """Drop what is remembered of a deployment that is no more."""
        self._setbacks.pop(deployment, None)

    async def drain(self, seconds: float) -> int:
        """Begin nothing more, let writes that were sent end, for at most ``seconds`` of real time.

        What was not sent yet is dropped at once. Returns how many writes had to be abandoned.
        """
        self._is_stopping = True
        tasks = dict(self._tasks)
        for name, task in tasks.items():
            if name not in self._sent:
                task.cancel()
        if not tasks:
            return 0
        _, late = await asyncio.wait(tasks.values(), timeout=max(0.0, seconds))
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _why_not(self, order: Order) -> Withholding | None:
        if self._is_stopping:
            return Withholding(order=order, reason=Withheld.STOPPING, sentence="trimtab stops")
        if order.deployment in self._tasks:
            sentence = "an earlier write has not ended yet"
            return Withholding(order=order, reason=Withheld.IN_FLIGHT, sentence=sentence)
        target = self._fleet.target_of(order.deployment)
        if target is None:
            sentence = "no account in the settings reaches it"
            return Withholding(order=order, reason=Withheld.NO_TARGET, sentence=sentence)
        setback = self._setbacks.get(order.deployment)
        if (
            setback is not None
            and setback.until_monotonic > self._clock.monotonic()
            and setback.concerns(order)
        ):
            return Withholding(
                order=order,
                reason=Withheld.BACKING_OFF,
                sentence=setback.sentence,
                until=setback.until,
            )
        trouble = self._fleet.trouble(target.name)
        if trouble is not None:
            reason = Withheld.TARGET_UNREADABLE
            return Withholding(order=order, reason=reason, sentence=trouble.sentence)
        return None

    async def _carry_out(self, order: Order) -> None:
        try:
            async with self._slots:
                outcome = await self._attempt(order)
        except asyncio.CancelledError:
            if order.deployment in self._sent:
                sentence = "trimtab stopped before the answer came"
                self._on_outcome(self._ended(order, WriteStatus.UNKNOWN, sentence))
            raise
        except Exception as bug:  # noqa: BLE001  one deployment is isolated; the fleet goes on
            status = (
                WriteStatus.UNKNOWN if order.deployment in self._sent else WriteStatus.NOT_APPLIED
            )
            sentence = f"a bug in trimtab: {type(bug).__name__}: {bug}"
            outcome = self._ended(order, status, sentence, ErrorKind.BAD_RESPONSE)
        finally:
            self._sent.discard(order.deployment)
            self._tasks.pop(order.deployment, None)
        self._on_outcome(outcome)

    async def _attempt(self, order: Order) -> Outcome:
        target = self._fleet.target_of(order.deployment)
        if target is None:
            return self._ended(order, WriteStatus.VOID, "no account in the settings reaches it")
        age_seconds = self._clock.now() - order.at
        if age_seconds > ORDER_AGE_SECONDS_MAX:
            sentence = f"it waited {age_seconds:.0f} s for its turn; a new decision is due"
            return self._ended(order, WriteStatus.VOID, sentence)
        try:
            fresh = await self._read(order.deployment, target)
        except TargetError as error:
            return self._ended(
                order,
                WriteStatus.NOT_APPLIED,
                f"it could not be read again before the write: {error}",
                error.kind,
                error.retry_after_seconds,
            )
        why = why_void(order, fresh, self._clock.now())
        if why is None and self._is_stopping:
            why = "trimtab stops"
        if why is not None:
            return self._ended(order, WriteStatus.VOID, why)
        result = await self._write(order, target)
        if result.deployment is not None:
            self._fleet.put(result.deployment)
        return self._ended(
            order, result.status, result.sentence, result.error_kind, result.retry_after_seconds
        )

    async def _read(self, deployment: str, target: Target) -> Deployment | None:
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                fresh = await target.read(deployment)
        except TargetError as error:
            self._on_call(target.name, "read", error.kind.value)
            raise
        except TimeoutError as error:
            self._on_call(target.name, "read", ErrorKind.TIMEOUT.value)
            message = f"no answer within {CALL_SECONDS_MAX:.0f} s"
            raise TargetError(message, kind=ErrorKind.TIMEOUT) from error
        self._on_call(target.name, "read", "ok")
        if fresh is None:
            self._fleet.drop(deployment)
        else:
            self._fleet.put(fresh)
        return fresh

    async def _write(self, order: Order, target: Target) -> WriteResult:
        self._sent.add(order.deployment)
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                result = await target.write(order)
        except TimeoutError:
            result = WriteResult(
                status=WriteStatus.UNKNOWN,
                sentence=f"no answer within {CALL_SECONDS_MAX:.0f} s",
                error_kind=ErrorKind.TIMEOUT,
            )
        outcome = "ok" if result.error_kind is None else result.error_kind.value
        self._on_call(target.name, "write", outcome)
        return result

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
            self._setbacks.pop(order.deployment, None)
        else:
            self._set_back(order.deployment, sentence, kind, retry_after_seconds)
        return Outcome(
            order=order,
            at=self._clock.now(),
            status=status,
            sentence=sentence,
            error_kind=None if kind is None else kind.value,
        )

    def _set_back(
        self, deployment: str, sentence: str, kind: ErrorKind | None, retry_after: float | None
    ) -> None:
        before = self._setbacks.get(deployment)
        failures = 1 if before is None else before.failures + 1
        wait_seconds = pace_for(kind).wait_seconds(failures, self._random)
        if kind is None and failures == 1:
            wait_seconds = (
                0.0  # the first void order is decided anew at once; a row of them is a race
            )
        wait_seconds = max(wait_seconds, retry_after or 0.0)
        self._setbacks[deployment] = Setback(
            failures=failures,
            until=self._clock.now() + wait_seconds,
            until_monotonic=self._clock.monotonic() + wait_seconds,
            sentence=sentence,
            error_kind=kind,
        )
