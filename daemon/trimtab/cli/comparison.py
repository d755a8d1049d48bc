"""The comparison of all peers on all loads: what is run, and the files that are written."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from trimtab.cli import simulation_runs as runs
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
    prepared,
    room_for,
)
from trimtab.simulation.inputs import SYNTHETIC
from trimtab.simulation.inputs.input_error import unknown_name
from trimtab.simulation.inputs.presets import PRESETS, by_name
from trimtab.simulation.peers import CATALOGUE, rate_grid
from trimtab.simulation.report.comparison import TUNED, comparison_page
from trimtab.simulation.report.document import StudyDocumentError, as_text, from_json
from trimtab.simulation.report.study import Result, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from trimtab.simulation.report.study import Study

MADE_UP = ("day", "flash", "step", "mix-shift", "sine")
QUICK_LOADS = ("step", "ramp")
QUICK_DAYS = 0.1
QUICK_TARGETS = 4
STORMS = ("spiky", "storm")
"""Recorded loads with one of these in their name come mostly in bursts that nothing announces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was asked for, as typed; lists are numbers with commas between them."""

    traces: Path | None = None
    names: Sequence[str] = ()
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
    if asked.from_json is not None:
        _write_page(read_study(asked.from_json), asked.page)
        return False
    jobs = tuple(comparison_jobs(asked))
    asked.json_file.absolute().parent.mkdir(parents=True, exist_ok=True)
    typer.echo(f"{len(jobs)} runs", err=True)
    ran = runs.run_jobs(jobs, processes=asked.processes or os.cpu_count() or 1)
    for sentence in ran.failures:
        typer.echo(f"trimtab compare: {sentence}", err=True)
    if not ran.results:
        return True
    study = runs.study_of(jobs, described(jobs, ran.results), command=command_line())
    shared = {
        name: value
        for name, value in study.scenario.items()
        if name in ("replica", "SLO", "price", "metrics", "resolution")
    }
    study = replace(study, title="Comparison", scenario=shared, notes=_notes(jobs))
    asked.json_file.write_text(as_text(study), encoding="utf-8")
    typer.echo(f"wrote {asked.json_file}")
    _write_page(study, asked.page)
    return bool(ran.failures)


def _notes(jobs: Sequence[Job]) -> tuple[str, ...]:
    """Return what the readers of the loads had to say, once for each load."""
    told: dict[str, None] = {}
    for job in {job.load.source: job for job in jobs}.values():
        read = prepared(job.load, job.preset, job.seed).input
        told |= dict.fromkeys(f"`{read.name}`: {note}." for note in read.notes)
    return tuple(told)


def read_study(path: Path) -> Study:
    """Return the study that an earlier comparison wrote."""
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PlanError(f"{path} cannot be read: {error.strerror}; name the JSON file") from error
    except (ValueError, StudyDocumentError) as error:
        raise PlanError(f"{path}: {error}") from error


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
    chosen = tuple(contenders(shares, is_quick=asked.is_quick))
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
                template = Job(
                    load=load,
                    trace=f"{name}, lead {lead:g} s, need {need:g}",
                    contender=chosen[0],
                    preset=here,
                    seed=1,
                    replicas_min=1,
                    replicas_max=room_for(prepared(load, here, 1)),
                    metric_age_seconds=seconds("--metric-age", asked.metric_age),
                    keeps_timeline=False,
                )
                count = 1 if asked.is_quick else asked.seeds
                yield from jobs_of(template, [(template.trace, load)], chosen, count)


def contenders(shares: Sequence[float], *, is_quick: bool) -> Iterator[Contender]:
    """Yield everybody: our policy at each attainment, peers at their defaults and tuned, foresight."""
    yield from own_contenders(shares)
    yield from own_contenders(learns=True)
    yield from (Contender(name, Role.PEER) for name in CATALOGUE)
    grid = tuple(rate_grid())
    for setting in grid[:: len(grid) // QUICK_TARGETS] if is_quick else grid:
        yield Contender(f"{TUNED}@{setting}", Role.PEER, setting=setting)
    yield Contender(FORESIGHT, Role.REFERENCE)


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
        found = {
            path.name.partition(".")[0]: str(path)
            for path in sorted(asked.traces.iterdir())
            if path.name.removesuffix(".gz").endswith(".csv")
            and not {"requests", "extra"} & set(path.name.split("."))
        }
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
            limit = "" if below == math.inf else f" and below {below:g}"
            raise PlanError(
                f"{flag} {text!r}: {part.strip()!r} is no number above 0{limit}; give as in 60,180"
            )
        found.append(value)
    return tuple(dict.fromkeys(found))
