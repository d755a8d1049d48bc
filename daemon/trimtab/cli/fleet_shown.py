"""What is ordered for the whole fleet, as ``trimtab policies`` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from trimtab.cli.tables import print_table, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.policy import Policy
    from trimtab.policy.effective import EffectiveValue
    from trimtab.policy.fleet_document import FleetDocument
    from trimtab.policy.group_document import GroupDocument
    from trimtab.policy.place import Located


@dataclass(frozen=True, slots=True)
class FleetShown:
    """The documents of ``kind: Fleet`` and ``kind: Group`` of a path, and what they come to together."""

    policy: FleetPolicy
    fleets: tuple[Located[FleetDocument], ...]
    groups: tuple[Located[GroupDocument], ...]

    def print_list(self) -> None:
        """One line for each document; nothing where there is none."""
        rows = [
            (
                "Fleet",
                place.document.metadata.name,
                _summary(place.document),
                place.document.metadata.owner or "-",
                place.origin,
            )
            for place in self.fleets
        ]
        rows += [
            (
                "Group",
                place.document.metadata.name,
                ", ".join(one.deployment for one in place.document.spec.members),
                place.document.metadata.owner or "-",
                place.origin,
            )
            for place in self.groups
        ]
        if rows:
            typer.echo()
            print_table(("kind", "name", "says", "owner", "from"), rows)

    def print_values(self) -> None:
        """Every value and where it is from."""
        from trimtab.policy.fleet_values import fleet_values, group_values

        _print_values("the fleet", fleet_values(self.fleets))
        for place in self.groups:
            _print_values(f"the group {place.document.metadata.name}", group_values(place))

    def as_json(self) -> dict[str, Any]:
        """All of it for a program; nothing where there are no such documents."""
        from trimtab.policy.fleet_values import fleet_values, group_values

        document: dict[str, Any] = {}
        if self.fleets:
            document["fleet"] = {
                "origins": [place.origin for place in self.fleets],
                "values": _values_as_json(fleet_values(self.fleets)),
            }
        if self.groups:
            document["groups"] = [
                {
                    "name": place.document.metadata.name,
                    "origin": place.origin,
                    "values": _values_as_json(group_values(place)),
                }
                for place in self.groups
            ]
        return document

    def of_deployment(self, deployment: Deployment, policy: Policy) -> list[tuple[str, str, str]]:
        """Whose a deployment is and how it stands beside others, as rows; none without a Fleet."""
        from trimtab.core.fleet_policy import priority_of

        if not self.fleets:
            return []
        team = self.policy.team_of(deployment)
        line = self._line_of(team.name)
        rows = [("team", team.name or "none", line or "no team fits it")]
        says_team = line is not None and team.priority is not None
        rows.append(
            ("priority in the fleet", str(priority_of(team, policy)), line or "")
            if says_team
            else ("priority in the fleet", str(priority_of(team, policy, deployment)), "policy")
        )
        usd = self.policy.usd_an_hour(deployment.shape.accelerator_type)
        each = deployment.shape.accelerators_per_replica
        if usd is not None and each is not None:
            price = self.policy.prices[deployment.shape.accelerator_type or ""]
            rows.append(("dollars a replica-hour", f"{usd * each:.2f}", price.source))
        return rows

    def _line_of(self, team: str) -> str | None:
        for place in self.fleets:
            for index, one in enumerate(place.document.spec.teams):
                if one.name == team:
                    return place.line(("spec", "teams", index, "name"))
        return None


def quota_ceiling(fleet: FleetPolicy, deployment: Deployment) -> tuple[int, str] | None:
    """Return how many replicas the quotas of the files allow one deployment, and why; ``None``: any number."""
    from trimtab.core.allocation.words import ceiling_words
    from trimtab.core.fleet_policy import pools_around

    each, kind = deployment.shape.accelerators_per_replica, deployment.shape.accelerator_type
    if not each or kind is None:
        return None
    pools = pools_around(deployment)
    ends = [ceiling_words(quota, each) for quota in fleet.quotas if quota.pool in pools]
    return min(ends, default=None)


def _summary(fleet: FleetDocument) -> str:
    spec = fleet.spec
    periods = [] if spec.spend is None else list(spec.spend.model_fields_set)
    parts = [
        f"{len(items)} {word}{'' if len(items) == 1 else 's'}"
        for items, word in (
            (spec.quotas, "quota"),
            (spec.prices, "price"),
            (periods, "limit"),
            (spec.teams, "team"),
        )
        if items
    ]
    return ", ".join([*parts, *(["defaults"] if spec.defaults is not None else [])]) or "-"


def _print_values(title: str, values: Sequence[EffectiveValue]) -> None:
    if values:
        typer.echo(f"\n{title}")
        rows = [(one.key, shown(one.value), one.origin) for one in values]
        print_table(("value", "is", "from"), rows)


def _values_as_json(values: Sequence[EffectiveValue]) -> list[dict[str, Any]]:
    return [{"key": one.key, "value": one.value, "origin": one.origin} for one in values]
