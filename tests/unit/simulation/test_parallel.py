"""Many runs over processes: in order, the same as one by one, and a failing run says which it was."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from trimtab.plant import SERVING_MODELS, ConstantWorkload, Load, Slo, StartTimes
from trimtab.simulation.observation import Observation
from trimtab.simulation.parallel import Job, RunError, run_jobs, timelines
from trimtab.simulation.scenario import Case, Scenario
from trimtab.simulation.timeline import Timeline


class Constant:
    interval_seconds = 15.0

    def __init__(self, replicas: int) -> None:
        if replicas < 0:
            raise ValueError(f"{replicas} replicas cannot be")
        self._replicas = replicas

    def wanted(self, seen: Observation) -> int:
        return self._replicas


def constant(replicas: int, _scenario: Scenario) -> Constant:
    return Constant(replicas)


def offered_and_billed(_scenario: Scenario, lines: Mapping[str, Timeline]) -> tuple[float, float]:
    return float(lines["a"].offered.sum()), float(lines["a"].billed.sum())


def a_job(replicas: int, seed: int = 1) -> Job[tuple[float, float]]:
    case = Case(
        name="a",
        model=SERVING_MODELS["8b-h100"],
        slo=Slo(1.0, 0.05),
        workload=ConstantWorkload(Load(5.0, 1155.0, 211.0)),
        start_times=StartTimes(5.0, 10.0, 5.0),
    )
    return Job(
        name=f"a/{replicas}",
        scenario=Scenario(cases=(case,), span_seconds=300),
        seed=seed,
        scaler=partial(constant, replicas),
        digest=offered_and_billed,
    )


def test_results_come_in_the_order_of_the_jobs_and_are_those_of_one_process() -> None:
    jobs = [a_job(replicas, seed) for replicas in (3, 1) for seed in (1, 2)]
    ended: list[str] = []

    together = run_jobs(jobs, processes=2, on_done=lambda job: ended.append(job.name))

    assert together == run_jobs(jobs, processes=1)
    assert sorted(ended) == ["a/1", "a/1", "a/3", "a/3"]
    assert len(set(together)) == 4


@pytest.mark.parametrize("processes", [1, 2])
def test_a_failing_run_says_which_it_was(processes: int) -> None:
    jobs = [a_job(1), a_job(-1, seed=7), a_job(2)]

    with pytest.raises(RunError, match=r"run a/-1 \(seed 7\) failed: ValueError: -1 replicas"):
        run_jobs(jobs, processes=processes)


def test_whole_timelines_can_be_kept() -> None:
    job = a_job(2)
    kept = run_jobs(
        [Job(name="all", scenario=job.scenario, seed=3, scaler=job.scaler, digest=timelines)]
    )

    assert kept[0]["a"].asked.tolist() == [2.0] * 20


def test_no_jobs_have_no_results() -> None:
    assert run_jobs([]) == []
