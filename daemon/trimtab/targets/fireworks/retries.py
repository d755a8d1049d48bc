"""Ask again only where that is safe, seldom enough not to make an outage worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import stamina

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.errors import FireworksError, Limit
from trimtab.targets.fireworks.limits import WRITE_WAIT_SECONDS_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from trimtab.clock import Clock

T = TypeVar("T")

ATTEMPTS_MAX = 4
WAIT_SECONDS_FIRST = 0.5
WAIT_SECONDS_MAX = 8.0
RETRY_AFTER_SECONDS_MAX = 60.0
"""A longer wish is handed to the caller: a loop that sleeps for minutes decides nothing."""


class RetryBudget:
    """Stop retrying when most requests fail, so that an outage is not met with four times the load.

    The rule is gRPC's retry throttling (proposal A6): a failure takes one token of ten, a success
    gives back a tenth, and retries happen only while more than half of the tokens are left.
    """

    TOKENS_MAX = 10.0
    TOKENS_PER_SUCCESS = 0.1

    def __init__(self) -> None:
        self.tokens = self.TOKENS_MAX

    def succeeded(self) -> None:
        """Give back a tenth of a token."""
        self.tokens = min(self.TOKENS_MAX, self.tokens + self.TOKENS_PER_SUCCESS)

    def failed(self) -> None:
        """Take a token."""
        self.tokens = max(0.0, self.tokens - 1.0)

    @property
    def allows_retry(self) -> bool:
        """Whether enough of the recent requests succeeded for another try to be decent."""
        return self.tokens > self.TOKENS_MAX / 2


class Retries:
    """Runs one request, again if need be: ``stamina`` counts the tries, our clock does the waiting.

    The waits are jittered exponential (0.5 s, doubling, at most 8 s, each somewhere between half of
    that and all of it), or what the server asked for. They pass on the injected clock, so that a
    simulated minute is not a real one; that is why the hook tells stamina to wait 0 seconds.
    """

    def __init__(self, clock: Clock, rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self.budget = RetryBudget()

    async def run(
        self, send: Callable[[int], Awaitable[T]], *, is_write: bool, attempts_max: int
    ) -> T:
        """Return what ``send(attempt)`` returns; raise its last ``FireworksError`` unchanged."""
        attempt_number = 0
        pause_seconds = 0.0

        def wait_before_next(error: Exception) -> bool | float:
            nonlocal pause_seconds
            if not isinstance(error, FireworksError):
                return False
            if error.retryable and not is_own_limit(error):
                self.budget.failed()
            if attempt_number >= attempts_max or not may_resend(error, is_write=is_write):
                return False
            if not self.budget.allows_retry:
                return False
            pause_seconds = self._pause_seconds(error, attempt_number)
            return 0.0

        async for attempt in stamina.retry_context(
            on=wait_before_next, attempts=attempts_max, timeout=None
        ):
            with attempt:
                attempt_number += 1
                if pause_seconds > 0:
                    await self._clock.sleep(pause_seconds)
                answer = await send(attempt_number)
                self.budget.succeeded()
                return answer
        raise AssertionError("stamina ended without a result or an error")  # pragma: no cover

    def _pause_seconds(self, error: FireworksError, attempt_number: int) -> float:
        if error.retry_after_seconds is not None:
            # A little more than was asked for: everyone was told the same second.
            return error.retry_after_seconds * self._rng.uniform(1.0, 1.1)
        longest = min(WAIT_SECONDS_MAX, WAIT_SECONDS_FIRST * 2.0 ** (attempt_number - 1))
        return self._rng.uniform(longest / 2, longest)


def may_resend(error: FireworksError, *, is_write: bool) -> bool:
    """Whether the same request may be sent again without anybody looking first.

    A read may whenever it can help. A write may only when it certainly did nothing: there is no
    idempotency key on this API, so an ambiguous one has to be read back by whoever knows what it
    meant, and one that would have to wait for long is decided anew. A 429 of the metrics endpoint or of a quota is not worth another try here.
    """
    if not error.retryable or is_own_limit(error) or error.limit in {Limit.METRICS, Limit.QUOTA}:
        return False
    longest = WRITE_WAIT_SECONDS_MAX if is_write else RETRY_AFTER_SECONDS_MAX
    if error.retry_after_seconds is not None and error.retry_after_seconds > longest:
        return False
    return not (is_write and error.is_ambiguous)


def is_own_limit(error: FireworksError) -> bool:
    """Whether our own limiter said no: it has waited already, and the server was never asked."""
    return error.kind is ErrorKind.RATE_LIMITED and error.http_status is None
