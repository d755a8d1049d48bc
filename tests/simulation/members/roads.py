"""The roads of a member: to the control plane, without sockets, and to what members meet on.

A request takes no longer than ``ARRIVING_SECONDS`` from its sender to the control plane, and never longer than
that after its sender gave it up: that is what leases count on (``coordination.holdings.SENDING_SECONDS``).
One that is lost never arrives. Answers may take any time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.worlds.leases_in_memory import BadWire, outside

from trimtab.emulator.emulation import Emulation
from trimtab.emulator.in_process import Reply, ask
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.account import CONNECT_TIMEOUT_SECONDS, TOTAL_TIMEOUT_SECONDS
from trimtab.targets.fireworks.answers import Answer, Call, no_answer
from trimtab.targets.fireworks.errors import check_permit

KEY = "simulated"
LOAD_A_REPLICA = 10.0
ARRIVING_SECONDS = 0.2


@dataclass
class Road:
    """How a way is at present. ``loses`` are of ``requests`` and ``answers``; each way takes ``seconds`` at most."""

    rng: Random
    seconds: float = 0.02
    loses: set[str] = field(default_factory=set)
    refuses: bool = False
    """Whether whoever tries to connect is told at once that there is nobody."""

    def takes(self) -> float:
        """Draw how long one way takes."""
        return self.rng.uniform(0.05, 1.0) * self.seconds

    def wire(self, limit_seconds: float) -> BadWire:
        """Return the road as what leases and journals travel over."""
        return BadWire(
            limit_seconds,
            lambda _call, _way: self.takes(),
            lambda _call: "requests" in self.loses,
            lambda _call: "answers" in self.loses,
        )


class ControlPlane:
    """The emulated control plane. ``on_change`` hears of each change at the instant at which it took effect."""

    def __init__(self, emulation: Emulation) -> None:
        self.emulation = emulation
        self.on_change: Callable[[int, Call, tuple[int, int]], None] = lambda *_: None
        self.on_look: Callable[[int, str, float], None] = lambda *_: None

    async def serve(self, process: int, call: Call) -> Reply | None:
        """Do what the server does with a call."""
        name = call.path.partition(":")[0]
        one = self.emulation.deployments.get(name)
        before = None if one is None else (one.minimum, one.maximum)
        reply = await ask(
            self.emulation,
            call.method,
            "/v1/" + call.path,
            query=call.query,
            headers={"Authorization": f"Bearer {KEY}"},
            body=b"" if call.body is None else json.dumps(call.body).encode(),
        )
        if call.is_write and before is not None and reply is not None and reply.status < 300:
            self.on_change(process, call, before)
        return reply


@dataclass(eq=False)
class _Letter:
    """A request on its way. ``hurry`` is set when its sender gave it up, stood still or died."""

    hurry: asyncio.Event
    answer: asyncio.Future[Reply | None]


class MembersConnection:
    """One process's connection to the control plane, in the place of ``HttpConnection``."""

    def __init__(
        self, plane: ControlPlane, process: int, road: Road, on_sending: Callable[[Call], None]
    ) -> None:
        self._plane = plane
        self._process = process
        self._road = road
        self._on_sending = on_sending
        self._letters: set[_Letter] = set()
        self.is_closed_for_good = False

    def hurry(self) -> None:
        """Let what was sent arrive soon or never: whoever sent it does nothing more for it."""
        for letter in self._letters:
            letter.hurry.set()

    async def exchange(self, call: Call) -> Answer:
        """Carry one call there and its answer back. Raises ``FireworksError``."""
        road = self._road
        if self.is_closed_for_good:
            raise no_answer(call, "it is over", kind=ErrorKind.UNAVAILABLE, was_sent=False)
        await asyncio.sleep(road.takes())  # for a connection
        if road.refuses:
            raise no_answer(call, "connection refused", kind=ErrorKind.UNAVAILABLE, was_sent=False)
        if "requests" in road.loses and road.rng.random() < 0.5:
            await asyncio.sleep(CONNECT_TIMEOUT_SECONDS)
            raise no_answer(call, "no connection", kind=ErrorKind.TIMEOUT, was_sent=False)
        if call.is_write:
            check_permit()
        self._on_sending(call)
        letter = _Letter(asyncio.Event(), asyncio.get_running_loop().create_future())
        self._letters.add(letter)
        outside(self._travel(call, letter))
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_SECONDS):
                reply = await letter.answer
        except TimeoutError:
            raise no_answer(call, "no answer", kind=ErrorKind.TIMEOUT, was_sent=True) from None
        finally:
            letter.hurry.set()
        if reply is None:
            raise no_answer(call, "it was lost", kind=ErrorKind.UNAVAILABLE, was_sent=True)
        return Answer(status=reply.status, headers=reply.headers, text=reply.text)

    async def _travel(self, call: Call, letter: _Letter) -> None:
        road = self._road
        try:
            if "requests" in road.loses:
                return
            try:
                async with asyncio.timeout(road.takes()):
                    await letter.hurry.wait()
                await asyncio.sleep(road.rng.uniform(0.0, ARRIVING_SECONDS))
            except TimeoutError:
                pass  # it has arrived by itself
            reply = await self._plane.serve(self._process, call)
            served_at = asyncio.get_running_loop().time()
            await asyncio.sleep(road.takes())
            if "answers" not in road.loses and not letter.answer.done():
                letter.answer.set_result(reply)
                if reply is not None and not call.is_write:
                    self._plane.on_look(self._process, call.path, served_at)
        finally:
            self._letters.discard(letter)

    async def close(self) -> None:
        """Nothing is open."""
