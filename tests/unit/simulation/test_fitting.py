"""A recording gives the shape of a load, the deployment its size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.plant import SERVING_MODELS, ConstantWorkload, Load, Slo, SteppedWorkload, Workload
from trimtab.plant.serving_model import capacity_requests_per_second
from trimtab.simulation.fitting import BUSY_SHARE, PEAK_SHARE_OF_MAX, Fit, FittedWorkload, fit

MODEL = SERVING_MODELS["8b-h100"]
SLO = Slo(ttft_seconds=1.0, tpot_seconds=0.05)
TYPICAL = Load(1.0, 1155.0, 211.0)
HOUR = 3600.0

day = SteppedWorkload(
    [(8 * HOUR, Load(rate, 300.0, 50.0)) for rate in (1.0, 4.0, 2.0)],
)


def fitted_to(workload: Workload, replicas_max: int) -> Fit:
    return fit(workload, model=MODEL, slo=SLO, typical=TYPICAL, replicas_max=replicas_max)


def test_the_busiest_time_needs_nine_tenths_of_the_maximum() -> None:
    fitted = fitted_to(day, 10)
    assert fitted.peak_need == pytest.approx(PEAK_SHARE_OF_MAX * 10)
    assert fitted.mean_need == pytest.approx(fitted.peak_need * (1 + 4 + 2) / 3 / 4)


def test_need_is_load_over_what_a_replica_carries_at_the_share_it_should_run_at() -> None:
    fitted = fitted_to(day, 10)
    carried = BUSY_SHARE * capacity_requests_per_second(MODEL, 1155.0, 211.0, SLO)
    peak = FittedWorkload(day, fitted).load(9 * HOUR)
    assert peak.requests_per_second == pytest.approx(9.0 * carried)


def test_the_mean_request_becomes_the_typical_one() -> None:
    scaled = FittedWorkload(day, fitted_to(day, 10)).load(0.0)
    assert scaled.prompt_tokens == pytest.approx(TYPICAL.prompt_tokens)
    assert scaled.output_tokens == pytest.approx(TYPICAL.output_tokens)


def test_one_spike_in_a_long_recording_does_not_set_the_scale() -> None:
    spiky = SteppedWorkload(
        [(7 * 24 * HOUR, Load(2.0, 300.0, 50.0)), (300.0, Load(200.0, 300.0, 50.0))]
    )
    flat = ConstantWorkload(Load(2.0, 300.0, 50.0))
    assert fitted_to(spiky, 10).requests_factor == pytest.approx(
        fitted_to(flat, 10).requests_factor
    )


def test_a_recording_that_is_nearly_always_idle_is_scaled_by_what_there_is() -> None:
    stormy = SteppedWorkload(
        [(7 * 24 * HOUR, Load(0.0, 300.0, 50.0)), (900.0, Load(9.0, 300.0, 50.0))]
    )
    fitted = fitted_to(stormy, 10)
    assert fitted.peak_need == pytest.approx(9.0)
    assert fitted.mean_need < 0.1


def test_a_load_without_requests_is_refused() -> None:
    with pytest.raises(ValueError, match="no requests at all"):
        fitted_to(ConstantWorkload(Load(0.0, 300.0, 50.0)), 10)


def test_requests_that_no_replica_serves_in_time_are_refused() -> None:
    hopeless = Slo(ttft_seconds=0.001, tpot_seconds=0.001)
    with pytest.raises(ValueError, match="within its SLO"):
        fit(day, model=MODEL, slo=hopeless, typical=TYPICAL, replicas_max=4)


@given(factor=st.floats(0.01, 100.0), at=st.floats(0.0, 1e7))
def test_only_the_size_changes_never_the_shape(factor: float, at: float) -> None:
    fitted = Fit(
        requests_factor=factor, prompt_factor=1.0, output_factor=1.0, mean_need=1.0, peak_need=1.0
    )
    scaled, plain = FittedWorkload(day, fitted).load(at), day.load(at)
    assert scaled.requests_per_second == pytest.approx(plain.requests_per_second * factor)


@given(start=st.floats(0.0, 1e6), at=st.floats(0.0, 1e6))
def test_a_recording_may_begin_anywhere_and_begins_again_after_its_end(
    start: float, at: float
) -> None:
    unit = Fit(
        requests_factor=1.0, prompt_factor=1.0, output_factor=1.0, mean_need=1.0, peak_need=1.0
    )
    begun = FittedWorkload(day, unit, from_seconds=start)
    near = {day.load(max(0.0, start + at + step)).requests_per_second for step in (-1.0, 0.0, 1.0)}
    assert begun.load(at).requests_per_second in near


def test_a_request_never_shrinks_below_one_token() -> None:
    tiny = Fit(
        requests_factor=1.0, prompt_factor=1e-6, output_factor=1e-6, mean_need=1.0, peak_need=1.0
    )
    load = FittedWorkload(day, tiny).load(0.0)
    assert (load.prompt_tokens, load.output_tokens) == (1.0, 1.0)
