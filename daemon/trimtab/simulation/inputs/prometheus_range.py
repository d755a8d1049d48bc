"""What Prometheus answered to /api/v1/query_range, as bins: requests per second, and tokens if told.

One value stands for the step that it begins. Several series of one answer are added up, as those of
the replicas of one deployment. A series counts from its first value to its last; a value that is
missing or NaN in between makes the sum of that moment unknown, and so does a moment without any
series: neither is zero (``filling.py`` says what stands in).
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.errors import excerpt
from trimtab.simulation.inputs.bins import RawBins
from trimtab.simulation.inputs.csv_files import input_text
from trimtab.simulation.inputs.edges import bins_between
from trimtab.simulation.inputs.input_error import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.simulation.inputs.bins import Floats

_TICKS_PER_SECOND = 1000
"""Prometheus tells times to the millisecond; whole numbers compare exactly."""


class TokensAre(StrEnum):
    """In what the token series count: tokens per second, or tokens of the mean request."""

    PER_SECOND = "per-second"
    PER_REQUEST = "per-request"


def read_prometheus_range(
    requests: Path,
    *,
    prompt: Path | None = None,
    output: Path | None = None,
    tokens_are: TokensAre = TokensAre.PER_SECOND,
) -> RawBins:
    """Read answers saved as JSON, plain or gzip; ``requests`` holds requests per second.

    The times are those of the requests; tokens count where they were told for the same time. Raises
    ``InputError`` for what is no such answer.
    """
    total = _totals(requests)
    ticks = sorted(total)
    times = np.array(ticks, dtype=np.float64) / _TICKS_PER_SECOND
    edges, rows = bins_between(times, str(requests))
    index = rows.astype(np.intp)
    rates = np.full(edges.size - 1, np.nan)
    rates[index] = [total[tick] for tick in ticks]
    lengths = []
    for path in (prompt, output):
        tokens = np.full(edges.size - 1, np.nan)
        if path is not None:
            told = _totals(path)
            tokens[index] = [told.get(tick, math.nan) for tick in ticks]
            if np.isnan(tokens).all():
                raise InputError(
                    f"{path} tells nothing at the times of {requests}; "
                    "ask for both with the same start and step"
                )
        if tokens_are is TokensAre.PER_SECOND:
            tokens = np.divide(tokens, rates, where=rates > 0.0, out=np.full(rates.size, np.nan))
        lengths.append(np.where((tokens > 0.0) & (rates > 0.0), tokens, np.nan))
    return RawBins(
        edges_seconds=edges,
        requests_per_second=rates,
        prompt_tokens=lengths[0],
        output_tokens=lengths[1],
        started_at=float(times[0]),
    )


def is_prometheus_answer(first: str) -> bool:
    """Whether a file that begins so is JSON, and so an answer of Prometheus."""
    return first.lstrip().startswith("{")


def _totals(path: Path) -> dict[int, float]:
    """Return the sum of all series by time in milliseconds, NaN where it is unknown."""
    series = [_points(path, number, one) for number, one in enumerate(_result(path), start=1)]
    everywhere = sorted({tick for points in series for tick in points})
    if not everywhere:
        raise InputError(f"{path} holds no values; widen the range, or correct the query")
    place = {tick: index for index, tick in enumerate(everywhere)}
    total: Floats = np.zeros(len(everywhere))
    for points in series:
        if not points:
            continue
        first, last = place[min(points)], place[max(points)]
        own = np.full(last - first + 1, np.nan)
        own[[place[tick] - first for tick in points]] = list(points.values())
        total[first : last + 1] += own
    return dict(zip(everywhere, total.tolist(), strict=True))


def _result(path: Path) -> list[Any]:
    try:
        with input_text(path, "JSON") as text:
            answer = json.load(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path} line {error.lineno}: {error.msg}, so it is no JSON; "
            "save the whole answer of /api/v1/query_range"
        ) from error
    except RecursionError as error:
        raise InputError(
            f"{path} is nested too deep; save the answer of /api/v1/query_range"
        ) from error
    if isinstance(answer, dict) and answer.get("status") == "error":
        why = excerpt(f"{answer.get('errorType')}: {answer.get('error')}", 160)
        raise InputError(f"{path} holds an error of Prometheus, {why}; correct the query")
    data = answer.get("data", answer) if isinstance(answer, dict) else None
    kind = data.get("resultType") if isinstance(data, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if kind != "matrix" or not isinstance(result, list):
        found = f"the result type {excerpt(str(kind), 40)!r}" if kind else "no result type"
        raise InputError(
            f"{path} has {found} where a matrix is expected; save an answer of /api/v1/query_range"
        )
    return result


def _points(path: Path, number: int, series: Any) -> dict[int, float]:
    """Return one series by time in milliseconds; NaN stays, for it hides what others add."""
    values = series.get("values") if isinstance(series, dict) else None
    if not isinstance(values, list):
        has = "histograms" if isinstance(series, dict) and "histograms" in series else "no values"
        raise InputError(
            f"{path} series {number} has {has}; ask for plain numbers, as rate(…) gives them"
        )
    points: dict[int, float] = {}
    for index, point in enumerate(values, start=1):
        try:
            at, text = point
            tick, value = round(float(at) * _TICKS_PER_SECOND), float(text)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"{path} series {number} value {index}: {excerpt(str(point), 60)} is no pair of time "
                "and number; save the answer unchanged"
            ) from error
        if value < 0.0 or value == math.inf:
            raise InputError(
                f"{path} series {number} value {index}: {excerpt(str(text), 40)!r} is no load; "
                "correct the query so that it gives finite rates, 0 or above"
            )
        points[tick] = value
    return points
