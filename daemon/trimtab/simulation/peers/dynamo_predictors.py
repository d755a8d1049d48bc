"""What the SLA planner of NVIDIA Dynamo forecasts with: the next interval from those before, as a point.

Each is one step ahead (180 s, whatever the lead time is). Zeros before the first traffic are passed
over, and no forecast is below zero. What the planner takes from libraries is written out here in its
plain form: ``ArimaPredictor`` is an autoregression on the series or its differences, its order chosen by
Akaike's criterion (theirs may add moving averages; pmdarima's search, non-seasonal as by default);
``dynamo_prophet`` holds the one after Prophet.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from typing import Protocol

from trimtab.simulation.peers.least_squares import solve

ORDER_MAX = 3
"""Of the autoregression: how many values back."""

POINTS_MIN = 5
"""With fewer points than this the last one is the forecast (the planner's ``minimum_data_points``)."""


class Predictor(Protocol):
    """Hears one value an interval and says the next."""

    def add(self, value: float) -> None:
        """Hear the value of the interval that has just ended, 0 or above."""
        ...

    def predict(self) -> float | None:
        """Return the next interval's value; ``None`` before anything but zeros was heard."""
        ...


class ConstantPredictor:
    """The next interval is like the last."""

    def __init__(self) -> None:
        self._last: float | None = None

    def add(self, value: float) -> None:
        """Hear a value."""
        if value > 0.0 or self._last is not None:
            self._last = value

    def predict(self) -> float | None:
        """Return the last value."""
        return self._last


class KalmanPredictor:
    """A local linear trend: a level that moves by a slope, both with noise of their own.

    Level noise 1, slope noise 0.1, measurement noise 10, as the planner has them: in requests an
    interval, so the busier a deployment, the closer it follows.
    """

    def __init__(self, *, level: float = 1.0, slope: float = 0.1, measured: float = 10.0) -> None:
        self._noise = (level, slope, measured)
        self._state: tuple[float, float] | None = None
        self._spread = (1000.0, 0.0, 1000.0)  # variances of level and slope, covariance between

    def add(self, value: float) -> None:
        """Predict, then correct by ``value``."""
        if self._state is None:
            if value <= 0.0:
                return
            self._state = (0.0, 0.0)
        level, slope = self._state
        var_level, cov, var_slope = self._spread
        noise_level, noise_slope, noise_measured = self._noise
        level += slope
        var_level += 2.0 * cov + var_slope + noise_level
        cov += var_slope
        var_slope += noise_slope
        total = var_level + noise_measured
        gain_level, gain_slope = var_level / total, cov / total
        error = value - level
        self._state = (level + gain_level * error, slope + gain_slope * error)
        self._spread = (
            (1.0 - gain_level) * var_level,
            (1.0 - gain_level) * cov,
            var_slope - gain_slope * cov,
        )

    def predict(self) -> float | None:
        """Return level plus slope."""
        return None if self._state is None else max(0.0, sum(self._state))


class ArimaPredictor:
    """An autoregression with a constant, of order 0 to 3, on values or on their differences.

    Fitted by least squares to everything heard so far, at every step (the planner fits once and
    updates). Where the best order is 0 there is nothing to regress on, and the logarithms are
    tried instead, as the planner does.
    """

    def __init__(self) -> None:
        self._plain = _Regressions()
        self._logs = _Regressions()
        self._last: float | None = None

    def add(self, value: float) -> None:
        """Hear a value."""
        if value <= 0.0 and self._last is None:
            return
        self._last = value
        self._plain.add(value)
        self._logs.add(math.log1p(value))

    def predict(self) -> float | None:
        """Return the forecast of the best order."""
        if self._last is None or self._plain.count < POINTS_MIN:
            return self._last
        order, forecast = self._plain.forecast()
        if order == 0:
            log_order, log_forecast = self._logs.forecast()
            if log_order > 0:
                forecast = math.expm1(min(log_forecast, 700.0))
        return max(0.0, forecast)


class _Regressions:
    """Sums of squares from which all orders follow, for the values and for their differences."""

    def __init__(self) -> None:
        self.count = 0
        self._tail: deque[float] = deque(maxlen=ORDER_MAX + 2)
        self._sums = (_Sums(), _Sums())

    def add(self, value: float) -> None:
        self.count += 1
        self._tail.append(value)
        if len(self._tail) == ORDER_MAX + 2:
            for differences, sums in enumerate(self._sums):
                series = self._series(differences)
                sums.add(series[-1], series[-2 : -2 - ORDER_MAX : -1])

    def forecast(self) -> tuple[int, float]:
        """Return the order that Akaike's criterion prefers and the next value by it."""
        best = (math.inf, 0, self._tail[-1])
        for differences, sums in enumerate(self._sums):
            series = self._series(differences)
            base = self._tail[-1] if differences else 0.0
            for order in range(ORDER_MAX + 1):
                fitted = sums.fit(order)
                if fitted is None:
                    continue
                coefficients, squares = fitted
                information = sums.count * math.log(squares / sums.count) + 2.0 * (order + 1)
                if information < best[0]:
                    past = series[-1 : -1 - order : -1]
                    step = coefficients[0] + sum(
                        one * value for one, value in zip(coefficients[1:], past, strict=True)
                    )
                    best = (information, order, base + step)
        return best[1], best[2]

    def _series(self, differences: int) -> list[float]:
        tail = list(self._tail)
        if not differences:
            return tail
        return [after - before for before, after in itertools.pairwise(tail)]


class _Sums:
    """Normal equations of one regression on a constant and the values before."""

    def __init__(self) -> None:
        self.count = 0
        size = ORDER_MAX + 1
        self._matrix = [[0.0] * size for _ in range(size)]
        self._right = [0.0] * size
        self._squares = 0.0

    def add(self, value: float, before: list[float]) -> None:
        row = [1.0, *before]
        self.count += 1
        self._squares += value * value
        for one, factor in enumerate(row):
            self._right[one] += factor * value
            matrix_row = self._matrix[one]
            for other, another in enumerate(row):
                matrix_row[other] += factor * another

    def fit(self, order: int) -> tuple[list[float], float] | None:
        """Return coefficients and the sum of squares left; ``None`` where the data do not tell."""
        size = order + 1
        if self.count <= size:
            return None
        coefficients = solve([row[:size] for row in self._matrix[:size]], self._right[:size])
        if coefficients is None:
            return None
        explained = sum(one * other for one, other in zip(coefficients, self._right, strict=False))
        # What is left of a difference of large sums is noise below this share of them.
        return coefficients, max(self._squares - explained, 1e-9 * self._squares, 1e-12)
