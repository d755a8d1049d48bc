"""What a run of several deployments came to together: accelerators, money, and who went short of what.

Everything that a fleet is held to is counted as the engine counts it: against a quota counts what is asked
for, a limit an hour is one of the rate of all that is asked for, and days and months sum up what serves. The
bill of each deployment (``measures.py``) is higher by what starts and drains, as that is paid for as well.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.core.cost import NOT_COMING
from trimtab.core.fleet_policy import Period, Pool, pools_around
from trimtab.core.spend import span_of
from trimtab.simulation.measures import misses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from trimtab.core.cost import Ledger
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy, SpendLimit
    from trimtab.simulation.measures import Value
    from trimtab.simulation.timeline import Timeline

    Floats = NDArray[np.float64]

HOUR_SECONDS = 3600.0
ROUNDING = 1e-6
"""Of accelerators and of dollars: sums of floats."""

QUOTA = "quota"
"""The reason of what the platform kept back."""


class Hardware(NamedTuple):
    """All deployments on one type: what was billed.

    ``usd_an_hour`` is one accelerator's, the mean where presets differ; ``None``: unknown of any of them.
    """

    accelerator_type: str
    usd_an_hour: float | None
    accelerator_hours: float
    cost_usd: float | None


class Short(NamedTuple):
    """What one deployment wanted and did not get, for one reason.

    ``missed_replica_hours`` is the part that load would have used; ``None``: nobody can say.
    """

    deployment: str
    reason: str
    replica_hours: float
    missed_replica_hours: float | None


class Held(NamedTuple):
    """A limit of spending: the most that any one ``period`` came to, which began at ``at`` (UTC seconds)."""

    period: Period
    limit_usd: float
    most_usd: float
    at: float

    @property
    def is_kept(self) -> bool:
        """Whether it was never exceeded."""
        return self.most_usd <= self.limit_usd * (1.0 + ROUNDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Accelerators of one pool over time, a mean for each step. ``quota``: there are so many; ``None``: any number.

    ``held`` by deployment is what counts against the quota; NaN in steps in which nothing is known of
    anybody, which are in no figure. Names are those of ``titles_of``, in the order of the fleet.
    """

    pool: str
    quota: int | None
    held: Mapping[str, Floats]

    @property
    def total(self) -> Floats:
        """What all deployments hold."""
        return np.asarray(sum(self.held.values()))

    @property
    def mean(self) -> float:
        """What was held on average."""
        return float(np.nanmean(self.total))

    @property
    def most(self) -> float:
        """The most that was held at once."""
        return float(np.nanmax(self.total))

    @property
    def full_share(self) -> float | None:
        """For which share of the time all of the quota was held; ``None`` without one."""
        if self.quota is None:
            return None
        known = self.total[np.isfinite(self.total)]
        return float(np.mean(known >= self.quota - ROUNDING))

    @property
    def is_kept(self) -> bool:
        """Whether there were never more than the quota allows."""
        return self.quota is None or self.most <= self.quota + ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRun:
    """What a fleet came to in one run; ``timezone`` is that in which days and months end."""

    started_at: float
    step_seconds: float
    timezone: str
    hardware: tuple[Hardware, ...]
    uses: tuple[Use, ...]
    short: tuple[Short, ...]
    limits: tuple[Held, ...]

    def short_of(self, deployment: str) -> float:
        """Return the replica-hours that one deployment wanted and did not get."""
        return math.fsum(one.replica_hours for one in self.short if one.deployment == deployment)


def titles_of(names: Iterable[str]) -> dict[str, str]:
    """Return what each deployment is called in a report: the last part of its name where no other has it."""
    names = tuple(names)
    shorts = [name.rpartition("/")[2] for name in names]
    return {
        name: short if shorts.count(short) == 1 else name
        for name, short in zip(names, shorts, strict=True)
    }


def fleet_run(
    deployments: Mapping[str, Deployment],
    timelines: Mapping[str, Timeline],
    ledger: Ledger,
    fleet: FleetPolicy,
    prices: Mapping[str, float | None],
) -> FleetRun:
    """Return what a run came to. ``prices`` are US dollars an accelerator-hour by deployment.

    ``ledger`` is closed here, at the end of the run.
    """
    first = next(iter(timelines.values()))
    ledger.close(first.started_at + len(first.offered) * first.step_seconds)
    held = _held(deployments, timelines)
    return FleetRun(
        started_at=first.started_at,
        step_seconds=first.step_seconds,
        timezone=fleet.timezone,
        hardware=tuple(_hardware(deployments, timelines, prices)),
        uses=tuple(_uses(deployments, held, fleet)),
        short=tuple(_short(deployments, timelines, ledger)),
        limits=tuple(_limits(fleet, ledger, first, held, prices)),
    )


SUMMED = ("replica_hours", "accelerator_hours", "scale_ups", "scale_downs", "refused")


def totals(
    figures: Sequence[Mapping[str, Value]], timelines: Sequence[Timeline], run: FleetRun
) -> dict[str, Value]:
    """Return the figures of all deployments together; requests of different models count alike.

    A sum of which a part is unknown is unknown.
    """
    found: dict[str, Value] = {key: _sum([one.get(key) for one in figures]) for key in SUMMED}
    offered = math.fsum(float(one.offered.sum()) for one in timelines)
    missed = math.fsum(float(misses(one).sum()) for one in timelines)
    found["cost_usd"] = _sum([one.get("cost_usd") for one in figures])
    found["attainment"] = (offered - missed) / offered if offered > 0.0 else None
    found["offered"], found["missed"] = offered, missed
    found["short_replica_hours"] = math.fsum(one.replica_hours for one in run.short)
    return found


