"""What was simulated and what came of it: the one value that every report is made from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.simulation.fleet_findings import FleetRun
    from trimtab.simulation.timeline import Timeline

Figure: TypeAlias = float | int | str | None
"""One measured value; ``None`` is unknown, never 0."""


class Role(StrEnum):
    """What a policy is in the comparison; reports set them apart."""

    POLICY = "policy"
    PEER = "peer"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run: a policy on a trace with one seed.

    ``figures`` are its measures by their JSON keys; ``timeline`` is ``None`` where it was not kept.
    ``fleet`` is what several deployments came to together, where this is the result of them all.
    """

    trace: str
    policy: str
    seed: int
    figures: Mapping[str, Figure]
    role: Role = Role.POLICY
    timeline: Timeline | None = None
    fleet: FleetRun | None = None

    def number(self, key: str) -> float | None:
        """Return a measure as a number; ``None`` if it is unknown, not finite or not there."""
        return as_number(self.figures.get(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All runs of one comparison, with what a reader needs to repeat it.

    ``scenario`` is what was simulated, by words a reader knows, in the order of showing.
    ``command`` repeats it. ``asked_attainment`` (0 to 1) is the line that policies are held to.
    ``headline`` is what there is to say first; empty: what the figures say.
    """

    title: str
    results: tuple[Result, ...]
    scenario: Mapping[str, Figure]
    seeds: tuple[int, ...]
    version: str
    command: str = ""
    asked_attainment: float = 0.99
    notes: tuple[str, ...] = field(default=())
    headline: str = ""

    def __post_init__(self) -> None:
        if not self.results:
            raise ValueError("a study without results has nothing to report; run something first")

    @property
    def traces(self) -> tuple[str, ...]:
        """Every trace, in the order of the results."""
        return tuple(dict.fromkeys(one.trace for one in self.results))

    @property
    def policies(self) -> tuple[str, ...]:
        """Every policy, in the order of the results."""
        return tuple(dict.fromkeys(one.policy for one in self.results))

    @property
    def groups(self) -> tuple[Group, ...]:
        """The results by trace and policy: those that differ by their seed alone."""
        grouped: dict[tuple[str, str], list[Result]] = {}
        for one in self.results:
            grouped.setdefault((one.trace, one.policy), []).append(one)
        return tuple(
            Group(trace, policy, ones[0].role, tuple(ones))
            for (trace, policy), ones in grouped.items()
        )

    def groups_of(self, trace: str) -> tuple[Group, ...]:
        """Return the groups of one trace."""
        return tuple(group for group in self.groups if group.trace == trace)


class Spread(NamedTuple):
    """A measure over seeds: its mean, and the lowest and the highest seed."""

    mean: float
    low: float
    high: float


class Group(NamedTuple):
    """One policy on one trace, over all seeds."""

    trace: str
    policy: str
    role: Role
    results: tuple[Result, ...]

    def spread(self, key: str) -> Spread | None:
        """Return a measure over the seeds; ``None`` if it is unknown for any of them."""
        numbers = [one.number(key) for one in self.results]
        known = [number for number in numbers if number is not None]
        if not known or len(known) < len(numbers):
            return None
        return Spread(math.fsum(known) / len(known), min(known), max(known))

    @property
    def drawn(self) -> Result | None:
        """The run that a report draws: of those with a timeline the one that met the SLO least.

        The worst seed, so that a plot never looks better than what happened.
        """
        kept = [one for one in self.results if one.timeline is not None]
        return min(kept, key=_attainment, default=None)


def _attainment(result: Result) -> float:
    known = result.number("attainment")
    return 2.0 if known is None else known


def as_number(value: Figure) -> float | None:
    """Return a finite number, or ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def common_keys(results: Iterable[Result]) -> frozenset[str]:
    """Return the keys that hold a known value in at least one result."""
    return frozenset(
        key for one in results for key, value in one.figures.items() if value is not None
    )
