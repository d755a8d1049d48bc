"""What is remembered of a deployment's life besides its load: so that edges are told once, and waits last.

Values only; ``core/watching.py`` says how they come about.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from trimtab.core.deployment import NO_SHAPE, Shape

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue

JsonObject: TypeAlias = "dict[str, JsonValue]"


class Ask(NamedTuple):
    """Replicas asked for and not ready yet: those above the ask before it (or the ready ones) up to ``replicas``.

    ``is_measured``: trimtab asked at ``at``, and nothing has happened since that would spoil the time.
    Others wait from when they were first missed.
    """

    at: float
    replicas: int
    is_measured: bool


class RefusalKind(StrEnum):
    """Who refused: the platform had no accelerators, or the account's quota allows no more."""

    CAPACITY = "capacity"
    QUOTA = "quota"


class Refusal(NamedTuple):
    """Capacity was refused ``refusals`` times in a row since ``since``; no more is asked for until ``until``.

    ``is_told``: people have been told of it. ``is_over``: it was granted since, of which they have not.
    """

    kind: RefusalKind
    since: float
    until: float
    refusals: int = 1
    is_told: bool = False
    is_over: bool = False


class Mark(StrEnum):
    """A point in a deployment's life that has been passed and told."""

    DELETION_SET = "deletion_set"
    EXPIRY_NEAR = "expiry_near"
    EXPIRED = "expired"


class Watched(NamedTuple):
    """See each part.

    ``shape`` is the hardware as last known. ``changed_at`` is when somebody else last changed the
    bounds. ``floors`` are the platform's schedules in force. ``asks`` are in the order of their counts;
    ``ready`` is how many of the replicas asked for served at the last look, ``moved_at`` when that last
    rose. ``stuck_at`` is when the waiting became too long; ``wanted`` what the rules have wanted
    since, for whoever steps in. ``own`` is the part of the count that its own rules asked for, while the
    rest makes up for others.
    """

    shape: Shape = NO_SHAPE
    changed_at: float | None = None
    floors: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    asks: tuple[Ask, ...] = ()
    ready: int | None = None
    moved_at: float | None = None
    stuck_at: float | None = None
    wanted: int | None = None
    own: int | None = None
    refusal: Refusal | None = None


UNWATCHED = Watched()


def watched_to_json(one: Watched) -> JsonObject:
    """Return JSON values from which ``watched_from_json`` restores ``one`` exactly."""
    shape = one.shape
    return {
        "shape": [
            shape.name,
            shape.accelerator_type,
            shape.accelerators_per_replica,
            shape.precision,
            shape.preset,
            shape.parameter_count,
        ],
        "changed_at": one.changed_at,
        "floors": list(one.floors),
        "marks": [mark.value for mark in one.marks],
        "asks": [list(ask) for ask in one.asks],
        "ready": one.ready,
        "moved_at": one.moved_at,
        "stuck_at": one.stuck_at,
        "wanted": one.wanted,
        "own": one.own,
        "refusal": None if one.refusal is None else list(one.refusal),
    }


def watched_from_json(one: JsonObject) -> Watched:
    """Restore what ``watched_to_json`` gave."""
    # The document is our own; casts say what was written.
    name, kind, accelerators, precision, preset, parameters = cast(
        "tuple[str | None, str | None, int | None, str | None, str | None, int | None]",
        one["shape"],
    )
    refusal = cast("tuple[str, float, float, int, bool, bool] | None", one["refusal"])
    return Watched(
        shape=Shape(
            name=name,
            accelerator_type=kind,
            accelerators_per_replica=accelerators,
            precision=precision,
            preset=preset,
            parameter_count=parameters,
        ),
        changed_at=cast("float | None", one["changed_at"]),
        floors=tuple(cast("list[str]", one["floors"])),
        marks=tuple(Mark(mark) for mark in cast("list[str]", one["marks"])),
        asks=tuple(Ask(*ask) for ask in cast("list[tuple[float, int, bool]]", one["asks"])),
        ready=cast("int | None", one["ready"]),
        moved_at=cast("float | None", one["moved_at"]),
        stuck_at=cast("float | None", one["stuck_at"]),
        wanted=cast("int | None", one["wanted"]),
        own=cast("int | None", one["own"]),
        refusal=None if refusal is None else Refusal(RefusalKind(refusal[0]), *refusal[1:]),
    )
