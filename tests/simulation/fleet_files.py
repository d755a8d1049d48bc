"""The fleet file as the world's SREs write it, and which versions of it may be in force at a moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

H100, A100 = "NVIDIA_H100_80GB", "NVIDIA_A100_80GB"
PRICES = {H100: 6.0, A100: 3.0}
"""US dollars an accelerator-hour. They never change, so that what was spent is known from outside."""

SHAPES = (
    *("llama-8b-minimal", "llama-8b-minimal", "llama-70b-throughput", "gpt-oss-120b-throughput"),
    *("llama-8b-economy", "llama-70b-economy"),
)
"""Of 1, 1, 4 and 4 H100, and of 1 and 4 A100."""

ZONES = ("UTC", "Atlantic/Cape_Verde", "Atlantic/South_Georgia", "America/Los_Angeles")
"""Worlds begin at midnight UTC on the first of a month: it ends 1, 2 and 8 hours later in these."""


@dataclass(frozen=True, kw_only=True)
class TeamSpec:
    """A team by the ids of its deployments. Accelerators are of ``H100``; ``None``: the key is left out."""

    name: str
    ids: tuple[str, ...]
    priority: int | None
    weight: float
    guaranteed: int
    borrow: int | None
    lend: int | None
    is_protected: bool

    def as_yaml(self) -> str:
        parts = [
            f"name: {self.name}",
            f"deployments: {{names: [{', '.join(self.ids)}]}}",
            f"weight: {self.weight:g}",
        ]
        if self.priority is not None:
            parts.append(f"priority: {self.priority}")
        if self.guaranteed:
            parts.append(f"guaranteed: {{{H100}: {self.guaranteed}}}")
            parts.append(f"protected: {str(self.is_protected).lower()}")
            if self.lend is not None:
                parts.append(f"lend: {{{H100}: {min(self.lend, self.guaranteed)}}}")
        if self.borrow is not None:
            parts.append(f"borrow: {{{H100}: {self.borrow}}}")
        return f"    - {{{', '.join(parts)}}}"


@dataclass(frozen=True, kw_only=True)
class FleetSpec:
    """One fleet document, by the numbers that are checked from outside. A limit that is ``None`` is not set."""

    quotas: tuple[tuple[str, int], ...]
    hour_usd: float | None
    day_usd: float | None
    month_usd: float | None
    timezone: str
    teams: tuple[TeamSpec, ...]
    is_preempting: bool
    hold: int
    patience: int

    @property
    def guaranteed(self) -> int:
        """What all teams together are guaranteed, in H100."""
        return sum(team.guaranteed for team in self.teams)

    @property
    def protected_usd_an_hour(self) -> float:
        """What limits of spending never take."""
        return PRICES[H100] * sum(one.guaranteed for one in self.teams if one.is_protected)

    @property
    def is_spend_limited(self) -> bool:
        return (self.hour_usd, self.day_usd, self.month_usd) != (None, None, None)

    def quota(self, kind: str) -> int | None:
        """Return how many accelerators of ``kind`` there are; ``None``: the file does not say."""
        return dict(self.quotas).get(kind)

    def team_of(self, name: str) -> TeamSpec | None:
        """Return whose the deployment of that resource name is."""
        own = name.rpartition("/")[2]
        return next((team for team in self.teams if own in team.ids), None)

    def as_yaml(self) -> str:
        prices = ", ".join(f"{kind}: {usd:g}" for kind, usd in PRICES.items())
        lines = [
            "apiVersion: trimtab.dev/v1",
            "kind: Fleet",
            "metadata: {name: world, owner: simulation}",
            "spec:",
            f"  timezone: {self.timezone}",
            f"  prices: {{{prices}}}",
            f"  preemption: {'lower-priority' if self.is_preempting else 'never'}",
            f"  hold: {self.hold}s",
            f"  patience: {self.patience}s",
        ]
        if self.quotas:
            lines.append("  quotas:")
            lines += [f"    - {{accelerator: {kind}, max: {most}}}" for kind, most in self.quotas]
        limits = (("hour", self.hour_usd), ("day", self.day_usd), ("month", self.month_usd))
        spend = [f"{period}: {{usd: {usd:g}}}" for period, usd in limits if usd is not None]
        if spend:
            lines.append(f"  spend: {{{', '.join(spend)}}}")
        if self.teams:
            lines.append("  teams:")
            lines += [team.as_yaml() for team in self.teams]
        return "\n".join([*lines, ""])


def draw_fleet(rng: Random, deployments: int) -> FleetSpec:
    """Return what somebody might order for a world of so many deployments."""
    scale = max(1, deployments // 6)
    teams = tuple(
        _draw_team(rng, number, deployments) for number in range(rng.choice([0, 1, 2, 2]))
    )
    spec = FleetSpec(
        quotas=(),
        hour_usd=rng.choice([None, None, None, 60.0 * scale]),
        day_usd=rng.choice([None, None, 150.0 * scale, 300.0 * scale]),
        month_usd=rng.choice([None, None, None, 2500.0 * scale]),
        timezone=rng.choice(ZONES),
        teams=teams,
        is_preempting=rng.random() < 0.3,
        hold=rng.choice([120, 600]),
        patience=rng.choice([300, 900]),
    )
    return with_quota(rng, spec, scale)


def _draw_team(rng: Random, number: int, deployments: int) -> TeamSpec:
    ids = [f"d{one}" for one in range(number, deployments, 2)]
    guaranteed = rng.choice([0, 2, 4, 6])
    return TeamSpec(
        name=f"t{number}",
        ids=(*(ids or [f"d{number}"]), f"new{number + 1}"),
        priority=rng.choice([None, 50, 200, 300]),
        weight=rng.choice([1.0, 2.0, 4.0]),
        guaranteed=guaranteed,
        borrow=rng.choice([None, None, 2, 8]),
        lend=rng.choice([None, None, 0, 2]),
        is_protected=rng.random() < 0.4,
    )


def with_quota(rng: Random, spec: FleetSpec, scale: int) -> FleetSpec:
    """Return the file with other quotas, in which the guarantees fit."""
    quotas = []
    if rng.random() < 0.9:
        quotas.append((H100, max(spec.guaranteed, scale * rng.choice([6, 9, 12, 16, 24]))))
    if rng.random() < 0.6:
        quotas.append((A100, scale * rng.choice([3, 5, 8, 14])))
    return replace(spec, quotas=tuple(quotas))


def with_owner_last(spec: FleetSpec, deployments: int) -> FleetSpec:
    """Return the file with two teams: one that is guaranteed the most there is, and one that comes before it."""
    owner, other = (
        TeamSpec(
            name=f"t{number}",
            ids=tuple(f"d{one}" for one in range(number, deployments, 2)),
            priority=priority,
            weight=1.0,
            guaranteed=guaranteed,
            borrow=None,
            lend=None,
            is_protected=False,
        )
        for number, (priority, guaranteed) in enumerate([(50, 8), (300, 0)])
    )
    quotas = ((H100, 12), (A100, 5))
    return replace(
        spec, quotas=quotas, hour_usd=None, day_usd=None, month_usd=None, teams=(owner, other)
    )


def edited(rng: Random, spec: FleetSpec, deployments: int) -> FleetSpec:
    """Return the file after somebody has changed something in it."""
    scale = max(1, deployments // 6)
    match rng.randrange(8):
        case 0:
            return replace(spec, is_preempting=not spec.is_preempting)
        case 1:
            return replace(spec, hour_usd=rng.choice([None, 45.0 * scale, 90.0 * scale]))
        case 2:
            return replace(spec, day_usd=rng.choice([None, 120.0 * scale, 300.0 * scale]))
        case 3:
            teams = tuple(replace(one, priority=rng.choice([None, 50, 200])) for one in spec.teams)
            return replace(spec, teams=teams)
        case _:
            return with_quota(rng, spec, scale)


BAD_TEXTS = (
    "apiVersion: trimtab.dev/v1\nkind: Fleet\nmetadata: {name: world, owner: x}\nspec: {quotas: 3}\n",
    "apiVersion: trimtab.dev/v1\nkind: Fleet\nspec: [",
    (
        f"apiVersion: trimtab.dev/v1\nkind: Fleet\nmetadata: {{name: world, owner: x}}\nspec:\n"
        f"  quotas: [{{accelerator: {H100}, max: -1}}]\n"
    ),
)


class FleetBook:
    """The file on disk, and what of it may be in force: people wait for no reload."""

    def __init__(self, folder: Path, deployments: int) -> None:
        self._path = folder / "fleet.yaml"
        self.deployments = deployments
        self._past: list[tuple[float, FleetSpec]] = []
        self.is_bad = False

    @property
    def spec(self) -> FleetSpec:
        """The last good version."""
        return self._past[-1][1]

    @property
    def unchanged_since(self) -> float:
        """When the file was last written, in seconds of the world."""
        return self._past[-1][0]

    def write(self, now: float, spec: FleetSpec) -> None:
        """Save a good document. ``now`` in seconds of the world."""
        self._past.append((now, spec))
        self.is_bad = False
        self._path.write_text(spec.as_yaml(), encoding="utf-8")

    def spoil(self, text: str) -> None:
        """Save something that cannot be used; what was in force stays in force."""
        self.is_bad = True
        self._path.write_text(text, encoding="utf-8")

    def possible(self, now: float, grace_seconds: float) -> list[FleetSpec]:
        """Return every version that may be in force at ``now`` if changes take ``grace_seconds``."""
        settled = [index for index, (at, _) in enumerate(self._past) if now - at >= grace_seconds]
        return [spec for _, spec in self._past[settled[-1] if settled else 0 :]]
