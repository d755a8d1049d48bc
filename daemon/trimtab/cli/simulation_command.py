"""From what was asked on the command line to runs, and from their results to what is shown."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import typer

from trimtab.cli.command_line import sentence_for_machine
from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.simulation_plan import (
    DAY_SECONDS,
    FORESIGHT,
    MEAN_NEED_DEFAULT,
    SHARE_OF_MAX,
    Contender,
    Job,
    LoadSpec,
    PlanError,
    PolicyMistakesError,
    bounds,
    endings,
    jobs_of,
    meant,
    own_contenders,
    peer_contenders,
    policy_contenders,
    policy_of,
    prepared,
    room_for,
)
from trimtab.errors import AuthorError, PolicyError, TrimtabError
from trimtab.policy.durations import duration_hint, parse_duration
from trimtab.policy.suggestions import did_you_mean
from trimtab.simulation.inputs import (
    DISTURBANCES,
    PRESETS,
    SYNTHETIC,
    Options,
    parse_columns,
    read_presets,
)
from trimtab.simulation.inputs.input_error import unknown_name
from trimtab.simulation.inputs.presets import by_name
from trimtab.simulation.observation import Measured
from trimtab.simulation.peers import CATALOGUE
from trimtab.simulation.report.study import Role
from trimtab.simulation.scenario import STARTED_AT, Resolution
from trimtab.simulation.signals_heard import listeners

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from trimtab.cli.simulation_fleet import FleetJob
    from trimtab.core.policy import Policy
    from trimtab.simulation.inputs import Preset
    from trimtab.simulation.signals_heard import Meaning

TOGETHER = "trimtab"
"""What the engine is called where it runs several policies at once."""

PRESET_DEFAULT = "8b-h100"
PEERS_DEFAULT = ("hpa-in-flight", "hpa-request-rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, as typed."""

    policies: Sequence[Path] | None = None
    traces: Sequence[Path] | None = None
    workloads: Sequence[str] | None = None
    columns: str | None = None
    scale_to_mean: float | None = None
    days: float | None = None
    loads: Sequence[str] | None = None
    preset: Sequence[str] = ()
    traits: Sequence[str] | None = None
    start: str | None = None
    presets: Path | None = None
    lead: str | None = None
    replicas_min: int | None = None
    replicas_max: int | None = None
    quota: int | None = None
    metric_age: str = "30s"
    signals: Sequence[str] | None = None
    disturb: Sequence[str] | None = None
    resolution: str = "fluid"
    peers: Sequence[str] | None = None
    seeds: int = 1
    attainment: float = 0.99
    processes: int | None = None
    json_file: Path | None = None
    html_file: Path | None = None
    plots: Path | None = None
    plugins: Sequence[str] | None = None


def simulate_as(asked: Asked) -> bool:
    """Run what was asked for and show it; return whether anything failed."""
    from trimtab.cli import simulation_runs as runs
    from trimtab.cli.simulation_fleet_command import is_fleet
    from trimtab.cli.simulation_output import check_outputs, show

    if is_fleet(asked):
        return _simulate_together(asked)
    jobs = plan(asked)
    check_outputs(asked)
    ran = runs.run_jobs(jobs, processes=_processes(asked), plugins=asked.plugins or ())
    if ran.results:
        show(runs.study_of(jobs, ran.results, command=command_line()), asked)
    return _tell_failures(ran.failures)


def _simulate_together(asked: Asked) -> bool:
    from trimtab.cli import simulation_runs as runs
    from trimtab.cli.simulation_fleet_output import fleet_study_of
    from trimtab.cli.simulation_output import check_outputs, show

    jobs = plan_together(asked)
    check_outputs(asked)
    ran = runs.run_jobs(jobs, processes=_processes(asked), plugins=asked.plugins or ())
    if ran.results:
        show(fleet_study_of(jobs, ran.results, command=command_line()), asked)
    return _tell_failures(ran.failures)


def _processes(asked: Asked) -> int:
    return asked.processes or os.cpu_count() or 1


def _tell_failures(failures: Sequence[str]) -> bool:
    for sentence in failures:
        typer.echo(f"trimtab simulate: {sentence}", err=True)
    return bool(failures)


