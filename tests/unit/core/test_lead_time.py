"""How long a replica takes to serve: stated at first, then learned from the starts seen."""

from __future__ import annotations

import json
from random import Random

import pytest
from tests.worlds.engine_world import a_deployment

from trimtab.core.deployment import Shape
from trimtab.core.lead_time import (
    KEYS_MAX,
    OBSERVATIONS_MAX,
    LeadTime,
    LeadTimes,
    Origin,
    StartValue,
    key_of,
)
from trimtab.core.memory import Memory
from trimtab.plant import start_times_for
from trimtab.plant.replicas import ReplicaSet

HERE = a_deployment()
KEY = key_of(HERE)


def learned(*seconds: float, start: float = 300.0) -> LeadTimes:
    times = LeadTimes(default_seconds=start)
    for one in seconds:
        times = times.with_start(KEY, one)
    return times


def of(*seconds: float, start: float = 300.0) -> LeadTime:
    return learned(*seconds, start=start).of(HERE)


# -- start values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "seconds"),
    [
        (Shape(accelerator_type="NVIDIA_H100_80GB", parameter_count=8_000_000_000), 120.0),
        (Shape(accelerator_type="NVIDIA_H100_80GB", parameter_count=8_000_000_001), 420.0),
        (Shape(accelerator_type="NVIDIA_H100_80GB"), 420.0),
        (Shape(accelerator_type="NVIDIA_A100_80GB", parameter_count=1), 90.0),
        (Shape(accelerator_type="NVIDIA_A100_80GB"), 300.0),
        (Shape(), 300.0),
    ],
)
def test_the_first_start_value_that_fits_counts(shape: Shape, seconds: float) -> None:
    times = LeadTimes(
        starts=(
            StartValue(120.0, "NVIDIA_H100_80GB", 8_000_000_000),
            StartValue(420.0, "NVIDIA_H100_80GB"),
            StartValue(90.0, None, 1_000_000_000),
        )
    )
    estimate = times.of(a_deployment(shape=shape))
    assert (estimate.p50_seconds, estimate.p90_seconds) == (seconds, seconds)
    assert (estimate.samples, estimate.origin) == (0, Origin.SETTINGS)


def test_a_policys_own_start_value_goes_before_those_of_the_settings() -> None:
    times = LeadTimes(starts=(StartValue(420.0),))
    estimate = times.of(HERE, 240.0)
    assert (estimate.p90_seconds, estimate.origin) == (240.0, Origin.POLICY)


def test_while_nothing_is_learned_twice_the_start_value_is_late() -> None:
    assert of(start=300.0).p99_seconds == 600.0


# -- few observations ---------------------------------------------------------------------------


def test_few_fast_starts_do_not_make_a_replica_look_faster_than_the_start_value() -> None:
    estimate = of(60.0, 60.0, 60.0, 60.0)
    assert (estimate.p50_seconds, estimate.p90_seconds) == (300.0, 300.0)
    assert (estimate.samples, estimate.origin) == (4, Origin.SETTINGS)


def test_a_slow_start_among_few_is_believed() -> None:
    assert of(350.0, 500.0).p90_seconds == 500.0


def test_one_absurd_start_among_few_is_not_believed_in_full() -> None:
    assert of(36_000.0).p90_seconds == 1200.0


def test_the_fifth_start_ends_the_start_value() -> None:
    estimate = of(*[60.0] * 5)
    assert estimate.p50_seconds == pytest.approx(60.0)
    assert 60.0 < estimate.p90_seconds < 70.0
    assert estimate.origin is Origin.LEARNED


# -- learned ------------------------------------------------------------------------------------


def starts_of(billions: float, count: int, seed: int) -> list[float]:
    """Lead times as the plant draws them, one start in fifty failing on the way."""
    replicas = ReplicaSet(start_times_for(billions), Random(seed))
    replicas.ask(count, now=0.0)
    replicas.advance(50_000.0)
    drawn = [one.ready_at for one in replicas.members if one.ready_at is not None]
    Random(seed).shuffle(drawn)
    return drawn


