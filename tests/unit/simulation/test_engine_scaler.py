"""The real engine with real policies decides on simulated deployments."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.core.decision import Decision, EventKind, ScaleUp, Tick
from trimtab.core.policy import Policy
from trimtab.plant import SERVING_MODELS, Load, Slo, StartTimes, SteppedWorkload
from trimtab.policy import load_policies
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.observation import Measured, Observation
from trimtab.simulation.scenario import STARTED_AT, Case, Scenario
from trimtab.simulation.signals_heard import Meaning
from trimtab.simulation.timeline import Timeline
from trimtab.simulation.world import run

NAME = "accounts/acme/deployments/chat-8b"
SHIPPED = Path(__file__).resolve().parents[3] / "policies" / "chat-small.yaml"
RATE = "request_counter_total:sum_by_deployment"


def policies(
    folder: Path,
    *,
    query: str = "requests_per_second",
    per: str = "deployment",
    actuation: str = "pin",
    target: float = 15.0,
) -> tuple[Policy, ...]:
    text = f"""\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: chat, owner: tests}}
spec:
  deployments: {{match: {{displayName: "chat-*"}}}}
  actuation: {actuation}
  signals:
    load: {{source: fireworks, query: "{query}", per: {per}, maxAge: 150s}}
  rules:
    - {{name: load, role: demand, strategy: {{type: target, signal: load, target: {target}}}}}
