"""A human's temporary order: pause, pin, or block a direction. It always has an end and an author.

Several may concern one deployment. A pause wins over a pin, a pin over a block; of one kind the
order for the one deployment wins over that for all; and a new order takes the place of an older one
of the same kind for the same subject. Blocks of the two directions stand beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from trimtab.core.decision import Event, EventKind, Reason
from trimtab.core.roles import Blocks
from trimtab.errors import OverrideError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from trimtab.core.decision import Order
    from trimtab.core.proposals import JsonValue

OVERRIDES_MAX = 1000
"""How many may be in force: more is a script that has run away, not people."""

EVERY_DEPLOYMENT = "*"
"""How "all deployments" is written where a name is expected: in events and in metric labels."""

LIFECYCLE_OR_BOUNDS = frozenset({Reason.BOUNDS, Reason.EXPIRY_DRAIN, Reason.HAND_BACK})
"""Why a count moves although no rule asks for it; a pin or a block has no say in these."""


class OverrideKind(StrEnum):
    """What was ordered. Closed: it is a metric label."""

    PAUSE = "pause"
    PIN = "pin"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One order, in force from ``since`` until ``until`` (UTC seconds), for one deployment or for all.

    ``deployment`` is a full name, ``None`` means every one. ``replicas`` is set exactly for a pin,
    ``blocks`` exactly for a block. ``id`` names the order for whoever wants to lift it.
    ``author`` is whom the client named, ``peer`` the address it called from.
    """

    id: str
    kind: OverrideKind
    deployment: str | None
    author: str
    reason: str
    since: float
    until: float
    replicas: int | None = None
    blocks: Blocks | None = None
    peer: str = ""

    def concerns(self, deployment: str) -> bool:
        """Whether the order is about ``deployment``."""
        return self.deployment is None or self.deployment == deployment

    def is_in_force(self, now: float) -> bool:
        """Whether the order holds at ``now``; it ends by itself."""
        return now < self.until

    @property
    def subject(self) -> tuple[OverrideKind, str | None, Blocks | None]:
        """What can be ordered only once: a newer order of the same subject takes its place."""
        return self.kind, self.deployment, self.blocks

    @property
    def text(self) -> str:
        """What was ordered, in words: ``paused``, ``pinned at 6``, ``blocked up``."""
        match self.kind:
            case OverrideKind.PAUSE:
                return "paused"
            case OverrideKind.PIN:
                return f"pinned at {self.replicas}"
            case OverrideKind.BLOCK:
                return (
                    "blocked both ways" if self.blocks is Blocks.BOTH else f"blocked {self.blocks}"
                )

    def sentence(self, now: float) -> str:
        """What was ordered, by whom, why, and how long it still lasts."""
        left = duration_in_words(self.until - now)
        return f"{self.text} by {self.author} for another {left}: {self.reason}"


class Standing(NamedTuple):
    """Of all orders those that count for one deployment; what a stronger one shadows is still there."""

    pause: Override | None = None
    pin: Override | None = None
    block_up: Override | None = None
    block_down: Override | None = None


NOTHING_ORDERED = Standing()


class OverrideBook:
    """The orders in force, found quickly by deployment. Part of the engine's memory."""

    def __init__(self, overrides: Iterable[Override] = ()) -> None:
        self._overrides = {override.id: override for override in overrides}
        self._standing: dict[str, Standing] = {}
        self._touched()

    @property
    def overrides(self) -> tuple[Override, ...]:
        """Every order, the oldest first."""
        return tuple(self._overrides.values())

    def give(self, override: Override) -> tuple[Override, ...]:
        """Put an order in force; return those whose place it takes.

        Raises ``OverrideError`` when there are ``OVERRIDES_MAX`` already.
        """
        replaced = [one for one in self._overrides.values() if one.subject == override.subject]
        if len(self._overrides) - len(replaced) >= OVERRIDES_MAX:
            raise OverrideError(
                f"{OVERRIDES_MAX} overrides are in force, and that is the most there may be; "
                "lift some first, or give one for all deployments"
            )
        for one in replaced:
            del self._overrides[one.id]
        self._overrides[override.id] = override
        self._touched()
        return tuple(replaced)

    def take(self, overrides: Iterable[Override]) -> None:
        """Put orders in force that another engine had, in place of older ones of the same subject."""
        for override in overrides:
            same = [one for one in self._overrides.values() if one.subject == override.subject]
            if any(one.since > override.since or one.id == override.id for one in same):
                continue
            for one in same:
                del self._overrides[one.id]
            self._overrides[override.id] = override
        self._touched()

    def lift(self, ids: Collection[str]) -> tuple[Override, ...]:
        """End orders before their time; return those that were in force. Unknown ids are ignored."""
        lifted = tuple(one for one in self._overrides.values() if one.id in ids)
        for one in lifted:
            del self._overrides[one.id]
        self._touched()
        return lifted

    def expire(self, now: float) -> tuple[Override, ...]:
        """Drop the orders that have come to their end; return them."""
        if now < self._next_end:
            return ()
        ended = [one.id for one in self._overrides.values() if not one.is_in_force(now)]
        return self.lift(ended)

    def standing(self, deployment: str) -> Standing:
        """Return what is ordered for ``deployment``."""
        if not self._overrides:
            return NOTHING_ORDERED
        found = self._standing.get(deployment)
        if found is None:
            found = self._standing[deployment] = standing_of(self._about(deployment), deployment)
        return found

    def standing_at(self, deployment: str, now: float) -> Standing:
        """Return what is ordered for ``deployment`` at ``now``, between two decisions."""
        if now < self._next_end:
            return self.standing(deployment)
        in_force = (one for one in self._about(deployment) if one.is_in_force(now))
        return standing_of(in_force, deployment)

    def _about(self, deployment: str) -> tuple[Override, ...]:
        return (*self._by_deployment.get(None, ()), *self._by_deployment.get(deployment, ()))

    def _touched(self) -> None:
        self._standing.clear()
        self._by_deployment: dict[str | None, list[Override]] = {}
        for one in self._overrides.values():
            self._by_deployment.setdefault(one.deployment, []).append(one)
        self._next_end = min((one.until for one in self._overrides.values()), default=float("inf"))


