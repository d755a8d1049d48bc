"""The calls of a target that carrying out an order takes: each with a limit of time, each counted."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from trimtab.core.decision import WriteStatus
from trimtab.errors import ErrorKind, JournalError, TargetError
from trimtab.targets import permit
from trimtab.targets.port import WriteResult

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.service.fleet import Fleet
    from trimtab.targets.port import Target

CALL_SECONDS_MAX = 120.0
"""In real time, for one call of a target; targets have tighter limits of their own."""


class Calls:
    """Makes them. ``on_call`` hears of each: target, verb, and ``ok`` or the kind of its error."""

    def __init__(self, fleet: Fleet, on_call: Callable[[str, str, str], None]) -> None:
        self._fleet = fleet
        self._on_call = on_call

    async def read(self, deployment: str, target: Target) -> Deployment | None:
        """Read a deployment again, and let the fleet know. Raises ``TargetError``."""
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

    async def write(
        self,
        order: Order,
        target: Target,
        *,
        seconds_left: Callable[[], float],
        why_not: Callable[[], str | None],
    ) -> WriteResult:
        """Send a write, which is cut off when ``seconds_left`` comes to 0.

        That is asked again when it should have: a lease is renewed while a slow write lasts. ``why_not`` is
        asked before each request that it takes.
        """
        try:
            with permit.asking(why_not):
                result = await _in_time(target.write(order), seconds_left)
        except TimeoutError as error:
            result = WriteResult(
                status=WriteStatus.UNKNOWN, sentence=str(error), error_kind=ErrorKind.TIMEOUT
            )
        outcome = "ok" if result.error_kind is None else result.error_kind.value
        self._on_call(target.name, "write", outcome)
        if result.deployment is not None:
            self._fleet.put(result.deployment)
        return result


async def _in_time(
    work: Coroutine[object, object, WriteResult], seconds_left: Callable[[], float]
) -> WriteResult:
    """Return what ``work`` comes to. Raises ``TimeoutError`` with a sentence."""
    if seconds_left() == math.inf:  # nothing is shared: begun at once, with what was just looked at
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                return await work
        except TimeoutError:
            raise TimeoutError(f"no answer within {CALL_SECONDS_MAX:.0f} s") from None
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + CALL_SECONDS_MAX
    writing = asyncio.ensure_future(work)
    try:
        while not writing.done():
            left, rest = seconds_left(), ends_at - loop.time()
            if rest <= 0:
                raise TimeoutError(f"no answer within {CALL_SECONDS_MAX:.0f} s")
            if left <= 0:
                raise TimeoutError("no answer came before the lease on it ended")
            await asyncio.wait({writing}, timeout=min(left, rest))
        return writing.result()
    finally:
        if not writing.done():
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


def why_unkept(kept: BaseException | None) -> str | None:
    """Say why an order cannot be sent whose intention is not written down; raises what is a bug."""
    if kept is None:
        return None
    if isinstance(kept, JournalError):
        return f"it was not sent: {kept}"
    raise kept
