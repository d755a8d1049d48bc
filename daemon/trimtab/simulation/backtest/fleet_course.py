"""What all deployments of a backtest came to together, as it would have been and as it was."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trimtab.simulation.backtest.findings import WAS
from trimtab.simulation.fleet_books import Books
from trimtab.simulation.fleet_findings import FleetRun, fleet_run, totals
from trimtab.simulation.report.study import Result, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.simulation.backtest.courses import Lived
    from trimtab.simulation.backtest.findings import Finding, Judged
    from trimtab.simulation.backtest.past import Past

ALL = "all deployments"
WOULD = "would have been"


class FleetCourse(NamedTuple):
    """The fleet as one result each; ``was`` is ``None`` where the recording does not tell all replicas."""

    would: Result
    was: Result | None


def fleet_course(
    findings: Sequence[Finding],
    pasts: Mapping[str, Past],
    lived: Lived,
    fleet: FleetPolicy,
    price: float | None,
) -> FleetCourse | None:
    """Return what the fleet came to; ``None`` where no fleet policy was tried.

    ``price`` is US dollars an accelerator-hour in place of the fleet's.
    """
    if lived.books is None:
        return None
    deployments = {one.deployment: lived.shown[one.deployment] for one in findings}
    prices = {
        name: fleet.usd_an_hour(one.shape.accelerator_type) if price is None else price
        for name, one in deployments.items()
    }
    would = _result(WOULD, Role.POLICY, [one.would for one in findings], deployments,
                    lived.books, fleet, prices)  # fmt: skip
    real = [one.was for one in findings if one.was is not None]
    if len(real) < len(findings):
        return FleetCourse(would, None)
    books = Books(fleet, lived.books.ledger.begin)
    for at, name, ready in _changes(pasts, deployments):
        known = None if math.isnan(ready) else round(ready)
        books.look(at, [(deployments[name], known)])
    return FleetCourse(would, _result(WAS, Role.REFERENCE, real, deployments, books, fleet, prices))


def _changes(
    pasts: Mapping[str, Past], deployments: Mapping[str, Deployment]
) -> Iterator[tuple[float, str, float]]:
    """Yield when how many replicas served, of everybody in order."""
    yield from sorted(
        (at, name, ready) for name in deployments for at, _, ready in pasts[name].counts.changes
    )


def _result(
    policy: str,
    role: Role,
    courses: Sequence[Judged],
    deployments: Mapping[str, Deployment],
    books: Books,
    fleet: FleetPolicy,
    prices: Mapping[str, float | None],
) -> Result:
    timelines = dict(zip(deployments, (one.timeline for one in courses), strict=True))
    run: FleetRun = fleet_run(deployments, timelines, books.ledger, fleet, prices)
    return Result(
        trace=ALL,
        policy=policy,
        seed=1,
        role=role,
        figures=totals([one.figures for one in courses], list(timelines.values()), run),
        fleet=run,
    )