def _sum(values: Sequence[Value]) -> float | int | None:
    numbers = [one for one in values if isinstance(one, int | float)]
    if len(numbers) < len(values):
        return None
    is_count = all(isinstance(one, int) for one in numbers)
    return sum(int(one) for one in numbers) if is_count else math.fsum(numbers)


def _held(
    deployments: Mapping[str, Deployment], timelines: Mapping[str, Timeline]
) -> dict[str, Floats]:
    """Return the accelerators of each deployment that count against quotas.

    One that is not there while others are holds none. While nothing is known of anybody, nobody looked.
    """
    replicas = {
        name: one.asked if one.starved is None else one.asked - one.starved
        for name, one in timelines.items()
    }
    is_known = np.asarray(np.isfinite(np.stack(list(replicas.values()))).any(axis=0))
    if not is_known.any():
        is_known = ~is_known
    return {
        name: np.where(is_known, np.nan_to_num(one), np.nan)
        * (deployments[name].shape.accelerators_per_replica or 1)
        for name, one in replicas.items()
    }


def _hardware(
    deployments: Mapping[str, Deployment],
    timelines: Mapping[str, Timeline],
    prices: Mapping[str, float | None],
) -> Iterator[Hardware]:
    billed: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for name, one in timelines.items():
        kind = deployments[name].shape.accelerator_type or "unknown"
        hours = float(one.billed.sum()) / HOUR_SECONDS * one.accelerators_per_replica
        billed[kind].append((hours, prices[name]))
    for kind, parts in billed.items():
        spent = math.fsum(hours for hours, _ in parts)
        known = [usd for _, usd in parts if usd is not None]
        if len(known) < len(parts):
            yield Hardware(kind, None, spent, None)
            continue
        cost = math.fsum(hours * usd for (hours, _), usd in zip(parts, known, strict=True))
        is_one_price = len(set(known)) == 1 or spent <= 0.0
        yield Hardware(kind, known[0] if is_one_price else cost / spent, spent, cost)


def _uses(
    deployments: Mapping[str, Deployment], held: Mapping[str, Floats], fleet: FleetPolicy
) -> Iterator[Use]:
    """Yield each type that is used, and each part of one (a region, an account) that has a quota of its own."""
    quotas = {quota.pool: quota.accelerators for quota in fleet.quotas}
    kinds = dict.fromkeys(one.shape.accelerator_type for one in deployments.values())
    pools = [*(Pool(kind) for kind in kinds if kind is not None)]
    pools += [pool for pool in quotas if pool not in pools]
    titles = titles_of(deployments)
    for pool in pools:
        inside = {
            titles[name]: one
            for name, one in held.items()
            if pool in pools_around(deployments[name])
        }
        if inside:
            yield Use(pool=str(pool), quota=quotas.get(pool), held=inside)


def _short(
    deployments: Mapping[str, Deployment], timelines: Mapping[str, Timeline], ledger: Ledger
) -> Iterator[Short]:
    found: dict[tuple[str, str], list[float]] = {}
    for (key, reason), refused in ledger.refusals.items():
        sums = found.setdefault((key.deployment, reason.value), [0.0, 0.0])
        sums[0] += refused.refused_replica_hours
        sums[1] += refused.missed_replica_hours
    titles = titles_of(deployments)
    for name in deployments:
        title = titles[name]
        starved, step = timelines[name].starved, timelines[name].step_seconds
        kept_back = 0.0 if starved is None else float(starved.sum()) * step / HOUR_SECONDS
        for (deployment, why), (wanted, missed) in found.items():
            # What the platform keeps back looks stuck to an engine that knows of no quota.
            is_told = why in NOT_COMING and kept_back > ROUNDING
            if deployment == name and wanted > ROUNDING and not is_told:
                yield Short(title, why, wanted, missed)
        if kept_back > ROUNDING:
            yield Short(title, QUOTA, kept_back, None)


def _limits(
    fleet: FleetPolicy,
    ledger: Ledger,
    first: Timeline,
    held: Mapping[str, Floats],
    prices: Mapping[str, float | None],
) -> Iterator[Held]:
    for limit in fleet.spend_limits:
        if limit.period is Period.HOUR:
            rate = np.nan_to_num(
                np.asarray(sum(one * (prices[name] or 0.0) for name, one in held.items()))
            )
            step = int(rate.argmax())
            at = first.started_at + step * first.step_seconds
            yield Held(limit.period, limit.usd, float(rate[step]), at)
        else:
            yield _budget(limit, ledger, fleet.timezone)


def _budget(limit: SpendLimit, ledger: Ledger, timezone: str) -> Held:
    spent: dict[float, float] = defaultdict(float)
    for key, cost in ledger.costs.items():
        spent[span_of(limit.period, timezone, key.day).begin] += cost.usd
    at = max(sorted(spent), key=spent.__getitem__, default=ledger.begin)
    return Held(limit.period, limit.usd, spent[at], at)
