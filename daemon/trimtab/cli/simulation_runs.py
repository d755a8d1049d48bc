"""Many runs over processes, and the study that they make together.

What travels to a process is a ``Job``: names and numbers, of which it builds the world itself. So a
made-up load need not be pickled, one run that fails does not end the others (a peer that breaks must
not cost a night of comparison), and what is sent back is the timeline only where somebody draws it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from trimtab.cli.simulation_fleet import FleetJob
from trimtab.cli.simulation_plan import DAY_SECONDS, FORESIGHT, Job, prepared
from trimtab.simulation.report.study import Result, Role, Study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


Run = TypeVar("Run", Job, FleetJob)

Outcome: TypeAlias = tuple[Result, ...] | str
"""The results of a job, or why it has none."""


class Ran(NamedTuple):
    """The results of jobs in the order of the jobs, and a sentence for each job that failed."""

    results: tuple[Result, ...]
    failures: tuple[str, ...]


def run_jobs(
    jobs: Sequence[Run],
    *,
    processes: int,
    plugins: Sequence[str] = (),
    on_result: Callable[[Run, tuple[Result, ...]], None] | None = None,
) -> Ran:
    """Run jobs over processes, showing progress on a terminal; a job that fails ends no other.

    ``plugins`` are the strategies of other packages that the jobs' policies may use. ``on_result`` is
    told what came of each job that did not fail, as soon as it is known.
    """
    with _progress(len(jobs)) as step:

        def told(job: Run, outcome: Outcome) -> None:
            if on_result is not None and not isinstance(outcome, str):
                on_result(job, outcome)
            step()

        ended = _ended(jobs, min(processes, len(jobs)), plugins, told)
    results = [one for outcome in ended if not isinstance(outcome, str) for one in outcome]
    return Ran(held_to_foresight(results), tuple(one for one in ended if isinstance(one, str)))


def _ended(
    jobs: Sequence[Run],
    processes: int,
    plugins: Sequence[str],
    told: Callable[[Run, Outcome], None],
) -> list[Outcome]:
    """Return what came of each job, in their order."""
    if processes <= 1:
        ended = []
        for job in jobs:
            ended.append(outcome_of(job))
            told(job, ended[-1])
        return ended
    # Spawned, not forked: a fork would take the terminal's progress thread along, half.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_begin, initargs=(tuple(plugins),)
    ) as pool:
        try:
            with _interrupts_waiting():  # the first submission starts the processes
                futures = {pool.submit(outcome_of, job): job for job in jobs}
            for future in as_completed(futures):
                told(futures[future], _result(futures[future], future))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return [_result(job, future) for future, job in futures.items()]


def _result(job: Job | FleetJob, future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return f"{_named(job)}: its process, or one beside it, was killed; try fewer --jobs"


def _named(job: Job | FleetJob) -> str:
    return f"{job.contender.name} on {job.trace}, seed {job.seed}"


@contextlib.contextmanager
def _interrupts_waiting() -> Iterator[None]:
    """Let a Ctrl-C wait, here and in the processes that are started meanwhile, until they let it in.

    A process that imports what it needs would say with a traceback where it was when Ctrl-C came.
    """
    resource_tracker.ensure_running()  # its start would let the signal in again
    heard: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what is started has it too
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if heard:
        raise KeyboardInterrupt


def _begin(plugins: tuple[str, ...]) -> None:
    """Make a worker process end at Ctrl-C without a word, and know the strategies that its parent knows."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from trimtab.policy.plugins import allow_plugins

    allow_plugins(plugins)


def outcome_of(job: Job | FleetJob) -> Outcome:
    """Run a job; return its results, or the sentence that says why there are none."""
    try:
        if isinstance(job, FleetJob):
            from trimtab.cli.simulation_fleet_world import fleet_results_of

            return fleet_results_of(job)
        from trimtab.cli.simulation_world import results_of

        return results_of(job)
    except Exception as error:  # noqa: BLE001  a bug in one run must not lose the others
        said = str(error) or type(error).__name__
        return f"{_named(job)}: {said}"


