"""What must not be exceeded, or fallen short of: the promises of docs/benchmarks.md, in one place.

A budget is for a measure of a benchmark, at one size of the fleet or at all. The names are those of the
benchmark's JSON, with dots between where one is inside another.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Budget:
    """``measure`` is a pattern; ``size`` ``None`` stands for every size."""

    benchmark: str
    measure: str
    limit: float
    size: int | None = None
    is_floor: bool = False

    def concerns(self, benchmark: str, measure: str, size: int | None) -> bool:
        """Whether the budget is for this number."""
        return (
            self.benchmark == benchmark
            and fnmatchcase(measure, self.measure)
            and self.size in {None, size}
        )

    def is_kept(self, value: float) -> bool:
        """Whether ``value`` is within."""
        return value >= self.limit if self.is_floor else value <= self.limit


BUDGETS = (
    Budget("decisions", "median_microseconds", 100.0),
    Budget("decisions", "strategies.capacity.median_microseconds", 200.0),  # it learns at each
    Budget("decisions", "strategies.*.median_microseconds", 100.0),
    Budget("decisions", "bytes_per_deployment", 50_000.0),
    Budget("decisions", "tick_milliseconds", 1_000.0, size=10_000),
    Budget("allocation", "allocate_milliseconds", 20.0, size=10_000),
    Budget("journal", "ticks_thread_microseconds_a_decision", 30.0),
    Budget("listing", "listing.*.longest_stall_milliseconds", 5.0),
    Budget("process", "longest_stall_cpu_milliseconds_median", 5.0),
    Budget("reaction", "p99_milliseconds", 25.0, size=1),
    Budget("reaction", "p99_milliseconds", 25.0, size=1_000),
    Budget("reaction", "p99_milliseconds", 100.0, size=10_000),
    Budget("reaction", "background_samples_per_second", 4_900.0, is_floor=True),
    Budget("push", "*microseconds_per_sample", 5.0),
    Budget("page", "*.worst_milliseconds", 200.0, size=10_000),
    Budget("policies", "load_seconds_median", 1.0),
    Budget("policies", "reload_milliseconds_median", 50.0),
    Budget("simulation", "two_weeks_with_target_cpu_seconds", 8.0),
    Budget("simulation", "two_weeks_with_capacity_cpu_seconds", 20.0),
    Budget("simulation", "request_by_request_times_real_time", 1_000.0, is_floor=True),
    Budget("exposition", "times_the_reference.all", 5.0, is_floor=True),
)
"""Benchmarks that carry ``budget_…`` beside a number in their JSON are judged by that as well."""


def budget_for(benchmark: str, measure: str, size: int | None) -> Budget | None:
    """Return the budget of a number, or ``None`` where nothing was promised."""
    return next((one for one in BUDGETS if one.concerns(benchmark, measure, size)), None)
