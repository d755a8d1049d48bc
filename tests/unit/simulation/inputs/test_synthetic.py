"""Made-up loads: each is what its sentence says, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.plant import Load, StartTimes
from trimtab.simulation.inputs import SYNTHETIC, InputError, Synthetic, disturbance
from trimtab.simulation.inputs.sampling import Sampled, sampled
from trimtab.simulation.inputs.synthetic import by_name

HOUR = 3600.0
DAY = 24 * HOUR
TYPICAL = Load(10.0, 1000.0, 200.0)
NAMES = list(SYNTHETIC)

# What is random in a load is where something happens; these have nothing random.
FIXED = {"flat", "step", "ramp", "decay", "mix-shift", "sine"}


def seen(name: str, seed: int = 0, step: float = 30.0) -> Sampled:
    one = by_name(name)
    return sampled(one.workload(seed=seed, typical=TYPICAL), one.span_seconds, step_seconds=step)


def level(name: str, seed: int = 0, step: float = 30.0) -> np.ndarray:
    return seen(name, seed, step).requests_per_second / TYPICAL.requests_per_second


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_load_in_any_order_of_asking(name: str) -> None:
    one = by_name(name)
    moments = np.linspace(0.0, one.span_seconds * 0.999, 400)
    forward = one.workload(seed=5)
    backward = one.workload(seed=5)
    loads = [forward.load(at) for at in moments]

    assert loads == [backward.load(at) for at in moments[::-1]][::-1]


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_moves_what_nobody_can_foresee_and_nothing_else(name: str) -> None:
    one, other = level(name, seed=1, step=100.0), level(name, seed=2, step=100.0)

    assert (one == other).all() == (name in FIXED)


@pytest.mark.parametrize("name", NAMES)
def test_it_lasts_as_long_as_it_says_and_begins_again(name: str) -> None:
    one = by_name(name)
    workload = one.workload(seed=3)

    assert workload.span_seconds == one.span_seconds
    assert workload.load(one.span_seconds + 700.0) == workload.load(700.0)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_requests_and_a_sentence(name: str) -> None:
    one: Synthetic = by_name(name)

    assert one.name == name
    assert one.sentence
    assert level(name, step=300.0).mean() > 0.05


def test_a_step_is_three_times_as_high() -> None:
    levels = level("step")

    assert levels[:240].tolist() == [1.0] * 240
    assert levels[240:480].tolist() == [3.0] * 240


def test_a_ramp_takes_half_an_hour_to_five_times_the_load() -> None:
    levels = level("ramp")

    assert levels[119] == 1.0
    assert levels[150] == pytest.approx(3.0, abs=0.05)
    assert levels[181] == 5.0


def test_a_flash_is_five_times_as_high_for_three_minutes() -> None:
    levels = level("flash", step=5.0)
    jumps = np.flatnonzero(levels[1:] / levels[:-1] > 4.0)
    drops = np.flatnonzero(levels[1:] / levels[:-1] < 0.25)

    assert len(jumps) >= 10
    assert set(drops - jumps) == {36}  # of five seconds


def test_on_and_off_are_all_and_nothing_for_ten_to_forty_minutes() -> None:
    levels = level("on-off", step=5.0)
    changes = np.flatnonzero(np.diff(levels)) + 1

    assert set(levels) == {0.0, 1.0}
    assert (np.diff(changes) * 5.0 >= 600.0).all()
    assert (np.diff(changes) * 5.0 <= 2400.0).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_storm_is_idle_nine_tenths_of_the_time_and_then_fifty_times_as_high(seed: int) -> None:
    levels = level("storm", seed, step=15.0)
    idle = levels.min()

    assert np.mean(levels == idle) == pytest.approx(0.9, abs=0.03)
    assert levels[levels > idle].mean() / idle == pytest.approx(50.0, rel=0.25)


def test_a_launch_decays_by_half_an_hour_after_hour() -> None:
    levels = level("decay", step=5.0) - 0.5

    assert levels[:720].tolist() == [0.0] * 720
    assert levels[720] == 10.0
    assert levels[1440] == pytest.approx(5.0)
    assert levels[2160] == pytest.approx(2.5)


def test_at_night_there_is_nobody() -> None:
    by_hour = level("night-zero").reshape(7, 24, 120)

    assert (by_hour[:, :7] == 0.0).all()
    assert (by_hour[:, 21:] == 0.0).all()
    assert (by_hour[:, 9:19] > 0.5).all()


def test_batches_come_at_the_same_minute_of_every_hour_and_a_long_one_at_two() -> None:
    levels = level("batch-surges", seed=4, step=60.0).reshape(7, 24, 60)
    is_busy = levels / np.median(levels, axis=2, keepdims=True) > 2.0
    minutes = is_busy.sum(axis=2)
    begins = is_busy.argmax(axis=2)

    assert set(begins.ravel()) == {begins[0, 0]}
    assert (np.delete(minutes, 2, axis=1) == 4).all()
    assert (minutes[:, 2] > 4).all()


def test_a_shift_of_the_mix_leaves_the_rate_as_it_is() -> None:
    mix = seen("mix-shift")

    assert set(mix.requests_per_second) == {10.0}
    assert (mix.prompt_tokens.min(), mix.prompt_tokens.max()) == (500.0, 1500.0)
    assert (mix.output_tokens.min(), mix.output_tokens.max()) == (100.0, 300.0)


def test_a_change_of_level_lasts() -> None:
    days = level("level-change", seed=2).reshape(10, -1).mean(axis=1)

    assert days[0] == pytest.approx(1.0, abs=0.01)
    assert days.max() == pytest.approx(2.5, abs=0.05)
    assert days[-1] == pytest.approx(0.6, abs=0.01)


def test_a_week_has_a_weekend() -> None:
    days = level("week").reshape(14, -1).mean(axis=1)

    assert days[[5, 6, 12, 13]].max() < 0.75 * days[:5].min()


def test_a_sine_goes_smoothly_between_a_fifth_and_nearly_twice_the_mean() -> None:
    levels = level("sine")

    assert levels.mean() == pytest.approx(1.0)
    assert (levels.min(), levels.max()) == pytest.approx((0.2, 1.8), abs=0.01)
    assert np.abs(np.diff(levels)).max() < 0.003


def test_a_name_that_there_is_not_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no made-up load is called 'flsh'; did you mean flash"):
        by_name("flsh")
    with pytest.raises(InputError, match="there are flat, day, week"):
        by_name("qqqqqq")


START = StartTimes(
    pending_seconds=10.0, downloading_seconds=50.0, initializing_seconds=40.0, cv=0.1
)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("span", [HOUR, DAY, 14 * DAY])
def test_metrics_stop_three_times_for_up_to_half_an_hour(seed: int, span: float) -> None:
    found = disturbance("metric-outage", start_times=START, span_seconds=span, seed=seed)
    gaps = found.metric_gaps

    assert len(gaps) == 3
    assert all(0.0 < end - begin <= 1800.0 for begin, end in gaps)
    assert sum(end - begin for begin, end in gaps) <= span / 10.0
    flat = [moment for gap in gaps for moment in gap]
    assert flat == sorted(flat)
    assert flat[0] > 0.0
    assert flat[-1] < span
    assert not found.start_changes


def test_outages_follow_from_the_seed() -> None:
    one, same, other = (
        disturbance("metric-outage", start_times=START, span_seconds=DAY, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_starts_take_twice_as_long_from_the_middle_on() -> None:
    found = disturbance("slower-starts", start_times=START, span_seconds=DAY)
    ((at, slower),) = found.start_changes

    assert at == DAY / 2
    assert slower.lead_time_seconds == 200.0
    assert (slower.cv, slower.failure_probability) == (START.cv, START.failure_probability)
    assert not found.metric_gaps


def test_a_disturbance_that_there_is_not_is_a_sentence() -> None:
    with pytest.raises(InputError, match="no disturbance is called 'metric-outag'; did you mean"):
        disturbance("metric-outag", start_times=START, span_seconds=DAY)
