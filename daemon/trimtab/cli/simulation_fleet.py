"""What ``trimtab simulate`` runs of a fleet: several deployments at once, each with its load and hardware.

As with a ``Job`` of one load, what travels to a process is names, numbers and paths; it reads the files itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trimtab.cli.simulation_plan import Contender, LoadSpec, PlanError, PolicyMistakesError
from trimtab.core.deployment import Deployment, Shape
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.policy import LoadReport, as_text, read_policies, read_policy_texts
from trimtab.policy.prices import KNOWN_TYPES
from trimtab.policy.suggestions import did_you_mean
from trimtab.simulation.report.study import Role
from trimtab.simulation.scenario import STARTED_AT, Resolution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.group import Group
    from trimtab.core.policy import Policy
    from trimtab.simulation.inputs import Preset

ACCOUNT = "accounts/simulation/deployments/"
"""What goes before a name that is given without an account."""

TOGETHER = "trimtab"
"""What the engine is called where it decides for all deployments with the files of the fleet."""

ALONE = "each-alone"
"""The same policies without the files of the fleet: quotas are the platform's, first come, first served."""

ALL = "all deployments"
"""What the row of the whole fleet is called."""


class Traits(NamedTuple):
    """What policies and teams select by, besides the name."""

    region: str = ""
    base_model: str = ""
    annotations: tuple[tuple[str, str], ...] = ()


NO_TRAITS = Traits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One deployment of a simulated fleet, by its full name.

    ``policy`` is the one that decides for it, "" the default policy. With ``group`` the load is that of the group,
    and ``sized_by`` what its size is counted in: replicas of this preset.
    """

    name: str
    load: LoadSpec
    load_name: str
    preset: Preset
    sized_by: Preset
    accelerator_type: str
    policy: str = ""
    group: str = ""
    traits: Traits = NO_TRAITS

    @property
    def title(self) -> str:
        """The last part of the name, as people call it."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetJob:
    """One run: all deployments with one seed, and who decides for them."""

    sources: tuple[str, ...]
    members: tuple[Placed, ...]
    contender: Contender
    seed: int
    trace: str = ALL
    meanings: tuple[tuple[str, str], ...] = ()
    metric_age_seconds: float = 30.0
    disturbances: tuple[str, ...] = ()
    replicas_max: int | None = None
    resolution: Resolution = Resolution.FLUID
    asked_attainment: float = 0.99
    tick_seconds: int = 15
    started_at: float = STARTED_AT
    keeps_timeline: bool = field(default=True)


def described(placed: Placed) -> Deployment:
    """Return a deployment as the control plane would describe it."""
    traits = placed.traits
    return Deployment(
        name=placed.name,
        display_name=placed.title,
        base_model=traits.base_model,
        region=traits.region,
        annotations=dict(traits.annotations),
        shape=Shape(
            accelerator_type=placed.accelerator_type,
            accelerators_per_replica=placed.preset.accelerators_per_replica,
        ),
    )


@lru_cache(maxsize=8)
def read_together(sources: tuple[str, ...]) -> LoadReport:
    """Return what all these files and directories come to, as if they lay in one directory.

    Raises ``PolicyMistakesError`` with every mistake, and where nothing is in them.
    """
    reports = [read_policies(Path(source)) for source in sources]
    report = reports[0] if len(reports) == 1 else None
    if report is None:
        unreadable = [one for one in reports if not one.is_valid and not one.files]
        texts = {file.file: file.text for one in reports for file in one.files}
        report = unreadable[0] if unreadable else read_policy_texts(texts.items())
    if not report.is_valid:
        raise PolicyMistakesError(as_text(report.diagnostics).rstrip())
    if not report.policies and report.fleet == NO_FLEET_POLICY:
        raise PolicyMistakesError(
            f"{', '.join(sources)} holds no policy; name a file with `kind: ScalingPolicy`"
        )
    return report


def fleet_of(sources: tuple[str, ...]) -> FleetPolicy:
    """Return what the files order for the fleet; without files nothing."""
    return read_together(sources).fleet if sources else NO_FLEET_POLICY


def policies_of(sources: tuple[str, ...]) -> tuple[Policy, ...]:
    """Return the policies of the files; without files none."""
    return read_together(sources).policies if sources else ()


def accelerator_type_of(preset: Preset, fleet: FleetPolicy) -> str:
    """Return the type that a preset runs on, as quotas and prices name it: H100 is NVIDIA_H100_80GB.

    Raises ``PlanError`` for one that nobody knows.
    """
    ordered = [quota.pool.accelerator_type for quota in fleet.quotas]
    known = tuple(dict.fromkeys((*ordered, *fleet.prices, *KNOWN_TYPES)))
    text = preset.accelerator
    if text in known:
        return text
    found = next((one for one in known if one.split("_")[1:2] == [text]), None)
    if found is None:
        near = did_you_mean(text, known).replace("`", "")
        raise PlanError(
            f"preset {preset.name} runs on {text!r}, which is no known type of accelerator; "
            f"{near or 'write one as in NVIDIA_H100_80GB, or give it a price in a Fleet'}"
        )
    return found


