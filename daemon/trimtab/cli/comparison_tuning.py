"""The target that a peer would have been given in hindsight, found with a third of the runs.

Cost is read off the peer's curve at one attainment. So every fourth target of the grid is run first,
and then those that lie around the one that is read: there the curve has all the points that the whole
grid would give it. A coarse curve alone would flatter us, as the line between two of its points lies
above it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.cli.simulation_plan import Contender
from trimtab.simulation.equal_attainment import Point
from trimtab.simulation.peers import rate_grid
from trimtab.simulation.report.comparison import TUNED
from trimtab.simulation.report.study import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.cli.simulation_plan import Job
    from trimtab.simulation.report.study import Result

STRIDE = 4


def tuned(settings: Sequence[str]) -> Iterator[Contender]:
    """Yield the peer that is tuned in hindsight, once for each setting of its grid."""
    for setting in settings:
        yield Contender(f"{TUNED}@{setting}", Role.PEER, setting=setting)


def coarse() -> tuple[str, ...]:
    """Return the settings that are run first, both ends among them."""
    return tuple(rate_grid())[::STRIDE]


def around(curve: Mapping[str, Point], attainment: float) -> tuple[str, ...]:
    """Return the settings of the grid between those of ``curve`` where it is read at ``attainment``.

    They lie on both sides of the cheapest that attains so much; of the best one, if none does.
    """
    grid = tuple(rate_grid())
    enough = [name for name, point in curve.items() if point.attainment >= attainment]
    if enough:
        chosen = min(enough, key=lambda name: curve[name].replica_hours)
    else:
        chosen = max(curve, key=lambda name: curve[name].attainment)
    run = sorted(grid.index(name) for name in curve)
    place = run.index(grid.index(chosen))
    first = run[place - 1] if place else 0
    last = run[place + 1] if place + 1 < len(run) else len(grid) - 1
    return tuple(name for name in grid[first : last + 1] if name not in curve)


def refined(
    jobs: Sequence[Job], results: Sequence[Result], *, ours: str, asked: float
) -> Iterator[Job]:
    """Yield the runs that a finer look at each load takes, for all seeds that its first look was run for.

    The curve is read at what was asked, or at what ``ours`` came to if that is less. A load on which
    either is unknown is left as it is.
    """
    means = _means(results)
    for trace in dict.fromkeys(job.trace for job in jobs):
        own = means.get((trace, ours))
        alike = [job for job in jobs if job.trace == trace and job.contender.name == ours]
        curve = {
            name.partition("@")[2]: point
            for (at, name), point in means.items()
            if at == trace and name.startswith(f"{TUNED}@")
        }
        if own is None or not curve:
            continue
        for contender in tuned(around(curve, min(asked, own.attainment))):
            for job in alike:
                yield replace(job, contender=contender)


def _means(results: Sequence[Result]) -> dict[tuple[str, str], Point]:
    """Return where each policy landed on each load, a mean over seeds."""
    found: dict[tuple[str, str], list[Point]] = {}
    for one in results:
        attainment, hours = one.number("attainment"), one.number("replica_hours")
        if attainment is not None and hours is not None:
            found.setdefault((one.trace, one.policy), []).append(Point(attainment, hours))
    return {
        key: Point(*(sum(each) / len(points) for each in zip(*points, strict=True)))
        for key, points in found.items()
    }
