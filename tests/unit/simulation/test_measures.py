"""What a run came to, worked out by hand on runs of a few steps."""

import dataclasses
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.simulation.measures import (
    Measures,
    actions,
    measure,
    minutes_in_violation,
    worst_stretches,
)
from trimtab.simulation.optimum import Terms, optimum
from trimtab.simulation.timeline import Timeline

START = 1_000_000.0
TERMS = Terms(lead_seconds=60.0)
COLUMNS = (
    "offered", "met", "refused", "need", "asked", "ready", "booting", "draining", "billed", "waiting",
)  # fmt: skip


def lived(steps: int = 4, *, step_seconds: float = 15.0, **columns: Sequence[float]) -> Timeline:
    """A run in which two replicas do what two replicas can, but for ``columns``."""
    plain = {
        "offered": 10.0, "met": 10.0, "refused": 0.0, "need": 2.0, "asked": 2.0, "ready": 2.0,
        "booting": 0.0, "draining": 0.0, "billed": 2.0 * step_seconds, "waiting": 0.0,
    }  # fmt: skip
    length = max([steps, *(len(column) for column in columns.values())])
    return Timeline(
        started_at=START,
        step_seconds=step_seconds,
        accelerators_per_replica=4,
        **{
            name: np.array(columns.get(name, [value] * length), dtype=float)
            for name, value in plain.items()
        },
    )


def of(timeline: Timeline, **settings: float) -> Measures:
    return measure(timeline, terms=TERMS, **settings)  # type: ignore[arg-type]  # by name


def test_attainment_is_of_everything_offered_so_that_refusing_is_no_way_out() -> None:
    found = of(lived(offered=[10, 10, 10, 10], met=[10, 5, 0, 10], refused=[0, 5, 2, 0]))
    assert found.attainment == 25 / 40
    assert (found.offered, found.missed, found.refused) == (40.0, 15.0, 7.0)


def test_the_optimum_serves_the_need_it_is_given_and_else_that_of_the_timeline() -> None:
    run = lived(need=[2.0] * 4, ready=[2.0] * 4)
    stricter = measure(run, terms=TERMS, need=np.array([2.2] * 4))
    assert of(run).optimum_replica_hours == 2 * 60 / 3600
    assert stricter.optimum_replica_hours == 3 * 60 / 3600
    assert stricter.wasted_replica_hours == 0.0
    assert stricter.mean_need == 2.0
    assert stricter.against_need is not None
    assert stricter.against_need.under_time_percent == 100.0


def test_a_run_without_requests_attains_nothing_that_is_known() -> None:
    found = of(lived(offered=[0] * 4, met=[0] * 4))
    assert found.attainment is None
    assert found.worst_five_minutes_attainment is None
    assert found.minutes_in_violation == 0.0


def test_hours_are_those_billed_and_money_is_known_only_with_a_price() -> None:
    run = lived(240)  # an hour
    assert (of(run).replica_hours, of(run).accelerator_hours) == (2.0, 8.0)
    assert of(run).cost_usd is None
    assert of(run, usd_per_accelerator_hour=2.5).cost_usd == 20.0


def test_the_bill_is_held_against_the_optimum_and_the_perfect_forecast() -> None:
    found = of(lived(240, billed=[45.0] * 240), perfect_forecast_replica_hours=2.5)
    assert (found.replica_hours, found.optimum_replica_hours) == (3.0, 2.0)
    assert (found.ratio_to_optimum, found.regret_replica_hours) == (1.5, 1.0)
    assert found.ratio_to_perfect_forecast == 1.2


def test_there_is_no_ratio_to_an_optimum_that_costs_nothing() -> None:
    found = of(lived(need=[0] * 4))
    assert (found.optimum_replica_hours, found.ratio_to_optimum) == (0.0, None)
    assert found.ratio_to_perfect_forecast is None


def test_changes_of_the_count_asked_for_are_actions() -> None:
    found = of(lived(240, asked=[2, 3, 3, 5, 4, 4] + [4] * 234))
    assert (found.scale_ups, found.scale_downs, found.actions_per_hour) == (2, 1, 3.0)


def test_a_change_within_a_step_is_one_action() -> None:
    acts = actions(lived(asked=[2, 2.4, 3, 3]))
    assert (acts.ups, acts.downs) == (1, 0)
    both = actions(lived(asked=[2, 2.4, 2, 2]))
    assert (both.ups, both.downs) == (1, 1)