"""
    file = folder / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return tuple(load_policies(file))


def a_scenario(*rates: tuple[float, float], **changed: object) -> Scenario:
    fields: dict[str, object] = {
        "name": NAME,
        "model": SERVING_MODELS["8b-h100"],
        "slo": Slo(ttft_seconds=1.0, tpot_seconds=0.05),
        "workload": SteppedWorkload(
            [(seconds, Load(rate, 1155.0, 211.0)) for seconds, rate in rates]
        ),
        "start_times": StartTimes(10.0, 60.0, 30.0, cv=0.0, failure_probability=0.0),
        "replicas_min": 1,
        "replicas_max": 12,
        "metric_age_seconds": 30.0,
    }
    case = Case(**(fields | changed))  # type: ignore[arg-type]  # the fields of the case
    span = int(sum(seconds for seconds, _ in rates))
    return Scenario(cases=(case,), span_seconds=span)


def played(scenario: Scenario, ruling: tuple[Policy, ...]) -> tuple[Timeline, list[Tick]]:
    ticks: list[Tick] = []
    scaler = EngineScaler(ruling, scenario, on_tick=ticks.append)
    return run(scenario, scaler)[NAME], ticks


def moves(ticks: list[Tick]) -> list[tuple[float, int, int]]:
    return [
        (order.at - STARTED_AT, order.from_replicas, order.to_replicas)
        for tick in ticks
        for order in tick.orders
    ]


def test_more_load_is_answered_with_more_replicas_as_soon_as_it_is_heard(tmp_path: Path) -> None:
    scenario = a_scenario((300.0, 8.0), (900.0, 120.0))

    line, ticks = played(scenario, policies(tmp_path))

    at, before, after = moves(ticks)[0]
    assert (at, before) == (345.0, 1)  # heard 30 s after the first 15 s of it
    assert after == 5  # at most 4 more at once: the engine's own limits hold
    assert line.asked[23] == 5.0
    assert line.ready[-1] == line.asked[-1] >= 8.0


@pytest.mark.parametrize("actuation", ["pin", "floor", "scale"])
def test_every_way_to_write_a_count_moves_the_plant(tmp_path: Path, actuation: str) -> None:
    scenario = a_scenario((300.0, 8.0), (900.0, 60.0), (1200.0, 8.0))

    line, ticks = played(scenario, policies(tmp_path, actuation=actuation))

    assert line.asked.max() >= 4.0
    assert line.asked[-1] == 1.0  # and down again, after the window of the policy
    reasons = {event.kind for tick in ticks for event in tick.events}
    assert EventKind.BOUNDS_CHANGED not in reasons  # what we wrote is nobody else's doing


def test_the_engine_learns_the_lead_time_of_the_plant(tmp_path: Path) -> None:
    ups_and_downs = [(600.0, rate) for rate in (8.0, 60.0) * 4]
    scenario = a_scenario(*ups_and_downs)
    scaler = EngineScaler(policies(tmp_path), scenario)

    run(scenario, scaler)

    (learned,) = scaler.engine.learned.values()
    assert len(learned.seconds) >= 4
    # 100 s, seen at the next look.
    assert all(100.0 <= seconds <= 120.0 for seconds in learned.seconds)


def test_a_run_with_the_engine_is_the_same_again(tmp_path: Path) -> None:
    scenario = a_scenario((300.0, 20.0), (300.0, 60.0), (300.0, 5.0))
    ruling = policies(tmp_path)

    (first, ticks), (second, again) = played(scenario, ruling), played(scenario, ruling)

    assert first.billed.tolist() == second.billed.tolist()
    assert ticks == again


def test_while_nothing_may_come_out_differently_nothing_is_decided_on(tmp_path: Path) -> None:
    scenario = a_scenario((3600.0, 22.5))  # two replicas' worth, and far from three's

    line, ticks = played(scenario, policies(tmp_path))

    assert line.asked[-1] == 2.0
    assert len(ticks) <= 3600 / 15 / 10


def test_in_an_outage_nothing_shrinks(tmp_path: Path) -> None:
    scenario = a_scenario((600.0, 60.0), (1800.0, 2.0), metric_gaps=((560.0, 1800.0),))

    line, _ = played(scenario, policies(tmp_path))

    assert set(line.asked[40:120].tolist()) == {line.asked[39]}
    assert line.asked[-1] < line.asked[39]


def test_the_shipped_policy_for_chat_runs_as_it_is() -> None:
    scenario = a_scenario((600.0, 14.0), (1800.0, 100.0), metric_refresh_seconds=30.0)
    ticks: list[Tick] = []
    scaler = EngineScaler(load_policies(SHIPPED), scenario, on_tick=ticks.append)

    line = run(scenario, scaler)[NAME]

    decisions: list[Decision] = [one for tick in ticks for one in tick.decisions]
    assert len(decisions) == scenario.span_seconds / 15
    assert any(isinstance(one.verdict, ScaleUp) for one in decisions)
    assert line.asked[-1] >= 7.0
    assert line.met[-20:].sum() / line.offered[-20:].sum() > 0.95


def test_a_signal_that_nobody_knows_is_refused_with_what_may_be_meant(tmp_path: Path) -> None:
    scenario = a_scenario((60.0, 10.0))
    strange = policies(tmp_path, query="sum(rate(vllm:request_success_total[1m]))")

    with pytest.raises(ValueError, match=r"signal load of policy chat asks for .*requests_per_sec"):
        EngineScaler(strange, scenario)
    EngineScaler(strange, scenario, meanings={"load": Meaning("requests_per_second", 60.0)})


def test_a_deployment_that_no_policy_matches_is_refused(tmp_path: Path) -> None:
    scenario = a_scenario((60.0, 10.0), name="accounts/acme/deployments/other")

    with pytest.raises(ValueError, match="must be matched by exactly one policy, and is by: none"):
        EngineScaler(policies(tmp_path), scenario)


def seen(at: float, rate: float, in_flight: float = 0.0, ready: int = 2) -> Observation:
    measured = Measured(rate, rate, rate, in_flight, 0.0, 0.5, None, None)
    return Observation(at, ready, ready, measured, at)


def heard_by(
    query: str, tmp_path: Path, *looks: Observation, per: str = "deployment"
) -> list[float]:
    """Return the values that the engine was given, by what it remembers as the latest of each."""
    scenario = a_scenario((600.0, 10.0))
    scaler = EngineScaler(policies(tmp_path, query=query, per=per), scenario)
    values: list[float] = []
    for look in looks:
        scaler.wanted({NAME: look})
        memory = scaler.engine.remembered(NAME)
        assert memory is not None
        if "load" in memory.latest:
            values.append(memory.latest["load"].value)
    return values


def test_the_endpoint_tells_the_mean_of_its_last_minute(tmp_path: Path) -> None:
    rates = (10.0, 10.0, 10.0, 10.0, 50.0, 50.0)
    looks = [seen(STARTED_AT + 15.0 * number, rate) for number, rate in enumerate(rates, start=1)]

    values = heard_by(RATE, tmp_path, *looks)

    assert values[3:] == pytest.approx([10.0, 20.0, 30.0])


def test_what_is_told_a_replica_is_shared_among_those_that_are_ready(tmp_path: Path) -> None:
    query = "requests_coordinator_concurrent_count:avg_by_deployment"
    nobody = seen(STARTED_AT + 30.0, 0.0, in_flight=80.0, ready=0)

    values = heard_by(
        query, tmp_path, seen(STARTED_AT + 15.0, 1.0, in_flight=80.0), nobody, per="replica"
    )

    assert values == [40.0, 40.0]  # with none ready there is no mean, and the one before stands
