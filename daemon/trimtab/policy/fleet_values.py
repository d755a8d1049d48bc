"""What the Fleets and Groups of a path come to, with where each value is from, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.core.fleet_policy import Pool
from trimtab.policy.durations import format_duration
from trimtab.policy.effective import EffectiveValue, Source, plain
from trimtab.policy.inherited import SECTION
from trimtab.policy.limits import limits_of
from trimtab.policy.prices import SHIPPED_PRICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trimtab.policy.fleet_document import FleetDocument, TeamDocument
    from trimtab.policy.group_document import GroupDocument
    from trimtab.policy.place import Located
    from trimtab.policy.yaml_nodes import Node, Path

    FleetPlace = Located[FleetDocument]

SETTINGS = (("timezone", "UTC"), ("preemption", "never"), ("hold", "30m"), ("patience", "15m"))
"""What only one file says, and what holds where none does."""


def fleet_values(places: Sequence[FleetPlace]) -> tuple[EffectiveValue, ...]:
    """Everything that is ordered for the fleet, of all files together; nothing without a file."""
    return tuple(_values(places)) if places else ()


def _values(places: Sequence[FleetPlace]) -> Iterator[EffectiveValue]:
    for key, default in SETTINGS:
        yield _setting(places, key, default)
    for place in places:
        for index, quota in enumerate(place.document.spec.quotas):
            pool = Pool(quota.accelerator, quota.region, quota.account)
            yield _said(place, f"quotas.{pool}", quota.max, ("spec", "quotas", index))
    yield from _prices(places)
    for place in places:
        for period, limit in limits_of(place.document.spec):
            path: Path = ("spec", "spend", period.value)
            yield _said(place, f"spend.{period}.usd", limit.usd, (*path, "usd"))
            yield _said(place, f"spend.{period}.warnAt", limit.warn_at, (*path, "warnAt"))
    for place in places:
        for index, team in enumerate(place.document.spec.teams):
            yield from _team(place, team, ("spec", "teams", index))
    for place in places:
        yield from _defaults(place)


def _defaults(place: FleetPlace) -> Iterator[EffectiveValue]:
    if not place.is_given(SECTION):
        return
    for path, node in _leaves(place.root.find(SECTION)[1], SECTION):
        key = ".".join(str(step) for step in path[1:])
        yield _said(place, key, plain(node.data), path)


def _said(place: Located[Any], key: str, value: Any, path: Path) -> EffectiveValue:
    if place.is_given(path):
        written = place.root.find(path)[1].data
        if isinstance(written, int | float):
            value = written  # 160 stays 160
        return EffectiveValue(key, value, Source.FILE, place.line(path))
    return EffectiveValue(key, value, Source.DEFAULT, Source.DEFAULT)


def _setting(places: Sequence[FleetPlace], key: str, default: str) -> EffectiveValue:
    path: Path = ("spec", key)
    for place in places:
        if place.is_given(path):
            return _said(place, key, place.root.find(path)[1].data, path)
    return EffectiveValue(key, default, Source.DEFAULT, Source.DEFAULT)


def _prices(places: Sequence[FleetPlace]) -> Iterator[EffectiveValue]:
    said = set()
    for place in places:
        for kind, usd in place.document.spec.prices.items():
            said.add(kind)
            yield _said(place, f"prices.{kind}", usd, ("spec", "prices", kind))
    for kind, price in SHIPPED_PRICES.items():
        if kind not in said:
            yield EffectiveValue(f"prices.{kind}", price.usd_an_hour, Source.DEFAULT, price.source)


def _team(place: FleetPlace, team: TeamDocument, path: Path) -> Iterator[EffectiveValue]:
    key = f"teams.{team.name}"
    whose = team.deployments
    named: dict[str, Any] = {} if whose.names is None else {"names": list(whose.names)}
    marked: dict[str, Any] = {} if whose.annotations is None else {"annotations": whose.annotations}
    yield _said(place, f"{key}.deployments", named | marked, (*path, "deployments"))
    yield _said(place, f"{key}.priority", team.priority, (*path, "priority"))
    yield _said(place, f"{key}.weight", team.weight, (*path, "weight"))
    for word in ("guaranteed", "borrow", "lend"):
        yield _said(place, f"{key}.{word}", getattr(team, word), (*path, word))
    yield _said(place, f"{key}.protected", team.protected, (*path, "protected"))


def _leaves(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    if not isinstance(node.children, dict):
        yield path, node
        return
    for name, (_, value) in node.children.items():
        yield from _leaves(value, (*path, name))


def group_values(place: Located[GroupDocument]) -> tuple[EffectiveValue, ...]:
    """Everything that one group comes to. A value that is left out is learned, or worked out."""
    return tuple(_group(place))


def _group(place: Located[GroupDocument]) -> Iterator[EffectiveValue]:
    spec = place.document.spec
    for index, member in enumerate(spec.members):
        path: Path = ("spec", "members", index)
        key = f"members.{member.deployment.rpartition('/')[2]}"
        yield _said(place, f"{key}.deployment", member.deployment, (*path, "deployment"))
        for word, value, otherwise in (
            ("requestsPerSecond", member.requests_per_second, "learned"),
            ("usdPerHour", member.usd_per_hour, "its accelerators at the fleet's prices"),
        ):
            said = _said(place, f"{key}.{word}", value, (*path, word))
            is_given = said.source is Source.FILE
            yield said if is_given else EffectiveValue(said.key, None, said.source, otherwise)
    horizon = format_duration(spec.horizon)
    yield _said(place, "horizon", horizon, ("spec", "horizon"))
    yield _said(place, "missPrice", spec.miss_price, ("spec", "missPrice"))
