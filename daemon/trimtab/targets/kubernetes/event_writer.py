"""Writes Events beside everything else: nothing waits for them, and one that cannot be written is dropped."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import MERGE_PATCH, KubernetesError
from trimtab.targets.kubernetes.events import EventBook

if TYPE_CHECKING:
    from trimtab.clock import Clock
    from trimtab.kubernetes.api import Api
    from trimtab.targets.kubernetes.events import About, EventWrite, Note

WAITING_MAX = 256
"""The oldest goes when more wait."""

FORBIDDEN_SECONDS = 600.0
"""For how long nothing is tried after the API has said that Events may not be written."""


class EventWriter:
    """Takes notes in ``tell`` and writes them in ``run``."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._book = EventBook()
        self._waiting: deque[tuple[About, Note]] = deque(maxlen=WAITING_MAX)
        self._told = asyncio.Event()
        self._turn = asyncio.Lock()
        self._quiet_until = float("-inf")
        self.trouble: KubernetesError | None = None
        """Why the last one could not be written."""

    def tell(self, about: About, note: Note) -> None:
        """Have a note written, soon. Never blocks."""
        self._waiting.append((about, note))
        self._told.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._told.wait()
            self._told.clear()
            await self.write_all()

    async def write_all(self) -> None:
        """Write what waits now, after what is just being written."""
        async with self._turn:
            while self._waiting:
                await self._try(*self._waiting.popleft())

    async def _try(self, about: About, note: Note) -> None:
        if self._clock.monotonic() < self._quiet_until:
            return
        try:
            await self._write(about, note)
            self.trouble = None
        except KubernetesError as error:
            self.trouble = error
            if error.kind in (ErrorKind.FORBIDDEN, ErrorKind.UNAUTHENTICATED):
                self._quiet_until = self._clock.monotonic() + FORBIDDEN_SECONDS

    async def _write(self, about: About, note: Note) -> None:
        wanted = self._book.write(about, note, self._clock.now())
        if wanted is None:
            return
        try:
            await self._send(wanted)
        except KubernetesError as error:
            if not (wanted.is_repeat and error.kind is ErrorKind.NOT_FOUND):
                raise
            anew = self._book.again(about, note, self._clock.now())  # Events live for an hour
            if anew is not None:
                await self._send(anew)

    async def _send(self, wanted: EventWrite) -> None:
        path = f"/api/v1/namespaces/{wanted.namespace}/events"
        if wanted.is_repeat:
            await self._api.call(
                "PATCH", f"{path}/{wanted.name}", body=wanted.body, content_type=MERGE_PATCH
            )
        else:
            await self._api.call("POST", path, body=wanted.body)