def held_to_foresight(results: Sequence[Result]) -> tuple[Result, ...]:
    """Hold every bill against that of the perfect forecast on the same load with the same seed."""
    foreseen = {
        (one.trace, one.seed): one.number("replica_hours")
        for one in results
        if one.policy == FORESIGHT
    }
    held: list[Result] = []
    for one in results:
        hours, there = one.number("replica_hours"), foreseen.get((one.trace, one.seed))
        ratio = None if not there or hours is None else hours / there
        figures = {
            **one.figures,
            "perfect_forecast_replica_hours": there,
            "ratio_to_perfect_forecast": ratio,
        }
        held.append(replace(one, figures=figures))
    return tuple(held)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr while runs are done; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("runs", total=total)
        yield lambda: bar.advance(task)


def study_of(jobs: Sequence[Job], results: Sequence[Result], *, command: str) -> Study:
    """Return the study of these results, told by the world that all jobs share."""
    from trimtab.version import VERSION

    first = jobs[0]
    traces = tuple(dict.fromkeys(job.trace for job in jobs))
    ours = tuple(dict.fromkeys(one.policy for one in results if one.role is Role.POLICY))
    named = ", ".join(ours[:3]) + (f" and {len(ours) - 3} more" if len(ours) > 3 else "")
    return Study(
        title=f"{named or 'Autoscalers'} on {traces[0] if len(traces) == 1 else f'{len(traces)} loads'}",
        results=tuple(results),
        scenario=_scenario(jobs),
        seeds=tuple(dict.fromkeys(job.seed for job in jobs)),
        version=VERSION,
        command=command,
        asked_attainment=first.asked_attainment,
        notes=_notes(jobs),
    )


def _scenario(jobs: Sequence[Job]) -> dict[str, str | float | int | None]:
    """Tell the world in words that an SRE knows."""
    first, preset = jobs[0], jobs[0].preset
    loads = {job.trace: prepared(job.load, job.preset, job.seed) for job in jobs[::-1]}
    spans = sorted({one.span_seconds / DAY_SECONDS for one in loads.values()})
    means = sorted(one.need_mean for one in loads.values())
    peaks = sorted(one.need_peak for one in loads.values())
    ranges = list(dict.fromkeys(f"{job.replicas_min} to {job.replicas_max}" for job in jobs))
    price = preset.usd_per_accelerator_hour
    told: dict[str, str | float | int | None] = {
        "load": ", ".join(dict.fromkeys(job.trace for job in jobs)),
        "span": _range([f"{spans[0]:.3g} d", f"{spans[-1]:.3g} d"]),
        "mean need": _range([f"{means[0]:.3g}", f"{means[-1]:.3g}"]) + " replicas",
        "peak need": _range([f"{peaks[0]:.3g}", f"{peaks[-1]:.3g}"]) + " replicas",
        "replica": f"{preset.name}, {preset.accelerators_per_replica} x {preset.accelerator}",
        "SLO": f"TTFT {preset.slo.ttft_seconds:g} s, TPOT {preset.slo.tpot_seconds * 1000:g} ms",
        "lead time": f"{preset.start_times.lead_time_seconds:g} s",
        "replicas": ranges[0] if len(ranges) == 1 else "as the load needs",
        "price": "unknown" if price is None else f"{price:.2f} USD an accelerator-hour",
        "metrics": f"{first.metric_age_seconds:g} s old",
        "resolution": first.resolution.value,
    }
    if first.disturbances:
        told["disturbed by"] = ", ".join(first.disturbances)
    if first.accelerator_quota is not None:
        told["quota"] = f"{first.accelerator_quota} accelerators"
    return told


def _range(ends: Sequence[str]) -> str:
    return ends[0] if ends[0] == ends[-1] else f"{ends[0]} to {ends[-1]}"


def _notes(jobs: Sequence[Job]) -> tuple[str, ...]:
    """Return what the readers of the loads had to say, each with the load's name."""
    told: dict[str, None] = {}
    for trace, job in {job.trace: job for job in jobs}.items():
        for note in notes_on(job):
            told[f"{trace}: {note}."] = None
    return tuple(told)


def notes_on(job: Job) -> tuple[str, ...]:
    """Return what there is to say about a job's load: what its reader says, and what is not played."""
    load = prepared(job.load, job.preset, job.seed)
    left = load.span_seconds % job.tick_seconds
    cut = f"the last {left:.3g} s are not played, being less than a tick of {job.tick_seconds} s"
    return (*load.input.notes, cut) if left and load.span_seconds > left else load.input.notes