def test_the_first_change_counts_where_it_is_known_what_was_asked_before() -> None:
    assert actions(lived(asked=[3, 3])).ups == 0
    first = actions(lived(asked=[3, 3]), asked_before=2)
    assert (first.ups, first.at_seconds.tolist()) == (1, [0.0])


def test_a_replica_let_go_within_a_lead_of_its_order_is_a_flip() -> None:
    run = lived(asked=[2, 3, 3, 3, 3, 2, 3, 3, 3, 3, 3, 2, 1])
    assert of(run).flips == 1  # the second scale-down came 75 s after its scale-up


def test_further_scale_downs_are_no_further_flips() -> None:
    assert actions(lived(asked=[2, 3, 2, 1, 0])).flips_within(60.0) == 1


def test_the_worst_five_minutes_are_known_by_share_and_by_count() -> None:
    quiet, busy = [1.0] * 20, [100.0] * 20
    met = [*([0.5] * 20), *([90.0] * 20)]
    found = of(lived(offered=quiet + busy, met=met))
    assert found.worst_five_minutes_attainment == pytest.approx(0.5)
    assert found.worst_five_minutes_attainment_at == START
    assert found.worst_five_minutes_missed == pytest.approx(200.0)
    assert found.worst_five_minutes_missed_at == START + 300.0


def test_a_run_shorter_than_five_minutes_is_its_own_worst() -> None:
    share, count = worst_stretches(lived(met=[10, 5, 10, 10]))
    assert share == count
    assert share is not None
    assert share.attainment == 35 / 40


def test_a_minute_is_in_violation_if_it_met_less_than_was_asked() -> None:
    run = lived(12, met=[10, 10, 10, 10, 10, 10, 10, 9.5, 10, 10, 10, 9.7])
    assert minutes_in_violation(run, 0.99) == 1.0
    assert minutes_in_violation(run, 0.999) == 2.0
    assert minutes_in_violation(lived(2, met=[0, 0]), 0.99) == 0.5


def test_what_is_billed_beyond_the_whole_replicas_needed_is_wasted() -> None:
    found = of(lived(240, need=[1.2] * 120 + [3.0] * 120))
    assert found.wasted_replica_hours == 0.0  # 1.2 takes two, and what is lacking is no gain
    assert of(lived(240, need=[0.2] * 240)).wasted_replica_hours == 1.0


def test_times_of_requests_are_told_by_quantile_and_unknown_ones_are_unknown() -> None:
    run = dataclasses.replace(lived(), ttft_seconds=np.array([0.1, 0.2, 0.3, math.inf]))
    told = of(run).to_json(trace="day", policy="ours", seed=1)
    assert (told["ttft_p50_seconds"], told["ttft_p95_seconds"]) == (0.1, 0.3)
    assert told["ttft_p99_seconds"] is None
    assert told["tpot_p95_seconds"] is None


def test_a_result_is_flat_json_that_begins_with_what_is_looked_for() -> None:
    told = of(lived()).to_json(trace="day", policy="ours", seed=3)
    assert list(told)[:10] == [
        "trace", "policy", "seed", "attainment", "replica_hours", "accelerator_hours",
        "optimum_replica_hours", "ratio_to_optimum", "scale_ups", "scale_downs",
    ]  # fmt: skip
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["under_time_percent_against_need"] == 0.0


def test_every_run_has_the_same_keys() -> None:
    empty = of(lived(0, offered=[], met=[]))
    assert empty.against_need is None
    assert list(empty.figures) == list(of(lived()).figures)


def test_load_that_no_replica_serves_in_time_has_no_finite_need() -> None:
    found = of(lived(need=[2, math.inf, 2, 2], met=[10, 0, 10, 10]))
    assert found.figures["mean_need"] is None
    assert found.figures["optimum_replica_hours"] is not None


def test_a_minute_cannot_be_held_to_more_than_all() -> None:
    with pytest.raises(ValueError, match="attainment of 99 asked for"):
        of(lived(), asked_attainment=99)


