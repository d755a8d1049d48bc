"""The API behind a network that fails as it is told: the same for sockets and for virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from dataclasses import dataclass

from tests.servers.kubernetes_api import failures
from tests.servers.kubernetes_api.api import Api
from tests.servers.kubernetes_api.failures import Refusal
from tests.servers.kubernetes_api.faults import Fault, Faults, What
from tests.servers.kubernetes_api.rbac import ADMIN, Attempt
from tests.servers.kubernetes_api.requests import Answer, Request, refused

ADMIN_TOKEN = "token-of-the-admin"


class ConnectionCut(Exception):  # noqa: N818  what happens, not what is wrong
    """The other side closed the connection; ``sent`` is what came before that."""

    def __init__(self, sent: bytes = b"") -> None:
        super().__init__("connection cut")
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One request in the audit log. ``code`` is what was answered, 0 for nothing."""

    at: float
    attempt: Attempt
    code: int

    @property
    def is_write(self) -> bool:
        return self.attempt.verb in ("create", "update", "patch", "delete", "deletecollection")


class Service:
    """Answers requests in the event loop's time.

    ``audit`` has every request for a resource; ``faults`` what goes wrong. Whoever is struck by a lost
    message hangs until it gives up, as with a real network: every client needs a time limit.
    """

    def __init__(self, *, now: Callable[[], float], seed: int = 0) -> None:
        self.api = Api(now=now, seed=seed)
        self.api.gatekeeper.let_in(ADMIN_TOKEN, ADMIN)
        self.faults = Faults()
        self.audit: list[Served] = []
        self.open_watches = 0
        self._travelling: set[asyncio.Task[Answer | AsyncIterator[bytes] | None]] = set()
        self._now = now

    def count(self) -> Counter[str]:
        """Requests served, by ``verb resource``."""
        return Counter(f"{one.attempt.verb} {one.attempt.resource}" for one in self.audit)

    async def answer(self, request: Request) -> Answer | AsyncIterator[bytes]:
        """Answer, or open a stream of lines. Raises ``ConnectionCut``; may never return.

        What is sent arrives, however late, although its sender gave up or was killed meanwhile: it
        travels in a task and a context of its own.
        """
        loop = asyncio.get_running_loop()
        travel = loop.create_task(self._arrive(request), context=Context())
        self._travelling.add(travel)
        travel.add_done_callback(self._travelling.discard)
        found = await asyncio.shield(travel)
        if found is None:
            await loop.create_future()
        assert found is not None
        return found

    async def _arrive(self, request: Request) -> Answer | AsyncIterator[bytes] | None:
        try:
            attempt = self.api.attempt_of(request)
        except Refusal as refusal:
            return refused(refusal)
        if attempt is None:
            found = self.api.handle(request)
            assert isinstance(found, Answer)
            return found
        faults = self.faults.of(attempt)
        if not await self._before(faults, attempt):
            return None
        if (refusal := _refusal(faults)) is not None:
            return self._audited(attempt, refused(refusal))
        found = self.api.handle(request)
        if not isinstance(found, Answer):
            self.audit.append(Served(at=self._now(), attempt=attempt, code=200))
            return self._stream(found.lines(), faults.get(What.CUT_WATCH))
        self._audited(attempt, found)
        return await self._after(faults, found)

    def _audited(self, attempt: Attempt, answer: Answer) -> Answer:
        self.audit.append(Served(at=self._now(), attempt=attempt, code=answer.code))
        return answer

    async def _before(self, faults: dict[What, Fault], attempt: Attempt) -> bool:
        """Whether it arrives."""
        if What.DELAY_REQUEST in faults:
            await asyncio.sleep(faults[What.DELAY_REQUEST].seconds)
        if What.LOSE_REQUEST in faults:
            return False
        if What.REFUSE in faults:
            self.audit.append(Served(at=self._now(), attempt=attempt, code=0))
            raise ConnectionCut
        return True

    async def _after(self, faults: dict[What, Fault], found: Answer) -> Answer | None:
        if What.LOSE_ANSWER in faults:
            return None
        if What.DELAY in faults:
            await asyncio.sleep(faults[What.DELAY].seconds)
        if What.CUT in faults:
            raise ConnectionCut
        if What.TIME_OUT in faults:
            return refused(failures.timed_out())
        if What.GARBAGE in faults:
            return Answer(
                code=200, body=b'{"kind": "Lea', headers={"Content-Type": "application/json"}
            )
        return found

    async def close(self) -> None:
        """Let nothing arrive any more."""
        for travel in tuple(self._travelling):
            travel.cancel()
        await asyncio.gather(*self._travelling, return_exceptions=True)

    async def _stream(self, lines: AsyncIterator[bytes], cut: Fault | None) -> AsyncIterator[bytes]:
        self.open_watches += 1
        told = 0
        try:
            async for line in lines:
                if cut is not None and told >= cut.lines:
                    raise ConnectionCut(line[: len(line) // 2])
                told += 1
                yield line
        finally:
            self.open_watches -= 1
            await lines.aclose()  # type: ignore[attr-defined]  # a generator of ours


def _refusal(faults: dict[What, Fault]) -> Refusal | None:
    for what in (What.THROTTLE, What.THROTTLE_WITH_STATUS):
        if what in faults:
            seconds = max(1, round(faults[what].seconds))
            return failures.too_many_requests(seconds, is_plain=what is What.THROTTLE)
    if What.FAIL in faults:
        return failures.unavailable()
    if What.FAIL_INTERNAL in faults:
        return failures.internal("etcdserver: leader changed")
    return None
