"""The allowed replica range at this moment, each end with the name of what set it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range, in replicas, and what set it, in words."""

    replicas: int
    set_by: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Both ends. A conflict (lower above upper) allows no write at all."""

    lower: Bound
    upper: Bound

    @property
    def is_conflict(self) -> bool:
        """Whether nothing satisfies both ends."""
        return self.lower.replicas > self.upper.replicas

    def contains(self, replicas: int) -> bool:
        """Whether ``replicas`` lies within both ends."""
        return self.lower.replicas <= replicas <= self.upper.replicas

    def __str__(self) -> str:
        return (
            f"{self.lower.replicas} ({self.lower.set_by}) … "
            f"{self.upper.replicas} ({self.upper.set_by})"
        )
