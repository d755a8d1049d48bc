"""A recording as the engine hears it: moments in order, and what became of orders in between.

Both kinds of recording come down to these. A journal's are its turns; a range of Prometheus data is
polled on a grid, as the daemon would have polled it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from trimtab.core.decision import Order, Outcome
from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.signals import Sample, is_believable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.decision import Tick
    from trimtab.core.overrides import Override
    from trimtab.core.proposals import JsonValue
    from trimtab.simulation.backtest.series import Grid, Series

REPLICAS_MAX = 1000
"""The range of a deployment of which only a metric is known: the policy's bounds decide."""


class Moment(NamedTuple):
    """What the engine was told at one moment: the arguments of ``Engine.step``, as they were.

    ``uncounted`` names the deployments whose replica counts were not known then: what ``fleet`` shows
    of these is what was known last. ``was_so`` says whether the engine of then came to the same tick,
    where the recording can tell.
    """

    at: float
    fleet: Mapping[str, Deployment]
    samples: Sequence[Sample]
    due: tuple[str, ...] | None = None
    changed: tuple[str, ...] | None = None
    absent: tuple[str, ...] | None = None
    upheld: Mapping[str, float] = MappingProxyType({})
    uncounted: frozenset[str] = frozenset()
    was_so: Callable[[Tick], bool] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """An order of the recorded past was about to be written."""

    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A person gave an order, or lifted some."""

    given: Override | None = None
    lifted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Primed:
    """A rule went on from what its past had taught it."""

    deployment: str
    rule: str
    remembered: JsonValue


@dataclass(frozen=True, slots=True)
class Quoted:
    """The account said what all its quotas are."""

    readings: tuple[QuotaReading, ...]


@dataclass(frozen=True, slots=True)
class Restarted:
    """The process of the recording began anew; these orders of before had not ended."""

    in_flight: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """From ``at`` (UTC seconds) on nothing is known, until the next moment."""

    at: float


Happening: TypeAlias = Moment | Sent | Outcome | Ordered | Primed | Quoted | Restarted | Lapse


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything that a metrics server tells of one deployment.

    ``signals`` by the names that its policy uses: values, and when they were true, each at the step at
    which it was heard. ``asked`` and ``ready`` are replica counts, NaN where unknown. All arrays have
    one element for each step of the grid.
    """

    deployment: Deployment
    signals: Mapping[str, Heard]
    asked: np.ndarray[tuple[int], np.dtype[np.float64]]
    ready: np.ndarray[tuple[int], np.dtype[np.float64]]
    started_with: int = field(default=1)
    """Replicas that serve at the beginning, where no count is known."""


class Heard(NamedTuple):
    """A signal on a grid: when each value was true (UTC seconds), and the value; NaN for none."""

    times: np.ndarray[tuple[int], np.dtype[np.float64]]
    values: np.ndarray[tuple[int], np.dtype[np.float64]]

    @classmethod
    def on(cls, grid: Grid, values: Series, times: Series | None = None) -> Heard:
        """Return what was heard at the beginning of each step of ``grid``.

        ``times`` tells when the values were true, where that was asked for; otherwise they are of the
        moment of asking.
        """
        asked_at = grid.edges[:-1]
        half = grid.step_seconds / 2.0
        found = values.at(asked_at, hold_seconds=half)
        true_at = asked_at.copy() if times is None else times.at(asked_at, hold_seconds=half)
        is_known = np.isfinite(found) & np.isfinite(true_at)
        return cls(np.where(is_known, true_at, np.nan), np.where(is_known, found, np.nan))


def described(name: str) -> Deployment:
    """Return a deployment of which nothing is known but its name: the last part is shown to people."""
    return Deployment(
        name=name,
        display_name=name.rpartition("/")[2],
        state=State.READY,
        state_text=State.READY.value,
        min_replicas=0,
        max_replicas=REPLICAS_MAX,
    )


def polled(measured: Mapping[str, Measured], grid: Grid) -> Iterator[Moment]:
    """Yield a moment for each step: what a daemon that polls so often would have heard.

    A value that was heard before is not told again: it grows old.
    """
    fleet: dict[str, Deployment] = {}
    told: dict[tuple[str, str], float] = {}
    names = tuple(measured)
    for step, at in enumerate(grid.edges[:-1].tolist()):
        changed: list[str] = []
        samples: list[Sample] = []
        uncounted: set[str] = set()
        for name, one in measured.items():
            counts = _counts(one, step)
            if counts is None:
                uncounted.add(name)
                if name not in fleet:
                    counts = (one.started_with, one.started_with)
            if counts is not None:
                shown = _with(one.deployment, fleet.get(name), *counts)
                if shown is not fleet.get(name):
                    fleet[name] = shown
                    changed.append(name)
            for signal, heard in one.signals.items():
                time, value = float(heard.times[step]), float(heard.values[step])
                if is_believable(value) and told.get((name, signal)) != time:
                    told[name, signal] = time
                    samples.append(Sample(name, signal, time, value))
        yield Moment(at, fleet, samples, names, tuple(changed), (), uncounted=frozenset(uncounted))


def _counts(one: Measured, step: int) -> tuple[int, int] | None:
    """Return how many replicas were asked for and how many served; ``None`` where neither is known."""
    asked, ready = float(one.asked[step]), float(one.ready[step])
    if not (np.isfinite(asked) or np.isfinite(ready)):
        return None
    known_asked = asked if np.isfinite(asked) else ready
    known_ready = ready if np.isfinite(ready) else asked
    return round(known_asked), round(min(known_ready, known_asked))


def _with(plain: Deployment, before: Deployment | None, asked: int, ready: int) -> Deployment:
    known = plain if before is None else before
    if before is not None and (before.desired_replicas, before.pipeline.ready) == (asked, ready):
        return before
    return replace(
        known,
        desired_replicas=asked,
        replica_count=asked,
        pipeline=Pipeline(initializing=max(0, asked - ready), ready=ready),
    )
