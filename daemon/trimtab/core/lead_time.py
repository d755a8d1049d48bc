"""How long a replica takes from being asked for until it serves: stated at first, then learned.

Starts are observed per hardware and region. Their times are a product of many nearly fixed parts, so
their logarithms are taken as normal (as the plant does, ``plant/start_times.py``), with observations far
from the middle pulled in (winsorised at three times the scaled median deviation): one replica that waited
an hour for an accelerator says little of the next. Few observations never make a replica look faster than
the start value does; a run of observations beyond what the earlier ones explain replaces them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from math import exp, log, sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.deployment import Deployment

DEFAULT_SECONDS = 300.0
"""Start value: cold starts of 75 s to 10 minutes are reported for the first control plane."""

OBSERVATIONS_MAX = 48
"""How many starts are kept for each hardware and region, the newest."""

OBSERVATIONS_FEW = 5
"""Below this many starts, nothing is believed to be faster than the start value."""

CHANGE_OBSERVATIONS = OBSERVATIONS_FEW
"""So many starts in a row beyond what the earlier ones explain: the world has changed."""

KEYS_MAX = 1000
"""How many kinds of hardware and regions are remembered; beyond that, the longest unused go."""

SECONDS_MIN = 1.0
"""Nothing starts faster, and a logarithm needs something."""

TAIL_FACTOR = 4.0
"""An observation this many times the median is an outlier for the 99th percentile too."""

_Z_90, _Z_99 = 1.2816, 2.3263
_DEVIATION_MIN = 0.05
_MAD_TO_DEVIATION = 1.4826


class Origin(StrEnum):
    """Where an estimate comes from."""

    LEARNED = "learned"
    POLICY = "policy"
    SETTINGS = "settings"


class LeadTime(NamedTuple):
    """An estimate in seconds: median, 90th and 99th percentile of the time until a replica serves.

    ``samples`` is the number of starts it rests on, ``failures`` how many starts of this kind failed or
    got stuck since the beginning.
    """

    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
    samples: int
    failures: int
    origin: Origin


class Learned(NamedTuple):
    """The newest starts of one kind, oldest first, and how many failed or got stuck in all."""

    seconds: tuple[float, ...] = ()
    failures: int = 0


class StartValue(NamedTuple):
    """A start value for models of up to ``parameters_max`` parameters on ``accelerator_type``.

    ``None`` fits any; a bound on parameters does not fit a model whose size is unknown.
    """

    seconds: float
    accelerator_type: str | None = None
    parameters_max: int | None = None

    def fits(self, deployment: Deployment) -> bool:
        """Whether the value is meant for ``deployment``."""
        shape = deployment.shape
        if self.accelerator_type not in (None, shape.accelerator_type):
            return False
        if self.parameters_max is None:
            return True
        return shape.parameter_count is not None and shape.parameter_count <= self.parameters_max


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTimes:
    """What is known of lead times: start values in order (the first that fits counts), and ``learned``."""

    default_seconds: float = DEFAULT_SECONDS
    starts: tuple[StartValue, ...] = ()
    learned: Mapping[str, Learned] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, deployment: Deployment, stated_seconds: float | None = None) -> LeadTime:
        """Return the estimate for ``deployment``; ``stated_seconds`` is its policy's start value."""
        if not self.learned and not self.starts and stated_seconds is None:
            return _of_few(_NOTHING, self.default_seconds, Origin.SETTINGS)
        learned = self.learned.get(key_of(deployment), _NOTHING)
        if len(learned.seconds) >= OBSERVATIONS_FEW:
            return _estimated(learned)
        if stated_seconds is not None:
            return _of_few(learned, stated_seconds, Origin.POLICY)
        for start in self.starts:
            if start.fits(deployment):
                return _of_few(learned, start.seconds, Origin.SETTINGS)
        return _of_few(learned, self.default_seconds, Origin.SETTINGS)

    def with_start(self, key: str, seconds: float) -> LeadTimes:
        """Take in a start that was observed from the asking until it served."""
        learned = self.learned.get(key, _NOTHING)
        newest = _of_this_world((*learned.seconds, max(SECONDS_MIN, seconds)))
        return self._with(key, learned._replace(seconds=newest[-OBSERVATIONS_MAX:]))

    def with_failure(self, key: str) -> LeadTimes:
        """Take in that a start failed, or got stuck."""
        learned = self.learned.get(key, _NOTHING)
        return self._with(key, learned._replace(failures=learned.failures + 1))

    def recalling(self, learned: Mapping[str, Learned]) -> LeadTimes:
        """Return the same start values with ``learned`` in place of what was learned so far."""
        return replace(self, learned=MappingProxyType(dict(learned)))

    def _with(self, key: str, learned: Learned) -> LeadTimes:
        kept = {name: one for name, one in self.learned.items() if name != key}
        while len(kept) >= KEYS_MAX:
            del kept[next(iter(kept))]
        kept[key] = learned
        return self.recalling(kept)


