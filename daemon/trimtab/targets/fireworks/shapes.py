"""Shapes by the names that deployments carry, read once and remembered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.errors import FireworksError
from trimtab.targets.fireworks.names import is_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.clock import Clock
    from trimtab.targets.fireworks.client import FireworksClient
    from trimtab.targets.fireworks.resources import ShapeResource

SHAPE_SECONDS = 600.0
"""How long a shape is believed when a deployment names it without a version: it may change."""
FORBIDDEN_SECONDS = 600.0
"""How long not to ask again for a shape that does not exist for us."""
FAILED_SECONDS = 60.0
"""How long not to ask again after any other failure."""
READS_AT_ONCE = 8
LEARN_SECONDS_MAX = 10.0
"""In real time, for all the shapes that a listing waits for: slow ones must not hide a fleet."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A shape, or why it could not be read, and until when (monotonic; ``None``: for good).

    A shape that was read before is better than none: with an error it is what was read last.
    """

    shape: ShapeResource | None
    until: float | None
    error: FireworksError | None = None


class ShapeCatalog:
    """Turns a deployment's ``deployment_shape`` into the shape it means.

    A version is immutable, so it is read once. What cannot be read is ``None``, unknown, and asked
    for again later; it never fails the fleet that needs it.
    """

    def __init__(self, client: FireworksClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[str, _Known] = {}

    @property
    def trouble(self) -> FireworksError | None:
        """Why a shape that some deployment has now could not be read, for people."""
        return next((one.error for one in self._known.values() if one.error is not None), None)

    async def learn(self, names: Iterable[str]) -> None:
        """Read the shapes of ``names`` that are not known (any more), a few at a time.

        What has not come after ``LEARN_SECONDS_MAX`` is left for later, like what failed.
        """
        wanted = sorted({name for name in names if name and not self._is_known(name)})
        turns = asyncio.Semaphore(READS_AT_ONCE)

        async def read(name: str) -> None:
            async with turns:
                self._known[name] = await self._read(name)

        try:
            async with asyncio.timeout(LEARN_SECONDS_MAX), asyncio.TaskGroup() as group:
                for name in wanted:
                    group.create_task(read(name), name=f"read shape {name}")
        except TimeoutError:
            late = [name for name in wanted if not self._is_known(name)]
            until = self._clock.monotonic() + FAILED_SECONDS
            error = FireworksError(
                f"{len(late)} of {len(wanted)} shapes were not read within {LEARN_SECONDS_MAX:.0f} s; "
                f"see whether the control plane is slow or a proxy stands in between.",
                kind=ErrorKind.TIMEOUT,
            )
            self._known.update({name: _Known(self.shape(name), until, error) for name in late})

    def forget_all_but(self, names: Iterable[str]) -> None:
        """Drop the shapes that no deployment refers to any more."""
        in_use = set(names)
        self._known = {name: known for name, known in self._known.items() if name in in_use}

    def shape(self, name: str) -> ShapeResource | None:
        """Return the shape of ``name`` as last learned, or ``None``."""
        known = self._known.get(name)
        return None if known is None else known.shape

    def _is_known(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            return False
        return known.until is None or self._clock.monotonic() < known.until

    async def _read(self, name: str) -> _Known:
        now = self._clock.monotonic()
        try:
            if not is_version(name):
                return _Known(await self._client.get_shape(name), now + SHAPE_SECONDS)
            version = await self._client.get_shape_version(name)
        except FireworksError as error:
            lasting = error.kind in {ErrorKind.NOT_FOUND, ErrorKind.FORBIDDEN, ErrorKind.REJECTED}
            until = now + (FORBIDDEN_SECONDS if lasting else FAILED_SECONDS)
            return _Known(self.shape(name), until, error)
        return _Known(version.snapshot, None if version.snapshot else now + FAILED_SECONDS)
