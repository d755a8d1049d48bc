"""The way from a simulated daemon to the emulated control plane, without sockets.

What aiohttp would raise is raised as ``HttpConnection`` would have translated it: refused and timed
out while connecting (nothing was sent), lost before and after the server saw it, hung until the
total timeout. The server goes on working on a request whose sender is dead or has given up.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from contextvars import Context
from random import Random
from typing import Any, Protocol

from tests.simulation.weather import Weather, operation_of

from trimtab.emulator.emulation import Emulation
from trimtab.emulator.in_process import Reply, ask
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.account import CONNECT_TIMEOUT_SECONDS, TOTAL_TIMEOUT_SECONDS
from trimtab.targets.fireworks.answers import Answer, Call, no_answer
from trimtab.targets.fireworks.errors import FireworksError

GARBAGE = ("NaN", "+Inf", "-Inf", "-7", "1e18", "none", "", "0x10", "4,5", "1e999")
_VALUE = re.compile(r"(?<=\} )\S+$", re.MULTILINE)
KEY = "simulated"
STALE_SECONDS_MAX = 40.0


class Listening(Protocol):
    """Who watches the wire. ``process`` is the number of the daemon's process."""

    def sending(self, process: int, call: Call) -> None: ...
    def served(self, process: int, call: Call, reply: Reply | None) -> None: ...
    def answered(
        self, process: int, call: Call, answer: Answer | None, *, was_sent: bool
    ) -> None: ...


class Network:
    """Carries calls of any process to the emulator."""

    def __init__(
        self, emulation: Emulation, weather: Weather, rng: Random, *, latency_seconds: float
    ) -> None:
        self.emulation = emulation
        self.weather = weather
        self._rng = rng
        self._latency = latency_seconds
        self._servers: set[asyncio.Task[Any]] = set()
        self.listener: Listening | None = None

    def pause_seconds(self) -> float:
        """One way's time."""
        return self._rng.expovariate(2.0 / self._latency) if self._latency else 0.0

    def serve_later(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let the server work on something whoever asked for it."""
        # In a context of its own: killing the sender does not kill the server.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._servers.add(task)
        task.add_done_callback(self._servers.discard)
        return task

    async def serve(self, process: int, call: Call, key: str) -> Reply | None:
        """Do what the server does with a call."""
        if operation_of(call) == "GetDeployment":
            self._catch_up(call.path)
        reply = await ask(
            self.emulation,
            call.method,
            "/v1/" + call.path,
            query=call.query,
            headers={"Authorization": f"Bearer {key}"},
            body=b"" if call.body is None else json.dumps(call.body).encode(),
        )
        if self.listener is not None:
            self.listener.served(process, call, reply)
        return reply

    def _catch_up(self, name: str) -> None:
        """Let stale reads be stale by seconds, as replicas of a database are, and not by hours."""
        one = self.emulation.deployments.get(name)
        if one is not None and self.emulation.now() - one.updated_at > STALE_SECONDS_MAX:
            one.before_last_write = None

    async def exchange(self, process: int, call: Call, key: str) -> Answer:
        """Carry one call there and its answer back. Raises ``FireworksError``."""
        strike = self.weather.strike(call)
        if strike == "refused":
            raise no_answer(call, "connection refused", kind=ErrorKind.UNAVAILABLE, was_sent=False)
        if strike == "connect_timeout":
            await asyncio.sleep(CONNECT_TIMEOUT_SECONDS)
            raise no_answer(call, "no connection", kind=ErrorKind.TIMEOUT, was_sent=False)
        there, back = self.pause_seconds(), self.pause_seconds()
        if strike == "slow":
            there, back = self._rng.uniform(0.5, 14.0), self._rng.uniform(0.5, 14.0)
        if strike == "request_lost" or (strike == "hung" and self._rng.random() < 0.5):
            await self._lose(call, is_hung=strike == "hung")
        is_late = strike in {"applied_late", "hung"}
        if is_late:
            there = TOTAL_TIMEOUT_SECONDS * self._rng.uniform(0.1, 1.9)
        work = self.serve_later(self._arrive(process, call, key, there, strike))
        if is_late:
            await self._lose(call, is_hung=True)
        reply: Reply | None = await asyncio.shield(work)
        if strike == "answer_lost" or reply is None:
            await self._lose(call, is_hung=False)
        assert reply is not None
        await asyncio.sleep(back)
        return Answer(
            status=reply.status,
            headers=reply.headers,
            text=self._garbled(reply.text) if strike == "garbage_metrics" else reply.text,
        )

    async def _arrive(
        self, process: int, call: Call, key: str, there: float, strike: str | None
    ) -> Reply | None:
        await asyncio.sleep(there)
        reply = await self.serve(process, call, key)
        if strike == "replayed":
            self.serve_later(self._replay(process, call, key))
        return reply

    async def _replay(self, process: int, call: Call, key: str) -> None:
        """A proxy sends the same bytes once more."""
        await asyncio.sleep(self._rng.uniform(0.5, 20.0))
        await self.serve(process, call, key)

    async def _lose(self, call: Call, *, is_hung: bool) -> None:
        if is_hung:
            await asyncio.sleep(TOTAL_TIMEOUT_SECONDS)
            raise no_answer(call, "no whole answer", kind=ErrorKind.TIMEOUT, was_sent=True)
        await asyncio.sleep(self.pause_seconds())
        raise no_answer(call, "the connection was lost", kind=ErrorKind.UNAVAILABLE, was_sent=True)

    def _garbled(self, text: str) -> str:
        """Spoil some values, the way broken exporters do."""
        share = self._rng.choice([0.1, 0.5, 1.0])

        def spoil(match: re.Match[str]) -> str:
            return self._rng.choice(GARBAGE) if self._rng.random() < share else match.group()

        return _VALUE.sub(spoil, text)

    async def close(self) -> None:
        """Stop working."""
        tasks = set(self._servers)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class SimulatedConnection:
    """One process's connection of one account; a dead process gets no answers."""

    def __init__(self, network: Network, process: int, key: str = KEY) -> None:
        self._network = network
        self._process = process
        self._key = key
        self.is_dead = False

    async def exchange(self, call: Call) -> Answer:
        if self.is_dead:
            await asyncio.get_running_loop().create_future()
        listener = self._network.listener
        if listener is not None:
            listener.sending(self._process, call)
        answer: Answer | None = None
        was_sent = True
        try:
            answer = await self._network.exchange(self._process, call, self._key)
        except FireworksError as error:
            was_sent = error.is_ambiguous
            raise
        finally:
            if listener is not None and not self.is_dead:
                listener.answered(self._process, call, answer, was_sent=was_sent)
        return answer

    async def close(self) -> None:
        """Nothing is open."""