_NOTHING = Learned()


def key_of(deployment: Deployment) -> str:
    """Name the kind of start: the shape (no version), else model and accelerators; and the region."""
    shape = deployment.shape
    hardware = shape.name or (
        f"{deployment.base_model or 'a model'} on {shape.accelerators_per_replica or '?'} x "
        f"{shape.accelerator_type or '?'}"
    )
    return f"{hardware} in {deployment.region or 'an unknown region'}"


class _Fit(NamedTuple):
    middle: float
    deviation: float


def _fit(seconds: tuple[float, ...]) -> _Fit:
    """Mean and standard deviation of the logarithms, winsorised."""
    logs = sorted(map(log, seconds))
    median = _median(logs)
    spread = _MAD_TO_DEVIATION * _median(sorted(abs(one - median) for one in logs))
    reach = 3.0 * max(spread, _DEVIATION_MIN)
    pulled = [min(max(one, median - reach), median + reach) for one in logs]
    middle = sum(pulled) / len(pulled)
    squares = sum((one - middle) ** 2 for one in pulled)
    return _Fit(middle, max(_DEVIATION_MIN, sqrt(squares / (len(pulled) - 1))))


def _widening(observations: int) -> float:
    """Factor for a deviation that was itself estimated from few observations.

    Follows the prediction interval of Student's t, t(n - 1) sqrt(1 + 1/n) / z at the 90th percentile,
    within 3 % for n of 5 and more.
    """
    return 1.0 + 1.4 / observations


def _median(ordered: list[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _of_this_world(seconds: tuple[float, ...]) -> tuple[float, ...]:
    """Forget the starts before the last few, if those lie altogether beyond them."""
    before, newest = seconds[:-CHANGE_OBSERVATIONS], seconds[-CHANGE_OBSERVATIONS:]
    if len(before) < OBSERVATIONS_FEW:
        return seconds
    fit = _fit(before)
    reach = _Z_90 * fit.deviation * _widening(len(before))
    is_slower = log(min(newest)) > fit.middle + reach
    is_faster = log(max(newest)) < fit.middle - reach
    return newest if is_slower or is_faster else seconds


# The same observations give the same estimate, and a decision has 100 µs in all. One for each key is
# enough: what was estimated before the last start is asked for no more.
@lru_cache(maxsize=KEYS_MAX)
def _estimated(learned: Learned) -> LeadTime:
    seconds = learned.seconds
    fit = _fit(seconds)
    widened = fit.deviation * _widening(len(seconds))
    p50 = exp(fit.middle)
    tail = max((one for one in seconds if one <= TAIL_FACTOR * p50), default=p50)
    return LeadTime(
        p50_seconds=p50,
        p90_seconds=exp(fit.middle + _Z_90 * widened),
        p99_seconds=max(tail, exp(fit.middle + _Z_99 * widened)),
        samples=len(seconds),
        failures=learned.failures,
        origin=Origin.LEARNED,
    )


@lru_cache(maxsize=KEYS_MAX)
def _of_few(learned: Learned, start_seconds: float, origin: Origin) -> LeadTime:
    """The start value, or the slowest of the few starts seen; twice that is late."""
    slowest = min(max(learned.seconds, default=0.0), TAIL_FACTOR * start_seconds)
    seconds = max(start_seconds, slowest)
    return LeadTime(
        p50_seconds=seconds,
        p90_seconds=seconds,
        p99_seconds=2.0 * seconds,
        samples=len(learned.seconds),
        failures=learned.failures,
        origin=origin,
    )
