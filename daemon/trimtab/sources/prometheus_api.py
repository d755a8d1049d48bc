"""The query API of Prometheus, and of what speaks like it (Thanos, Mimir, VictoriaMetrics).

https://prometheus.io/docs/prometheus/latest/querying/api/ is what this reads.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.errors import ErrorKind, SourceError, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trimtab.sources.http import HttpReader

POINTS_MAX = 10_000
"""Of one series in one answer; Prometheus itself refuses more than 11,000."""

ANSWER_SLACK_SECONDS = 1.0
"""The server gives up first, so that its own sentence about it arrives."""


class Points(NamedTuple):
    """One series: its labels, and (time in UTC seconds, value) in order of time.

    A value may be NaN or infinite.
    """

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Result(NamedTuple):
    """An answer. With ``warnings`` it may be incomplete. ``has_histograms``: some were left out."""

    series: tuple[Points, ...]
    warnings: tuple[str, ...] = ()
    has_histograms: bool = False


class PrometheusApi:
    """Asks one server. ``timeout_seconds`` is for each query."""

    def __init__(self, reader: HttpReader, *, timeout_seconds: float = 10.0) -> None:
        self._reader = reader
        self._timeout_seconds = timeout_seconds

    @property
    def endpoint(self) -> str:
        """The server's URL, without secrets."""
        return self._reader.endpoint

    async def fetch_instant(
        self, query: str, at: float, *, lookback_seconds: float | None = None
    ) -> Result:
        """Evaluate ``query`` at ``at`` (UTC seconds). Raises ``SourceError``.

        ``lookback_seconds`` is how old what it is computed from may be; servers before 2.44 do not
        know the parameter and look back 5 minutes.
        """
        form = {"query": query, "time": f"{at:.3f}"}
        if lookback_seconds is not None:
            form["lookback_delta"] = f"{math.ceil(lookback_seconds)}s"
        return await self._ask("query", form)

    async def fetch_range(
        self,
        query: str,
        start: float,
        end: float,
        step_seconds: float,
        *,
        lookback_seconds: float | None = None,
        accepts_warnings: bool = False,
    ) -> tuple[Points, ...]:
        """Evaluate ``query`` from ``start`` to ``end`` (UTC seconds), every ``step_seconds``.

        As many requests as the server's limit of points asks for. Values may be NaN, and times without
        a value are left out. Raises ``SourceError``, also for an answer that may be incomplete: history
        with holes in it that nobody knows of is worse than none (unless ``accepts_warnings``).
        ``lookback_seconds`` is as in ``fetch_instant``.
        """
        if not (step_seconds > 0 and start <= end):
            raise ValueError(f"no range: {start} to {end} in steps of {step_seconds} s")
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        # Times are told in milliseconds, and floats fall a little short of whole steps.
        steps = math.floor((end - start + 0.0005) / step_seconds)
        for first in range(0, steps + 1, POINTS_MAX):
            last = min(first + POINTS_MAX - 1, steps)
            form = {
                "query": query,
                "start": f"{start + first * step_seconds:.3f}",
                "end": f"{start + last * step_seconds:.3f}",
                "step": f"{step_seconds:g}",
            }
            if lookback_seconds is not None:
                form["lookback_delta"] = f"{math.ceil(lookback_seconds)}s"
            result = await self._ask("query_range", form)
            if result.warnings and not accepts_warnings:
                raise SourceError(
                    f"{self.endpoint} may have left something out: {result.warnings[0]}",
                    kind=ErrorKind.BAD_RESPONSE,
                )
            for labels, points in result.series:
                found.setdefault(tuple(sorted(labels.items())), []).extend(points)
        return tuple(Points(dict(labels), tuple(points)) for labels, points in found.items())

    async def _ask(self, path: str, form: dict[str, str]) -> Result:
        form["timeout"] = f"{self._timeout_seconds:g}s"
        try:
            answer = await self._reader.post_form(
                f"api/v1/{path}", form, timeout_seconds=self._timeout_seconds + ANSWER_SLACK_SECONDS
            )
        except SourceError as error:
            raise _told(error, form["query"]) from error
        return _result(answer.json(self.endpoint), self.endpoint)


def _told(error: SourceError, query: str) -> SourceError:
    """Say which query it was, where that is what was wrong."""
    if error.kind is not ErrorKind.REJECTED:
        return error
    return SourceError(f"the query `{excerpt(query, 80)}` was refused: {error}", kind=error.kind)


def _result(body: Any, endpoint: str) -> Result:
    if not isinstance(body, dict) or body.get("status") != "success":
        raise _odd(endpoint, "no answer of the query API; check its url")
    data = body.get("data")
    if not isinstance(data, dict):
        raise _odd(endpoint, "an answer without data")
    kind, result = data.get("resultType"), data.get("result")
    warnings = body.get("warnings") or ()
    told = tuple(excerpt(str(one), 160) for one in warnings) if isinstance(warnings, list) else ()
    try:
        if kind in ("vector", "matrix") and result is not None:
            series = tuple(_series(result))
            has_histograms = any("histogram" in one or "histograms" in one for one in result)
            return Result(series, told, has_histograms)
        if kind == "scalar":
            return Result((Points({}, (_point(result),)),), told)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _odd(endpoint, f"a result that is no {kind}") from error
    raise _odd(endpoint, f"a result of type {excerpt(str(kind), 20)!r}, which holds no load")


def _series(result: Any) -> Iterator[Points]:
    for one in result:
        labels = one["metric"]
        if not isinstance(labels, dict):
            raise TypeError("labels")
        written = one["values"] if "values" in one else [one["value"]] if "value" in one else []
        if written:  # without, it is a native histogram
            yield Points(labels, tuple(map(_point, written)))


def _point(written: Any) -> tuple[float, float]:
    time, value = written
    if not isinstance(value, str):
        raise TypeError("value")
    return float(time), float(value)


def _odd(endpoint: str, what: str) -> SourceError:
    return SourceError(f"{endpoint} answered with {what}", kind=ErrorKind.BAD_RESPONSE)
