"""The comparison of all peers on all loads: what is run, and the files that are written."""

from __future__ import annotations

import json
import math
import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from trimtab.cli import comparison_tuning as tuning
from trimtab.cli import simulation_runs as runs
from trimtab.cli.comparison_cells import Cells
from trimtab.cli.simulation_command import command_line, seconds
from trimtab.cli.simulation_plan import (
    DAY_SECONDS,
    FORESIGHT,
    Contender,
    Job,
    LoadSpec,
    PlanError,
    jobs_of,
    own_contenders,
    peer_contenders,
    prepared,
    room_for,
)
from trimtab.plant.serving_model import Slo
from trimtab.simulation.inputs import SYNTHETIC
from trimtab.simulation.inputs.input_error import InputError, unknown_name
from trimtab.simulation.inputs.presets import PRESETS, by_name
from trimtab.simulation.report.comparison import OURS, comparison_page
from trimtab.simulation.report.document import StudyDocumentError, as_text, from_json
from trimtab.simulation.report.study import Result, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from trimtab.simulation.inputs import Preset
    from trimtab.simulation.report.study import Study

MADE_UP = ("day", "flash", "step", "mix-shift", "sine")
QUICK_LOADS = ("step", "ramp")
QUICK_DAYS = 0.1
QUICK_STRIDE = 3
"""Of the targets that are run first, every so many."""

USUAL_SHARE = 0.99
"""The attainment at which everybody is compared, if it is among those asked for; else the highest."""

SLO_FACTORS = (1.0, 2.0, 4.0, 8.0)
"""Limits of the first token to try until a replica serves a load's mean prompt within them."""

STORMS = ("spiky", "storm")
"""Recorded loads with one of these in their name come mostly in bursts that nothing announces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was asked for, as typed; lists are numbers with commas between them."""

    traces: Path | None = None
    names: Sequence[str] = ()
    peers: Sequence[str] = ("all",)
    leads: str = "60,180,600"
    needs: str = "8"
    asked: str = "0.95,0.98,0.99,0.995,0.999"
    seeds: int = 3
    days: float | None = 14.0
    preset: str = "8b-h100"
    metric_age: str = "30s"
    is_quick: bool = False
    processes: int | None = None
    json_file: Path
    page: Path | None = None
    from_json: Path | None = None


def compare_as(asked: Comparison) -> bool:
    """Run the comparison and write its files; return whether a run failed."""
    if asked.page is not None and not asked.page.absolute().parent.is_dir():
        folder = asked.page.absolute().parent
        raise PlanError(f"--page {asked.page}: there is no directory {folder}; make it first")
    if asked.days is not None and not asked.days > 0.0:
        raise PlanError(f"--days {asked.days:g} is out of range; give a number above 0")
    if asked.from_json is not None:
        _write_page(read_study(asked.from_json), asked.page)
        return False
    jobs = tuple(comparison_jobs(asked))
    asked.json_file.absolute().parent.mkdir(parents=True, exist_ok=True)
    ran = _run(asked, jobs, Cells(cells_file(asked.json_file)))
    for sentence in ran.failures:
        typer.echo(f"trimtab compare: {sentence}", err=True)
    if not ran.results:
        return True
    study = runs.study_of(jobs, described(jobs, ran.results), command=_repeatable(asked))
    shared = {
        name: value
        for name, value in study.scenario.items()
        if name in ("replica", "SLO", "price", "metrics", "resolution")
    }
    study = replace(study, title="Comparison", scenario=shared, notes=_notes(asked, jobs))
    asked.json_file.write_text(as_text(study), encoding="utf-8")
    typer.echo(f"wrote {asked.json_file}")
    _write_page(study, asked.page)
    return bool(ran.failures)


def _repeatable(asked: Comparison) -> str:
    """Return the command line without the place of the loads, which is nobody else's."""
    if asked.traces is None:
        return command_line()
    return command_line().replace(shlex.quote(str(asked.traces)), asked.traces.name)


def cells_file(results: Path) -> Path:
    """Return where results are kept as they come, beside the file that all of them go to at the end."""
    return results.with_name(f"{results.name}l")


