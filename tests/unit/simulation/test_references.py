"""What the same load comes to with replicas left alone."""

from random import Random

import pytest

from trimtab.plant import (
    SERVING_MODELS,
    ConstantWorkload,
    Load,
    PlantDeployment,
    Slo,
    SteppedWorkload,
    start_times_for,
)
from trimtab.simulation import Account, Reference, ReferenceCase, account_for, run_reference

MODEL = SERVING_MODELS["8b-h100"]
SLO = Slo(ttft_seconds=1.0, tpot_seconds=0.05)
STARTED_AT = 1_000_000.0
HOUR = 3600.0


def case(**changed: object) -> ReferenceCase:
    fields: dict[str, object] = {
        "name": "d",
        "model": MODEL,
        "slo": SLO,
        "workload": ConstantWorkload(Load(40.0, 1155.0, 211.0)),
        "start_times": start_times_for(8),
        "seed": "0:d",
        "started_at": STARTED_AT,
        "replicas_ready": 3,
        "replicas": 3,
        "accelerators_per_replica": 1,
        "usd_per_accelerator_hour": 7.0,
    }
    return ReferenceCase(**{**fields, **changed})  # type: ignore[arg-type]  # the fields of the case


def test_replicas_left_alone_are_paid_for_every_second() -> None:
    total = run_reference([case(accelerators_per_replica=4)], until=STARTED_AT + HOUR).total
    assert total.accelerator_hours == pytest.approx(3 * 4)
    assert total.usd == pytest.approx(3 * 4 * 7.0)


def test_enough_replicas_miss_nearly_nothing_and_too_few_nearly_everything() -> None:
    enough = run_reference([case(replicas=5)], until=STARTED_AT + HOUR).total
    few = run_reference([case(replicas_ready=1, replicas=1)], until=STARTED_AT + HOUR).total
    assert enough.attainment is not None
    assert few.attainment is not None
    assert enough.attainment > 0.99
    assert few.attainment < 0.1


def test_it_starts_like_the_compared_run_and_asks_for_its_count_in_the_first_second() -> None:
    reference = run_reference([case(replicas_ready=1, replicas=4)], until=STARTED_AT + HOUR)
    hours = reference.total.accelerator_hours
    # The three that were not there wait for an accelerator first, which is not billed.
    assert 4 * 0.95 < hours < 4.0


def test_replicas_above_the_count_drain_and_are_no_longer_paid_for() -> None:
    reference = run_reference([case(replicas_ready=6, replicas=2)], until=STARTED_AT + HOUR)
    assert 2.0 <= reference.total.accelerator_hours < 2.2


def test_the_same_seed_gives_the_run_that_a_plant_left_at_its_start_count_gives() -> None:
    plant = PlantDeployment(
        model=MODEL,
        slo=SLO,
        workload=ConstantWorkload(Load(40.0, 1155.0, 211.0)),
        start_times=start_times_for(8),
        rng=Random("0:d"),
        started_at=STARTED_AT,
        replicas=3,
    )
    plant.advance(STARTED_AT + 600.0)
    expected = account_for(plant, accelerators_per_replica=1, usd_per_accelerator_hour=7.0)
    assert run_reference([case()], until=STARTED_AT + 600.0).total == expected


def test_how_often_somebody_looks_changes_nothing() -> None:
    seldom = run_reference([case()], until=STARTED_AT + 5 * HOUR)
    often = Reference([case()])
    for look in range(1, 301):
        often.advance(STARTED_AT + look * 60.0)
    assert often.total == seldom.total


def test_deployments_add_up_and_keep_their_own_accounts() -> None:
    reference = run_reference(
        [case(name="a"), case(name="b", replicas=1, replicas_ready=1)], until=STARTED_AT + 600.0
    )
    assert set(reference.accounts) == {"a", "b"}
    assert reference.total == reference.accounts["a"] + reference.accounts["b"]


def test_two_cases_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two reference cases are called d"):
        Reference([case(), case()])


def test_without_a_price_the_money_is_unknown_and_so_is_every_sum_with_it() -> None:
    unpriced = run_reference([case(usd_per_accelerator_hour=None)], until=STARTED_AT + 60.0).total
    assert unpriced.usd is None
    assert (unpriced + Account(usd=5.0)).usd is None


def test_where_nothing_was_answered_attainment_is_unknown_rather_than_perfect() -> None:
    silence = SteppedWorkload([(60.0, Load(0.0, 10.0, 10.0))])
    assert run_reference([case(workload=silence)], until=STARTED_AT + 60.0).total.attainment is None
