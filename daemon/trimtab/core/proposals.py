"""What one rule asks for, and what it may look at when it does."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.bounds import Bounds
    from trimtab.core.deployment import Deployment
    from trimtab.core.encoded import Encoded
    from trimtab.core.facts import Facts
    from trimtab.core.need import Need
    from trimtab.core.roles import Blocks, Role
    from trimtab.core.signals import Reading

JsonValue: TypeAlias = (
    "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | Encoded | None"
)
"""What JSON can say, and ``Encoded`` values, which become that when they are written down."""

REPLICAS_MAX = 2**31 - 1
"""The largest count a proposal may have: what the wire can carry. Beyond it is a bug, not a wish."""


class View(NamedTuple):
    """Everything a strategy may know: the deployment, what is asked for now, and its readings.

    ``current`` is the count already asked for (ready and on its way), the number a proposal is
    compared with. ``ready`` is how many serve, the number an average was taken over. ``fleet`` is
    every deployment by full name, for strategies that follow another one. ``bounds`` is the range
    that is allowed now; wishes beyond it are cut later, so most strategies do not look.
    """

    now: float
    deployment: Deployment
    current: int
    readings: Mapping[str, Reading]
    lead_time_seconds: float
    fleet: Mapping[str, Deployment] = MappingProxyType({})
    bounds: Bounds | None = None

    @property
    def ready(self) -> int:
        """Replicas that serve now."""
        return self.deployment.pipeline.ready


class Wish(NamedTuple):
    """What a strategy answers: a count, or ``None`` when it cannot tell, with one sentence why.

    ``at_most`` caps the others' proposals as a ceiling would (an exact count caps at itself).
    ``is_abstaining`` tells "nothing to say at this time" from "cannot tell": who abstains is not
    missing data. ``memory`` replaces what the strategy remembers for this rule; JSON values only, or an
    ``Encoded`` (``core/encoded.py``) where making them at every decision would take too long. ``facts``
    are numbers behind the count that people want to watch. ``need`` is what a further replica is worth
    where accelerators are short (``core/need.py``); ``None``: every replica of the wish is needed. ``load`` is
    the wish before it was rounded up, where that is known: a group rounds only once (``core/grouped.py``).
    """

    replicas: int | None
    sentence: str
    memory: JsonValue = None
    at_most: int | None = None
    is_abstaining: bool = False
    facts: Facts | None = None
    need: Need | None = None
    load: float | None = None


class Proposal(NamedTuple):
    """A wish with the name and the role of the rule it came from.

    ``blocks`` is set by a ``hold`` rule whose condition is true: the direction it blocks.
    """

    rule: str
    role: Role
    replicas: int | None
    sentence: str
    at_most: int | None = None
    is_abstaining: bool = False
    blocks: Blocks | None = None
    facts: Facts | None = None
    need: Need | None = None
    load: float | None = None
