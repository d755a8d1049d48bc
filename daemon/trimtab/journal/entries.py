"""What the journal is told, as values of the core, in the order in which it happened.

All but ``Intended`` and ``Lost`` are everything that the engine is ever told, so that feeding them to an engine again
makes the same decisions (invariant 8). ``Intended`` is written before an order is sent. Of fleet and
memory an entry says what differs from the entry before: nobody walks ten thousand deployments to note
that one was decided on. ``Lost`` stands where entries are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.decision import Event, Order, Outcome, Tick
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_memory import FleetMemory
    from trimtab.core.lead_time import LeadTimes, Learned
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.overrides import Override
    from trimtab.core.proposals import JsonValue
    from trimtab.core.signals import Sample
    from trimtab.core.succession import Membership, MembersNews

_NOTHING: Mapping[str, None] = MappingProxyType({})
_NO_TIMES: Mapping[str, float] = MappingProxyType({})


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
    """One ``Engine.step``: its arguments, and what came of it.

    ``fleet_changes`` holds the deployments that are another object than at the step before, and ``None``
    for those that are in the fleet no more; who is new stands behind all others. Only if the fleet's
    order came to differ from that, ``fleet_order`` says it whole. ``memory_changes`` holds what is
    remembered now of each deployment that ``tick.touched`` names, ``None`` for nothing. ``overrides``,
    ``lead_times`` and ``shared`` are the small parts of the memory, whole; ``None``: as they were.
    """

    at: float
    samples: tuple[Sample, ...]
    due: tuple[str, ...] | None
    changed: tuple[str, ...] | None
    absent: tuple[str, ...]
    tick: Tick
    upheld: Mapping[str, float] = field(default_factory=lambda: _NO_TIMES)
    unread: tuple[str, ...] = ()
    fleet_changes: Mapping[str, Deployment | None] = field(default_factory=lambda: _NOTHING)
    fleet_order: tuple[str, ...] | None = None
    memory_changes: Mapping[str, DeploymentMemory | None] = field(default_factory=lambda: _NOTHING)
    overrides: tuple[Override, ...] | None = None
    lead_times: Mapping[str, Learned] | None = None
    shared: FleetMemory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An order came to its end: ``Engine.record`` was called. ``VOID`` ones were never sent.

    ``memory_changes`` is what is remembered of its deployment now, ``shared`` as in ``Evaluated``.
    """

    outcome: Outcome
    memory_changes: Mapping[str, DeploymentMemory | None] = field(default_factory=lambda: _NOTHING)
    shared: FleetMemory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotasRead:
    """The account has said what its quotas are: ``Engine.take_quotas`` was called with ``readings``.

    ``shared`` is what is remembered of the fleet now.
    """

    at: float
    readings: tuple[QuotaReading, ...]
    shared: FleetMemory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfMembers:
    """Something that concerns all engines of one fleet: ``Engine.hear_of_members`` was called with ``news``.

    ``membership`` is what is known of the members since, ``flights`` are the orders held since (``None``: no
    more). The rest is as in ``Evaluated``; of a bucket that was left ``memory_changes`` says ``None``, as this
    engine forgets it: another one remembers.
    """

    at: float
    news: MembersNews
    membership: Membership | None
    memory_changes: Mapping[str, DeploymentMemory | None] = field(default_factory=lambda: _NOTHING)
    flights: Mapping[str, Order | None] = field(default_factory=lambda: _NOTHING)
    overrides: tuple[Override, ...] | None = None
    lead_times: Mapping[str, Learned] | None = None
    shared: FleetMemory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """A person gave an order (``given``) or orders were lifted or ran out (``lifted``, by id).

    ``by`` is who did it; ``None``: they ran out. ``overrides`` are those in force afterwards, so that an
    order that was accepted is remembered even if no step follows; ``None``: as they were.
    """

    at: float
    given: Override | None = None
    lifted: tuple[str, ...] = ()
    by: str | None = None
    reason: str = ""
    overrides: tuple[Override, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Primed:
    """A rule of ``deployment`` went on from what its past had taught it: ``Engine.prime`` was called.

    ``remembered`` is what it remembers since. That is all that a replay needs, and some ten kilobytes,
    where the samples would be a hundred times as much. ``memory_changes`` is as in ``Ended``.
    """

    at: float
    deployment: str
    rule: str
    remembered: JsonValue
    memory_changes: Mapping[str, DeploymentMemory | None] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """An order is about to be sent. Durable before the write, or there is no write.

    ``memory`` is what is remembered of its deployment now, for a log that is read where the turns before
    were lost. ``number`` is its place among all intentions ever noted, from 1; the journal gives it. ``term``
    is that of the bucket which the deployment is in, as it was held when the write was meant; ``None`` where
    nothing is shared.
    """

    at: float
    order: Order
    memory: DeploymentMemory | None = None
    number: int = 0
    term: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """In place of entries that could not be kept in time: how many, and what is still known of them.

    ``turns`` were steps of the engine, ``others`` something else that it was told. ``flights`` are the
    orders that it holds since, ``None`` where one ended. The rest is as in ``Evaluated``, the newest of
    each; ``fleet_gone`` names all that were missing at some time, so that who came back stands last.
    """

    at: float
    turns: int = 0
    others: int = 0
    events: tuple[Event, ...] = ()
    flights: Mapping[str, Order | None] = field(default_factory=lambda: _NOTHING)
    fleet_gone: frozenset[str] = frozenset()
    fleet_changes: Mapping[str, Deployment | None] = field(default_factory=lambda: _NOTHING)
    fleet_order: tuple[str, ...] | None = None
    memory_changes: Mapping[str, DeploymentMemory | None] = field(default_factory=lambda: _NOTHING)
    overrides: tuple[Override, ...] | None = None
    lead_times: Mapping[str, Learned] | None = None
    shared: FleetMemory | None = None
    membership: Membership | None = None


Entry: TypeAlias = (
    PoliciesInForce | Evaluated | Ended | Overridden | Primed | QuotasRead | OfMembers | Intended
)
Item: TypeAlias = Entry | Lost
