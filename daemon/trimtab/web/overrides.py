"""The port through which people's orders are taken in (``/v1/overrides`` and the live page's forms)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.web.access import Answer


class Desk(Protocol):
    """Where orders are taken in. ``peer`` is where a request came from, as it is written down.

    Good answers are the values of ``web/views/override.py`` as JSON has them; a refusal has one sentence in ``error``.
    """

    async def listed(self) -> Answer:
        """Every order in force."""
        ...

    async def give(self, body: Mapping[str, object], peer: str) -> Answer:
        """Put an order in force, or say what is wrong with it."""
        ...

    async def lift(self, body: Mapping[str, object], peer: str) -> Answer:
        """End orders before their time, or say what is wrong with the wish."""
        ...