def plan(asked: Asked) -> tuple[Job, ...]:
    """Return every run that was asked for. Raises ``AuthorError`` for what cannot be."""
    _check(asked)
    preset = _preset(asked)
    chosen, members = _contenders(asked)
    policies = members or tuple(one for one in chosen if one.role is Role.POLICY)
    meanings = tuple(_meaning(text) for text in asked.signals or ())
    _check_signals(policies, meant(meanings))
    low, high = bounds(policies, asked.replicas_min, asked.replicas_max)
    loads = _loads(asked, high)
    template = Job(
        load=loads[0][1],
        trace=loads[0][0],
        contender=chosen[0],
        preset=preset,
        seed=1,
        replicas_min=low,
        replicas_max=high or 1,
        metric_age_seconds=seconds("--metric-age", asked.metric_age),
        members=members,
        meanings=meanings,
        disturbances=tuple(asked.disturb or ()),
        accelerator_quota=asked.quota,
        resolution=Resolution(asked.resolution),
        asked_attainment=asked.attainment,
        started_at=STARTED_AT if asked.start is None else moment("--start", asked.start),
    )
    jobs: list[Job] = []
    for load in loads:
        # Read and sized here once, so that a mistake in a load is told before anything runs.
        sized = prepared(load[1], preset, 1)
        room = room_for(sized) if high is None else high
        here = replace(template, replicas_max=max(room, low, 1))
        jobs += jobs_of(here, [load], chosen, asked.seeds)
    return tuple(jobs)


def plan_together(asked: Asked) -> tuple[FleetJob, ...]:
    """Return every run of the fleet that was asked for. Raises ``AuthorError`` for what cannot be."""
    from trimtab.cli.simulation_fleet import policies_of
    from trimtab.cli.simulation_fleet_command import plan_fleet

    _check(asked)
    meanings = tuple(_meaning(text) for text in asked.signals or ())
    jobs = plan_fleet(asked, meanings, seconds("--metric-age", asked.metric_age))
    used = {one.policy for one in jobs[0].members}
    _check_heard([one for one in policies_of(jobs[0].sources) if one.name in used], meant(meanings))
    return tuple(jobs)


def _check(asked: Asked) -> None:
    if not 0.0 < asked.attainment < 1.0:
        raise PlanError(
            f"--attainment {asked.attainment:g} is no share; give one above 0 and below 1, as in 0.99"
        )
    for flag, value in (("--days", asked.days), ("--scale-to-mean", asked.scale_to_mean)):
        if value is not None and not 0.0 < value < math.inf:
            raise PlanError(f"{flag} {value:g} is out of range; give a number above 0")
    if asked.resolution not in tuple(Resolution):
        raise unknown_name("resolution", asked.resolution, tuple(Resolution))
    for name in asked.disturb or ():
        if name not in DISTURBANCES:
            raise unknown_name("disturbance", name, DISTURBANCES)


def _meaning(text: str) -> tuple[str, str]:
    name, _, field = text.partition("=")
    if field.removesuffix("/replica") not in Measured._fields or not name.strip():
        raise PlanError(
            f"--signal {text!r} is not NAME=FIELD; fields are {', '.join(Measured._fields)}, each also "
            "with /replica"
        )
    return name.strip(), field


def _preset(asked: Asked) -> Preset:
    known = PRESETS if asked.presets is None else read_presets(asked.presets)
    return with_lead(asked, by_name(plain_preset(asked), known))


def plain_preset(asked: Asked) -> str:
    """Return the name of the preset for all. Raises ``PlanError`` for two of them."""
    plain = [text for text in asked.preset if "=" not in text]
    if len(plain) > 1:
        raise PlanError(
            f"--preset {plain[0]} and {plain[1]} are both for all; give NAME=PRESET for a deployment"
        )
    return plain[0] if plain else PRESET_DEFAULT


def with_lead(asked: Asked, preset: Preset) -> Preset:
    """Return the preset with the lead time that was asked for, if one was."""
    return preset if asked.lead is None else preset.with_lead_time(seconds("--lead", asked.lead))


def _contenders(asked: Asked) -> tuple[tuple[Contender, ...], tuple[Contender, ...]]:
    """Return who is compared, and with a quota the policies whose deployments share it."""
    policies = policy_contenders(asked.policies) if asked.policies else own_contenders()
    peers = peer_contenders(PEERS_DEFAULT if asked.peers is None else asked.peers)
    if asked.quota is None:
        return (*policies, *peers, Contender(FORESIGHT, Role.REFERENCE)), ()
    return (Contender(TOGETHER, Role.POLICY), *peers), policies


def _check_signals(policies: Sequence[Contender], meanings: Mapping[str, Meaning]) -> None:
    """Refuse a signal that nobody knows, or knows the meaning of, before anything runs."""
    _check_heard([policy_of(one) for one in policies], meanings)


