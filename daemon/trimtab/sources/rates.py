"""Counters to rates: what was counted over a short window, resets and restarts taken into account."""

from __future__ import annotations

POINTS_MAX = 8
"""Points kept of a window; between them the count is a straight line, as far as a rate cares."""


class RateWindow:
    """The last moments of one counter. A value below the one before means it began again from 0."""

    __slots__ = ("_last", "_points", "_total")

    def __init__(self) -> None:
        self._points: list[tuple[float, float]] = []
        self._total = 0.0
        self._last: float | None = None

    def count(
        self, time: float, value: float, *, start: float | None, window_seconds: float
    ) -> None:
        """Take in the counter's ``value``, which has counted since ``start`` if that is known.

        ``time`` is later than at the last call. A counter that began within the window counts from 0.
        """
        points = self._points
        if self._last is None:
            if start is not None and time - window_seconds <= start < time:
                points.append((start, 0.0))
                self._total = value
        elif value < self._last or (start is not None and points and start > points[-1][0]):
            self._total += value
        else:
            self._total += value - self._last
        self._last = value
        self._keep(time, window_seconds)

    def add(self, time: float, value: float, *, start: float | None, window_seconds: float) -> None:
        """Take in what was counted since ``start``, or since the last call."""
        if not self._points and start is not None and start < time:
            self._points.append((start, 0.0))
        if self._points:
            self._total += value
        self._keep(time, window_seconds)

    def per_second(self) -> float | None:
        """Return the rate over the window; ``None`` while there is only one point."""
        points = self._points
        if len(points) < 2:
            return None
        (begun_at, begun), (time, total) = points[0], points[-1]
        return (total - begun) / (time - begun_at)

    def _keep(self, time: float, window_seconds: float) -> None:
        """Keep the newest point, and of the older ones as few as tell the window apart."""
        points = self._points
        if len(points) >= 2 and time - points[-2][0] < window_seconds / (POINTS_MAX - 2):
            points[-1] = (time, self._total)
        else:
            points.append((time, self._total))
        while len(points) > 2 and (
            points[1][0] <= time - window_seconds or len(points) > POINTS_MAX
        ):
            del points[0]
