"""What the engine must remember between ticks: plain values that survive a restart bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from trimtab.core.claimed import claimed_from_json, claimed_to_json
from trimtab.core.deployment import State
from trimtab.core.encoded import plain
from trimtab.core.fleet_memory import (
    NO_FLEET_MEMORY,
    FleetMemory,
    fleet_memory_from_json,
    fleet_memory_to_json,
)
from trimtab.core.grouped import grouped_from_json, grouped_to_json
from trimtab.core.lead_time import Learned
from trimtab.core.maximum import recorded_maximum
from trimtab.core.overrides import override_from_json, override_to_json
from trimtab.core.proposals import JsonValue
from trimtab.core.signals import Latest
from trimtab.core.watched import UNWATCHED, Watched, watched_from_json, watched_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.claimed import Claimed
    from trimtab.core.grouped import Grouped
    from trimtab.core.overrides import Override

FORMAT = 1
"""Version of the JSON form; a reader refuses what it does not know."""

JsonObject: TypeAlias = dict[str, JsonValue]


class At(NamedTuple):
    """A count (or, for moves, a signed change) at a moment."""

    time: float
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRange:
    """The range that people meant, as far as it is known.

    ``is_believed`` is false for a pin (min equals max) found at adoption: it may be somebody's way
    of switching the deployment on, or the leftover of an autoscaler; it is not a range.
    """

    min_replicas: int
    max_replicas: int | None
    is_believed: bool
    since: float
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The bounds that trimtab last put on the wire, when, and what stood there before."""

    min_replicas: int
    max_replicas: int | None
    before_min_replicas: int
    before_max_replicas: int | None
    at: float


class RuleMemory(NamedTuple):
    """The windows of one rule that has its own stabilisation, and the last move it caused."""

    lows: tuple[At, ...] = ()
    highs: tuple[At, ...] = ()
    moved: At | None = None


class Pair(NamedTuple):
    """Lower and upper bound as on the wire."""

    min_replicas: int
    max_replicas: int | None


class Shadow(NamedTuple):
    """The count that a deployment would have, had its policy been allowed to do what it advises.

    ``since`` is when it began at the real count, ``wire`` the real bounds then. ``moves`` and
    ``moved`` (by rule) are trimtab's real moves from before, kept for the day the policy enforces.
    ``is_closed``: an advised pin at 0 would have closed the deployment to traffic.
    """

    replicas: int
    since: float
    wire: Pair
    moves: tuple[At, ...] = ()
    moved: Mapping[str, At] = MappingProxyType({})
    is_closed: bool = False