def _check_heard(policies: Sequence[Policy], meanings: Mapping[str, Meaning]) -> None:
    known = sorted({signal.name for one in policies for signal in one.signals})
    for name in meanings:
        if name not in known:
            near = did_you_mean(name, known).replace("`", "")
            hint = near or f"there are {', '.join(known)}"
            raise PlanError(f"--signal {name}: no policy has a signal of this name; {hint}")
    for one in policies:
        try:
            listeners(one, meanings)
        except ValueError as error:
            raise PlanError(f"{error}; give --signal NAME=FIELD") from error


def _loads(asked: Asked, replicas_max: int | None) -> list[tuple[str, LoadSpec]]:
    names = tuple(dict.fromkeys(asked.workloads or (() if asked.traces else ("day",))))
    span = None if asked.days is None else asked.days * DAY_SECONDS
    columns = None if asked.columns is None else parse_columns(asked.columns)
    size = asked.scale_to_mean
    if size is None:
        size = MEAN_NEED_DEFAULT if replicas_max is None else SHARE_OF_MAX * replicas_max
    loads: list[tuple[str, LoadSpec]] = []
    for name in names:
        if name not in SYNTHETIC:
            raise unknown_name("made-up load", name, SYNTHETIC)
        loads.append((name, LoadSpec(source=name, scale_to_mean=size, span_seconds=span)))
    called = _names(names, asked.traces or ())
    for path in dict.fromkeys(asked.traces or ()):
        if not path.is_file():
            raise PlanError(
                f"{path} is no file; name a recorded load, or a made-up one by --workload"
            )
        loads.append(
            (
                called[path],
                LoadSpec(
                    source=str(path),
                    options=Options(columns=columns),
                    scale_to_mean=asked.scale_to_mean,
                    span_seconds=span,
                ),
            )
        )
    return loads


def _names(made_up: Sequence[str], paths: Sequence[Path]) -> dict[Path, str]:
    """Return what each recording is called: by its file up to the first dot, where nothing else is."""
    firsts = {path: path.name.split(".")[0] or path.name for path in paths}
    taken = [*made_up, *firsts.values()]
    ends = {path: path.name if end in made_up else end for path, end in endings(paths).items()}
    return {
        path: first if taken.count(first) == 1 else ends[path] for path, first in firsts.items()
    }


def seconds(flag: str, text: str) -> float:
    """Return a duration in seconds; a bare number is seconds too, as in most tools."""
    try:
        found: float | None = float(text)
    except ValueError:
        found = parse_duration(text)
    if found is None or not 0.0 <= found < math.inf:
        raise PlanError(f"{flag} {text!r} is not a duration; {duration_hint(text)}")
    return found


def moment(flag: str, text: str) -> float:
    """Return a time as UTC seconds, whole ones; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise PlanError(
            f"{flag} {text!r} is not a time; write it as in 2026-01-25, in UTC"
        ) from None
    at = (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    if at < 0.0:
        raise PlanError(f"{flag} {text!r} is before 1970; give a time after it")
    return float(int(at))


def tell_names(workloads: Sequence[str] | None, peers: Sequence[str] | None) -> bool:
    """Print the made-up loads or the peers if ``list`` was asked for; return whether it was."""
    rows: list[tuple[str, str]] = []
    if "list" in (workloads or ()):
        rows += [
            (one.name, f"{one.span_seconds / DAY_SECONDS:g} d: {one.sentence}")
            for one in SYNTHETIC.values()
        ]
    if "list" in (peers or ()):
        rows += [(one.name, f"{one.title} ({one.source})") for one in CATALOGUE.values()]
    width = max((len(name) for name, _ in rows), default=0)
    for name, sentence in rows:
        typer.echo(f"{name:<{width}}  {sentence}")
    return bool(rows)


@contextlib.contextmanager
def refusals(command: str) -> Iterator[None]:
    """Turn what may be expected to go wrong into one sentence and an exit code."""
    try:
        yield
    except BrokenPipeError:
        # Whoever read us has gone; Python would complain about it again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.CLEAN) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (PolicyError, PolicyMistakesError) as error:
        _refuse(command, str(error), ExitCode.BAD_CONFIGURATION)
    except AuthorError as error:
        _refuse(command, str(error), ExitCode.USAGE)
    except TrimtabError as error:
        _refuse(command, str(error), ExitCode.FAILED)
    except OSError as error:
        _refuse(command, sentence_for_machine(error) or str(error), ExitCode.FAILED)


def _refuse(command: str, sentence: str, code: ExitCode) -> NoReturn:
    typer.echo(f"trimtab {command}: {sentence}", err=True)
    raise typer.Exit(code)


def command_line() -> str:
    """Return the command line as it was typed, quoted for a shell."""
    import shlex

    return shlex.join(["trimtab", *sys.argv[1:]])
