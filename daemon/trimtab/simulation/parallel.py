"""Many runs over processes: results in the order of the jobs, and a run that fails says which it was.

A run is on one core, so runs go side by side. Processes are spawned, never forked, so it is the same on
every system; whatever a job holds is therefore pickled: workloads and scenarios are values, and a
scaler is made where it runs, by a function of a module (or a ``functools.partial`` of one).
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Generic, TypeVar

from trimtab.errors import TrimtabError
from trimtab.simulation.world import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trimtab.simulation.scenario import Scenario
    from trimtab.simulation.timeline import Timeline
    from trimtab.simulation.world import AnyScaler

T = TypeVar("T")


class RunError(TrimtabError):
    """A run ended in an exception; says which run, with which seed, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[T]):
    """One run: a scenario under a seed, and who decides.

    ``name`` is for people: it is what an error names. ``seed`` replaces the scenario's. ``scaler`` makes
    the scaler for it; ``digest`` says what is kept of the run. Timelines of weeks are megabytes: a
    digest that measures them where they came about spares sending them.
    """

    name: str
    scenario: Scenario
    seed: int
    scaler: Callable[[Scenario], AnyScaler]
    digest: Callable[[Scenario, Mapping[str, Timeline]], T]


def timelines(_scenario: Scenario, lines: Mapping[str, Timeline]) -> Mapping[str, Timeline]:
    """Keep everything: a ``digest`` for few or short runs."""
    return lines


def run_job(job: Job[T]) -> T:
    """Do one job here and now."""
    scenario = replace(job.scenario, seed=job.seed)
    return job.digest(scenario, run(scenario, job.scaler(scenario)))


def run_jobs(
    jobs: Sequence[Job[T]],
    *,
    processes: int | None = None,
    on_done: Callable[[Job[T]], None] | None = None,
) -> list[T]:
    """Do all jobs and return what each came to, in the order of ``jobs``.

    ``processes`` is how many run at once: by default as many as there are cores; 1 stays in this
    process. ``on_done`` is told of each job as it ends, in whatever order that is. The first failure
    ends the rest: raises ``RunError``.
    """
    count = min(processes or os.cpu_count() or 1, len(jobs))
    if count <= 1:
        return [_done(job, on_done) for job in jobs]
    results: dict[int, T] = {}
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(run_job, job): index for index, job in enumerate(jobs)}
        try:
            for future in as_completed(futures):
                job = jobs[futures[future]]
                try:
                    results[futures[future]] = future.result()
                except Exception as error:
                    raise _failed(job, error) from error
                if on_done is not None:
                    on_done(job)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return [results[index] for index in range(len(jobs))]


def _done(job: Job[T], on_done: Callable[[Job[T]], None] | None) -> T:
    try:
        result = run_job(job)
    except Exception as error:
        raise _failed(job, error) from error
    if on_done is not None:
        on_done(job)
    return result


def _failed(job: Job[T], error: Exception) -> RunError:
    if isinstance(error, BrokenProcessPool):
        return RunError(
            f"run {job.name} (seed {job.seed}), or one beside it, ended with its process: it was "
            "killed or ran out of memory; try fewer processes"
        )
    return RunError(f"run {job.name} (seed {job.seed}) failed: {type(error).__name__}: {error}")
