"""A week of load that looks real, made up: the demo's default, and a test's.

The shape is that of business traffic with a human behind each request: nobody at four in the
morning, a ramp between seven and ten that is steeper than a replica starts, a dip at lunch, a
shoulder in the evening, quiet weekends. On it lie a slow wander, bursts of a few minutes, and a
token mix that drifts with the hour. Everything follows from the seed; no trace was copied.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from trimtab.plant.chance import poisson
from trimtab.plant.workload import Load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS

# One level an hour from midnight, 1.0 at the top of an ordinary weekday.
_WEEKDAY = (
    0.17, 0.12, 0.09, 0.08, 0.08, 0.11, 0.19, 0.37, 0.68, 0.92, 1.00, 0.97,
    0.81, 0.86, 0.97, 0.98, 0.91, 0.76, 0.62, 0.60, 0.63, 0.56, 0.40, 0.26,
)  # fmt: skip
_WEEKEND = (
    0.18, 0.14, 0.11, 0.09, 0.08, 0.08, 0.10, 0.13, 0.19, 0.27, 0.34, 0.38,
    0.39, 0.39, 0.38, 0.38, 0.39, 0.41, 0.44, 0.47, 0.48, 0.44, 0.35, 0.25,
)  # fmt: skip
_DAYS = (0.98, 1.03, 1.04, 1.00, 0.90, 1.00, 0.92)
"""Monday to Sunday, as a factor on the day's shape."""

_WANDER = ((6100.0, 0.040), (2290.0, 0.030), (677.0, 0.020))
"""Period in seconds and amplitude of the slow wander; periods share no small multiple."""

_BURSTS_PER_HOUR = 0.5
_BURST_RISE_SECONDS = 25.0
_BURST_SECONDS = (120.0, 420.0)
_BURST_HEIGHT = (0.15, 0.55)
_HOLD_SECONDS = 5.0
"""The load is constant for this long: far below what the shape resolves, and cheap to ask for."""


