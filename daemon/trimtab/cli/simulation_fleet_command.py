"""From a command line to the runs of a fleet: which load, hardware and traits each deployment has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.cli.simulation_fleet import (
    NO_TRAITS,
    FleetJob,
    Placed,
    Traits,
    Wanted,
    check_prices,
    contenders,
    fleet_of,
    place_all,
    policies_of,
    read_together,
)
from trimtab.cli.simulation_plan import (
    DAY_SECONDS,
    MEAN_NEED_DEFAULT,
    SHARE_OF_MAX,
    LoadSpec,
    PlanError,
    peer_contenders,
    prepared,
)
from trimtab.core.deployment import Deployment
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.policy import read_policies
from trimtab.policy.suggestions import did_you_mean
from trimtab.simulation.inputs import PRESETS, SYNTHETIC, Options, parse_columns, read_presets
from trimtab.simulation.inputs.presets import by_name
from trimtab.simulation.scenario import STARTED_AT, Resolution

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trimtab.cli.simulation_command import Asked
    from trimtab.core.policy import Policy
    from trimtab.policy import LoadReport
    from trimtab.simulation.inputs import Preset

REGION, MODEL = "region", "model"
"""Traits that are not annotations."""

_DEFAULT_LOAD = "day"


def is_fleet(asked: Asked) -> bool:
    """Whether several deployments are to be run with each other: there is a Fleet or a Group, or a --load."""
    if asked.loads or asked.traits or any("=" in text for text in asked.preset):
        return True
    # File by file: two versions of a policy may be compared, and could not lie in one directory.
    return any(read_policies(path).fleet != NO_FLEET_POLICY for path in asked.policies or ())


def plan_fleet(asked: Asked, meanings: tuple[tuple[str, str], ...], age: float) -> list[FleetJob]:
    """Return every run of the fleet that was asked for. Raises ``AuthorError`` for what cannot be."""
    from trimtab.cli.simulation_command import moment

    _check(asked)
    sources = _sources(asked)
    report = read_together(sources) if sources else None
    fleet = fleet_of(sources)
    default, presets = _presets(asked)
    members = place_all(
        tuple(_wanted(asked, report)), report, presets, default, _traits(asked.traits or ())
    )
    check_prices(members, fleet)
    resolution = Resolution(asked.resolution)
    if resolution is Resolution.REQUESTS and any(one.group for one in members):
        raise PlanError(
            "a load that a group shares is divided as a flow; use --resolution fluid for groups"
        )
    for one in members:
        prepared(one.load, one.sized_by, 1)  # a mistake in a load is told before anything runs
    peers = peer_contenders(() if asked.peers is None else asked.peers)
    return [
        FleetJob(
            sources=sources,
            members=members,
            contender=contender,
            seed=seed,
            meanings=meanings,
            metric_age_seconds=age,
            disturbances=tuple(asked.disturb or ()),
            replicas_max=asked.replicas_max,
            resolution=resolution,
            asked_attainment=asked.attainment,
            started_at=STARTED_AT if asked.start is None else moment("--start", asked.start),
        )
        for contender in contenders(fleet, peers)
        for seed in range(1, asked.seeds + 1)
    ]


def _sources(asked: Asked) -> tuple[str, ...]:
    return tuple(str(path) for path in asked.policies or ())


def _check(asked: Asked) -> None:
    """Refuse what is about one load, or about one deployment."""
    if asked.quota is not None:
        raise PlanError(
            "--quota is for deployments of one load; of a fleet state spec.quotas in a Fleet"
        )
    if asked.replicas_min is not None:
        raise PlanError("--min is for one deployment; of a fleet state spec.bounds in its policies")
    given = [*(asked.traces or ()), *(asked.workloads or ())]
    if asked.loads and given:
        raise PlanError(
            f"{given[0]} is for every deployment and --load for one; give --load NAME={given[0]} as well"
        )
    if len(given) > 1:
        raise PlanError(
            f"a fleet runs with one load for all, or a --load for each; got {len(given)}"
        )


def _presets(asked: Asked) -> tuple[Preset, dict[str, Preset]]:
    """Return the preset for all, and those of deployments by name."""
    from trimtab.cli.simulation_command import plain_preset, with_lead

    known = PRESETS if asked.presets is None else read_presets(asked.presets)
    found: dict[str, Preset] = {}
    for text in asked.preset:
        name, sign, preset = text.partition("=")
        if sign:
            if not name.strip():
                raise PlanError(f"--preset {text!r} is not NAME=PRESET; name a deployment")
            found[name.strip()] = with_lead(asked, by_name(preset.strip(), known))
    return with_lead(asked, by_name(plain_preset(asked), known)), found


def _traits(texts: Sequence[str]) -> dict[str, Traits]:
    found: dict[str, Traits] = {}
    for text in texts:
        name, _, trait = text.partition("=")
        key, _, value = trait.partition(":")
        if not (name.strip() and key.strip() and value.strip()):
            raise PlanError(
                f"--trait {text!r} is not NAME=KEY:VALUE; write it as in batch=team:research"
            )
        before, value = found.get(name.strip(), NO_TRAITS), value.strip()
        if key.strip() == REGION:
            after = before._replace(region=value)
        elif key.strip() == MODEL:
            after = before._replace(base_model=value)
        else:
            after = before._replace(annotations=(*before.annotations, (key.strip(), value)))
        found[name.strip()] = after
    return found


def _wanted(asked: Asked, report: LoadReport | None) -> Iterator[Wanted]:
    """Yield the loads that were asked for; without --load one for every group and for everybody in none."""
    for text in asked.loads or ():
        name, sign, load = text.partition("=")
        if not (sign and name.strip() and load.strip()):
            raise PlanError(
                f"--load {text!r} is not NAME=LOAD; write it as in chat=load.csv, or chat=day@8"
            )
        yield _load(asked, report, name.strip(), load.strip(), f"--load {name.strip()}")
    if asked.loads:
        return
    if report is None or not report.policies:
        raise PlanError("no deployment is named; give --load NAME=LOAD for each, as in chat=day@8")
    names = [group.name for group in report.groups]
    names += [one.name for one in report.policies if not _is_of_group(one, report)]
    given = [*(asked.traces or ()), *(asked.workloads or ())]
    load = str(given[0]) if given else _DEFAULT_LOAD
    for name in names:
        yield _load(asked, report, name, load, "--trace" if asked.traces else "--workload")


def _is_of_group(policy: Policy, report: LoadReport) -> bool:
    """Whether a policy decides for members of groups."""
    names = (member.deployment for group in report.groups for member in group.members)
    return any(
        policy.selector.matches(Deployment(name=name, display_name=name.rpartition("/")[2]))
        or policy.name == name.rpartition("/")[2]
        for name in names
    )


def _load(asked: Asked, report: LoadReport | None, name: str, text: str, flag: str) -> Wanted:
    """Return a load of ``LOAD[@N]``: a file or a made-up one, sized to a mean need of N replicas."""
    source, sign, number = text.rpartition("@")
    mean = asked.scale_to_mean
    if sign and not Path(text).is_file():
        try:
            mean = float(number)
        except ValueError:
            mean = 0.0
        if not 0.0 < mean < float("inf"):
            raise PlanError(f"{flag}={text}: {number!r} is no mean need; write it as in day@8")
    else:
        source = text
    span = None if asked.days is None else asked.days * DAY_SECONDS
    if source in SYNTHETIC:
        size = _size(report, name) if mean is None else mean
        return Wanted(name, LoadSpec(source=source, scale_to_mean=size, span_seconds=span), source)
    path = Path(source)
    if not path.is_file():
        near = did_you_mean(source, SYNTHETIC).replace("`", "")
        raise PlanError(
            f"{flag}={text}: there is no file {source}, and no made-up load is called so; "
            f"{near or 'trimtab simulate --workload list shows them'}"
        )
    columns = None if asked.columns is None else parse_columns(asked.columns)
    spec = LoadSpec(
        source=source, options=Options(columns=columns), scale_to_mean=mean, span_seconds=span
    )
    return Wanted(name, spec, path.name.split(".")[0] or path.name)


def _size(report: LoadReport | None, name: str) -> float:
    """Return the mean need of a made-up load without a size: a share of the policy's maximum."""
    policies = () if report is None else report.policies
    most = next((one.max_replicas for one in policies if one.name == name), None)
    return MEAN_NEED_DEFAULT if most is None else SHARE_OF_MAX * most


def notes_on_members(members: Sequence[Placed], sources: tuple[str, ...]) -> list[str]:
    """Return which policies and orders of the files concern no deployment of the run."""
    from trimtab.cli.simulation_fleet import described
    from trimtab.core.fleet_fit import orders_for_nobody

    used = {one.policy for one in members}
    notes = [
        f"the policy {one.name} decides for none of the deployments"
        for one in policies_of(sources)
        if one.name not in used
    ]
    notes += orders_for_nobody(fleet_of(sources), [described(one) for one in members])
    return [f"{note[0].upper()}{note[1:]}." for note in notes]