def _run(asked: Comparison, jobs: Sequence[Job], cells: Cells) -> runs.Ran:
    """Run what is not known yet, then look closer at the tuned peer; results in the order of jobs."""
    known, first = _run_missing(asked, jobs, cells)
    if asked.is_quick or not known:
        return runs.Ran(runs.held_to_foresight(known), first)
    share = jobs[0].asked_attainment
    closer = tuple(tuning.refined(jobs, known, ours=f"{OURS}@{share:g}", asked=share))
    more, second = _run_missing(asked, closer, cells)
    return runs.Ran(runs.held_to_foresight((*known, *more)), (*first, *second))


def _run_missing(
    asked: Comparison, jobs: Sequence[Job], cells: Cells
) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    """Return the results of all jobs, those that were known too, and a sentence for each failure."""
    missing = [job for job in jobs if cells.of(job) is None]
    known = len(jobs) - len(missing)
    days = sum(prepared(job.load, job.preset, 1).span_seconds for job in missing) / DAY_SECONDS
    told = f"{len(missing)} runs, {days:,.3g} simulated days in all"
    typer.echo(told + (f"; {known} runs known from {cells.path}" if known else ""), err=True)
    failures: tuple[str, ...] = ()
    if missing:
        processes = asked.processes or os.cpu_count() or 1
        failures = runs.run_jobs(missing, processes=processes, on_result=cells.keep).failures
    return tuple(one for job in jobs for one in cells.of(job) or ()), failures


def _notes(asked: Comparison, jobs: Sequence[Job]) -> tuple[str, ...]:
    """Return what there is to say about the loads, once for each."""
    told: dict[str, None] = {}
    usual = by_name(asked.preset, PRESETS).slo
    for job in {job.load.source: job for job in jobs}.values():
        name = job.trace.partition(", lead ")[0]
        told |= dict.fromkeys(f"`{name}`: {note}." for note in runs.notes_on(job))
        if job.preset.slo != usual:
            told[
                f"`{name}`: first tokens may take {job.preset.slo.ttft_seconds:g} s, as no replica "
                f"serves its mean request within {usual.ttft_seconds:g} s."
            ] = None
    return tuple(told)


def read_study(path: Path) -> Study:
    """Return the study that an earlier comparison wrote."""
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PlanError(f"{path} cannot be read: {error.strerror}; name the JSON file") from error
    except StudyDocumentError as error:
        raise PlanError(f"{path}: {error}") from error
    except ValueError as error:
        told = "is no JSON; name a file that --json of a comparison wrote"
        raise PlanError(f"{path} {told}") from error


def _write_page(study: Study, path: Path | None) -> None:
    if path is not None:
        path.write_text(comparison_page(study), encoding="utf-8")
        typer.echo(f"wrote {path}")


def comparison_jobs(asked: Comparison) -> Iterator[Job]:
    """Yield every run: loads x leads x needs x contenders x seeds."""
    preset = by_name(asked.preset, PRESETS)
    leads = numbers("--leads", asked.leads)[: 1 if asked.is_quick else None]
    needs = numbers("--needs", asked.needs)[: 1 if asked.is_quick else None]
    shares = numbers("--asked", asked.asked, below=1.0)
    chosen = tuple(contenders(shares, is_quick=asked.is_quick, peers=asked.peers))
    days = QUICK_DAYS if asked.is_quick else asked.days
    for lead in leads:
        here = preset.with_lead_time(lead)
        for need in needs:
            for name, source in sources(asked):
                load = LoadSpec(
                    source=source,
                    scale_to_mean=need,
                    span_seconds=None if days is None else days * DAY_SECONDS,
                )
                try:
                    suited = bearable(here, load)
                except InputError as error:
                    raise InputError(
                        f"{name}: {error}; take more --days, or leave it out"
                    ) from error
                template = Job(
                    load=load,
                    trace=f"{name}, lead {lead:g} s, need {need:g}",
                    contender=chosen[0],
                    preset=suited,
                    seed=1,
                    replicas_min=1,
                    replicas_max=room_for(prepared(load, suited, 1)),
                    metric_age_seconds=seconds("--metric-age", asked.metric_age),
                    asked_attainment=USUAL_SHARE if USUAL_SHARE in shares else max(shares),
                    keeps_timeline=False,
                )
                count = 1 if asked.is_quick else asked.seeds
                yield from jobs_of(template, [(template.trace, load)], chosen, count)


