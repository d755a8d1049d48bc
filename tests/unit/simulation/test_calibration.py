"""What a replica carries and how long one starts, found again in data of which both are known."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import yaml
from tests.servers.recorded_days import CAPACITY, LEAD_SECONDS, POLICY, Days, lived

from trimtab.core.forecast.occupancy import STRETCH
from trimtab.policy import read_policy_texts
from trimtab.simulation.calibration.capacity_fit import (
    CapacityFit,
    Method,
    Observed,
    TooLittleDataError,
    fit_capacity,
)
from trimtab.simulation.calibration.lead_fit import LeadFit, fit_lead_time, start_seconds
from trimtab.simulation.calibration.snippet import Calibrated, snippet

NAN = math.nan


# -- a simulated plant -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[1, 2, 3])
def days(request: pytest.FixtureRequest) -> Days:
    report = read_policy_texts([("chat.yaml", POLICY)])
    return lived(
        report.policies[0],
        name="accounts/acme/deployments/chat",
        started_at=1_767_571_200.0,
        hours=12.0,
        seed=request.param,
        replicas=9.0,
    )


def seen_of(days: Days, *, has_slo: bool) -> Observed:
    def known(values: list[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([NAN if one is None else one for one in values])

    met = known(list(days.met))
    broken = np.where(np.isfinite(met), (met < 0.9).astype(float), NAN)
    return Observed(
        step_seconds=30.0,
        rate=known([one.measured and one.measured.requests_per_second for one in days.seen]),
        ready=np.array([float(one.ready) for one in days.seen]),
        in_flight=known([one.measured and one.measured.in_flight for one in days.seen]),
        violated=broken if has_slo else None,
    )


def test_the_capacity_of_a_simulated_replica_is_found_by_its_slo(days: Days) -> None:
    """Errors seen: 2.1, 2.3 and 1.4 % too much."""
    found = fit_capacity(seen_of(days, has_slo=True))
    assert found.method is Method.SLO
    assert not found.is_at_least
    assert found.requests_per_second == pytest.approx(CAPACITY, rel=0.05)


def test_the_capacity_of_a_simulated_replica_is_found_by_requests_in_flight(days: Days) -> None:
    """Errors seen: 9.0, 9.7 and 9.4 % too little."""
    found = fit_capacity(seen_of(days, has_slo=False))
    assert found.method is Method.IN_FLIGHT
    assert not found.is_at_least
    assert found.requests_per_second == pytest.approx(CAPACITY, rel=0.15)


def test_the_lead_time_of_simulated_replicas_is_found(days: Days) -> None:
    """Seen: 150, 180 and 180 s for 180 s; counts are looked at every 30 s."""
    seconds = start_seconds((one.at, float(one.asked), float(one.ready)) for one in days.seen)
    found = fit_lead_time(seconds, resolution_seconds=30.0)
    assert found is not None
    assert found.starts >= 20
    assert found.p50_seconds == pytest.approx(LEAD_SECONDS, abs=45.0)
    assert found.p50_seconds <= found.p90_seconds <= found.p99_seconds


# -- made-up data ----------------------------------------------------------------------------------


def made_up(*, top: float, carries: float = 20.0, seed: int = 1) -> Observed:
    """Replicas whose requests take longer in a straight line of load, watched for ten hours."""
    random = np.random.default_rng(seed)
    steps = 2400
    each = random.uniform(0.2, top, steps) * carries
    saturation = carries / (1.0 - 1.0 / STRETCH)
    speed = 0.5 * np.maximum(1.0 - each / saturation, 0.02) * random.normal(1.0, 0.02, steps)
    ready = np.full(steps, 5.0)
    return Observed(
        step_seconds=15.0,
        rate=each * ready,
        ready=ready,
        # Each step by itself, so that what piles up is small beside what is carried.
        in_flight=each * ready / speed,
        violated=(each > carries).astype(float),
    )


def test_data_that_never_came_near_saturation_gives_a_lower_bound_and_says_so() -> None:
    found = fit_capacity(made_up(top=0.6))
    assert found.is_at_least
    assert found.high is None
    assert 0.5 * 20.0 < found.requests_per_second <= 0.6 * 20.0


def test_the_interval_holds_the_truth_and_is_honest_about_few_hours() -> None:
    found = fit_capacity(made_up(top=1.3))
    assert found.high is not None
    assert found.low <= 20.05
    assert found.high >= 19.95
    assert found.requests_per_second == pytest.approx(20.0, rel=0.01)


@pytest.mark.parametrize("swing", [0.0, 0.9], ids=["one load", "any load"])
def test_requests_that_take_as_long_at_any_load_tell_a_lower_bound(swing: float) -> None:
    """Half empty replicas: seen as a capacity of what came, with an interval of 0.2 %."""
    random = np.random.default_rng(1)
    rate = 20.0 * (1.0 + random.uniform(-swing, 0.0, 2000))
    found = fit_capacity(
        Observed(
            step_seconds=15.0,
            rate=rate,
            ready=np.full(2000, 2.0),
            in_flight=2.0 * rate * random.normal(1.0, 0.02, 2000),
        )
    )
    assert found.is_at_least
    assert found.high is None


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_an_slo_that_breaks_whatever_the_load_tells_a_lower_bound(spread: float) -> None:
    """An outage of something else, or chance: at no load was it broken more often than it held."""
    random = np.random.default_rng(1)
    steps = 4000
    found = fit_capacity(
        Observed(
            step_seconds=15.0,
            rate=20.0 + random.normal(0.0, spread, steps),
            ready=np.full(steps, 2.0),
            violated=(random.random(steps) < 0.03).astype(float),
        )
    )
    assert found.is_at_least
    assert found.high is None


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (
            Observed(
                step_seconds=15.0,
                rate=np.linspace(30.0, 60.0, 900),
                ready=np.ones(900),
                violated=(np.arange(900) % 10 > 0).astype(float),
            ),
            "from 30.13 requests/s a replica on, and held in fewer than 20 steps with less",
        ),
        (
            Observed(step_seconds=15.0, rate=np.ones(100), ready=np.ones(100)),
            "nothing tells how well replicas served; give --in-flight, or --slo",
        ),
        (
            Observed(step_seconds=15.0, rate=np.ones(30), ready=np.ones(30), in_flight=np.ones(30)),
            "are needed; give a longer range",
        ),
        (
            Observed(step_seconds=15.0, rate=np.ones(99), ready=np.ones(99), violated=np.ones(99)),
            "the SLO was broken in every step",
        ),
    ],
)
def test_what_data_cannot_tell_is_refused_in_a_sentence(seen: Observed, sentence: str) -> None:
    with pytest.raises(TooLittleDataError, match=sentence):
        fit_capacity(seen)


def test_steps_with_replicas_that_just_changed_are_left_out() -> None:
    seen = made_up(top=1.3)
    ready = seen.ready.copy()
    ready[::3] = 6.0
    with pytest.raises(TooLittleDataError, match="settled"):
        fit_capacity(Observed(step_seconds=15.0, rate=seen.rate, ready=ready,
                              in_flight=seen.in_flight))  # fmt: skip


# -- starts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ([(0, 2, 2), (10, 3, 2), (70, 3, 3)], [60.0]),
        ([(0, 2, 2), (10, 4, 2), (50, 4, 3), (70, 4, 4)], [60.0]),  # asked at once: one start
        ([(0, 2, 2), (10, 3, 2), (20, 4, 2), (70, 4, 4)], [60.0, 50.0]),
        ([(0, 2, 2), (10, 3, 2), (20, 2, 2), (30, 3, 2), (70, 3, 3)], [40.0]),  # withdrawn
        ([(0, 2, 2), (10, 3, 2), (20, 3, 1), (70, 3, 3)], []),  # one was lost meanwhile
        ([(0, 2, 2), (10, 3, 2), (20, NAN, NAN), (30, 3, 2), (70, 3, 3)], []),  # a gap
        ([(0, 3, 2), (70, 3, 3)], []),  # asked for before the recording
        ([(0, 2, 2), (10, 3, 2), (9000, 3, 3)], []),  # waited for accelerators
    ],
)
def test_a_start_is_timed_only_where_it_can_be_told(
    changes: list[tuple[float, float, float]], seconds: list[float]
) -> None:
    assert start_seconds(changes) == seconds


def test_few_starts_are_none() -> None:
    assert fit_lead_time([60.0] * 4) is None


def test_percentiles_of_a_known_distribution_are_found() -> None:
    random = Random(7)
    found = fit_lead_time([random.lognormvariate(math.log(180.0), 0.3) for _ in range(2000)])
    assert found is not None
    assert found.p50_seconds == pytest.approx(180.0, rel=0.03)
    assert found.p90_seconds == pytest.approx(180.0 * math.exp(0.3 * 1.2816), rel=0.05)
    assert found.low_seconds <= found.p50_seconds <= found.high_seconds


# -- snippets --------------------------------------------------------------------------------------

LEAD = LeadFit(181.2, 240.0, 303.0, 176.0, 187.0, 192, 30.0)
CARRIES = CapacityFit(
    requests_per_second=29.38, low=29.2, high=29.5, method=Method.SLO, most_carried=29.6, steps=4992,
    in_flight=158.0,
)  # fmt: skip


def calibrated(**values: object) -> Calibrated:
    return Calibrated(**{
        "deployment": "accounts/acme/deployments/chat", "source": "journal journal.db",
        "span": "14 days", "capacity": CARRIES, "lead": LEAD, "requests": "requests",
        "in_flight": "concurrency",
    } | values)  # type: ignore[arg-type]  # fmt: skip


def test_a_snippet_in_a_policy_is_a_valid_policy() -> None:
    text = snippet(calibrated())
    spec = yaml.safe_load(text)["spec"]
    assert spec["leadTime"] == "181s"
    document = {
        "apiVersion": "trimtab.dev/v1",
        "kind": "ScalingPolicy",
        "metadata": {"name": "chat"},
        "spec": {
            "deployments": {"match": {"displayName": "chat*"}},
            "signals": {
                name: {"source": "fireworks", "query": name, "maxAge": "60s"}
                for name in ("requests", "concurrency")
            },
            **spec,
        },
    }
    report = read_policy_texts([("chat.yaml", yaml.safe_dump(document))])
    assert report.is_valid, report.diagnostics


def test_every_number_of_a_snippet_says_where_it_comes_from() -> None:
    text = snippet(calibrated())
    assert "192 starts: half within 181 s" in text
    assert "90 % interval 29.2 to 29.5" in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_what_is_not_known_is_a_comment_with_the_remedy_and_no_number() -> None:
    text = snippet(
        calibrated(
            capacity=None, capacity_why_not="give more", lead=None, lead_why_not="give counts"
        )
    )
    assert yaml.safe_load(text) == {"spec": None}
    assert "# leadTime: not known. Give counts." in text
    assert "# capacity: not known. Give more." in text
