"""What a seed means: the size of a world, its intervals, and which troubles it is going to see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tests.simulation.weather import NETWORK_KINDS, PLATFORM_KINDS

PEOPLE = (
    "edit_policy",
    "spoil_policy",
    "set_bounds",
    "park",
    "create",
    "delete",
    "undelete",
    "expire",
    "fail",
    "change_shape",
    "crash_replica",
    "schedule",
)
HOUR = 3600.0
FLEET_WORLDS = 0.45
"""The share of seeds with a fleet file. These are killed more often than others, amid writes by preference."""

LARGE_WORLDS = 0.06
"""The share of seeds with thirty deployments and more."""

SLOW_WORLDS = 0.045
"""The share of seeds with as many deployments, a day long, looked at every few minutes only."""

HEALING_SECONDS = 2.5 * HOUR
"""How long a healed world is given. The slowest thing in it is a fall from 16 replicas by a quarter
in each five minutes, behind ten minutes of stabilisation and a back-off of fifteen minutes."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything about a world that is decided before it begins. Seconds, and rates per hour."""

    seed: int
    is_large: bool
    is_slow: bool
    accounts: int
    policies: int
    deployments: int
    chaos_seconds: float
    tick_seconds: float
    refresh_seconds: float
    metrics_seconds: float
    latency_seconds: float
    storms: tuple[str, ...]
    storms_per_hour: float
    storm_seconds: float
    people: tuple[str, ...]
    deeds_per_hour: float
    traffic_changes_per_hour: float
    kills_per_hour: float
    kill_when_writing: float
    restarts_per_hour: float
    clock_drift: float
    clock_steps_per_hour: float
    overrides_per_hour: float
    journal_faults_per_hour: float
    has_full_metrics: bool
    replays: bool
    seconds_per_plant_step: float
    has_fleet: bool = False
    fleet_deeds_per_hour: float = 0.0
    quota_seconds: float = 300.0
    has_quota_endpoint: bool = True
    day_usd: float | None = None
    """The budget of a day, in place of what the seed says; no other limit is set then."""
    owner_comes_last: bool = False
    """Of two teams the one with a guarantee has the lower priority, and the other one may borrow it all."""
    only_refusals_tell: bool = False
    """The file says nothing of how much there is, and accounts refuse at the write what is beyond their quota."""
    only_accounts_tell: bool = False
    """The file says nothing of how much there is; the accounts' endpoints do, and it is little."""

    @property
    def ticks_to_heal(self) -> int:
        """The stated number of ticks within which a healed world converges."""
        return round(HEALING_SECONDS / self.tick_seconds)


def draw_plan(seed: int) -> Plan:
    """Return the plan of ``seed``."""
    rng = Random(f"{seed}:plan")
    size = rng.random()
    is_slow = size < SLOW_WORLDS
    is_large = is_slow or size < SLOW_WORLDS + LARGE_WORLDS
    is_calm = rng.random() < 0.08
    storms = _some(rng, NETWORK_KINDS + PLATFORM_KINDS, rng.choice([0.1, 0.25, 0.5]))
    people = _some(rng, PEOPLE, rng.choice([0.2, 0.5, 0.8]))
    hours = (18.0, 26.0) if is_slow else (3.0, 6.0) if is_large else (1.0, 4.0)
    plan = Plan(
        seed=seed,
        is_large=is_large,
        is_slow=is_slow,
        accounts=rng.choice([1, 1, 1, 2]),
        policies=rng.randint(1, 3),
        deployments=rng.randint(30, 45) if is_large else rng.randint(1, 5),
        chaos_seconds=rng.uniform(*hours) * HOUR,
        **_intervals(rng, is_large=is_large, is_slow=is_slow),
        latency_seconds=rng.choice([0.0, 0.05, 0.3, 2.0]),
        storms=() if is_calm else storms,
        storms_per_hour=rng.choice([0.5, 2.0] if is_slow else [0.5, 2.0, 6.0]),
        storm_seconds=rng.choice([120.0, 600.0, 2400.0]),
        people=() if is_calm else people,
        deeds_per_hour=rng.choice([0.5, 2.0, 5.0]) * (4.0 if is_large and not is_slow else 1.0),
        traffic_changes_per_hour=rng.choice([0.5, 2.0, 6.0]),
        kills_per_hour=0.0 if rng.random() < 0.4 else rng.choice([0.3, 1.0, 4.0]),
        kill_when_writing=rng.choice([0.0, 0.5, 0.9]),
        restarts_per_hour=0.0 if rng.random() < 0.6 else rng.choice([0.2, 1.0]),
        clock_drift=rng.choice([0.0, 0.0, 2e-5, -2e-5, 1e-3, -1e-3]),
        clock_steps_per_hour=0.0 if rng.random() < 0.7 else rng.choice([0.3, 1.0]),
        overrides_per_hour=0.0 if rng.random() < 0.6 else rng.choice([0.5, 2.0]),
        journal_faults_per_hour=0.0 if rng.random() < 0.7 else rng.choice([0.3, 1.0]),
        has_full_metrics=rng.random() < 0.02 and not is_large,
        replays=seed % 4 == 0 and not is_slow,
    )
    fate = Random(f"{seed}:fleet")
    return _with_fleet(plan, fate) if fate.random() < FLEET_WORLDS else plan


def _with_fleet(plan: Plan, rng: Random) -> Plan:
    """Return the plan with a fleet file, and with more of what may go wrong between several deployments."""
    kills = rng.choice([plan.kills_per_hour, 1.0, 6.0])
    return replace(
        plan,
        has_fleet=True,
        fleet_deeds_per_hour=rng.choice([1.0, 3.0, 6.0]),
        quota_seconds=rng.choice([60.0, 120.0, 300.0]),
        has_quota_endpoint=rng.random() < 0.6,
        deployments=plan.deployments if plan.is_large else rng.randint(3, 5),
        traffic_changes_per_hour=rng.choice([2.0, 6.0, 12.0]),
        kills_per_hour=plan.kills_per_hour if plan.is_slow else kills,
        kill_when_writing=rng.choice([0.5, 0.9]),
        replays=not plan.is_large,
    )


def as_fleet(plan: Plan, seed: int) -> Plan:
    """Return the plan as it would be with a fleet file."""
    return plan if plan.has_fleet else _with_fleet(plan, Random(f"{seed}:fleet"))


def _intervals(rng: Random, *, is_large: bool, is_slow: bool) -> dict[str, float]:
    """Draw how often the daemon looks, and how finely the plant is reckoned."""
    if is_slow:
        return {
            "tick_seconds": rng.choice([180.0, 300.0]),
            "refresh_seconds": rng.choice([180.0, 300.0]),
            "metrics_seconds": rng.choice([120.0, 145.0]),
            "seconds_per_plant_step": 30.0,
        }
    return {
        "tick_seconds": rng.choice([60.0, 90.0] if is_large else [15.0, 30.0, 60.0, 60.0, 120.0]),
        "refresh_seconds": rng.choice([60.0, 120.0] if is_large else [20.0, 45.0, 90.0, 120.0]),
        "metrics_seconds": rng.choice([60.0, 120.0] if is_large else [30.0, 60.0, 60.0, 120.0]),
        "seconds_per_plant_step": 10.0,
    }


def _some(rng: Random, kinds: tuple[str, ...], share: float) -> tuple[str, ...]:
    chosen = tuple(kind for kind in kinds if rng.random() < share)
    return chosen or (rng.choice(kinds),)
