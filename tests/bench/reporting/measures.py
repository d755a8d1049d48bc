"""A benchmark's JSON as measures: one name, one unit, one number for each size of the fleet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite, log10
from typing import Any

from tests.bench.reporting.budgets import Budget, budget_for

SIZE_KEYS = ("deployments", "files")
"""A whole number of that name beside others is the size of what they were measured with."""

NOT_MEASURED = frozenset({"benchmark", "python", "load_average", *SIZE_KEYS})
UNITS = {
    "nanoseconds": "ns",
    "microseconds": "µs",
    "milliseconds": "ms",
    "seconds": "s",
    "kilobytes": "kB",
    "megabytes": "MB",
    "bytes": "B",
    "cores": "cores",
    "instructions": "instr",
}


@dataclass(slots=True)
class Measure:
    """One thing that was measured, at each size it was measured at; 0 stands for no size."""

    benchmark: str
    name: str
    values: dict[int, float] = field(default_factory=dict)
    budget: dict[int, Budget] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """What its name says the numbers are."""
        words = self.name.replace(".", "_").split("_")
        each = ""
        at = next((at for at, word in enumerate(words[:-1]) if word in {"per", "a"}), None)
        if at is not None:
            words, each = words[:at], f"/{words[at + 1]}"
        unit = next((UNITS[word] for word in reversed(words) if word in UNITS), "")
        return unit + each if unit or not each else each.replace("/", "1/")

    @property
    def is_kept(self) -> bool | None:
        """Whether every budget is kept; ``None`` where there is none."""
        if not self.budget:
            return None
        return all(one.is_kept(self.values[size]) for size, one in self.budget.items())

    @property
    def growth(self) -> float | None:
        """By how much it grows from ten times as many deployments, at the largest sizes measured.

        1 is the best: it does not depend on the fleet. 10 grows as the fleet does; more is worse
        than that, and is what makes the next size impossible.
        """
        sizes = sorted(size for size, value in self.values.items() if size > 0 and value > 0)
        if len(sizes) < 2:
            return None
        small, large = sizes[-2:]
        factor = self.values[large] / self.values[small]
        return float(factor ** (1 / log10(large / small)))


def measures_of(document: Mapping[str, Any]) -> list[Measure]:
    """Return what one benchmark printed, in its order."""
    benchmark = str(document.get("benchmark", "?"))
    found: dict[str, Measure] = {}
    limits: dict[tuple[str, int], float] = {}
    for name, size, value in _numbers(document, (), None):
        last = name.rpartition(".")[2]
        if last.startswith("budget_"):
            limits[name.replace("budget_", "", 1), size or 0] = value
            continue
        measure = found.setdefault(name, Measure(benchmark, name))
        measure.values[size or 0] = value
    for measure in found.values():
        _judge(measure, limits)
    return list(found.values())


def _judge(measure: Measure, limits: Mapping[tuple[str, int], float]) -> None:
    """Find the budgets: those of the project first, then what the benchmark says of itself."""
    for size in measure.values:
        stated = ((name, one) for (name, of_size), one in limits.items() if of_size == size)
        own = next((one for name, one in stated if _is_of(measure.name, name)), None)
        budget = budget_for(measure.benchmark, measure.name, size or None)
        if budget is None and own is not None:
            budget = Budget(measure.benchmark, measure.name, own)
        if budget is not None:
            measure.budget[size] = budget


def _is_of(name: str, limited: str) -> bool:
    """Whether ``budget_load_seconds`` is for ``load_seconds_median``: the medians are judged."""
    parent, dot, last = limited.rpartition(".")
    return name in {limited, f"{limited}_median", f"{parent}{dot}median_{last}"}


def _numbers(
    value: Any, path: tuple[str, ...], size: int | None
) -> Iterator[tuple[str, int | None, float]]:
    """Walk the document; numbers as keys, and sizes beside others, are sizes and not names."""
    if isinstance(value, Mapping):
        beside = next((value[key] for key in SIZE_KEYS if _is_size(value.get(key))), size)
        for key, one in value.items():
            if key in NOT_MEASURED and not isinstance(one, Mapping | list):
                continue
            if str(key).isdigit():
                yield from _numbers(one, path, int(key))
            else:
                name = () if key in SIZE_KEYS else (str(key),)
                yield from _numbers(one, (*path, *name), beside)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, Mapping):
                # A list of fleets is named for those who write it; what is in it has names of its own.
                is_of_sizes = any(_is_size(one.get(key)) for key in SIZE_KEYS)
                yield from _numbers(one, path[:-1] if is_of_sizes else path, size)
    elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        yield ".".join(path), size, float(value)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
