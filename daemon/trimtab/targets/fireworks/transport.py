"""How calls of one account reach the control plane: limits, retries, counting; no resource."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from trimtab.targets.fireworks.answers import (
    Answer,
    Bucket,
    Call,
    describe,
    explain,
    unreadable,
)
from trimtab.targets.fireworks.connection import HttpConnection
from trimtab.targets.fireworks.errors import FireworksError, Limit, check_permit
from trimtab.targets.fireworks.limits import (
    WAIT_SECONDS_MAX,
    WRITE_WAIT_SECONDS_MAX,
    TokenBucket,
)
from trimtab.targets.fireworks.parse import load_json
from trimtab.targets.fireworks.retries import ATTEMPTS_MAX, Retries

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.errors import ErrorKind
    from trimtab.targets.fireworks.account import FireworksAccount
    from trimtab.targets.fireworks.connection import Connection

CONTROL_BURST = 60
"""One second's worth of the usual limit: a page of reads at once, then a steady stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request that was made, for counting: the operation, how it ended and how long it took.

    ``error_kind`` is ``None`` when a whole answer of 200..299 arrived. ``attempt`` starts at 1.
    """

    account_id: str
    operation: str
    attempt: int
    took_seconds: float
    http_status: int | None
    error_kind: ErrorKind | None


Observer: TypeAlias = "Callable[[Exchange], None]"


class Transport:
    """Sends calls of one account over ``connection`` (HTTP unless told); ``close`` it in the end."""

    def __init__(
        self,
        account: FireworksAccount,
        clock: Clock,
        *,
        rng: Random | None = None,
        observer: Observer | None = None,
        connection: Connection | None = None,
    ) -> None:
        self.account = account
        self._clock = clock
        self._observer = observer
        self._connection = connection or HttpConnection(account)
        self._retries = Retries(clock, Random() if rng is None else rng)  # noqa: S311  jitter
        self._buckets = {
            Bucket.CONTROL: _bucket(clock, Bucket.CONTROL, account.control_per_minute),
            Bucket.METRICS: _bucket(clock, Bucket.METRICS, account.metrics_per_minute),
        }

    def __repr__(self) -> str:
        return (
            f"Transport(account_id={self.account.account_id!r}, base_url={self.account.base_url!r})"
        )

    async def close(self) -> None:
        """Release the connections; safe to call twice."""
        await self._connection.close()

    async def fetch(self, call: Call, *, attempts_max: int = ATTEMPTS_MAX) -> Answer:
        """Return the answer of 200..299 to a call, retried where that is safe.

        Raises ``FireworksError``.
        """
        wait_seconds_max = WRITE_WAIT_SECONDS_MAX if call.is_write else WAIT_SECONDS_MAX

        async def send(attempt: int) -> Answer:
            await self._buckets[call.bucket].acquire(
                wait_seconds_max=wait_seconds_max, is_patient=call.is_patient
            )
            if call.is_write:  # a turn and the pause before it took time
                check_permit()
            return await self._send(call, attempt)

        return await self._retries.run(send, is_write=call.is_write, attempts_max=attempts_max)

    async def fetch_object(self, call: Call, *, may_be_empty: bool = False) -> dict[str, object]:
        """Return the JSON object that answers a call. Raises ``FireworksError``.

        ``may_be_empty`` is for the operations that answer ``{}``: no body at all says the same.
        """
        answer = await self.fetch(call)
        if may_be_empty and not answer.text.strip():
            return {}
        try:
            body = load_json(answer.text)
        except ValueError as error:
            raise unreadable(call, answer, describe(answer.text)) from error
        if not isinstance(body, dict):
            raise unreadable(call, answer, "JSON that is not an object")
        return body

    async def _send(self, call: Call, attempt: int) -> Answer:
        started = self._clock.monotonic()
        status: int | None = None
        kind: ErrorKind | None = None
        try:
            answer = await self._connection.exchange(call)
            status = answer.status
            if not 200 <= status <= 299:
                raise self._refusal(call, answer)
        except FireworksError as error:
            kind = error.kind
            status = error.http_status
            raise
        else:
            return answer
        finally:
            self._observe(call, attempt, started, status, kind)

    def _refusal(self, call: Call, answer: Answer) -> FireworksError:
        error = explain(call, answer, now=self._clock.now())
        if error.limit in {Limit.METRICS, Limit.REQUESTS} and error.retry_after_seconds:
            # The limit is the account's, not this request's: everyone waits.
            self._buckets[call.bucket].close_for(error.retry_after_seconds)
        return error

    def _observe(
        self,
        call: Call,
        attempt: int,
        started: float,
        status: int | None,
        kind: ErrorKind | None,
    ) -> None:
        was_cancelled = status is None and kind is None
        if self._observer is None or was_cancelled:
            return
        self._observer(
            Exchange(
                account_id=self.account.account_id,
                operation=call.operation,
                attempt=attempt,
                took_seconds=self._clock.monotonic() - started,
                http_status=status,
                error_kind=kind,
            )
        )


def _bucket(clock: Clock, bucket: Bucket, per_minute: int) -> TokenBucket:
    burst = 1 if bucket is Bucket.METRICS else max(1, min(CONTROL_BURST, per_minute // 2))
    return TokenBucket(clock, name=bucket.value, per_minute=per_minute, burst=burst)
