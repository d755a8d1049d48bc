"""What several deployments came to together, where a recording does not tell everything of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from trimtab.core.cost import Ledger
from trimtab.core.deployment import Deployment, Shape
from trimtab.core.fleet_policy import FleetPolicy, Period, Pool, Quota, QuotaSource, SpendLimit
from trimtab.simulation.fleet_findings import FleetRun, fleet_run, titles_of
from trimtab.simulation.report.fleet import fleet_as_json
from trimtab.simulation.report.fleet_plot import fleet_plot
from trimtab.simulation.timeline import Timeline

NAN = math.nan
CHAT, BATCH = "accounts/acme/deployments/chat", "accounts/acme/deployments/batch"
H100 = "NVIDIA_H100_80GB"


def a_timeline(asked: list[float]) -> Timeline:
    replicas, nothing = np.array(asked), np.zeros(len(asked))
    return Timeline(
        started_at=0.0, step_seconds=15.0, offered=nothing, met=nothing, refused=nothing,
        need=nothing, asked=replicas, ready=replicas, booting=nothing, draining=nothing,
        billed=np.nan_to_num(replicas) * 15.0, waiting=nothing,
    )  # fmt: skip


def a_run(**asked: list[float]) -> FleetRun:
    """Four accelerators a replica, of which there are twelve; an accelerator costs $5 an hour."""
    names = {"chat": CHAT, "batch": BATCH}
    shape = Shape(accelerator_type=H100, accelerators_per_replica=4)
    deployments = {names[one]: Deployment(name=names[one], shape=shape) for one in asked}
    fleet = FleetPolicy(
        quotas=(Quota(pool=Pool(H100), accelerators=12, source=QuotaSource.FILE),),
        spend_limits=(SpendLimit(period=Period.HOUR, usd=100.0),),
    )
    timelines = {names[one]: a_timeline(counts) for one, counts in asked.items()}
    return fleet_run(deployments, timelines, Ledger(0.0), fleet, dict.fromkeys(deployments, 5.0))


def test_while_nobody_looked_nothing_was_held_and_nothing_was_not() -> None:
    run = a_run(chat=[2.0, 3.0, NAN, NAN], batch=[0.0, 0.0, NAN, NAN])
    (use,) = run.uses
    assert use.mean == pytest.approx(10.0)
    assert use.most == 12.0
    assert use.full_share == pytest.approx(0.5), "of the two steps that are known"
    assert use.is_kept
    (limit,) = run.limits
    assert limit.most_usd == pytest.approx(60.0)
    assert limit.at == 15.0


def test_one_that_is_not_there_yet_holds_nothing() -> None:
    (use,) = a_run(chat=[2.0, 2.0], batch=[NAN, 1.0]).uses
    assert use.total.tolist() == [8.0, 12.0]


def test_what_is_unknown_is_null_in_json_and_nowhere_in_a_plot() -> None:
    run = a_run(chat=[2.0, NAN, 1.0])
    (use,) = json.loads(json.dumps(fleet_as_json(run), allow_nan=False))["accelerators"]
    assert use["over_time"]["most"] == [8.0, None, 4.0]
    assert use["over_time"]["most_by_deployment"] == {"chat": [8.0, None, 4.0]}
    plot = fleet_plot(run.uses[0], step_seconds=15.0, title="", description="", key="a")
    assert "nan" not in plot.lower()


def test_a_title_is_the_last_part_of_a_name_where_no_other_has_it() -> None:
    other = "accounts/other/deployments/chat"
    assert titles_of([CHAT, BATCH]) == {CHAT: "chat", BATCH: "batch"}
    assert titles_of([CHAT, BATCH, other]) == {CHAT: CHAT, BATCH: "batch", other: other}
