"""Range queries over any span: in pieces small enough for an answer, tried again, told apart by a label."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, NamedTuple

from trimtab.cli.simulation_plan import PlanError
from trimtab.core.signals import is_believable
from trimtab.errors import ErrorKind, SourceError
from trimtab.simulation.backtest.series import Series
from trimtab.sources.asking import shown
from trimtab.sources.prometheus import QUERIES_AT_ONCE_MAX, is_selector
from trimtab.sources.prometheus_api import POINTS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.simulation.backtest.series import Grid
    from trimtab.sources.prometheus_api import Points, PrometheusApi

FIRST_STEPS = 240
VALUES_AT_ONCE = 500_000
"""Values of one answer: about 16 MB, a quarter of what is read at all."""

ATTEMPTS = 3
PAUSE_SECONDS = 1.0


class Told(NamedTuple):
    """The answer to one query: a series for each deployment, and how many had two values at once."""

    by_label: Mapping[str, Series]
    doubled: int = 0


class Fetching:
    """Asks each query over the whole range, in pieces that are small enough for an answer."""

    def __init__(
        self,
        api: PrometheusApi,
        clock: Clock,
        *,
        grid: Grid,
        label: str,
        names: Sequence[str],
        on_progress: Callable[[float], None],
    ) -> None:
        self._api, self._clock = api, clock
        self._grid, self._label, self._names = grid, label, names
        self._on_progress = on_progress
        self._done, self._asked = 0, 1
        self._turns = asyncio.Semaphore(QUERIES_AT_ONCE_MAX)
        self.told: dict[str, Told] = {}
        self.times: dict[str, Told] = {}

    async def all(self, queries: Sequence[str]) -> None:
        """Ask everything; the first failure ends it."""
        stamped = [query for query in queries if is_selector(query)]
        self._asked = (len(queries) + len(stamped)) * self._grid.steps
        jobs = [
            *(self._into(self.told, query, query) for query in queries),
            *(self._into(self.times, query, f"timestamp({query.strip()})") for query in stamped),
        ]
        tasks = [asyncio.ensure_future(job) for job in jobs]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _into(self, answers: dict[str, Told], key: str, query: str) -> None:
        async with self._turns:
            answers[key] = await self._ask(query)

    async def _ask(self, query: str) -> Told:
        grid = self._grid
        found: dict[str, dict[float, float]] = {}
        doubled = 0
        first, size = 0, min(FIRST_STEPS, grid.steps)
        while first < grid.steps:
            last = min(first + size, grid.steps) - 1
            answer = await self._piece(query, first, last)
            for series in answer:
                values = found.setdefault(self._label_of(series), {})
                doubled += _add(values, series)
            self._done += last + 1 - first
            self._on_progress(self._done / self._asked)
            first = last + 1
            size = max(FIRST_STEPS, min(POINTS_MAX, VALUES_AT_ONCE // max(1, len(answer))))
        by_label = {
            label: Series.of(sorted(values.items())) for label, values in found.items() if label
        }
        if "" in found:
            self._own_name(query, by_label, found[""])
        return Told(by_label, doubled)

    def _own_name(
        self, query: str, by_label: dict[str, Series], values: Mapping[float, float]
    ) -> None:
        """Take a series without a name for the one deployment that was asked for, if there is one."""
        names = self._names
        if len(names) == 1:
            by_label[names[0]] = Series.of(sorted(values.items()))
        elif not by_label:
            raise PlanError(
                f"the query {shown(query)} gives values without the label {self._label!r}, which "
                "names the deployment; keep it (`sum by (…)`), set --label, or name one --deployment"
            )

    def _label_of(self, series: Points) -> str:
        return series.labels.get(self._label, "")

    async def _piece(self, query: str, first: int, last: int) -> tuple[Points, ...]:
        grid = self._grid
        begin = grid.started_at + first * grid.step_seconds
        end = grid.started_at + last * grid.step_seconds
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._api.fetch_range(query, begin, end, grid.step_seconds)
            except SourceError as error:
                if not error.retryable or attempt == ATTEMPTS:
                    raise _with_remedy(error) from error
                await self._clock.sleep(error.retry_after_seconds or PAUSE_SECONDS * attempt)
        raise AssertionError("the last attempt returns or raises")


def _with_remedy(error: SourceError) -> SourceError:
    remedies = {
        ErrorKind.UNAVAILABLE: "check --prometheus, and that the server is up",
        ErrorKind.TIMEOUT: "give it more --timeout, a longer --step or a shorter --range",
    }
    remedy = remedies.get(error.kind)
    return error if remedy is None else SourceError(f"{error}; {remedy}", kind=error.kind)


def _add(values: dict[float, float], series: Points) -> int:
    """Add a series; two that tell of one time leave it unknown. Return how many times that was."""
    doubled = 0
    for time, value in series.points:
        if time in values:
            doubled += not math.isnan(values[time])
            values[time] = math.nan
        else:
            values[time] = value if is_believable(value) else math.nan
    return doubled
