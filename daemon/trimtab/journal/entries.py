"""What the journal is told, as values of the core, in the order in which it happened.

The first four are everything that the engine is ever told, so that feeding them to an engine again
makes the same decisions (invariant 8). ``Intended`` is written before an order is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.decision import Order, Outcome, Tick
    from trimtab.core.deployment import Deployment
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memory import Memory
    from trimtab.core.overrides import Override
    from trimtab.core.signals import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesInForce:
    """From now on these policy documents decide. ``version`` is a hash of their content.

    ``documents`` maps each file's path, as people know it, to its text as it was used (of a file that
    has become invalid: its last good text). ``plugins`` are the strategy plug-ins that were allowed.
    ``lead_times`` are the start values that the engine was made with, ``None`` for its own.
    """

    at: float
    version: str
    documents: Mapping[str, str]
    plugins: tuple[str, ...] = ()
    lead_times: LeadTimes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One ``Engine.step``: all of its arguments, and what came of it.

    ``fleet`` and ``memory`` are whole snapshots, immutable, of which most values are the same objects
    as in the entry before: whoever stores them stores the difference.
    """

    at: float
    fleet: Mapping[str, Deployment]
    samples: tuple[Sample, ...]
    due: tuple[str, ...] | None
    absent: tuple[str, ...]
    tick: Tick
    memory: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An order came to its end: ``Engine.record`` was called. ``VOID`` ones were never sent."""

    outcome: Outcome
    memory: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """A person gave an order (``given``) or orders were lifted or ran out (``lifted``, by id).

    ``by`` is who did it; ``None``: they ran out. ``memory`` is the engine's afterwards, so that an
    order that was accepted is remembered even if no step follows; ``None`` leaves what stands.
    """

    at: float
    given: Override | None = None
    lifted: tuple[str, ...] = ()
    by: str | None = None
    reason: str = ""
    memory: Memory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """An order is about to be sent. Durable before the write, or there is no write."""

    at: float
    order: Order


Entry: TypeAlias = PoliciesInForce | Evaluated | Ended | Overridden | Intended
