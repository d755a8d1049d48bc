"""A scenario played through: what is told, what is carried out, what is paid, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.plant import SERVING_MODELS, Load, Slo, StartTimes, SteppedWorkload
from trimtab.plant.requests import Request, RequestsBySecond
from trimtab.simulation.feed import Feed, seed_of
from trimtab.simulation.observation import Observation
from trimtab.simulation.scaler import FleetScaler
from trimtab.simulation.scenario import STARTED_AT, Case, Resolution, Scenario
from trimtab.simulation.timeline import QUANTILES, Timeline
from trimtab.simulation.world import run

NAME = "accounts/acme/deployments/chat"
SURE = StartTimes(10.0, 60.0, 30.0, cv=0.0, failure_probability=0.0)
"""A hundred seconds from asking to serving, of which all but ten are paid."""


def steady(requests_per_second: float, prompt: float = 1155.0, output: float = 211.0) -> Load:
    return Load(requests_per_second, prompt, output)


def workload(*steps: tuple[float, float]) -> SteppedWorkload:
    """Rates, each for some seconds."""
    return SteppedWorkload([(seconds, steady(rate)) for seconds, rate in steps])


def a_case(**changed: object) -> Case:
    fields: dict[str, object] = {
        "name": NAME,
        "model": SERVING_MODELS["8b-h100"],
        "slo": Slo(ttft_seconds=1.0, tpot_seconds=0.05),
        "workload": workload((3600.0, 20.0)),
        "start_times": SURE,
    }
    return Case(**(fields | changed))  # type: ignore[arg-type]  # the fields of the case


def a_scenario(*cases: Case, minutes: int = 20, **changed: object) -> Scenario:
    fields: dict[str, object] = {"cases": cases or (a_case(),), "span_seconds": 60 * minutes}
    return Scenario(**(fields | changed))  # type: ignore[arg-type]  # likewise


class Scripted:
    """Asks for what the script says at each second since the start, and remembers all it was told."""

    def __init__(self, script: Mapping[int, int] | None = None, interval: float = 15.0) -> None:
        self.interval_seconds = interval
        self.seen: list[Observation] = []
        self._script = dict(script or {})

    def wanted(self, seen: Observation) -> int:
        self.seen.append(seen)
        return self._script.get(int(seen.at - STARTED_AT), seen.asked)


class Following:
    """Tracks the request rate with the largest wish of five minutes: decisions that depend on the load."""

    interval_seconds = 15.0

    def __init__(self, per_replica: float = 15.0) -> None:
        self._per_replica = per_replica
        self._wishes: list[int] = []
        self.asked: list[int] = []

    def wanted(self, seen: Observation) -> int:
        if seen.measured is not None:
            wish = int(-(-seen.measured.requests_per_second // self._per_replica))
            self._wishes = [*self._wishes, wish][-20:]
        self.asked.append(max([*self._wishes, 1]))
        return self.asked[-1]


def arrays(line: Timeline) -> dict[str, list[float]]:
    return {
        name: getattr(line, name).tolist()
        for name in (
            "offered", "met", "refused", "need", "asked", "ready", "booting", "draining", "billed",
            "waiting",
        )
    }  # fmt: skip


def stormy() -> SteppedWorkload:
    return workload((300.0, 10.0), (200.0, 90.0), (400.0, 0.0), (300.0, 40.0))


# -- the same run, and no other -----------------------------------------------------------------


def test_the_same_seed_gives_the_same_run_bit_for_bit() -> None:
    scenario = a_scenario(a_case(workload=stormy(), start_times=StartTimes(10.0, 60.0, 30.0)))

    assert arrays(run(scenario, Following())[NAME]) == arrays(run(scenario, Following())[NAME])


def test_another_seed_gives_other_arrivals_and_other_starts() -> None:
    scenario = a_scenario(a_case(workload=stormy(), start_times=StartTimes(10.0, 60.0, 30.0)))

    first = arrays(run(scenario, Following())[NAME])
    second = arrays(run(replace(scenario, seed=2), Following())[NAME])

    assert first["offered"] != second["offered"]
    assert first["booting"] != second["booting"]
    assert first["need"] == second["need"]  # the rate, before chance


def test_every_scaler_meets_the_same_requests() -> None:
    scenario = a_scenario(a_case(workload=stormy()))

    few = run(scenario, Scripted())[NAME]
    many = run(scenario, Scripted({0: 9}))[NAME]

    assert few.offered.tolist() == many.offered.tolist()
    assert few.met.sum() < many.met.sum()


def test_nothing_before_an_instant_depends_on_what_comes_after_it() -> None:
    same = [(300.0, 10.0), (200.0, 90.0), (100.0, 5.0)]
    one = a_scenario(a_case(workload=workload(*same, (3600.0, 0.0)), metric_age_seconds=30.0))
    other = a_scenario(
        a_case(workload=workload(*same, (7.0, 300.0), (3600.0, 60.0)), metric_age_seconds=30.0)
    )
    ours, theirs = Following(), Following()

    first, second = run(one, ours)[NAME], run(other, theirs)[NAME]

    known = 600 // 15  # steps that end before the workloads part
    for name, values in arrays(first).items():
        if name not in {"met", "refused"}:  # what becomes of the last arrivals is decided later
            assert values[:known] == arrays(second)[name][:known], name
    assert first.met.tolist()[: known - 4] == second.met.tolist()[: known - 4]
    assert (
        ours.asked[: known + 3] == theirs.asked[: known + 3]
    )  # two steps of metric age, one to hear
    assert ours.asked != theirs.asked


# -- energy -------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 1000),
    script=st.dictionaries(st.integers(0, 79).map(lambda k: 15 * k), st.integers(0, 6), max_size=8),
    factor=st.floats(0.1, 8.0),
    interval=st.sampled_from([1.0, 7.0, 15.0, 60.0]),
    span=st.sampled_from([1200, 1195, 1207.5]),
)
@settings(max_examples=25, deadline=None)
def test_no_request_is_lost_or_invented_in_any_step(
    seed: int, script: dict[int, int], factor: float, interval: float, span: float
) -> None:
    # Seen to catch: refusals booked where they happen although the crowd came earlier, and answers
    # within the SLO booked where they are given.
    case = a_case(
        workload=stormy(),
        requests_factor=factor,
        start_times=StartTimes(10.0, 60.0, 30.0, failure_probability=0.2),
        replicas_at_start=2,
    )
    scenario = a_scenario(case, seed=seed, span_seconds=span)
    line = run(scenario, Scripted(script, interval))[NAME]

    drawn = Feed(case.workload, seed=seed, name=NAME, requests_factor=factor).at(0)[0].requests
    assert line.offered.sum() == sum(drawn[: int(span) // 15 * 15])
    assert (line.met >= -1e-6).all()
    assert (line.refused >= -1e-6).all()
    assert (line.met + line.refused <= line.offered + 1e-5).all()


def test_without_enough_replicas_what_is_not_met_is_late_or_refused() -> None:
    line = run(a_scenario(a_case(workload=workload((3600.0, 60.0)))), Scripted())[NAME]

    assert line.refused.sum() > 0.0
    assert line.met.sum() < line.offered.sum() / 2
    assert line.waiting.max() > 100.0


def test_with_no_replica_everybody_is_refused_in_the_step_of_their_arrival() -> None:
    line = run(a_scenario(a_case(replicas_at_start=0)), Scripted())[NAME]

    assert line.refused.tolist() == line.offered.tolist()
    assert line.met.sum() == 0.0
    assert line.ttft_seconds is None


def test_the_need_is_the_offered_work_in_replicas_at_the_slo() -> None:
    heavier = SteppedWorkload([(600.0, steady(21.3)), (600.0, steady(21.3, output=422.0))])

    need = run(a_scenario(a_case(workload=heavier)), Scripted())[NAME].need

    assert need[:40] == pytest.approx(1.0, abs=0.15)  # the published capacity, within its 15 %
    assert (need[40:] > 1.5 * need[0]).all()  # the same rate of heavier requests needs more


# -- what is paid, and what it takes to start -----------------------------------------------------


def test_replicas_are_paid_from_allocation_to_the_end_of_their_drain() -> None:
    idle = a_case(workload=workload((3600.0, 0.0)))

    line = run(a_scenario(idle), Scripted({60: 3, 600: 1}))[NAME]

    # One all the time; two more from 60 + 10 s on until 600 s, where nothing has to drain.
    assert line.billed.sum() == 1200.0 + 2 * (600.0 - 70.0)
    assert line.billed[4:6].tolist() == [15.0 + 2 * 5.0, 45.0]
    assert line.asked[3:5].tolist() == [1.0, 3.0]


def test_a_drain_is_paid() -> None:
    line = run(a_scenario(a_case(replicas_at_start=3)), Scripted({600: 1}))[NAME]

    drained = line.draining.sum() * line.step_seconds
    assert 2 * 5.0 < drained < 2 * 60.0
    assert line.billed.sum() == pytest.approx(3 * 600.0 + 600.0 + drained, abs=2.0)


def test_a_replica_serves_a_lead_time_after_it_is_asked_for() -> None:
    line = run(a_scenario(), Scripted({60: 2}))[NAME]

    assert line.booting[3:5].tolist() == [0.0, 1.0]
    assert line.ready[9] == 1.0
    # Ready at 160 s; the second that ends then has it already.
    assert line.ready[10] == pytest.approx(1.0 + 6.0 / 15.0)
    assert line.ready[11:].tolist() == [2.0] * 69


def test_a_change_of_start_times_holds_for_phases_that_begin_after_it() -> None:
    slower = SURE.with_lead_time(200.0)
    changing = a_case(start_changes=((300.0, slower),))

    line = run(a_scenario(changing), Scripted({60: 2, 600: 3}))[NAME]

    assert line.ready[11] == 2.0
    assert line.ready[(600 + 180) // 15] == 2.0
    assert line.ready[(600 + 210) // 15] == 3.0


def test_what_is_asked_for_is_kept_within_the_bounds() -> None:
    bounded = a_case(replicas_min=1, replicas_max=4)

    line = run(a_scenario(bounded), Scripted({60: 9, 600: 0}))[NAME]

    assert line.asked.max() == 4.0
    assert line.asked.min() == 1.0


# -- what is heard ------------------------------------------------------------------------------


def test_the_load_is_heard_as_late_as_the_metrics_are_old() -> None:
    case = a_case(workload=workload((300.0, 0.0), (3600.0, 20.0)), metric_age_seconds=30.0)
    scaler = Scripted()

    line = run(a_scenario(case), scaler)[NAME]

    ages = {seen.at - seen.measured_at for seen in scaler.seen if seen.measured_at is not None}
    assert ages == {30.0}
    assert [seen.measured for seen in scaler.seen[:3]] == [None, None, None]
    rates = {
        int(seen.at - STARTED_AT): seen.measured.requests_per_second
        for seen in scaler.seen
        if seen.measured is not None
    }
    assert rates[330] == 0.0  # true until 300 s
    assert rates[345] == line.offered[20] / 15.0 > 0.0


def test_an_age_between_two_looks_is_kept_exactly() -> None:
    scaler = Scripted()

    run(a_scenario(a_case(metric_age_seconds=20.0)), scaler)

    assert [seen.measured_at for seen in scaler.seen[:4]] == [
        None,
        None,
        STARTED_AT + 10.0,
        STARTED_AT + 25.0,
    ]


def test_an_endpoint_that_computes_seldom_tells_the_same_again_until_it_has_computed() -> None:
    scaler = Scripted()
    case = a_case(metric_age_seconds=30.0, metric_refresh_seconds=30.0)

    run(a_scenario(case), scaler)

    heard = [(seen.at - STARTED_AT, seen.measured_at, seen.measured) for seen in scaler.seen[4:8]]
    assert [(at, until and until - STARTED_AT) for at, until, _ in heard] == [
        (60.0, 30.0), (75.0, 30.0), (90.0, 60.0), (105.0, 60.0),
    ]  # fmt: skip
    assert heard[0][2] is heard[1][2]
    assert heard[1][2] != heard[2][2]


def test_in_an_outage_nothing_is_heard_and_afterwards_nothing_of_it() -> None:
    flash = workload((300.0, 20.0), (60.0, 200.0), (3600.0, 20.0))
    scaler = Scripted()

    run(a_scenario(a_case(workload=flash, metric_gaps=((300.0, 390.0),))), scaler)

    deaf = [int(seen.at - STARTED_AT) for seen in scaler.seen if seen.measured is None]
    assert deaf == [0, 300, 315, 330, 345, 360, 375]
    loudest = max(seen.measured.requests_per_second for seen in scaler.seen if seen.measured)
    assert loudest < 30.0  # the flash was over when metrics came back
    assert all(seen.measured_at is None for seen in scaler.seen if seen.measured is None)


def test_replicas_are_those_of_now_even_in_an_outage() -> None:
    scaler = Scripted({60: 2})

    run(a_scenario(a_case(metric_gaps=((0.0, 9999.0),))), scaler)

    assert [(seen.asked, seen.ready) for seen in scaler.seen[4:6]] == [(1, 1), (2, 1)]
    assert (scaler.seen[11].asked, scaler.seen[11].ready) == (2, 2)


def test_little_of_a_batch_is_in_flight_and_the_times_are_told() -> None:
    scaler = Scripted()

    line = run(a_scenario(), scaler)[NAME]

    told = scaler.seen[-1].measured
    assert told is not None
    assert told.ttft_seconds is not None
    assert told.tpot_seconds is not None
    stay = told.ttft_seconds + 211.0 * told.tpot_seconds
    assert told.in_flight == pytest.approx(20.0 * stay, rel=0.2)
    assert told.output_tokens_per_second == pytest.approx(20.0 * 211.0, rel=0.25)
    assert told.prompt_tokens_per_second == pytest.approx(told.requests_per_second * 1155.0)
    assert line.ttft_seconds is not None
    assert line.tpot_seconds is not None
    assert (np.diff(line.ttft_seconds) > 0.0).all()
    assert line.tpot_seconds[0] == pytest.approx(told.tpot_seconds, rel=0.2)


# -- request by request -------------------------------------------------------------------------


def test_request_by_request_the_same_scenario_comes_to_about_the_same() -> None:
    case = a_case(workload=workload((600.0, 12.0), (600.0, 30.0)), start_times=SURE)
    fluid = a_scenario(case)

    script = {0: 2, 600: 3}
    flows = run(fluid, Scripted(script))[NAME]
    single = run(replace(fluid, resolution=Resolution.REQUESTS), Scripted(script))[NAME]

    assert single.offered.tolist() == flows.offered.tolist()
    assert single.billed.sum() == pytest.approx(flows.billed.sum(), rel=0.03)
    attainment = single.met.sum() / single.offered.sum()
    assert attainment == pytest.approx(flows.met.sum() / flows.offered.sum(), abs=0.01)
    assert single.tpot_seconds == pytest.approx(flows.tpot_seconds, rel=0.5)


def test_request_by_request_every_request_offered_has_a_fate_and_times_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fates: list[Request] = []

    class Spied(RequestsBySecond):
        def __init__(self, *, told: Callable[[Request], None], **given: object) -> None:
            def take(request: Request) -> None:
                fates.append(request)
                told(request)

            super().__init__(told=take, **given)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr("trimtab.plant.requests.by_second.RequestsBySecond", Spied)
    scenario = a_scenario(a_case(workload=workload((300.0, 12.0), (300.0, 60.0))), minutes=10)

    flows = run(scenario, Scripted())[NAME]
    assert not fates
    single = run(replace(scenario, resolution=Resolution.REQUESTS), Scripted())[NAME]

    assert len({one.number for one in fates}) == len(fates) == single.offered.sum() > 8000
    ttft = [one.ttft_seconds for one in fates if one.ttft_seconds is not None]
    assert len(ttft) == len(fates) - single.refused.sum()
    assert single.ttft_seconds == pytest.approx(np.quantile(ttft, QUANTILES), rel=1e-4)
    assert len({one.output_tokens for one in fates}) > 200
    # What is one by one comes in whole numbers; flows do not.
    assert single.met.sum() % 1.0 == pytest.approx(0.0, abs=1e-6)
    assert flows.met.sum() % 1.0 != pytest.approx(0.0, abs=1e-6)


# -- a span that is no whole number of ticks ----------------------------------------------------


@pytest.mark.parametrize("resolution", Resolution)
@pytest.mark.parametrize("span", [310, 314.9])
def test_of_any_span_the_whole_ticks_are_played(span: float, resolution: Resolution) -> None:
    whole = a_scenario(a_case(workload=stormy()), span_seconds=300, resolution=resolution)
    more = replace(whole, span_seconds=span)

    assert more.played_seconds == 300
    told: list[float] = []
    assert arrays(run(more, Following(), on_progress=told.append)[NAME]) == arrays(
        run(whole, Following())[NAME]
    )
    assert told[-1] == 1.0


# -- a quota ------------------------------------------------------------------------------------


class Fleet(FleetScaler):
    def __init__(self, answer: Callable[[float], Mapping[str, int]]) -> None:
        self.seen: list[Mapping[str, Observation]] = []
        self._answer = answer

    @property
    def interval_seconds(self) -> float:
        return 15.0

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        self.seen.append(seen)
        return self._answer(next(iter(seen.values())).at - STARTED_AT)


def test_beyond_the_quota_replicas_stay_pending_and_cost_nothing_until_others_give_theirs_back() -> (
    None
):
    idle = workload((3600.0, 0.0))
    chat = a_case(name="chat", workload=idle, accelerators_per_replica=2)
    code = a_case(name="code", workload=idle)

    def answer(at: float) -> Mapping[str, int]:
        return {60.0: {"code": 4}, 120.0: {"chat": 3}, 600.0: {"code": 1}}.get(at, {})

    fleet = Fleet(answer)
    lines = run(a_scenario(chat, code, accelerator_quota=6), fleet)

    # Code has 4 and chat 1 x 2: chat's two more would need 4.
    assert fleet.seen[20]["chat"].asked == 3
    assert fleet.seen[20]["chat"].ready == 1
    assert lines["chat"].booting[20] == 2.0
    assert lines["chat"].billed[:40].sum() == 600.0
    # At 600 s code gives 3 back, which is one replica of chat.
    assert fleet.seen[-1]["chat"].ready == 2
    assert lines["chat"].booting[-1] == 1.0
    assert lines["chat"].billed.sum() == 1200.0 + (600.0 - 10.0)


def test_who_has_waited_longest_is_served_first() -> None:
    idle = workload((3600.0, 0.0))
    cases = [a_case(name=name, workload=idle) for name in ("a", "b", "c")]

    def answer(at: float) -> Mapping[str, int]:
        return {60.0: {"a": 4}, 120.0: {"c": 2}, 180.0: {"b": 2}, 600.0: {"a": 3}}.get(at, {})

    fleet = Fleet(answer)
    run(a_scenario(*cases, accelerator_quota=6), fleet)

    assert {name: one.ready for name, one in fleet.seen[-1].items()} == {"a": 3, "b": 1, "c": 2}


# -- what cannot be played ------------------------------------------------------------------------


def test_one_scaler_for_two_deployments_is_refused() -> None:
    scenario = a_scenario(a_case(name="a"), a_case(name="b"))

    with pytest.raises(ValueError, match="one scaler cannot decide on 2 deployments"):
        run(scenario, Scripted())
    with pytest.raises(ValueError, match="scalers are given for a, and the scenario has a, b"):
        run(scenario, {"a": Scripted()})
    assert set(run(scenario, {"a": Scripted(), "b": Scripted()})) == {"a", "b"}


@pytest.mark.parametrize("interval", [0.1, 2.5])
def test_an_interval_that_is_no_whole_number_of_seconds_is_refused(interval: float) -> None:
    with pytest.raises(ValueError, match=f"every {interval} s; give whole seconds"):
        run(a_scenario(), Scripted(interval=interval))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(a_case, replicas_min=3, replicas_max=2), "from 3 to 2 is no range"),
        (partial(a_case, metric_age_seconds=0.5), "metrics are 0.5 s old"),
        (partial(a_case, metric_refresh_seconds=0.0), "computed every 0.0 s"),
        (partial(a_case, metric_gaps=((5.0, 5.0),)), "ends before it begins"),
        (partial(a_case, requests_factor=0.0), "requests factor is 0.0"),
        (partial(a_case, replicas_at_start=-1), "starts with -1 replicas"),
        (partial(a_case, accelerators_per_replica=0), "runs on nothing"),
        (partial(a_scenario, span_seconds=14), "a span of a tick or more"),
        (partial(a_scenario, tick_seconds=0), "a tick of 0 s"),
        (partial(a_scenario, a_case(), a_case()), "each called differently"),
        (partial(a_scenario, accelerator_quota=-1), "the least is 0"),
    ],
)
def test_values_that_mean_nothing_are_refused_in_one_sentence(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_progress_is_told_and_ends_with_all_of_it() -> None:
    told: list[float] = []

    run(a_scenario(), Scripted(), on_progress=told.append)

    assert told == sorted(told)
    assert told[-1] == 1.0


def test_seeds_of_different_purposes_differ() -> None:
    assert len({seed_of(1, "a"), seed_of(1, "b"), seed_of(2, "a"), seed_of(1, "a", "b")}) == 4