@pytest.mark.parametrize("billions", [8.0, 70.0])
@pytest.mark.parametrize(("count", "error"), [(10, 0.30), (20, 0.22), (48, 0.12)])
def test_nine_of_ten_estimates_of_the_plants_starts_are_within(
    billions: float, count: int, error: float
) -> None:
    population = sorted(starts_of(billions, 20_000, seed=1))
    true = population[int(0.9 * len(population))]
    errors = sorted(
        abs(of(*starts_of(billions, count, seed=100 + one)).p90_seconds / true - 1.0)
        for one in range(100)
    )
    assert errors[89] < error


def test_the_percentiles_are_in_order() -> None:
    estimate = of(*starts_of(70.0, 30, seed=7))
    assert estimate.p50_seconds < estimate.p90_seconds < estimate.p99_seconds


def test_a_start_that_took_an_hour_moves_the_estimate_little() -> None:
    usual = starts_of(8.0, 20, seed=3)
    without, with_it = of(*usual), of(*usual, 3600.0)
    assert with_it.p50_seconds == pytest.approx(without.p50_seconds, rel=0.05)
    assert with_it.p90_seconds == pytest.approx(without.p90_seconds, rel=0.15)
    assert with_it.p99_seconds < 4 * with_it.p50_seconds


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_change_of_the_world_is_followed_within_five_starts(factor: float) -> None:
    before = starts_of(8.0, 40, seed=5)
    after = [one * factor for one in starts_of(8.0, 5, seed=6)]
    old, changed = of(*before), of(*before, *after)
    assert changed.samples == 5
    assert changed.p50_seconds == pytest.approx(old.p50_seconds * factor, rel=0.25)


def test_only_the_newest_starts_are_kept() -> None:
    times = learned(*starts_of(8.0, 3 * OBSERVATIONS_MAX, seed=8))
    assert len(times.learned[KEY].seconds) <= OBSERVATIONS_MAX


def test_failures_are_counted_and_are_no_starts() -> None:
    times = learned(*[60.0] * 5).with_failure(KEY).with_failure(KEY)
    estimate = times.of(HERE)
    assert (estimate.failures, estimate.samples) == (2, 5)
    assert estimate.p90_seconds == of(*[60.0] * 5).p90_seconds


# -- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        a_deployment(region="EU_FRANKFURT_1"),
        a_deployment(shape=Shape(accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=8)),
        a_deployment(shape=Shape(accelerator_type="NVIDIA_H200_141GB", accelerators_per_replica=4)),
        a_deployment(shape=Shape(name="accounts/fireworks/deploymentShapes/fast")),
        a_deployment(base_model="accounts/fireworks/models/other"),
    ],
)
def test_starts_of_other_hardware_or_elsewhere_say_nothing(other: object) -> None:
    from trimtab.core.deployment import Deployment

    assert isinstance(other, Deployment)
    assert learned(*[60.0] * 9).of(other).samples == 0


def test_deployments_of_the_same_shape_learn_from_each_other() -> None:
    shape = Shape(name="accounts/fireworks/deploymentShapes/fast", accelerators_per_replica=4)
    mine, yours = a_deployment(shape=shape), a_deployment(name="b", shape=Shape(name=shape.name))
    times = LeadTimes()
    for _ in range(5):
        times = times.with_start(key_of(mine), 60.0)
    assert times.of(yours).samples == 5


def test_the_kinds_that_are_remembered_are_bounded_and_the_longest_unused_go() -> None:
    times = LeadTimes()
    for number in range(KEYS_MAX):
        times = times.with_start(f"kind {number}", 60.0)
    times = times.with_start("kind 0", 60.0).with_start("one more", 60.0)
    assert len(times.learned) == KEYS_MAX
    assert "kind 0" in times.learned
    assert "kind 1" not in times.learned


def test_what_was_learned_survives_as_text_bit_for_bit() -> None:
    times = learned(*starts_of(8.0, 20, seed=9)).with_failure(KEY)
    memory = Memory(lead_times=times.learned)
    restored = Memory.from_json(json.loads(json.dumps(memory.to_json())))
    assert restored == memory
    assert LeadTimes().recalling(restored.lead_times).of(HERE) == times.of(HERE)
