"""Peers in a simulated world: each hears what it asks for and answers a load that doubles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trimtab.core.policy import Policy
from trimtab.plant import SERVING_MODELS, Load, Slo, StartTimes, SteppedWorkload
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.peers import CATALOGUE, size
from trimtab.simulation.scenario import Case, Scenario
from trimtab.simulation.timeline import Timeline
from trimtab.simulation.world import run

MODEL, SLO = SERVING_MODELS["8b-h100"], Slo(ttft_seconds=1.0, tpot_seconds=0.05)
KNOWN = size(
    MODEL,
    SLO,
    prompt_tokens=1155.0,
    output_tokens=211.0,
    lead_time_seconds=60.0,
    replicas_max=40,
    need_mean=4.0,
    need_peak=6.0,
)


def case(name: str = "accounts/acme/deployments/chat", **changes: object) -> Case:
    capacity = KNOWN.capacity_requests_per_second
    steps = [(1200.0, Load(share * capacity, 1155.0, 211.0)) for share in (2.0, 6.0)]
    plain = Case(
        name=name,
        model=MODEL,
        slo=SLO,
        workload=SteppedWorkload(steps),
        start_times=StartTimes(0.0, 0.0, 60.0, cv=0.0, failure_probability=0.0),
        replicas_min=1,
        replicas_max=40,
        replicas_at_start=3,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields of a case, by name


HALF_AN_HOUR = Scenario(cases=(case(),), span_seconds=1800)


def ran(name: str, scenario: Scenario = HALF_AN_HOUR) -> Timeline:
    """Run a peer by default on a scenario of one deployment."""
    built = CATALOGUE[name].default(KNOWN)
    if isinstance(built, Policy):
        seconds = CATALOGUE[name].interval_seconds
        (timeline,) = run(
            scenario, EngineScaler([built], scenario, interval_seconds=seconds)
        ).values()
    else:
        (timeline,) = run(scenario, built).values()
    return timeline


@pytest.mark.parametrize("name", [one for one, peer in CATALOGUE.items() if not peer.is_hindsight])
def test_each_peer_asks_for_more_when_the_load_trebles(name: str) -> None:
    timeline = ran(name)
    before, after = timeline.asked[60:80], timeline.asked[100:120]
    assert after.max() > before.mean()
    assert 1 <= timeline.asked.min() <= timeline.asked.max() <= 40


def test_the_shipped_rule_and_its_fast_form_come_to_the_same_run() -> None:
    """Where no move is longer than the HPA's limits, which the fast form does not have."""
    scenario = Scenario(cases=(case(requests_factor=0.5),), span_seconds=1800)
    shipped, fast = (ran(name, scenario) for name in ("hpa-request-rate", "hpa-rps"))
    assert shipped.asked.tolist() == fast.asked.tolist()
    assert shipped.met.sum() == fast.met.sum()
