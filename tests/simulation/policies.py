"""Policies as the world's people write them, and which of them may be in force at a moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from pathlib import Path
from random import Random

REQUESTS = "request_counter_total:sum_by_deployment"
CONCURRENCY = "requests_coordinator_concurrent_count:avg_by_deployment"


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """One policy document, by the numbers that are checked from outside."""

    name: str
    target: float
    minimum: int | None
    maximum: int | None
    accelerators: int | None
    mode: str
    actuation: str
    max_age: int
    down_percent: int
    down_period: int
    down_stabilization: int
    up_percent: int
    up_replicas: int
    up_period: int
    cooldown: int
    while_updating: str
    at_expiry: str
    minimum_useful: int
    fallback_after: int | None
    fallback_replicas: int | None
    concurrency_target: float | None

    def as_yaml(self) -> str:
        bounds = [
            f"{end}: {value}"
            for end, value in (("min", self.minimum), ("max", self.maximum))
            if value is not None
        ]
        lines = [
            "apiVersion: trimtab.dev/v1",
            "kind: ScalingPolicy",
            f"metadata: {{name: {self.name}, owner: simulation}}",
            "spec:",
            f'  deployments: {{match: {{displayName: "{self.name}-*"}}}}',
            f"  mode: {self.mode}",
            f"  actuation: {self.actuation}",
            f"  whileUpdating: {self.while_updating}",
            f"  expiry: {{minimumUsefulTime: {self.minimum_useful}s, atExpiry: {self.at_expiry}}}",
        ]
        if bounds:
            lines.append(f"  bounds: {{{', '.join(bounds)}}}")
        if self.accelerators is not None:
            lines.append(f"  accelerators: {{max: {self.accelerators}}}")
        if self.fallback_after is not None:
            replicas = "current" if self.fallback_replicas is None else self.fallback_replicas
            lines.append(f"  fallback: {{after: {self.fallback_after}s, replicas: {replicas}}}")
        return "\n".join([*lines, *self._signals(), *self._rules(), *self._behavior(), ""])

    def _signals(self) -> list[str]:
        lines = [
            "  signals:",
            f"    requests: {{source: fireworks, query: '{REQUESTS}', maxAge: {self.max_age}s}}",
        ]
        if self.concurrency_target is not None:
            lines.append(
                f"    busy: {{source: fireworks, query: '{CONCURRENCY}', per: replica, "
                f"maxAge: {self.max_age}s}}"
            )
        return lines

    def _rules(self) -> list[str]:
        strategy = f"{{type: target, signal: requests, target: {self.target:g}, tolerance: 0.1}}"
        lines = ["  rules:", f"    - {{name: rate, role: demand, strategy: {strategy}}}"]
        if self.concurrency_target is not None:
            strategy = f"{{type: target, signal: busy, target: {self.concurrency_target:g}}}"
            lines.append(f"    - {{name: busy, role: demand, strategy: {strategy}}}")
        return lines

    def _behavior(self) -> list[str]:
        up = (
            f"{{percent: {self.up_percent}, period: {self.up_period}s}}, "
            f"{{replicas: {self.up_replicas}, period: {self.up_period}s}}"
        )
        down = f"{{percent: {self.down_percent}, period: {self.down_period}s}}"
        return [
            "  behavior:",
            f"    scaleUp: {{stabilization: 0s, cooldown: {self.cooldown}s, limits: [{up}]}}",
            f"    scaleDown: {{stabilization: {self.down_stabilization}s, limits: [{down}]}}",
        ]

    def lowest_allowed(self, current: int, moved: int) -> int:
        """Where a move down from ``current`` must end, ``moved`` in the period so far."""
        start = max(0, current - moved)
        return max(0, min(current, floor(start * (100 - self.down_percent) / 100)))

    def highest_allowed(self, current: int, moved: int) -> int:
        """Where a move up from ``current`` must end, ``moved`` in the period so far."""
        start = max(0, current - moved)
        by_share = ceil(start * (100 + self.up_percent) / 100)
        return max(current, by_share, start + self.up_replicas)


def draw_policy(rng: Random, name: str, *, is_calm: bool) -> PolicySpec:
    """Return a policy that somebody might run. ``is_calm``: nothing that needs hours to converge."""
    has_bounds = rng.random() < 0.85
    minimum = rng.randint(1, 3)
    return PolicySpec(
        name=name,
        target=rng.choice([2.0, 5.0, 8.0]),
        minimum=minimum if has_bounds and rng.random() < 0.8 else None,
        maximum=minimum + rng.randint(2, 14) if has_bounds else None,
        accelerators=rng.choice([None, None, None, 6, 10]),
        mode="advise" if rng.random() < 0.12 else "enforce",
        actuation="floor" if rng.random() < 0.15 else "pin",
        max_age=rng.choice([150, 240, 300]),
        down_percent=rng.choice([25, 50, 100]),
        down_period=rng.choice([60, 120, 300]),
        down_stabilization=rng.choice([0, 60, 300, 600]),
        up_percent=rng.choice([50, 100, 300]),
        up_replicas=rng.choice([1, 2, 4]),
        up_period=rng.choice([30, 60, 120]),
        cooldown=rng.choice([0, 0, 60, 300]),
        while_updating=rng.choice(["hold", "up"]),
        at_expiry="drain" if rng.random() < 0.2 else "hold",
        minimum_useful=rng.choice([0, 300, 600]),
        fallback_after=None if is_calm or rng.random() < 0.7 else rng.choice([300, 600]),
        fallback_replicas=rng.choice([None, 2, 4]),
        concurrency_target=rng.choice([None, None, 40.0]),
    )


def edited(rng: Random, spec: PolicySpec) -> PolicySpec:
    """Return the policy after somebody has changed something in it."""
    match rng.randrange(5):
        case 0:
            return replace(spec, target=rng.choice([2.0, 5.0, 8.0]))
        case 1:
            return replace(spec, minimum=1, maximum=rng.randint(2, 16))
        case 2:
            return replace(spec, mode="advise" if spec.mode == "enforce" else "enforce")
        case 3:
            return replace(spec, down_percent=rng.choice([25, 50, 100]), down_stabilization=60)
        case _:
            return replace(spec, accelerators=rng.choice([None, 4, 8]))


BAD_TEXTS = (
    "apiVersion: trimtab.dev/v1\nkind: ScalingPolicy\nspec: [",
    "apiVersion: trimtab.dev/v1\nkind: ScalingPolicy\nmetadata: {name: x, owner: y}\nspec: {}\n",
    "",
    "\x00\x01\x02",
    "- 1\n- 2\n",
)


class PolicyBook:
    """The files on disk, and for each policy what may be in force: people wait for no reload."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.specs: dict[str, PolicySpec] = {}
        self._past: dict[str, list[tuple[float, PolicySpec]]] = {}
        self.bad: set[str] = set()

    def write(self, now: float, spec: PolicySpec) -> None:
        """Save a good document. ``now`` in seconds of the world."""
        self.specs[spec.name] = spec
        self._past.setdefault(spec.name, []).append((now, spec))
        self.bad.discard(spec.name)
        self._save(spec.name, spec.as_yaml())

    def spoil(self, name: str, text: str) -> None:
        """Save something that cannot be used; what was in force stays in force."""
        self.bad.add(name)
        self._save(name, text)

    def _save(self, name: str, text: str) -> None:
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def unchanged_since(self, name: str) -> float:
        """When the policy was last written, in seconds of the world."""
        return self._past[name][-1][0]

    def possible(self, name: str, now: float, grace_seconds: float) -> list[PolicySpec]:
        """Return every version that may decide at ``now`` if changes take ``grace_seconds``."""
        past = self._past[name]
        newest_settled = max(
            (index for index, (at, _) in enumerate(past) if now - at >= grace_seconds), default=0
        )
        return [spec for _, spec in past[newest_settled:]]
