"""Loads made up by us, by name: each asks one question of an autoscaler.

A seed moves what nobody can foresee (when a flash comes, how long a storm lasts) and nothing else; a
shape without such things is the same for every seed, and only the arrivals that the plant draws from
it differ. Heights are relative: ``scaling.scaled_to_mean`` gives them a size.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from trimtab.plant.day import DayWorkload
from trimtab.plant.trace import DEFAULT_OUTPUT_TOKENS, DEFAULT_PROMPT_TOKENS
from trimtab.plant.workload import Load
from trimtab.simulation.inputs import shapes
from trimtab.simulation.inputs.input_error import unknown_name
from trimtab.simulation.inputs.shapes import ShapedWorkload
from trimtab.simulation.inputs.splicing import part

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.plant.workload import Workload

    Build: TypeAlias = Callable[[Load, float, Random], Workload]

MINUTE_SECONDS = 60.0
HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0

TYPICAL = Load(20.0, DEFAULT_PROMPT_TOKENS, DEFAULT_OUTPUT_TOKENS)
"""What a level of 1 means unless told otherwise: 20 conversations a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """One made-up load: its name, what it is for in one sentence, how long it lasts, how it is made.

    ``is_storm`` says that most of it comes in bursts that nothing announces.
    """

    name: str
    sentence: str
    span_seconds: float
    build: Build
    is_storm: bool = False

    def workload(self, *, seed: int = 0, typical: Load = TYPICAL) -> Workload:
        """Return it as a workload of its span; the same for the same seed and ``typical``."""
        rng = Random(f"{self.name}/{seed}")  # noqa: S311  load, not secrets
        return self.build(typical, self.span_seconds, rng)


def by_name(name: str) -> Synthetic:
    """Return the made-up load of this name; raise ``InputError`` for a name that there is not."""
    found = SYNTHETIC.get(name)
    if found is None:
        raise unknown_name("made-up load", name, SYNTHETIC)
    return found


def _week(typical: Load, span: float, rng: Random) -> Workload:
    week = DayWorkload(
        peak_requests_per_second=typical.requests_per_second,
        prompt_tokens=typical.prompt_tokens,
        output_tokens=typical.output_tokens,
        seed=rng.getrandbits(32),
    )
    return part(week, 0.0, span)


def _flat(typical: Load, span: float, _rng: Random) -> Workload:
    return ShapedWorkload(typical, span, lambda _: 1.0)


def _step(typical: Load, span: float, _rng: Random) -> Workload:
    level = shapes.steps((0.0, 1.0), (2 * HOUR_SECONDS, 3.0), (4 * HOUR_SECONDS, 1.0))
    return ShapedWorkload(typical, span, level)


def _ramp(typical: Load, span: float, _rng: Random) -> Workload:
    hour = HOUR_SECONDS
    level = shapes.lines(
        (0.0, 1.0), (hour, 1.0), (1.5 * hour, 5.0), (2.5 * hour, 5.0), (4 * hour, 1.0)
    )
    return ShapedWorkload(typical, span, level)


def _flash(typical: Load, span: float, rng: Random) -> Workload:
    flashes = shapes.scattered(
        rng,
        span,
        between_seconds=(2 * HOUR_SECONDS, 6 * HOUR_SECONDS),
        lasting_seconds=(3 * MINUTE_SECONDS, 3 * MINUTE_SECONDS),
    )
    level = shapes.product(
        shapes.pulses(flashes, idle=1.0, busy=5.0),
        shapes.wave(DAY_SECONDS, 0.3, phase=-0.35),
    )
    return ShapedWorkload(typical, span, level)


def _on_off(typical: Load, span: float, rng: Random) -> Workload:
    minutes = (10 * MINUTE_SECONDS, 40 * MINUTE_SECONDS)
    on = shapes.scattered(rng, span, between_seconds=minutes, lasting_seconds=minutes)
    return ShapedWorkload(typical, span, shapes.pulses(on, idle=0.0, busy=1.0))


def _storm(typical: Load, span: float, rng: Random) -> Workload:
    # Nine parts of idling to one of storm, on average: 11 minutes of every 110.
    storms = shapes.scattered(
        rng,
        span,
        between_seconds=(18 * MINUTE_SECONDS, 180 * MINUTE_SECONDS),
        lasting_seconds=(2 * MINUTE_SECONDS, 20 * MINUTE_SECONDS),
    )
    heights = [rng.uniform(0.5, 1.5) for _ in storms]
    return ShapedWorkload(typical, span, shapes.pulses(storms, idle=1.0 / 50.0, busy=heights))


def _decay(typical: Load, span: float, _rng: Random) -> Workload:
    def level(seconds: float) -> float:
        since_launch = seconds - HOUR_SECONDS
        launched = 0.0 if since_launch < 0.0 else 10.0 * 0.5 ** (since_launch / HOUR_SECONDS)
        return 0.5 + float(launched)

    return ShapedWorkload(typical, span, level)


