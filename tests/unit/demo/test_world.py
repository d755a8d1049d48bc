"""The demo's deployments and their users."""

from pathlib import Path

import pytest

from trimtab.cli.demo.world import (
    DEPLOYMENTS,
    HOUR_SECONDS,
    DemoDeployment,
    MadeUpDay,
    Recording,
    replicas_for,
)
from trimtab.errors import SettingsError
from trimtab.plant import SERVING_MODELS, Load, Slo

MODEL = SERVING_MODELS["8b-h100"]
SLO = Slo(ttft_seconds=1.0, tpot_seconds=0.05)
CHAT, LARGE, CODE = DEPLOYMENTS
DAY = 24


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Two days, one row an hour, with as many requests a second as the hour has."""
    path = tmp_path / "trace.csv"
    rows = [
        f"{hour * 3600},{(hour % 24) * 3600},{(hour % 24) * 3600 * 300},{(hour % 24) * 3600 * 50}"
        for hour in range(48)
    ]
    path.write_text("\n".join(["t_s,requests,prompt_tokens,output_tokens", *rows]) + "\n")
    return path


def test_each_deployment_has_its_own_shape_and_price_and_a_range_to_move_in() -> None:
    assert len({deployment.shape for deployment in DEPLOYMENTS}) == 3
    assert all(d.min_replicas < d.max_replicas for d in DEPLOYMENTS)
    assert all(d.usd_per_accelerator_hour > 0.0 for d in DEPLOYMENTS)


def test_at_seven_one_day_begins_while_another_ends() -> None:
    load = MadeUpDay(seed=0, from_seconds=7 * HOUR_SECONDS)

    def rate(deployment: DemoDeployment, hour: float) -> float:
        workload = load.traffic(deployment, MODEL, SLO, 12).workload
        looks = [workload.load(hour * HOUR_SECONDS + 60.0 * minute) for minute in range(10)]
        return sum(look.requests_per_second for look in looks) / len(looks)

    assert rate(CHAT, 1.0) > 1.4 * rate(CHAT, 0.0)
    assert rate(LARGE, 2.0) < 0.8 * rate(LARGE, 0.0)


def test_the_same_seed_is_the_same_week_and_another_one_another() -> None:
    def rates(seed: int) -> list[float]:
        workload = MadeUpDay(seed=seed, from_seconds=0.0).traffic(CHAT, MODEL, SLO, 12).workload
        return [workload.load(600.0 * look).requests_per_second for look in range(50)]

    assert rates(1) == rates(1)
    assert rates(1) != rates(2)


def test_a_recording_of_days_begins_at_seven_unless_told_otherwise(trace: Path) -> None:
    assert Recording(trace, from_seconds=None).from_seconds == 7 * HOUR_SECONDS
    assert Recording(trace, from_seconds=3600.0).from_seconds == 3600.0


def test_a_recording_shorter_than_a_day_begins_at_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "hour.csv"
    path.write_text("t_s,requests,prompt_tokens,output_tokens\n0,100,1000,100\n1800,100,1000,100\n")
    assert Recording(path, from_seconds=None).from_seconds == 0.0


def test_each_deployment_hears_the_recording_at_its_users_own_hour(trace: Path) -> None:
    load = Recording(trace, from_seconds=7 * HOUR_SECONDS)
    for deployment in DEPLOYMENTS:
        traffic = load.traffic(deployment, MODEL, SLO, 10)
        assert traffic.fitted is not None
        hour = int(7 + deployment.hours_ahead) % DAY
        rate = traffic.workload.load(0.0).requests_per_second / traffic.fitted.requests_factor
        assert rate == pytest.approx(hour)


def test_a_trace_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.csv cannot be read: No such file"):
        Recording(tmp_path / "nowhere.csv", from_seconds=None)


def test_a_beginning_past_the_end_of_the_trace_is_one_clear_sentence(trace: Path) -> None:
    with pytest.raises(SettingsError, match=r"--from 49h lies past the end of .* lasts 48 h"):
        Recording(trace, from_seconds=49 * HOUR_SECONDS)


def test_a_trace_without_requests_is_one_clear_sentence(tmp_path: Path) -> None:
    path = tmp_path / "silence.csv"
    path.write_text("t_s,requests,prompt_tokens,output_tokens\n0,0,0,0\n60,0,0,0\n")
    with pytest.raises(SettingsError, match=r"silence\.csv cannot be played: .*no requests"):
        Recording(path, from_seconds=None).traffic(CHAT, MODEL, SLO, 12)


def test_replicas_for_a_load_leave_the_room_that_they_should_run_with() -> None:
    # One replica carries about 21 such requests a second, and should run at 70 % of that.
    needed = [
        replicas_for(Load(rate, 1155.0, 211.0), MODEL, SLO) for rate in (0.0, 14.0, 15.0, 60.0)
    ]
    assert needed == [0, 1, 2, 5]