class DayWorkload:
    """Made-up load of a working week; it never ends and never repeats exactly.

    ``peak_requests_per_second`` is the top of an ordinary weekday before wander and bursts.
    ``prompt_tokens`` and ``output_tokens`` are the means over the day. Second 0 is ``hour`` o'clock
    on the ``weekday`` (0 is Monday).
    """

    def __init__(
        self,
        *,
        peak_requests_per_second: float,
        prompt_tokens: float,
        output_tokens: float,
        seed: int,
        hour: float = 0.0,
        weekday: int = 0,
    ) -> None:
        if not 0.0 <= hour < 24.0 or not 0 <= weekday <= 6:
            raise ValueError(
                f"a day starts at hour {hour} on weekday {weekday}; give 0 <= hour < 24, "
                "and a weekday from 0 (Monday) to 6"
            )
        Load(peak_requests_per_second, prompt_tokens, output_tokens)  # refuses what cannot be
        self._peak = peak_requests_per_second
        self._prompt_tokens = prompt_tokens
        self._output_tokens = output_tokens
        self._seed = seed
        self._start = weekday * DAY_SECONDS + hour * HOUR_SECONDS
        rng = Random(f"{seed}/phases")  # noqa: S311  load, not secrets
        self._phases = [rng.uniform(0.0, math.tau) for _ in range(len(_WANDER) + 2)]
        self._bursts: dict[int, list[tuple[float, float, float]]] = {}
        self._felt_hour = -1
        self._felt: tuple[tuple[float, float, float], ...] = ()
        self._held_slot = -1
        self._held = Load(0.0, prompt_tokens, output_tokens)

    @property
    def span_seconds(self) -> float | None:
        """Never ends."""
        return None

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load at this time since the start, constant within five seconds."""
        slot = math.floor(elapsed_seconds / _HOLD_SECONDS)
        if slot != self._held_slot:
            self._held_slot = slot
            self._held = self._at(self._start + slot * _HOLD_SECONDS)
        return self._held

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return when the five seconds end."""
        return (math.floor(elapsed_seconds / _HOLD_SECONDS) + 1) * _HOLD_SECONDS

    def table(self, begin: int, seconds: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return the loads of these seconds, bit for bit as ``load`` has them, and how long each holds.

        Weeks are simulated from this, an hour at a time; the emulator asks second by second.
        """
        import numpy as np  # who asks for single seconds needs none

        edges = np.arange(begin // 5 * 5, begin + seconds, 5)
        at = self._start + edges / _HOLD_SECONDS * _HOLD_SECONDS
        turns = math.tau * at
        waves = [
            (amplitude * _each(math.sin, turns / period + phase)).tolist()
            for (period, amplitude), phase in zip(_WANDER, self._phases, strict=False)
        ]
        wander = np.fromiter(map(math.fsum, zip(*waves, strict=True)), np.float64, len(at))
        rates = self._peak * _week_levels(at) * (1.0 + wander) * (1.0 + self._burst_heights(at))
        daily = _each(math.sin, math.tau * (at / DAY_SECONDS - 0.35))
        slow = _each(math.sin, turns / (2.7 * DAY_SECONDS) + self._phases[-1])
        prompts = self._prompt_tokens * (1.0 + 0.18 * daily + 0.05 * slow)
        outputs = self._output_tokens * (1.0 - 0.10 * daily + 0.08 * slow)
        values = np.stack([rates, np.maximum(1.0, prompts), np.maximum(1.0, outputs)], axis=1)
        ends = np.append(edges[1:], begin + seconds)
        return values, ends - np.maximum(edges, begin)

    def _burst_heights(self, week_seconds: Floats) -> Floats:
        import numpy as np

        heights = np.zeros_like(week_seconds)
        hours = np.floor(week_seconds / HOUR_SECONDS)
        for hour in np.unique(hours):
            is_here = hours == hour
            here = week_seconds[is_here]
            height = heights[is_here]
            for at, fade_seconds, peak in self._felt_in(int(hour)):
                ages = here - at
                is_felt = ages >= 0.0
                ages = ages[is_felt]
                rise = np.minimum(1.0, ages / _BURST_RISE_SECONDS)
                fades = _each(math.exp, -ages / fade_seconds)
                height[is_felt] += peak * rise * fades
            heights[is_here] = height
        return heights

    def _at(self, week_seconds: float) -> Load:
        turns = math.tau * week_seconds
        wander = math.fsum(
            [
                amplitude * math.sin(turns / period + phase)
                for (period, amplitude), phase in zip(_WANDER, self._phases, strict=False)
            ]
        )
        rate = self._peak * week_level(week_seconds) * (1.0 + wander)
        rate *= 1.0 + self._burst_height(week_seconds)
        # Documents by day, chat by night; answers wander on their own over three days.
        daily = math.sin(math.tau * (week_seconds / DAY_SECONDS - 0.35))
        slow = math.sin(math.tau * week_seconds / (2.7 * DAY_SECONDS) + self._phases[-1])
        return Load(
            rate,
            max(1.0, self._prompt_tokens * (1.0 + 0.18 * daily + 0.05 * slow)),
            max(1.0, self._output_tokens * (1.0 - 0.10 * daily + 0.08 * slow)),
        )

    def _burst_height(self, week_seconds: float) -> float:
        height = 0.0
        for at, fade_seconds, peak in self._felt_in(math.floor(week_seconds / HOUR_SECONDS)):
            age = week_seconds - at
            if age >= 0.0:
                rise = min(1.0, age / _BURST_RISE_SECONDS)
                height += peak * rise * math.exp(-age / fade_seconds)
        return height

    def _felt_in(self, hour: int) -> tuple[tuple[float, float, float], ...]:
        if hour != self._felt_hour:  # a burst may last into the next hour
            self._felt = (*self._bursts_of(hour - 1), *self._bursts_of(hour))
            self._felt_hour = hour
        return self._felt

    def _bursts_of(self, hour: int) -> Sequence[tuple[float, float, float]]:
        """Return start, fading time and height of the bursts that begin in this hour."""
        bursts = self._bursts.get(hour)
        if bursts is None:
            rng = Random(f"{self._seed}/{hour}")  # noqa: S311  load, not secrets
            bursts = [
                (
                    (hour + rng.random()) * HOUR_SECONDS,
                    rng.uniform(*_BURST_SECONDS),
                    rng.uniform(*_BURST_HEIGHT),
                )
                for _ in range(poisson(rng, _BURSTS_PER_HOUR))
            ]
            if len(self._bursts) > 3:  # remember the hours in use, no more
                self._bursts.clear()
            self._bursts[hour] = bursts
        return bursts


def week_level(week_seconds: float) -> float:
    """Return the bare shape at this second of the week (Monday midnight is 0), about 0 to 1.05."""
    hours = week_seconds / HOUR_SECONDS
    index = math.floor(hours)
    before, left, right, after = _AROUND[index % len(_AROUND)]
    along = hours - index
    # Catmull-Rom: through every hour's level, with a continuous slope.
    return left + 0.5 * along * (
        right - before
        + along * (
            2.0 * before - 5.0 * left + 4.0 * right - after
            + along * (3.0 * (left - right) + after - before)
        )
    )  # fmt: skip


def _week_levels(week_seconds: Floats) -> Floats:
    """As ``week_level``, for many seconds."""
    import numpy as np

    hours = week_seconds / HOUR_SECONDS
    indices = np.floor(hours)
    before, left, right, after = np.array(_AROUND)[indices.astype(np.int64) % len(_AROUND)].T
    along = hours - indices
    levels: Floats = left + 0.5 * along * (
        right - before
        + along * (
            2.0 * before - 5.0 * left + 4.0 * right - after
            + along * (3.0 * (left - right) + after - before)
        )
    )  # fmt: skip
    return levels


def _each(function: Callable[[float], float], values: Floats) -> Floats:
    """What a function of ``math`` gives for each: that of numpy may differ in the last bit."""
    import numpy as np

    return np.fromiter(map(function, values.tolist()), np.float64, len(values))


def _hour_level(hour: int) -> float:
    day, hour_of_day = divmod(hour % 168, 24)
    return _DAYS[day] * (_WEEKDAY if day < 5 else _WEEKEND)[hour_of_day]


_AROUND = tuple(
    tuple(_hour_level(hour + offset) for offset in (-1, 0, 1, 2)) for hour in range(7 * 24)
)
"""For each hour of the week: the levels before it, at its beginning, at its end and after it."""