def bearable(preset: Preset, load: LoadSpec) -> Preset:
    """Return the preset with a limit of the first token within which this load can be served at all.

    Long prompts take longer than the usual limit to read, and one load of them must not end a
    comparison. Raises ``InputError`` for a load that cannot be run for another reason.
    """
    for factor in SLO_FACTORS:
        slo = Slo(preset.slo.ttft_seconds * factor, preset.slo.tpot_seconds)
        suited = replace(preset, slo=slo)
        try:
            prepared(load, suited, 1)
        except InputError:
            continue
        return suited
    prepared(load, preset, 1)  # says what is wrong
    return preset


def contenders(
    shares: Sequence[float], *, is_quick: bool, peers: Sequence[str] = ("all",)
) -> Iterator[Contender]:
    """Yield everybody: our policy at each attainment, peers at their defaults and tuned, foresight.

    ``peers`` are names, ``all`` or ``none``; the one that is tuned is run at any rate.
    The perfect forecast is run at each attainment as well: it too is read where others land.
    """
    yield from own_contenders(shares)
    yield from own_contenders(learns=True)
    yield from peer_contenders(peers)
    yield from tuning.tuned(tuning.coarse()[:: QUICK_STRIDE if is_quick else 1])
    yield Contender(FORESIGHT, Role.REFERENCE)
    for share in shares:
        yield Contender(f"{FORESIGHT}@{share:g}", Role.REFERENCE, setting=f"{share!r}")


def sources(asked: Comparison) -> tuple[tuple[str, str], ...]:
    """Return the loads by name and source: recordings of the directory, or made-up ones."""
    if asked.traces is None:
        found = {name: name for name in (QUICK_LOADS if asked.is_quick else MADE_UP)}
        found |= {name: name for name in asked.names if name in SYNTHETIC}
    else:
        if not asked.traces.is_dir():
            raise PlanError(
                f"--traces {asked.traces} is no directory; name one with recorded loads"
            )
        files: dict[str, Path] = {}
        for path in sorted(asked.traces.iterdir()):
            is_load = path.name.removesuffix(".gz").endswith(".csv")
            if not is_load or {"requests", "extra"} & set(path.name.split(".")):
                continue
            name = path.name.partition(".")[0]
            if name in files:
                raise PlanError(
                    f"--traces {asked.traces}: {files[name].name} and {path.name} are both called "
                    f"{name}; rename one"
                )
            files[name] = path
        found = {name: str(path) for name, path in files.items()}
        if not found:
            raise PlanError(f"--traces {asked.traces} holds no CSV; name a directory with loads")
    for name in asked.names:
        if name not in found:
            raise unknown_name("load", name, found)
    chosen = asked.names or tuple(found)
    return tuple((name, found[name]) for name in chosen)


def described(jobs: Sequence[Job], results: Sequence[Result]) -> tuple[Result, ...]:
    """Say with each result in which setting it came about, so that a page can be written from it."""
    told = {
        job.trace: {
            "load": job.trace.partition(", lead ")[0],
            "lead_time_seconds": job.preset.start_times.lead_time_seconds,
            "scaled_to_mean": job.load.scale_to_mean,
            "is_made_up": int(job.load.source in SYNTHETIC),
            "is_storm": int(_is_storm(job)),
        }
        for job in jobs
    }
    return tuple(replace(one, figures={**told[one.trace], **one.figures}) for one in results)


def _is_storm(job: Job) -> bool:
    made_up = SYNTHETIC.get(job.load.source)
    if made_up is not None:
        return made_up.is_storm
    return any(word in job.trace.partition(", lead ")[0] for word in STORMS)


def numbers(flag: str, text: str, *, below: float = math.inf) -> tuple[float, ...]:
    """Return a list of numbers above 0; raise ``PlanError`` for what is none."""
    found: list[float] = []
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            value = math.nan
        if not 0.0 < value < below:
            limit, example = (
                ("", "60,180") if below == math.inf else (f" and below {below:g}", "0.95,0.99")
            )
            raise PlanError(
                f"{flag} {text!r}: {part.strip()!r} is no number above 0{limit}; give as in {example}"
            )
        found.append(value)
    return tuple(dict.fromkeys(found))
