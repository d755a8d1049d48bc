"""Traffic profiles as JSON, for the admin route: what a deployment's users ask of it from now on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trimtab.emulator.refusals import invalid
from trimtab.plant.day import DayWorkload
from trimtab.plant.workload import ConstantWorkload, Load, PastTheEnd, SteppedWorkload

if TYPE_CHECKING:
    from trimtab.plant.workload import Workload

STEPS_MAX = 100_000
_DEFAULTS = {"promptTokens": 512.0, "outputTokens": 128.0}
_KEYS = {
    "constant": {"requestsPerSecond", *_DEFAULTS},
    "steps": {"steps", "pastTheEnd"},
    "day": {"peakRequestsPerSecond", "seed", "hour", "weekday", *_DEFAULTS},
}


def parse(body: dict[str, Any]) -> Workload:
    """Return the workload that ``body`` describes.

    There are three kinds:

    - ``{"kind": "constant", "requestsPerSecond": 4, "promptTokens": 512, "outputTokens": 128}``
    - ``{"kind": "steps", "steps": [{"seconds": 600, "requestsPerSecond": 4}, …],
      "pastTheEnd": "repeat" | "hold" | "silence"}``
    - ``{"kind": "day", "peakRequestsPerSecond": 20, "seed": 1, "hour": 7, "weekday": 0}``

    Raises ``Refusal`` (400) naming what is wrong.
    """
    kind = body.get("kind", "constant")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise invalid(f"kind must be one of {', '.join(_KEYS)}, not {kind!r}")
    _known(body, _KEYS[kind] | {"kind"})
    try:
        if kind == "constant":
            return ConstantWorkload(_load(body, "requestsPerSecond"))
        if kind == "steps":
            return _steps(body)
        return DayWorkload(
            peak_requests_per_second=_number(body, "peakRequestsPerSecond"),
            prompt_tokens=_number(body, "promptTokens"),
            output_tokens=_number(body, "outputTokens"),
            seed=int(_number(body, "seed", 0.0)),
            hour=_number(body, "hour", 0.0),
            weekday=int(_number(body, "weekday", 0.0)),
        )
    except ValueError as error:
        raise invalid(str(error)) from None


def _steps(body: dict[str, Any]) -> SteppedWorkload:
    steps = body.get("steps")
    if not isinstance(steps, list) or not 0 < len(steps) <= STEPS_MAX:
        raise invalid(f"steps must be a list of 1 to {STEPS_MAX} objects")
    past = body.get("pastTheEnd", "repeat")
    if past not in set(PastTheEnd):
        raise invalid(f"pastTheEnd must be one of {', '.join(PastTheEnd)}, not {past!r}")
    pairs: list[tuple[float, Load]] = []
    for step in steps:
        if not isinstance(step, dict):
            raise invalid(f"a step must be an object, not {step!r}")
        _known(step, {"seconds", "requestsPerSecond", *_DEFAULTS})
        pairs.append((_number(step, "seconds"), _load(step, "requestsPerSecond")))
    return SteppedWorkload(pairs, past_the_end=PastTheEnd(past))


def _load(body: dict[str, Any], rate: str) -> Load:
    return Load(_number(body, rate), _number(body, "promptTokens"), _number(body, "outputTokens"))


def _known(body: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(body) - known)
    if unknown:
        raise invalid(f"unknown field {unknown[0]!r}; use {', '.join(sorted(known))}")


def _number(body: dict[str, Any], key: str, default: float | None = None) -> float:
    value = body.get(key, _DEFAULTS.get(key, default))
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(min(value, 1e300))
        if math.isfinite(number) and 0.0 <= number <= 1e9:
            return number
    raise invalid(f"{key} must be a number from 0 to 1e9, not {value!r}")