class DeploymentMemory(NamedTuple):
    """All that is remembered of one deployment. Bounded: every window is pruned as it is used.

    A tuple, because it is replaced several times in each decision and that is where time went.

    ``lows`` and ``highs`` are the recommendations of the up and down stabilisation windows, thinned
    to what a minimum (maximum) over the window can still depend on. ``moves`` are our own changes,
    for the rate limits, ``doubtful_moves`` those that may have been made. ``latest`` is the newest sample of each signal. ``wish`` is what was wanted
    when the lifecycle last forbade to act on it. ``superseded`` are bounds that trimtab wrote before ``written``: an old view may
    still show them. ``doubtful`` are bounds that trimtab sent and that
    were not seen applied: should they turn up on the wire, nobody else has been there.
    ``rules`` is what strategies remember, ``damped`` what rules with their own damping do.
    ``counted`` is the count found at the last decision. ``demand_unknown_since`` and ``idle_since`` are
    when every demand was last known, and above 0. ``shadow`` is the count that a policy which only
    advises would have. ``claimed`` is what it claims of what the fleet shares,
    ``grouped`` its part of the demand of its group. ``rules_ahead_seconds``: by how much the times in ``rules``
    are still those of a clock that was ahead of ours (``core/set_back.py``).
    """

    adopted_at: float
    user: UserRange
    state: State
    created_at: float | None = None
    written: Written | None = None
    doubtful: tuple[Pair, ...] = ()
    latest: Mapping[str, Latest] = MappingProxyType({})
    lows: tuple[At, ...] = ()
    highs: tuple[At, ...] = ()
    moves: tuple[At, ...] = ()
    counted: int | None = None
    rules: Mapping[str, JsonValue] = MappingProxyType({})
    damped: Mapping[str, RuleMemory] = MappingProxyType({})
    demand_unknown_since: float | None = None
    idle_since: float | None = None
    wish: At | None = None
    gone_at: float | None = None
    shadow: Shadow | None = None
    watched: Watched = UNWATCHED
    doubtful_moves: tuple[At, ...] = ()
    superseded: tuple[Pair, ...] = ()
    claimed: Claimed | None = None
    grouped: Grouped | None = None
    rules_ahead_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a whole fleet, by full deployment name, and the orders of people in force.

    ``lead_times`` is what was learned of starts, by the keys of ``core/lead_time.py``; ``shared`` what
    is known of all that deployments share.
    """

    deployments: Mapping[str, DeploymentMemory] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    lead_times: Mapping[str, Learned] = field(default_factory=dict)
    shared: FleetMemory = NO_FLEET_MEMORY

    def to_json(self) -> JsonObject:
        """Return JSON values from which ``from_json`` restores this memory exactly."""
        return {
            "format": FORMAT,
            "deployments": {name: _dump(one) for name, one in self.deployments.items()},
            "overrides": [override_to_json(one) for one in self.overrides],
            "lead_times": {
                key: [list(one.seconds), one.failures] for key, one in self.lead_times.items()
            },
            "shared": fleet_memory_to_json(self.shared),
        }

    @staticmethod
    def from_json(document: JsonObject) -> Memory:
        """Restore what ``to_json`` gave.

        Raises ``ValueError`` when the document is of another format.
        """
        if document.get("format") != FORMAT:
            raise ValueError(
                f"memory has format {document.get('format')!r}; this version reads format {FORMAT}"
            )
        deployments = cast("dict[str, JsonObject]", document["deployments"])
        overrides = cast("list[JsonObject]", document["overrides"])
        return Memory(
            deployments={name: _load(one) for name, one in deployments.items()},
            overrides=tuple(override_from_json(one) for one in overrides),
            lead_times={
                key: Learned(tuple(seconds), failures)
                for key, (seconds, failures) in cast(
                    "dict[str, tuple[list[float], int]]", document["lead_times"]
                ).items()
            },
            shared=fleet_memory_from_json(document.get("shared")),
        )


def _dump(one: DeploymentMemory) -> JsonObject:
    written = one.written
    # Hardly ever there, and then for one step: it is left out where it says nothing.
    ahead = one.rules_ahead_seconds
    rare: JsonObject = {"rules_ahead_seconds": ahead} if ahead else {}
    return rare | {
        "adopted_at": one.adopted_at,
        "user": [
            one.user.min_replicas,
            one.user.max_replicas,
            one.user.is_believed,
            one.user.since,
            one.user.origin,
        ],
        "state": one.state.value,
        "created_at": one.created_at,
        "written": None
        if written is None
        else [
            written.min_replicas,
            written.max_replicas,
            written.before_min_replicas,
            written.before_max_replicas,
            written.at,
        ],
        "doubtful": [list(pair) for pair in one.doubtful],
        "latest": {signal: list(sample) for signal, sample in one.latest.items()},
        "lows": [list(at) for at in one.lows],
        "highs": [list(at) for at in one.highs],
        "moves": [list(at) for at in one.moves],
        "doubtful_moves": [list(at) for at in one.doubtful_moves],
        "superseded": [list(pair) for pair in one.superseded],
        "counted": one.counted,
        "rules": {rule: plain(memory) for rule, memory in one.rules.items()},
        "damped": {
            rule: {
                "lows": [list(at) for at in damped.lows],
                "highs": [list(at) for at in damped.highs],
                "moved": None if damped.moved is None else list(damped.moved),
            }
            for rule, damped in one.damped.items()
        },
        "demand_unknown_since": one.demand_unknown_since,
        "idle_since": one.idle_since,
        "wish": None if one.wish is None else list(one.wish),
        "gone_at": one.gone_at,
        "shadow": _dump_shadow(one.shadow),
        "watched": watched_to_json(one.watched),
        "claimed": claimed_to_json(one.claimed),
        "grouped": grouped_to_json(one.grouped),
    }


def _load(one: JsonObject) -> DeploymentMemory:
    # The document is our own; casts say what `_dump` wrote.
    user = cast("tuple[int, int | None, bool, float, str]", one["user"])
    written = cast("tuple[int, int | None, int, int | None, float] | None", one["written"])
    wish = cast("tuple[float, int] | None", one["wish"])
    return DeploymentMemory(
        adopted_at=cast("float", one["adopted_at"]),
        user=UserRange(
            min_replicas=user[0],
            max_replicas=recorded_maximum(user[1]),
            is_believed=user[2],
            since=user[3],
            origin=user[4],
        ),
        state=State(cast("str", one["state"])),
        created_at=cast("float | None", one["created_at"]),
        written=None
        if written is None
        else Written(
            min_replicas=written[0],
            max_replicas=recorded_maximum(written[1]),
            before_min_replicas=written[2],
            before_max_replicas=recorded_maximum(written[3]),
            at=written[4],
        ),
        doubtful=_pairs(one["doubtful"]),
        latest={
            signal: Latest(*sample)
            for signal, sample in cast(
                "dict[str, tuple[float, float, int | None]]", one["latest"]
            ).items()
        },
        lows=_times(one["lows"]),
        highs=_times(one["highs"]),
        moves=_times(one["moves"]),
        doubtful_moves=_times(one["doubtful_moves"]),
        superseded=_pairs(one["superseded"]),
        counted=cast("int | None", one["counted"]),
        rules=cast("dict[str, JsonValue]", one["rules"]),
        damped={
            rule: _load_damped(damped)
            for rule, damped in cast("dict[str, JsonObject]", one["damped"]).items()
        },
        demand_unknown_since=cast("float | None", one["demand_unknown_since"]),
        idle_since=cast("float | None", one["idle_since"]),
        wish=None if wish is None else At(*wish),
        gone_at=cast("float | None", one["gone_at"]),
        shadow=_load_shadow(one["shadow"]),
        watched=watched_from_json(cast("JsonObject", one["watched"])),
        claimed=claimed_from_json(one.get("claimed")),
        grouped=grouped_from_json(one.get("grouped")),
        rules_ahead_seconds=cast("float", one.get("rules_ahead_seconds", 0.0)),
    )


def _dump_shadow(shadow: Shadow | None) -> JsonValue:
    if shadow is None:
        return None
    return {
        "replicas": shadow.replicas,
        "since": shadow.since,
        "wire": list(shadow.wire),
        "is_closed": shadow.is_closed,
        "moves": [list(at) for at in shadow.moves],
        "moved": {rule: list(at) for rule, at in shadow.moved.items()},
    }


def _load_shadow(document: JsonValue) -> Shadow | None:
    if document is None:
        return None
    shadow = cast("JsonObject", document)
    return Shadow(
        replicas=cast("int", shadow["replicas"]),
        since=cast("float", shadow["since"]),
        wire=_pair(cast("tuple[int, int | None]", shadow["wire"])),
        is_closed=cast("bool", shadow["is_closed"]),
        moves=_times(shadow["moves"]),
        moved={
            rule: At(*at)
            for rule, at in cast("dict[str, tuple[float, int]]", shadow["moved"]).items()
        },
    )


def _load_damped(damped: JsonObject) -> RuleMemory:
    moved = cast("tuple[float, int] | None", damped["moved"])
    return RuleMemory(
        lows=_times(damped["lows"]),
        highs=_times(damped["highs"]),
        moved=None if moved is None else At(*moved),
    )


def _pairs(pairs: JsonValue) -> tuple[Pair, ...]:
    return tuple(_pair(pair) for pair in cast("list[tuple[int, int | None]]", pairs))


def _pair(pair: tuple[int, int | None]) -> Pair:
    return Pair(pair[0], recorded_maximum(pair[1]))


def _times(pairs: JsonValue) -> tuple[At, ...]:
    return tuple(At(time, replicas) for time, replicas in cast("list[tuple[float, int]]", pairs))
