"""Peers in a simulated world: each hears what it asks for and answers a load that doubles."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from trimtab.plant import SERVING_MODELS, Load, Slo, StartTimes, SteppedWorkload
from trimtab.simulation.peers import CATALOGUE, Entry, Sizing, size
from trimtab.simulation.scenario import Case, Scenario
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
    return replace(plain, **changes)  # type: ignore[arg-type]


def sizings(scenario: Scenario) -> dict[str, Sizing]:
    return dict.fromkeys(scenario.names, KNOWN)


HALF_AN_HOUR = Scenario(cases=(case(),), span_seconds=1800)


@pytest.mark.parametrize("name", [one for one, peer in CATALOGUE.items() if not peer.is_hindsight])
def test_each_peer_asks_for_more_when_the_load_trebles(name: str) -> None:
    entry = pickle.loads(pickle.dumps(Entry(name, sizings(HALF_AN_HOUR))))  # noqa: S301  our own
    (timeline,) = run(HALF_AN_HOUR, entry(HALF_AN_HOUR)).values()
    before, after = timeline.asked[60:80], timeline.asked[100:120]
    assert after.max() > before.mean()
    assert 1 <= timeline.asked.min() <= timeline.asked.max() <= 40


def test_several_deployments_each_have_their_own() -> None:
    names = ("accounts/acme/deployments/a", "accounts/acme/deployments/b")
    scenario = Scenario(
        cases=(case(names[0]), case(names[1], requests_factor=0.25)), span_seconds=600
    )
    for peer in ("hpa-request-rate", "hpa-rps"):
        timelines = run(scenario, Entry(peer, sizings(scenario))(scenario))
        assert timelines[names[0]].asked[-1] > timelines[names[1]].asked[-1]


def test_the_shipped_rule_and_its_fast_form_come_to_the_same_run() -> None:
    """Where no move is longer than the HPA's limits, which the fast form does not have."""
    scenario = Scenario(cases=(case(requests_factor=0.5),), span_seconds=1800)
    runs = [
        run(scenario, Entry(name, sizings(scenario))(scenario))
        for name in ("hpa-request-rate", "hpa-rps")
    ]
    first, second = (one["accounts/acme/deployments/chat"] for one in runs)
    assert first.asked.tolist() == second.asked.tolist()
    assert first.met.sum() == second.met.sum()


def test_a_value_outside_the_grid_and_a_deployment_without_a_sizing_are_named() -> None:
    with pytest.raises(ValueError, match="fireworks is not tuned to target=2; its values are"):
        Entry("fireworks", sizings(HALF_AN_HOUR), "target=2")(HALF_AN_HOUR)
    with pytest.raises(ValueError, match="hpa-rps has no sizing for accounts/acme"):
        Entry("hpa-rps", {})(HALF_AN_HOUR)
