"""What the documents of a fleet mean by themselves, and beside each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Any

from trimtab.core.fleet_policy import Period, Pool
from trimtab.policy import codes
from trimtab.policy.limits import limits_of
from trimtab.policy.prices import KNOWN_TYPES, SHIPPED_PRICES
from trimtab.policy.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trimtab.policy.fleet_document import FleetDocument, TeamDocument
    from trimtab.policy.group_document import GroupDocument
    from trimtab.policy.place import Located, Place
    from trimtab.policy.yaml_nodes import Path

    FleetPlace = Located[FleetDocument]
    GroupPlace = Located[GroupDocument]

SINGLE_SETTINGS = ("timezone", "preemption", "hold", "patience", "defaults")
"""Of all files together, one says each of them."""

HOURS_MAX = {Period.HOUR: 1.0, Period.DAY: 25.0, Period.MONTH: 31 * 24.0 + 1}
"""The longest day and month there are: clocks are set back within them."""


def check_fleet(place: FleetPlace) -> None:
    """Note everything that deserves a second look within one Fleet."""
    _check_types(place)
    _check_limits(place)
    for index, team in enumerate(place.document.spec.teams):
        _check_team(place, team, ("spec", "teams", index))


def _types(place: FleetPlace) -> Iterator[tuple[str, Path, bool]]:
    """Every type that the document names, where, and whether that is a key."""
    spec = place.document.spec
    for index, quota in enumerate(spec.quotas):
        yield quota.accelerator, ("spec", "quotas", index, "accelerator"), False
    for kind in spec.prices:
        yield kind, ("spec", "prices", kind), True
    for index, team in enumerate(spec.teams):
        for key in ("guaranteed", "borrow", "lend"):
            for kind in getattr(team, key) or {}:
                yield kind, ("spec", "teams", index, key, kind), True


def _check_types(place: FleetPlace) -> None:
    priced = place.document.spec.prices
    elsewhere = {kind for kind, path, _ in _types(place) if path[1] != "prices"}
    # Whoever names a new type twice, with its price and in what it is priced for, means it.
    known = {*KNOWN_TYPES, *elsewhere.intersection(priced)}
    seen = set(known)
    for kind, path, is_key in _types(place):
        if kind not in seen:
            seen.add(kind)
            message = f"no type of accelerator was known as `{kind}` when this version was made"
            near = did_you_mean(kind, sorted(known))
            price = "" if kind in priced else ", and give it a price under `spec.prices`"
            hint = near or f"see that it is spelt right{price}"
            note = place.note_key if is_key else place.note
            note(codes.UNKNOWN_ACCELERATOR, path, message, hint)


def _check_limits(place: FleetPlace) -> None:
    for (short, less), (long, more) in pairwise(limits_of(place.document.spec)):
        ratio = HOURS_MAX[long] / HOURS_MAX[short]
        if more.usd > less.usd * ratio:
            message = (
                f"`spec.spend.{long}` of ${more.usd:,.0f} can never be reached: with ${less.usd:,.0f} "
                f"{_an(short)} it is ${less.usd * ratio:,.0f} at most"
            )
            hint = "lower it, or remove it"
            place.note(codes.NO_EFFECT, ("spec", "spend", long.value, "usd"), message, hint)


def _check_team(place: FleetPlace, team: TeamDocument, path: Path) -> None:
    guaranteed = team.guaranteed or {}
    for kind, count in (team.lend or {}).items():
        own = guaranteed.get(kind, 0)
        if count > own or own == 0:
            message = (
                f"`lend` of {count} has no effect: {own or 'none'} of {kind} {_are(own)} guaranteed"
            )
            hint = f"lend {own} at most" if own else "remove it, or guarantee some"
            place.note_key(codes.NO_EFFECT, (*path, "lend", kind), message, hint)
    if team.protected and not any(guaranteed.values()):
        message = (
            "`protected` has no effect: what it protects is what is guaranteed, which is nothing"
        )
        hint = "guarantee some, or remove it"
        place.note_key(codes.NO_EFFECT, (*path, "protected"), message, hint)


def check_fleet_together(
    fleets: Sequence[FleetPlace], groups: Sequence[GroupPlace], policies: Sequence[Place]
) -> None:
    """Note what of several files cannot stand beside each other; the later one gets the diagnostic."""
    if not fleets:
        _check_priorities(policies)
    _check_said_once(fleets)
    _check_guarantees(fleets)
    _check_prices(fleets)
    _check_patterns(fleets)
    _check_groups(groups)
    _check_members(groups, policies)


def _check_priorities(policies: Sequence[Place]) -> None:
    """Note who would come first where nothing is shared."""
    for place in policies:
        if "priority" in place.spec.model_fields_set:
            path: Path = ("spec", "priority")
            message = "`spec.priority` has no effect: without a Fleet nothing is shared"
            hint = "read it together with the file that has `kind: Fleet`, or remove it"
            place.note_key(codes.NO_EFFECT, path, message, hint)


@dataclass(slots=True)
class _Said:
    """Who said something first."""

    first: dict[object, tuple[Located[Any], Path]] = field(default_factory=dict)

    def once(self, place: Located[Any], thing: object, path: Path, words: str) -> bool:
        """Whether ``thing`` is said for the first time; else it is noted at ``path``."""
        other, there = self.first.setdefault(thing, (place, path))
        if other is place and there == path:
            return True
        message = f"{words} is said in {other.line(there)} already"
        note = place.note if isinstance(path[-1], int) else place.note_key
        note(codes.SAID_TWICE, path, message, "keep one of the two")
        return False


def _check_said_once(fleets: Sequence[FleetPlace]) -> None:
    said = _Said()
    for place in fleets:
        spec, name = place.document.spec, place.document.metadata.name
        said.once(place, ("fleet", name), ("metadata", "name"), f"the name `{name}` of a Fleet")
        for key in SINGLE_SETTINGS:
            if place.is_given(("spec", key)):
                said.once(place, ("setting", key), ("spec", key), f"`spec.{key}`")
        for index, quota in enumerate(spec.quotas):
            pool = Pool(quota.accelerator, quota.region, quota.account)
            said.once(place, pool, ("spec", "quotas", index), f"the quota of {pool}")
        for kind in spec.prices:
            said.once(place, ("price", kind), ("spec", "prices", kind), f"the price of {kind}")
        for period, _ in limits_of(spec):
            path: Path = ("spec", "spend", period.value)
            said.once(place, period, path, f"the limit of spending {_an(period)}")
        for index, team in enumerate(spec.teams):
            path = ("spec", "teams", index, "name")
            said.once(place, ("team", team.name), path, f"the team `{team.name}`")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _an(period: Period) -> str:
    return "an hour" if period is Period.HOUR else f"a {period.value}"


def _check_guarantees(fleets: Sequence[FleetPlace]) -> None:
    quotas: dict[str, tuple[int, str]] = {}
    for place in fleets:
        for index, one in enumerate(place.document.spec.quotas):
            is_of_all = one.region is None and one.account is None
            if is_of_all and one.max < quotas.get(one.accelerator, (inf, ""))[0]:
                quotas[one.accelerator] = one.max, place.line(("spec", "quotas", index))
    promised: dict[str, int] = {}
    for place in fleets:
        for index, team in enumerate(place.document.spec.teams):
            for kind, count in (team.guaranteed or {}).items():
                before = promised.get(kind, 0)
                promised[kind] = before + count
                if kind not in quotas or before + count <= quotas[kind][0]:
                    continue
                quota, line = quotas[kind]
                others = f" and {before} to others" if before else ""
                message = (
                    f"{count} {kind} {_are(count)} guaranteed to `{team.name}`{others}, but the quota in "
                    f"{line} is {quota}"
                )
                left = quota - before
                hint = f"guarantee {left} at most, or less to others" if left > 0 else ""
                path = ("spec", "teams", index, "guaranteed", kind)
                hint = hint or "guarantee less to others, or raise the quota"
                place.note(codes.GUARANTEED_ABOVE_QUOTA, path, message, hint)


def _check_prices(fleets: Sequence[FleetPlace]) -> None:
    priced = {*SHIPPED_PRICES, *(kind for one in fleets for kind in one.document.spec.prices)}
    is_limited = any(place.document.spec.spend is not None for place in fleets)
    consequence = (
        "nothing on it grows, because spending is limited"
        if is_limited
        else "what runs on it is counted without its cost"
    )
    for place in fleets:
        seen = set(priced)
        for kind, path, is_key in _types(place):
            if (
                kind not in seen and kind in KNOWN_TYPES
            ):  # of others it is said that they are unknown
                seen.add(kind)
                note = place.note_key if is_key else place.note
                message = f"there is no price for {kind}: {consequence}"
                hint = f"write what it costs an hour under `spec.prices`: `{kind}: …`"
                note(codes.NO_PRICE, path, message, hint)


def _check_patterns(fleets: Sequence[FleetPlace]) -> None:
    """Note patterns that another team, which comes first, has already."""
    first: dict[str, tuple[FleetPlace, Path, str]] = {}
    for place in fleets:
        for index, team in enumerate(place.document.spec.teams):
            for number, pattern in enumerate(team.deployments.names or ()):
                path: Path = ("spec", "teams", index, "deployments", "names", number)
                other, there, owner = first.setdefault(pattern, (place, path, team.name))
                if (other, there) == (place, path):
                    continue
                message = (
                    f"the pattern has no effect: team `{owner}` in {other.line(there)} has the same, "
                    "and comes first"
                )
                place.note(codes.NO_EFFECT, path, message, "remove one of the two")


def _check_groups(groups: Iterable[GroupPlace]) -> None:
    said = _Said()
    members: dict[str, tuple[GroupPlace, Path]] = {}
    for place in groups:
        name = place.document.metadata.name
        said.once(place, name, ("metadata", "name"), f"the name `{name}` of a Group")
        for index, member in enumerate(place.document.spec.members):
            path: Path = ("spec", "members", index, "deployment")
            other, there = members.setdefault(member.deployment, (place, path))
            if (other, there) != (place, path):
                message = f"`{member.deployment}` is a member in {other.line(there)} already"
                place.note(codes.IN_TWO_GROUPS, path, message, "keep one of the two")


def _check_members(groups: Iterable[GroupPlace], policies: Sequence[Place]) -> None:
    named = {place.spec.deployments.name for place in policies}
    if not named or None in named:
        return  # none was read, or whom a pattern matches shows only at run time
    groups = tuple(groups)
    members = {one.deployment for place in groups for one in place.document.spec.members}
    others = sorted(one for one in named if one is not None and one not in members)
    for place in groups:
        for index, member in enumerate(place.document.spec.members):
            if member.deployment not in named:
                message = f"no policy names `{member.deployment}`, so nobody decides for it"
                hint = did_you_mean(member.deployment, others)
                path = ("spec", "members", index, "deployment")
                place.note(codes.MEMBER_WITHOUT_POLICY, path, message, hint or "write a policy")
