"""The table that people read: measures, budgets, growth, and what changed since another run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.bench.reporting.measures import Measure

CHANGED_SHARE = 0.10
"""Differences below this are noise on a machine that does other things too."""


def table(measures: Sequence[Measure], before: Mapping[tuple[str, str], Measure]) -> str:
    """Return one line for each measure, a column for each size of the fleet."""
    sizes = sorted({size for one in measures for size in one.values})
    titles = ["", *("any" if size == 0 else f"{size:,}" for size in sizes)]
    head = [*titles, "unit", "budget", "", "x10", *(["before"] if before else [])]
    rows = [head]
    benchmark = ""
    for one in measures:
        if one.benchmark != benchmark:
            benchmark = one.benchmark
            rows.append([benchmark])
        row = [f"  {one.name}", *(_number(one.values.get(size)) for size in sizes)]
        row += [one.unit, _budgets(one), _verdict(one), _growth(one)]
        if before:
            row.append(_change(one, before.get((one.benchmark, one.name))))
        rows.append(row)
    return "\n".join(_aligned(rows))


def over(measures: Iterable[Measure]) -> list[str]:
    """Return a sentence for each budget that is not kept."""
    sentences = []
    for one in measures:
        for size, budget in one.budget.items():
            value = one.values[size]
            if not budget.is_kept(value):
                at = f" at {size:,}" if size else ""
                limit = f"{'at least' if budget.is_floor else 'at most'} {_number(budget.limit)}"
                sentences.append(
                    f"{one.benchmark}: {one.name}{at} is {_number(value)} {one.unit}; "
                    f"{limit} was promised"
                )
    return sentences


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.1f}"


def _budgets(measure: Measure) -> str:
    limits = {(one.is_floor, one.limit) for one in measure.budget.values()}
    return " ".join(
        f"{'≥' if is_floor else '≤'}{_number(limit)}" for is_floor, limit in sorted(limits)
    )


def _verdict(measure: Measure) -> str:
    return {None: "", True: "ok", False: "OVER"}[measure.is_kept]


def _growth(measure: Measure) -> str:
    return "" if measure.growth is None else f"x{measure.growth:.2g}"


def _change(measure: Measure, before: Measure | None) -> str:
    """Say by how much the number at the largest size both have has changed."""
    shared = sorted(measure.values.keys() & (before.values.keys() if before else set()))
    if before is None or not shared or not before.values[shared[-1]]:
        return ""
    share = measure.values[shared[-1]] / before.values[shared[-1]] - 1
    return "same" if abs(share) < CHANGED_SHARE else f"{share:+.0%}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    columns = max(len(row) for row in rows)
    widths = [
        max((len(row[at]) for row in rows if len(row) > max(at, 1)), default=0)
        for at in range(columns)
    ]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