def standing_of(overrides: Iterable[Override], deployment: str) -> Standing:
    """Work out which of several orders count for ``deployment``. They must all be in force."""
    # The weakest first, so that a later one takes the place: for all before for one, old before new.
    mine = sorted(
        (one for one in overrides if one.concerns(deployment)),
        key=lambda one: (one.deployment is not None, one.since),
    )
    pause = pin = block_up = block_down = None
    for one in mine:
        match one.kind:
            case OverrideKind.PAUSE:
                pause = one
            case OverrideKind.PIN:
                pin = one
            case OverrideKind.BLOCK:
                block_up = one if one.blocks in (Blocks.UP, Blocks.BOTH) else block_up
                block_down = one if one.blocks in (Blocks.DOWN, Blocks.BOTH) else block_down
    return Standing(pause, pin, block_up, block_down)


def why_overridden(order: Order, standing: Standing) -> str | None:
    """Say why a write that was decided on must not be sent any more; ``None`` when it may.

    People order things between a decision and its write too, and their order holds at once.
    """
    if standing.pause is not None:
        return _said(standing.pause)
    if order.reason in LIFECYCLE_OR_BOUNDS:
        return None
    pin = standing.pin
    if pin is not None and pin.replicas is not None:
        low, high = sorted((order.from_replicas, pin.replicas))
        return None if low <= order.to_replicas <= high else _said(pin)
    if order.reason is Reason.PINNED:
        return "the pin that it carries out has ended"
    is_up = order.to_replicas > order.from_replicas
    block = standing.block_up if is_up else standing.block_down
    return None if block is None else _said(block)


def ended(one: Override, now: float) -> Event:
    """Tell that an order has come to its end."""
    return Event(
        deployment=one.deployment or EVERY_DEPLOYMENT,
        at=now,
        kind=EventKind.OVERRIDE_EXPIRED,
        before=one.kind.value,
        sentence=f"no longer {one.text} by {one.author} ({one.reason}): its time is over",
    )


def _said(one: Override) -> str:
    return f"{one.text} by {one.author}: {one.reason}"


def duration_in_words(seconds: float) -> str:
    """The largest two units, rounded up to what the smaller one counts: ``2 h``, ``1 h 30 min``, ``40 s``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = -(-whole // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    units = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join([f"{count} {unit}" for count, unit in units if count][:2])


# -- as JSON, for the memory ----------------------------------------------------------------------

JsonOverride: TypeAlias = "dict[str, JsonValue]"


def override_to_json(one: Override) -> JsonOverride:
    """Return JSON values from which ``override_from_json`` restores the order exactly."""
    return {
        "id": one.id,
        "kind": one.kind.value,
        "deployment": one.deployment,
        "author": one.author,
        "reason": one.reason,
        "since": one.since,
        "until": one.until,
        "replicas": one.replicas,
        "blocks": None if one.blocks is None else one.blocks.value,
        "peer": one.peer,
    }


def override_from_json(document: JsonOverride) -> Override:
    """Restore what ``override_to_json`` gave."""
    # The document is our own; casts say what was written.
    blocks = cast("str | None", document["blocks"])
    return Override(
        id=cast("str", document["id"]),
        kind=OverrideKind(cast("str", document["kind"])),
        deployment=cast("str | None", document["deployment"]),
        author=cast("str", document["author"]),
        reason=cast("str", document["reason"]),
        since=cast("float", document["since"]),
        until=cast("float", document["until"]),
        replicas=cast("int | None", document["replicas"]),
        blocks=None if blocks is None else Blocks(blocks),
        peer=cast("str", document["peer"]),
    )