def check_prices(members: Sequence[Placed], fleet: FleetPolicy) -> None:
    """Refuse a fleet that limits spending and does not say what something costs: it would not grow."""
    for one in members:
        if fleet.spend_limits and fleet.usd_an_hour(one.accelerator_type) is None:
            raise PlanError(
                f"there is no price for {one.accelerator_type}, on which {one.title} runs, and spending "
                "is limited; state it under spec.prices of the Fleet"
            )


class Wanted(NamedTuple):
    """A load as it was asked for: of a deployment or a group of this name."""

    name: str
    load: LoadSpec
    load_name: str


def place_all(
    wanted: Sequence[Wanted],
    report: LoadReport | None,
    presets: dict[str, Preset],
    default: Preset,
    traits: dict[str, Traits],
) -> tuple[Placed, ...]:
    """Return the deployments that these loads are for, in their order; groups give all their members.

    ``presets`` and ``traits`` are by the name that was given. Raises ``PlanError`` for what fits nothing.
    """
    placing = _Placing(report, presets, default, traits)
    found: list[Placed] = []
    for one in wanted:
        group = next((group for group in placing.groups if group.name == one.name), None)
        if group is None:
            found.append(placing.alone(one))
        else:
            found += placing.together(one, group)
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(
                f"{name.rpartition('/')[2]} is given two loads; give it one, by its own name or its group's"
            )
    placing.check_groups(names)
    placing.check_names(found)
    return tuple(found)


class _Placing:
    def __init__(
        self,
        report: LoadReport | None,
        presets: dict[str, Preset],
        default: Preset,
        traits: dict[str, Traits],
    ) -> None:
        self.policies = () if report is None else report.policies
        self.groups: tuple[Group, ...] = () if report is None else report.groups
        self._fleet = NO_FLEET_POLICY if report is None else report.fleet
        self._presets, self._default, self._traits = presets, default, traits

    def alone(self, one: Wanted) -> Placed:
        """Return the deployment that a load of its own is for."""
        return self._placed(self._full_name(one.name), one)

    def together(self, one: Wanted, group: Group) -> list[Placed]:
        """Return the members of a group that share a load."""
        found = [self._placed(member.deployment, one) for member in group.members]
        return [replace(member, group=group.name, sized_by=found[0].preset) for member in found]

    def _placed(self, name: str, wanted: Wanted) -> Placed:
        title = name.rpartition("/")[2]
        preset = self._presets.get(title) or self._presets.get(name) or self._default
        placed = Placed(
            name=name,
            load=wanted.load,
            load_name=wanted.load_name,
            preset=preset,
            sized_by=preset,
            accelerator_type=accelerator_type_of(preset, self._fleet),
            traits=self._traits.get(title) or self._traits.get(name) or NO_TRAITS,
        )
        return replace(placed, policy=self._policy(placed))

    def _full_name(self, name: str) -> str:
        if "/" in name:
            return name
        known = [policy.selector.name for policy in self.policies]
        known += [member.deployment for group in self.groups for member in group.members]
        ends = (one for one in known if one is not None and one.endswith(f"/{name}"))
        return next(ends, f"{ACCOUNT}{name}")

    def _policy(self, placed: Placed) -> str:
        """Return the policy that selects a deployment, else the one that is called as it is."""
        if not self.policies:
            return ""
        deployment = described(placed)
        found = [one.name for one in self.policies if one.selector.matches(deployment)]
        if len(found) == 1:
            return found[0]
        names = [one.name for one in self.policies]
        if placed.title in names:
            return placed.title
        if found:
            raise PlanError(
                f"{placed.title} is selected by {', '.join(found)}; let one policy select it"
            )
        known = (*names, *(group.name for group in self.groups))
        near = did_you_mean(placed.title, known).replace("`", "")
        raise PlanError(
            f"no policy selects a deployment {placed.title!r}, and no policy or group is called so; "
            f"{near or 'there are ' + ', '.join(known)}"
        )

    def check_groups(self, names: Sequence[str]) -> None:
        """Refuse a group of which nobody, or not everybody, has load: its mix would be another one."""
        for group in self.groups:
            missing = [one.deployment for one in group.members if one.deployment not in names]
            if missing and len(missing) == len(group.members):
                raise PlanError(
                    f"no member of the group {group.name} has load; give --load {group.name}=LOAD for "
                    "them to share, or leave its file out"
                )
            if missing:
                title = missing[0].rpartition("/")[2]
                raise PlanError(
                    f"{title}, a member of the group {group.name}, has no load; give --load "
                    f"{title}=LOAD, or --load {group.name}=LOAD for all members to share"
                )

    def check_names(self, members: Sequence[Placed]) -> None:
        """Refuse hardware and traits of a deployment that there is not."""
        known = {text for one in members for text in (one.name, one.title)}
        for flag, names in (("--preset", self._presets), ("--trait", self._traits)):
            for name in names:
                if name not in known:
                    titles = [one.title for one in members]
                    near = did_you_mean(name, titles).replace("`", "")
                    raise PlanError(
                        f"{flag} {name}: no deployment is called so; "
                        f"{near or 'there are ' + ', '.join(titles)}"
                    )


def contenders(fleet: FleetPolicy, peers: Sequence[Contender]) -> tuple[Contender, ...]:
    """Return who decides for the fleet in turn."""
    alone = () if fleet == NO_FLEET_POLICY else (Contender(ALONE, Role.REFERENCE),)
    return (Contender(TOGETHER, Role.POLICY), *peers, *alone)
