"""What ``trimtab simulate`` and ``trimtab compare`` were asked to run, as values that travel.

A ``Job`` is one run and holds names, numbers and paths only: a worker process reads the load and
builds the policy itself, so nothing large is sent to it and nothing needs to be picklable but this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.cli.simulation_default import default_policy
from trimtab.errors import AuthorError
from trimtab.policy import as_text, read_policies
from trimtab.simulation.inputs import (
    SYNTHETIC,
    Input,
    MeanLengths,
    Options,
    capacity_of,
    part,
    read_input,
    scaled_to_mean,
)
from trimtab.simulation.inputs.sampling import sampled
from trimtab.simulation.inputs.scaling import needs
from trimtab.simulation.peers import CATALOGUE
from trimtab.simulation.report.study import Role
from trimtab.simulation.scenario import STARTED_AT, Resolution
from trimtab.simulation.signals_heard import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trimtab.core.policy import Policy
    from trimtab.plant.workload import Workload
    from trimtab.simulation.inputs import Preset
    from trimtab.simulation.peers import Build

DAY_SECONDS = 86_400.0
MEAN_NEED_DEFAULT = 8.0
ROOM_MOST = 10_000
"""Replicas of one deployment: beyond it runs take hours, and a number was mistyped."""

SPAN_MOST_SECONDS = 366.0 * 86_400.0
"""A year second by second: beyond it no memory is enough, and a time was mistyped."""

ROOM_ABOVE_PEAK = 2.0
"""Without bounds of a policy, replicas may go to so many times the peak need: far enough that the
maximum decides nothing."""

REPLICAS_MAX_LEAST = 10
SHARE_OF_MAX = 0.35
"""With a policy's maximum and a load without a size of its own, the mean need is this share of it."""

LOOKS_MAX = 20_000
"""How often a load is looked at to tell its mean and its peak: every minute of two weeks."""

FORESIGHT = "perfect-forecast"


class PlanError(AuthorError):
    """What was asked for cannot be simulated; one sentence with the remedy."""


class PolicyMistakesError(PlanError):
    """A policy file has mistakes, or holds no policy; every one with its place."""


class Contender(NamedTuple):
    """One policy of the comparison: a policy of a file, a peer, or a reference.

    ``source`` is the policy's file; of a peer ``setting`` is a value of its grid, "" its default.
    """

    name: str
    role: Role
    source: str = ""
    setting: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """A load by name or file, how it is read, how it is sized, how much of it is run.

    ``scale_to_mean`` is the mean need in replicas; ``None`` leaves the load as it is.
    """

    source: str
    options: Options = field(default_factory=Options)
    scale_to_mean: float | None = None
    span_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: this contender on this load with this seed, and the world around it."""

    load: LoadSpec
    trace: str
    contender: Contender
    preset: Preset
    seed: int
    replicas_min: int
    replicas_max: int
    members: tuple[Contender, ...] = ()
    """With a quota: the policies whose deployments share it; none: the contender's own alone."""
    meanings: tuple[tuple[str, str], ...] = ()
    """By a signal's name the measured field that it stands for, ``/replica`` after it if it is a mean."""

    metric_age_seconds: float = 30.0
    disturbances: tuple[str, ...] = ()
    accelerator_quota: int | None = None
    resolution: Resolution = Resolution.FLUID
    asked_attainment: float = 0.99
    tick_seconds: int = 15
    started_at: float = STARTED_AT
    keeps_timeline: bool = True


class Load(NamedTuple):
    """A load that is ready to be run, its mean request, and how many replicas it needs at the SLO."""

    input: Input
    mean_request: MeanLengths
    workload: Workload
    span_seconds: float
    need_mean: float
    need_peak: float


@lru_cache(maxsize=8)
def load_of(source: str, options: Options, seed: int) -> Input:
    """Read a load once for all runs of a process that use it; a recording is the same for all seeds."""
    del seed  # a part of the key: made-up loads differ by it
    return read_input(source, options)


