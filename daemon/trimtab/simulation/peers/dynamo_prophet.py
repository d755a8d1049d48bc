"""The forecast after Prophet: a trend with bends, over the last 50 intervals.

Prophet fits a line whose slope may change at 25 points of the first 80 % of the history, each change
held small by its prior (scale 0.05, in units of the largest value), and adds seasons where it has
seen two of them: with 50 intervals of 180 s it never has. The prior is taken to be Gaussian, where
Prophet's is Laplacian, so that the fit is one linear system.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from trimtab.simulation.peers.dynamo_predictors import POINTS_MIN

POINTS_MAX = 50
BENDS_MAX = 25
BENDS_SHARE = 0.8
BEND_SCALE = 0.05
LINE_SCALE = 5.0
NOISE_MIN = 1e-3
"""Of the scaled series; an exact line would leave none and the system singular."""


class ProphetPredictor:
    """Refits at every step and extends the trend by one interval."""

    def __init__(self) -> None:
        self._points: deque[float] = deque(maxlen=POINTS_MAX)

    def add(self, value: float) -> None:
        """Hear a value."""
        if value > 0.0 or self._points:
            self._points.append(value)

    def predict(self) -> float | None:
        """Return the trend at the next interval."""
        points = self._points
        if len(points) < POINTS_MIN:
            return points[-1] if points else None
        values = np.array(points)
        scale = float(values.max())
        if scale <= 0.0:
            return 0.0
        scaled = values / scale
        count = len(scaled)
        times = np.arange(count + 1) / (count - 1)
        bends = np.linspace(0.0, BENDS_SHARE, min(BENDS_MAX, int(BENDS_SHARE * count) - 1) + 1)[1:]
        design = np.column_stack(
            [np.ones(count + 1), times, np.maximum(0.0, times[:, None] - bends[None, :])]
        )
        known = design[:count]
        line = known[:, :2]
        left = scaled - line @ np.linalg.lstsq(line, scaled, rcond=None)[0]
        noise = max(float(np.std(left)), NOISE_MIN)
        priors = np.concatenate([[LINE_SCALE] * 2, [BEND_SCALE] * len(bends)])
        system = known.T @ known + np.diag((noise / priors) ** 2)
        coefficients = np.linalg.solve(system, known.T @ scaled)
        return max(0.0, float(design[count] @ coefficients) * scale)