def any_run(seed: int, steps: int, step_seconds: float = 15.0) -> Timeline:
    rng = np.random.default_rng(seed)
    offered = rng.poisson(rng.choice([0.0, 5.0, 50.0], steps)).astype(float)
    met = np.floor(offered * rng.choice([0.0, 0.5, 1.0, 1.0, 1.0], steps))
    asked = rng.integers(1, 5, steps).astype(float)
    return lived(
        steps,
        step_seconds=step_seconds,
        offered=offered.tolist(),
        met=met.tolist(),
        refused=np.floor((offered - met) / 2).tolist(),
        need=rng.uniform(0.0, 5.0, steps).tolist(),
        asked=asked.tolist(),
        billed=(rng.uniform(0.0, 5.0, steps) * step_seconds).tolist(),
    )


def part_of(timeline: Timeline, part: slice) -> Timeline:
    begin = range(len(timeline.offered))[part].start
    columns = {
        field.name: value[part]
        for field in dataclasses.fields(timeline)
        if isinstance(value := getattr(timeline, field.name), np.ndarray)
    }
    return dataclasses.replace(
        timeline, started_at=timeline.started_at + begin * timeline.step_seconds, **columns
    )


runs = st.integers(0, 10**6)


@given(seed=runs, minutes=st.integers(1, 12), after=st.integers(1, 50))
def test_two_halves_add_up_to_the_whole(seed: int, minutes: int, after: int) -> None:
    cut = 4 * minutes
    whole = any_run(seed, cut + after)
    first, last = part_of(whole, slice(0, cut)), part_of(whole, slice(cut, None))
    one = measure(first, terms=TERMS)
    two = measure(last, terms=dataclasses.replace(TERMS, replicas_at_start=int(first.asked[-1])))
    both = measure(whole, terms=TERMS)
    for name in (
        "offered", "missed", "refused", "replica_hours", "accelerator_hours", "scale_ups",
        "scale_downs", "minutes_in_violation", "wasted_replica_hours", "span_hours",
    ):  # fmt: skip
        total = getattr(one, name) + getattr(two, name)
        assert getattr(both, name) == pytest.approx(total), name
    assert one.flips + two.flips <= both.flips <= one.flips + two.flips + 1


@given(seed=runs, steps=st.integers(1, 70))
def test_no_five_minutes_are_worse_than_the_worst(seed: int, steps: int) -> None:
    run = any_run(seed, steps)
    share, count = worst_stretches(run)
    window = min(20, steps)
    missed = run.offered - run.met
    windows = [slice(begin, begin + window) for begin in range(steps - window + 1)]
    shares = [
        1 - missed[at].sum() / run.offered[at].sum() for at in windows if run.offered[at].any()
    ]
    if not shares:
        assert (share, count) == (None, None)
        return
    assert share is not None
    assert count is not None
    assert share.attainment == pytest.approx(min(shares))
    assert count.missed == pytest.approx(max(missed[at].sum() for at in windows))
    begun = round((count.at - START) / 15.0)
    assert missed[begun : begun + window].sum() == pytest.approx(count.missed)


@given(seed=runs, steps=st.integers(1, 60), times=st.integers(2, 4))
def test_the_same_run_in_finer_steps_came_to_the_same(seed: int, steps: int, times: int) -> None:
    run = any_run(seed, steps, step_seconds=60.0)
    finer = dataclasses.replace(
        run,
        step_seconds=60.0 / times,
        **{
            name: np.repeat(getattr(run, name), times)
            / (times if name in {"offered", "met", "refused", "billed"} else 1)
            for name in COLUMNS
        },
    )
    coarse, fine = measure(run, terms=TERMS), measure(finer, terms=TERMS)
    for name in (
        "offered", "missed", "replica_hours", "optimum_replica_hours", "scale_ups", "scale_downs",
        "flips", "minutes_in_violation", "wasted_replica_hours", "worst_five_minutes_missed",
    ):  # fmt: skip
        assert getattr(fine, name) == pytest.approx(getattr(coarse, name)), name


@given(seed=runs, steps=st.integers(1, 60))
def test_what_is_measured_of_the_optimum_is_what_it_is(seed: int, steps: int) -> None:
    run = any_run(seed, steps)
    terms = dataclasses.replace(TERMS, replicas_at_start=0)
    best = optimum(run.need, step_seconds=15.0, terms=terms)
    found = measure(dataclasses.replace(run, billed=best.paid * 15.0), terms=terms)
    assert found.regret_replica_hours == pytest.approx(0.0)
    assert found.against_optimum is not None
    assert found.against_optimum.deviation() == pytest.approx(0.0)