@lru_cache(maxsize=16)
def prepared(spec: LoadSpec, preset: Preset, seed: int) -> Load:
    """Return the load of a run, scaled and cut. Raises ``InputError`` for one that cannot be run."""
    is_made_up = spec.source in SYNTHETIC
    chosen = replace(spec.options, seed=seed) if is_made_up else spec.options
    read = load_of(spec.source, chosen, seed if is_made_up else 0)
    capacity = capacity_of(preset.model, preset.slo)
    workload: Workload = read.workload
    span = read.span_seconds
    if spec.span_seconds is not None and spec.span_seconds < span:
        span = spec.span_seconds
        workload = part(workload, 0.0, span)
    if span > SPAN_MOST_SECONDS:
        raise PlanError(
            f"{spec.source} spans {span / DAY_SECONDS:.3g} days, and a simulation has room for "
            f"{SPAN_MOST_SECONDS / DAY_SECONDS:.0f}; correct its times, or run a part of it: --days"
        )
    if spec.scale_to_mean is not None:  # what is run has this mean, not what it was cut from
        workload = scaled_to_mean(workload, capacity, spec.scale_to_mean)
    seen = sampled(workload, span, step_seconds=max(1.0, math.ceil(span / LOOKS_MAX)))
    rates = seen.requests_per_second
    total = float(rates.sum())
    if total <= 0.0:
        raise PlanError(f"{spec.source} has no requests within {span:g} s; run more of it")
    needed = needs(seen, capacity)
    if not needed.max() <= ROOM_MOST:
        raise PlanError(
            f"{spec.source} needs {needed.max():.3g} replicas at its peak, and a simulation has room for "
            f"{ROOM_MOST:,}; correct its requests, or give a smaller --scale-to-mean"
        )
    return Load(
        input=read,
        mean_request=MeanLengths(
            prompt_tokens=float(seen.prompt_tokens @ rates) / total,
            output_tokens=float(seen.output_tokens @ rates) / total,
        ),
        workload=workload,
        span_seconds=span,
        need_mean=float(np.mean(needed)),
        need_peak=float(np.max(needed)),
    )


def policy_contenders(paths: Sequence[Path]) -> tuple[Contender, ...]:
    """Return the policies of these files and directories, each under its own name.

    Policies that are called the same, or as somebody they are compared with, are told apart by their
    files. Raises ``PlanError`` with every mistake of the files, and for files that hold no policy.
    """
    found: list[tuple[str, Path]] = []
    for path in dict.fromkeys(paths):
        found += [(policy.name, path) for policy in _read(str(path))]
    names = [*(name for name, _ in found), *CATALOGUE, FORESIGHT]
    ends = endings([path for _, path in found])
    return tuple(
        Contender(
            name if names.count(name) == 1 else f"{name} ({ends[path]})", Role.POLICY, str(path)
        )
        for name, path in found
    )


def endings(paths: Sequence[Path]) -> dict[Path, str]:
    """Return of each path as much of its end as no other has: ``new/chat`` beside ``old/chat``."""
    wholes = {path: path.absolute().with_suffix("") for path in paths}
    if len(set(wholes.values())) < len(wholes):
        wholes = {path: path.absolute() for path in paths}
    found: dict[Path, str] = {}
    for path, whole in wholes.items():
        parts = whole.parts
        others = [one.parts for one in wholes.values() if one != whole]
        count = 1
        while count < len(parts) and any(one[-count:] == parts[-count:] for one in others):
            count += 1
        found[path] = "/".join(parts[-count:])
    return found


CAPACITY, LEARNING = "capacity", "capacity-learning"
"""Our own policy: told what a replica carries, as the peers are, and left to find that out."""


def own_contenders(
    attainments: Sequence[float] = (), *, learns: bool = False
) -> tuple[Contender, ...]:
    """Return our own policy, once for each attainment to ask for; none: the one of the job."""
    name = LEARNING if learns else CAPACITY
    if not attainments:
        return (Contender(name, Role.POLICY),)
    return tuple(
        Contender(f"{name}@{share:g}", Role.POLICY, setting=f"{share!r}") for share in attainments
    )


@lru_cache(maxsize=32)
def _read(path: str) -> tuple[Policy, ...]:
    report = read_policies(Path(path))
    if not report.is_valid:
        raise PolicyMistakesError(as_text(report.diagnostics).rstrip())
    if not report.policies:
        raise PolicyMistakesError(f"{path} holds no policy; name a file with `kind: ScalingPolicy`")
    return report.policies


