"""The perfect forecast knows what is needed until an order serves, and nothing of what comes later."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.plant import (
    SERVING_MODELS,
    ConstantWorkload,
    Load,
    Slo,
    StartTimes,
    SteppedWorkload,
)
from trimtab.plant.serving_model import capacity_requests_per_second
from trimtab.simulation.foresight import PerfectForecast, need_by_second, perfect_forecast
from trimtab.simulation.measures import Measures, measure, terms_of
from trimtab.simulation.observation import Observation
from trimtab.simulation.scenario import Case, Scenario
from trimtab.simulation.world import run

START = 1_000_000.0
MODEL = SERVING_MODELS["8b-h100"]
SLO = Slo(ttft_seconds=1.0, tpot_seconds=0.05)


def foreseen(need: list[float], at: float, **settings: float) -> int:
    scaler = PerfectForecast(
        np.array(need),
        step_seconds=1.0,
        started_at=START,
        lead_seconds=settings.pop("lead_seconds", 0.0),
        **settings,  # type: ignore[arg-type]  # counts among the times
    )
    return scaler.wanted(Observation(START + at, 0, 0, None, None))


def test_a_rise_is_ordered_for_a_lead_and_a_quarter_and_half_a_minute_ahead() -> None:
    need = [1.0] * 500 + [4.2] * 100
    until = 500 - (1.25 * 180 + 30)
    assert foreseen(need, until - 1.0, lead_seconds=180.0) == 1
    assert foreseen(need, until, lead_seconds=180.0) == 5


def test_what_is_needed_no_more_is_let_go_at_once_unless_it_is_needed_again_within_the_time() -> (
    None
):
    need = [3.0] * 100 + [0.0] * 400
    assert foreseen(need, 99.0) == 3
    assert foreseen(need, 100.0) == 0
    again = [*need[:130], 3.0, *need[131:]]
    assert foreseen(again, 100.0) == 3


def test_it_keeps_within_its_bounds_and_goes_on_after_the_end() -> None:
    assert foreseen([9.0], 0.0, replicas_max=4) == 4
    assert foreseen([0.0], 0.0, replicas_min=1) == 1
    assert foreseen([1.0, 2.0], 99.0) == 2


def test_it_is_asked_every_fifteen_seconds_unless_told_otherwise() -> None:
    scaler = PerfectForecast(np.ones(1), step_seconds=1.0, started_at=START, lead_seconds=0.0)
    assert scaler.interval_seconds == 15.0


def test_a_time_before_the_need_that_it_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="5 s before the need"):
        foreseen([1.0], -5.0)
    with pytest.raises(ValueError, match="forecast of nothing"):
        foreseen([], 0.0)


@given(seed=st.integers(0, 10**6), at=st.integers(0, 80), lead_seconds=st.floats(0.0, 20.0))
def test_it_asks_for_the_most_that_is_needed_until_an_order_serves_and_sees_no_farther(
    seed: int, at: int, lead_seconds: float
) -> None:
    rng = np.random.default_rng(seed)
    known = int(at + 1.25 * lead_seconds + 30.0) + 1
    need = rng.uniform(0.0, 30.0, known)
    most = int(np.ceil(need[at:].max()))
    assert foreseen(need.tolist(), at, lead_seconds=lead_seconds) == most
    another = [*need, *rng.uniform(0.0, 60.0, 50)]
    assert foreseen(another, at, lead_seconds=lead_seconds) == most


def test_the_need_of_a_workload_is_its_rate_over_what_a_replica_carries() -> None:
    capacity = capacity_requests_per_second(MODEL, 1155.0, 211.0, SLO)
    workload = SteppedWorkload(
        [(3.0, Load(2.0 * capacity, 1155.0, 211.0)), (2.0, Load(0.0, 1155.0, 211.0))]
    )
    need = need_by_second(workload, model=MODEL, slo=SLO, span_seconds=5.0, requests_factor=1.5)
    assert need == pytest.approx([3.0, 3.0, 3.0, 0.0, 0.0])


def test_longer_answers_need_more_at_the_same_rate() -> None:
    def needed(output_tokens: float) -> float:
        workload = ConstantWorkload(Load(5.0, 1155.0, output_tokens))
        return float(need_by_second(workload, model=MODEL, slo=SLO, span_seconds=1.0)[0])

    assert needed(422.0) > 1.5 * needed(211.0)


def test_requests_that_no_replica_serves_in_time_are_nobodys_need() -> None:
    workload = ConstantWorkload(Load(5.0, 1155.0, 211.0))
    hopeless = Slo(ttft_seconds=0.001, tpot_seconds=0.001)
    need = need_by_second(workload, model=MODEL, slo=hopeless, span_seconds=2.0)
    assert np.isinf(need).all()
    assert foreseen(need.tolist(), 0.0) == 0


def test_who_asks_for_a_share_needs_what_keeps_it_and_never_less_than_at_the_percentiles() -> None:
    workload = ConstantWorkload(Load(5.0, 1155.0, 211.0))

    def needed(attainment: float | None) -> float:
        seconds = need_by_second(
            workload, model=MODEL, slo=SLO, span_seconds=1.0, attainment=attainment
        )
        return float(seconds[0])

    carried = capacity_requests_per_second(MODEL, 1155.0, 211.0, SLO, attainment=0.99)
    assert needed(0.99) == pytest.approx(5.0 / carried)
    assert needed(None) < needed(0.98) < needed(0.99) < needed(0.999)


def test_a_share_that_not_even_an_empty_replica_attains_is_no_reason_for_more_replicas() -> None:
    workload = ConstantWorkload(Load(5.0, 4000.0, 211.0))
    tight = Slo(ttft_seconds=0.5, tpot_seconds=0.05)

    def needed(attainment: float | None) -> float:
        seconds = need_by_second(
            workload, model=MODEL, slo=tight, span_seconds=1.0, attainment=attainment
        )
        return float(seconds[0])

    assert capacity_requests_per_second(MODEL, 4000.0, 211.0, tight, attainment=0.99999) == 0.0
    assert needed(0.99999) == needed(None) < np.inf


def played_through(attainment: float | None) -> Measures:
    capacity = capacity_requests_per_second(MODEL, 1155.0, 211.0, SLO, attainment=attainment)
    levels = [3.0, 7.0, 2.0, 5.0, 4.0, 8.0]
    case = Case(
        name="accounts/acme/deployments/steps",
        model=MODEL,
        slo=SLO,
        workload=SteppedWorkload([(1800.0, Load(n * capacity, 1155.0, 211.0)) for n in levels]),
        start_times=StartTimes(20.0, 100.0, 60.0, cv=0.1, failure_probability=0.0),
        replicas_at_start=4,
    )
    scenario = Scenario(cases=(case,), span_seconds=10_800)
    (lived_through,) = run(
        scenario, perfect_forecast(scenario, case, attainment=attainment)
    ).values()
    need = need_by_second(
        case.workload, model=MODEL, slo=SLO, span_seconds=10_800.0, attainment=attainment
    )
    return measure(lived_through, terms=terms_of(case), need=need.reshape(-1, 15).mean(axis=1))


@pytest.fixture(scope="module")
def by_share() -> dict[float | None, Measures]:
    return {share: played_through(share) for share in (None, 0.95, 0.99)}


def test_played_through_it_pays_about_what_the_optimum_pays_and_never_turns_round(
    by_share: dict[float | None, Measures],
) -> None:
    for found in by_share.values():
        assert found.ratio_to_optimum is not None
        assert 1.0 < found.ratio_to_optimum < 1.05
        assert found.flips == 0
        assert found.against_need is not None
        assert found.against_need.under_time_percent == 0.0


def test_with_every_replica_exactly_full_it_attains_what_was_asked_and_at_percentiles_0_95(
    by_share: dict[float | None, Measures],
) -> None:
    """Chance costs a little: a batch is not always its mean, and misses are convex in it."""
    attained = {share: found.attainment or 0.0 for share, found in by_share.items()}
    assert attained[0.99] == pytest.approx(0.99, abs=0.003)
    assert attained[0.95] == pytest.approx(0.95, abs=0.005)
    assert attained[None] == pytest.approx(attained[0.95], abs=0.003)
