"""NVIDIA Dynamo's planner: its predictors, its line through an engine, and its two loops."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.simulation.peers.looks import constant, look, obeyed, sizing

from trimtab.plant import SERVING_MODELS, ServingModel
from trimtab.simulation.peers.dynamo import PREDICTORS, Dynamo, predictor
from trimtab.simulation.peers.dynamo_predictors import ArimaPredictor, KalmanPredictor
from trimtab.simulation.peers.dynamo_profile import EngineLine, engine_line
from trimtab.simulation.peers.least_squares import fit, solve

LINE = EngineLine(
    base_ms=10.0,
    ms_per_prefill_token=0.02,
    ms_per_cached_token=0.0001,
    kv_tokens=1e6,
    sequences_max=256,
    budget_tokens=2048,
)


# -- predictors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PREDICTORS)
def test_zeros_before_the_first_traffic_are_no_history(name: str) -> None:
    ours, other = predictor(name), predictor(name)
    for value in (0.0, 0.0, 0.0):
        ours.add(value)
    assert ours.predict() is None
    for value in (5.0, 6.0, 5.5, 6.5, 6.0, 7.0, 6.5):
        ours.add(value)
        other.add(value)
    assert ours.predict() == other.predict()


@pytest.mark.parametrize("name", PREDICTORS)
def test_a_constant_load_is_forecast_as_it_is(name: str) -> None:
    ours = predictor(name)
    for _ in range(60):
        ours.add(360.0)
    assert ours.predict() == pytest.approx(360.0, rel=0.01)


@pytest.mark.parametrize("name", ["arima", "kalman", "prophet"])
def test_a_steady_rise_is_continued(name: str) -> None:
    ours = predictor(name)
    for turn in range(60):
        ours.add(100.0 + 10.0 * turn)
    assert ours.predict() == pytest.approx(700.0, rel=0.01)


@pytest.mark.parametrize("name", PREDICTORS)
@given(values=st.lists(st.floats(0.0, 1e6), max_size=70))
def test_no_forecast_is_negative_or_no_number(name: str, values: list[float]) -> None:
    ours = predictor(name)
    for value in values:
        ours.add(value)
        forecast = ours.predict()
        assert forecast is None or (math.isfinite(forecast) and forecast >= 0.0)


def test_an_unknown_predictor_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="oracle; there are constant, arima"):
        predictor("oracle")


def test_arima_finds_what_a_series_remembers() -> None:
    rng = Random(7)
    ours, value = ArimaPredictor(), 100.0
    for _ in range(2000):
        value = 100.0 + 0.8 * (value - 100.0) + rng.gauss(0.0, 1.0)
        ours.add(value)
    assert ours.predict() == pytest.approx(100.0 + 0.8 * (value - 100.0), abs=0.3)


def test_arima_keeps_to_the_last_value_until_it_has_five() -> None:
    ours = ArimaPredictor()
    for value in (10.0, 20.0, 30.0, 40.0):
        ours.add(value)
        assert ours.predict() == value


def test_kalman_is_the_filter_written_with_matrices() -> None:
    step = np.array([[1.0, 1.0], [0.0, 1.0]])
    noise, state, spread = np.diag([1.0, 0.1]), np.zeros(2), 1000.0 * np.eye(2)
    ours = KalmanPredictor()
    for value in (100.0, 130.0, 90.0, 95.0, 200.0):
        state, spread = step @ state, step @ spread @ step.T + noise
        gain = spread[:, 0] / (spread[0, 0] + 10.0)
        state = state + gain * (value - state[0])
        spread = spread - np.outer(gain, spread[0])
        ours.add(value)
        assert ours.predict() == pytest.approx(float((step @ state)[0]))


def test_systems_of_equations_are_solved_and_singular_ones_are_not() -> None:
    matrix = [[0.0, 2.0, 1.0], [1.0, -2.0, -3.0], [-1.0, 1.0, 2.0]]
    answer = solve(matrix, [-8.0, 0.0, 3.0])
    assert answer == pytest.approx(list(np.linalg.solve(np.array(matrix), [-8.0, 0.0, 3.0])))
    assert solve([[1.0, 2.0], [2.0, 4.0]], [1.0, 2.0]) is None
    rows = [(1.0, float(one), float(one * one)) for one in range(5)]
    assert fit(rows, [2.0 + 3.0 * row[1] - row[2] for row in rows]) == pytest.approx([2, 3, -1])


# -- the engine as a line ---------------------------------------------------------------------------


def test_a_profile_of_an_engine_that_is_a_line_is_that_line() -> None:
    linear = ServingModel("linear", 5.0, 1e-9, 0.03, 0.05, 400_000, 256, 2048)
    line = engine_line(linear, prompt_tokens=1000.0, output_tokens=200.0)
    # each of a batch's sequences holds 1100 tokens and computes one
    assert line.base_ms == pytest.approx(5.0)
    assert line.ms_per_prefill_token == pytest.approx(0.03)
    assert line.ms_per_cached_token == pytest.approx(0.00005 + 0.03 / 1100)


def test_capacity_is_the_largest_batch_within_the_times_over_how_long_it_takes() -> None:
    # 10 + B (.02 x 10 + .0001 x 1050) <= 40.5 ms: B = 100; 100 answers of 100 tokens at 40.5 ms
    rate = LINE.requests_per_second(1000.0, 100.0, ttft_ms=1000.0, itl_ms=40.5)
    assert rate == pytest.approx(100 * 1000 / (100 * 40.5))
    # a prompt alone takes 30 ms; 1.05 ms are left beside 10 others' 10,500 cached tokens
    rate = LINE.requests_per_second(1000.0, 100.0, ttft_ms=31.05, itl_ms=40.5)
    assert rate == pytest.approx(10 * 1000 / (100 * 13.05))


def test_a_time_that_cannot_be_kept_means_one_request_at_a_time() -> None:
    rate = LINE.requests_per_second(1000.0, 100.0, ttft_ms=1.0, itl_ms=1.0)
    assert rate == pytest.approx(1000 / (100 * 10.305))


# -- the loops --------------------------------------------------------------------------------------

RATE = engine_line(
    SERVING_MODELS["8b-h100"], prompt_tokens=1155.0, output_tokens=211.0
).requests_per_second(1155.0, 211.0, ttft_ms=1000.0, itl_ms=50.0)


def test_the_throughput_loop_sets_a_floor_after_its_first_interval() -> None:
    planner = Dynamo(sizing(), forecast="constant", has_load_loop=False)
    counts = obeyed(planner, constant(40, requests_per_second=3.5 * RATE), asked=1)
    assert counts == [1] * 36 + [4] * 4


def test_an_interval_without_traffic_changes_nothing() -> None:
    planner = Dynamo(sizing(), forecast="constant", has_load_loop=False)
    loads = [*constant(37, requests_per_second=3.5 * RATE), *constant(80, requests_per_second=0.0)]
    assert obeyed(planner, loads, asked=1)[37:] == [4] * 80


def test_the_load_loop_adds_one_while_the_times_are_missed() -> None:
    planner = Dynamo(sizing(), forecast="constant")
    # 50 wait for each: 57,750 tokens, 29 chunks of more than 45 ms
    seen = look(0.0, asked=4, in_flight=500.0, waiting=200.0, kv_share=0.3)
    assert planner.wanted(seen) == 5


def test_nothing_moves_while_replicas_are_on_their_way() -> None:
    planner = Dynamo(sizing(), forecast="constant")
    seen = look(0.0, asked=5, ready=4, in_flight=500.0, waiting=200.0, kv_share=0.3)
    assert planner.wanted(seen) == 5


def test_the_load_loop_removes_one_at_each_look_until_the_rest_would_be_busy() -> None:
    planner = Dynamo(sizing(), forecast="constant")
    assert obeyed(planner, constant(4, in_flight=4.0, kv_share=0.001), asked=5) == [4, 3, 2, 1]
    planner = Dynamo(sizing(), forecast="constant")
    # 140 on each of three take 31 ms; 210 on each of two would take 44, and 40 are allowed
    busy = look(0.0, asked=3, in_flight=420.0, kv_share=0.44)
    assert planner.wanted(busy) == 3


def test_the_load_loop_does_not_go_below_the_floor() -> None:
    planner = Dynamo(sizing(), forecast="constant")
    load = {"requests_per_second": 2.5 * RATE, "in_flight": 4.0, "kv_share": 0.001}
    counts = obeyed(planner, constant(50, **load), asked=20)
    assert min(counts) == 1  # before the first interval is over there is no floor
    assert counts[36:] == [3] * 14
