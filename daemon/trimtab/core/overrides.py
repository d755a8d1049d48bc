"""A human's temporary order: pause, pin, or block a direction. It always has an end and an author."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.core.roles import Blocks


class OverrideKind(StrEnum):
    """What was ordered. Closed: it is a metric label."""

    PAUSE = "pause"
    PIN = "pin"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One order, in force from ``since`` until ``until`` (UTC seconds), for one deployment or for all.

    ``deployment`` is a full name, ``None`` means every one. ``replicas`` is set exactly for a pin,
    ``blocks`` exactly for a block. ``id`` names the order for whoever wants to lift it.
    """

    id: str
    kind: OverrideKind
    deployment: str | None
    author: str
    reason: str
    since: float
    until: float
    replicas: int | None = None
    blocks: Blocks | None = None

    def concerns(self, deployment: str) -> bool:
        """Whether the order is about ``deployment``."""
        return self.deployment is None or self.deployment == deployment

    def is_in_force(self, now: float) -> bool:
        """Whether the order holds at ``now``; it ends by itself."""
        return now < self.until