def _night_zero(typical: Load, span: float, rng: Random) -> Workload:
    phase = rng.uniform(0.0, 1.0)
    wander = shapes.wave(4700.0, 0.08, phase=phase)

    def level(seconds: float) -> float:
        hour = seconds % DAY_SECONDS / HOUR_SECONDS
        if not 7.0 <= hour < 21.0:
            return 0.0
        return min(1.0, (hour - 7.0) * 2.0, (21.0 - hour) * 2.0)

    return ShapedWorkload(typical, span, shapes.product(level, wander))


def _batch_surges(typical: Load, span: float, rng: Random) -> Workload:
    minute = rng.randrange(3, 55) * MINUTE_SECONDS
    surges: list[tuple[float, float]] = []
    for hour in range(int(span / HOUR_SECONDS)):
        begin = hour * HOUR_SECONDS + minute
        # At two in the morning the nightly batch, which takes five times as long.
        lasts = (20.0 if hour % 24 == 2 else 4.0) * MINUTE_SECONDS
        surges.append((begin, begin + lasts))
    level = shapes.product(
        shapes.pulses(surges, idle=1.0, busy=3.0), shapes.wave(DAY_SECONDS, 0.5, phase=-0.35)
    )
    return ShapedWorkload(typical, span, level)


def _mix_shift(typical: Load, span: float, _rng: Random) -> Workload:
    hour = HOUR_SECONDS
    # At once to three times the prompt, slowly to three times the answer, and back.
    prompt = shapes.steps((0.0, 0.5), (3 * hour, 1.5), (6 * hour, 0.5))
    output = shapes.lines(
        (0.0, 0.5), (7 * hour, 0.5), (8 * hour, 1.5), (10 * hour, 1.5), (11 * hour, 0.5)
    )
    return ShapedWorkload(typical, span, lambda _: 1.0, prompt=prompt, output=output)


def _level_change(typical: Load, span: float, rng: Random) -> Workload:
    joined = round(rng.uniform(2.0, 4.0) * 24) * HOUR_SECONDS
    left = joined + round(rng.uniform(2.0, 4.0) * 24) * HOUR_SECONDS
    level = shapes.product(
        shapes.steps((0.0, 1.0), (joined, 2.5), (left, 0.6)),
        shapes.wave(DAY_SECONDS, 0.3, phase=-0.35),
    )
    return ShapedWorkload(typical, span, level)


def _sine(typical: Load, span: float, _rng: Random) -> Workload:
    return ShapedWorkload(typical, span, shapes.wave(DAY_SECONDS, 0.8, phase=-0.25))


SYNTHETIC: dict[str, Synthetic] = {
    one.name: one
    for one in (
        Synthetic(
            name="flat",
            sentence="the same load for six hours: nothing to do",
            span_seconds=6 * HOUR_SECONDS,
            build=_flat,
        ),
        Synthetic(
            name="day",
            sentence="one working day: a morning steeper than a replica starts, bursts, a quiet night",
            span_seconds=DAY_SECONDS,
            build=_week,
        ),
        Synthetic(
            name="week",
            sentence="two working weeks with their weekends",
            span_seconds=14 * DAY_SECONDS,
            build=_week,
        ),
        Synthetic(
            name="step",
            sentence="three times the load for two hours, at once",
            span_seconds=6 * HOUR_SECONDS,
            build=_step,
        ),
        Synthetic(
            name="ramp",
            sentence="five times the load within half an hour, and slowly back",
            span_seconds=5 * HOUR_SECONDS,
            build=_ramp,
        ),
        Synthetic(
            name="flash",
            sentence="five times the load for three minutes, every few hours, unannounced",
            span_seconds=3 * DAY_SECONDS,
            build=_flash,
        ),
        Synthetic(
            name="on-off",
            sentence="all or nothing, 10 to 40 minutes each",
            span_seconds=DAY_SECONDS,
            build=_on_off,
            is_storm=True,
        ),
        Synthetic(
            name="storm",
            sentence="idle nine tenths of the time, then fifty times that load for minutes",
            span_seconds=7 * DAY_SECONDS,
            build=_storm,
            is_storm=True,
        ),
        Synthetic(
            name="decay",
            sentence="a launch: twenty times the load at once, halved every hour",
            span_seconds=12 * HOUR_SECONDS,
            build=_decay,
        ),
        Synthetic(
            name="night-zero",
            sentence="office hours, and nobody at all at night",
            span_seconds=7 * DAY_SECONDS,
            build=_night_zero,
        ),
        Synthetic(
            name="batch-surges",
            sentence="a batch at the same minute of every hour, and a long one at two in the morning",
            span_seconds=7 * DAY_SECONDS,
            build=_batch_surges,
        ),
        Synthetic(
            name="mix-shift",
            sentence="requests at a constant rate that grow longer: first prompts, then answers",
            span_seconds=12 * HOUR_SECONDS,
            build=_mix_shift,
        ),
        Synthetic(
            name="level-change",
            sentence="a customer joins and another leaves, on top of a daily wave",
            span_seconds=10 * DAY_SECONDS,
            build=_level_change,
        ),
        Synthetic(
            name="sine",
            sentence="a smooth daily wave between a fifth and nearly twice the mean",
            span_seconds=7 * DAY_SECONDS,
            build=_sine,
        ),
    )
}
"""All of them, by name."""