def policy_of(
    contender: Contender, asked: float = 0.99, capacity: tuple[float, float] = (1.0, 1.0)
) -> Policy:
    """Return the policy that a contender stands for.

    Our own is for ``asked`` unless it has a setting, and for replicas of this ``capacity``: requests a
    second and requests in flight.
    """
    if not contender.source:
        learns = contender.name.startswith(LEARNING)
        share = float(contender.setting) if contender.setting else asked
        return default_policy(share, None if learns else capacity)
    name = contender.name.partition(" (")[0]
    return next(one for one in _read(contender.source) if one.name == name)


def peer_contenders(names: Sequence[str]) -> tuple[Contender, ...]:
    """Return peers by name; ``all`` is every one, ``NAME@KNOB=VALUE`` a setting of its grid.

    Raises ``PlanError`` for a name or a setting that there is not, with those that are near.
    """
    chosen: list[Contender] = []
    for text in names:
        if text == "all":
            chosen += [Contender(name, Role.PEER) for name in CATALOGUE]
        elif text != "none":
            name, _, setting = text.partition("@")
            _build_of(name, setting)
            chosen.append(Contender(text, Role.PEER, setting=setting))
    return tuple(dict.fromkeys(chosen))


def build_of(contender: Contender) -> Build:
    """Return what builds a peer."""
    return _build_of(contender.name.partition("@")[0], contender.setting)


def _build_of(name: str, setting: str) -> Build:
    from trimtab.policy.suggestions import did_you_mean

    peer = CATALOGUE.get(name)
    if peer is None:
        near = did_you_mean(name, CATALOGUE).replace("`", "")
        raise PlanError(
            f"no peer is called {name!r}; {near or 'there are ' + ', '.join(CATALOGUE)}"
        )
    if not setting:
        return peer.default
    if setting not in peer.grid:
        near = did_you_mean(setting, peer.grid).replace("`", "")
        some = ", ".join(list(peer.grid)[:4])
        raise PlanError(
            f"{name} has no setting {setting!r}; {near or f'its grid begins with {some}'}"
        )
    return peer.grid[setting]


def meant(pairs: Sequence[tuple[str, str]]) -> dict[str, Meaning]:
    """Return what signals mean whose queries nobody knows, as the command line says it."""
    return {
        signal: Meaning(field.removesuffix("/replica"), is_per_replica=field.endswith("/replica"))
        for signal, field in pairs
    }


def bounds(
    policies: Sequence[Contender], given_min: int | None, given_max: int | None
) -> tuple[int, int | None]:
    """Return the range for every contender: as given, else as the policies say, else from 1 on.

    Of several policies the widest range, so that none is held to another one's; a policy's own bounds
    still hold for itself. The maximum is ``None`` where nobody says one.
    """
    read = [policy_of(one) for one in policies]
    lowest = [one.min_replicas for one in read if one.min_replicas is not None]
    highest = [one.max_replicas for one in read if one.max_replicas is not None]
    low = given_min if given_min is not None else min(lowest, default=1)
    high = given_max if given_max is not None else max(highest, default=None)
    if given_max is not None and given_max > ROOM_MOST:
        raise PlanError(f"--max {given_max} is out of range; give {ROOM_MOST:,} or less")
    if high is not None and high < max(1, low):
        raise PlanError(
            f"replicas from {low} to {high} is no range; give a --max of 1 or more that is no less than --min"
        )
    return low, high


def room_for(load: Load) -> int:
    """Return a maximum that decides nothing for this load."""
    return max(REPLICAS_MAX_LEAST, math.ceil(ROOM_ABOVE_PEAK * load.need_peak))


def jobs_of(
    template: Job,
    loads: Sequence[tuple[str, LoadSpec]],
    contenders: Sequence[Contender],
    seeds: int,
) -> Iterator[Job]:
    """Yield a job for every load, contender and seed; seeds begin at 1."""
    for trace, load in loads:
        for contender in contenders:
            for seed in range(1, seeds + 1):
                yield replace(template, load=load, trace=trace, contender=contender, seed=seed)
